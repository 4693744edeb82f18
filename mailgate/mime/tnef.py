"""winmail.dat: the files, and the body, that Outlook packs into one part (MS-OXTNEF).

Sole importer of tnefparse.
"""

from dataclasses import dataclass

from mailgate.mime.bodies import File, Piece


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was inside."""

    files: tuple[File, ...] = ()
    text: tuple[File, ...] = ()
    html: tuple[File, ...] = ()


def is_one(_piece: Piece) -> bool:
    """Say whether a document is a winmail.dat, by its type or by its name and first octets."""
    return False


def unpack(_content: bytes) -> Unpacked | None:
    """Unpack one; ``None`` where it is broken beyond reading."""
    return None
