"""Whether a mail is signed or encrypted (S/MIME, RFC 8551; PGP/MIME, RFC 3156; PGP inline, RFC 9580)."""

from mailgate.mime.bodies import Bodies
from mailgate.mime.notes import Notes
from mailgate.mime.tree import Part


def note(_root: Part, _bodies: Bodies, _said: Notes) -> None:
    """Note what is ``signed`` and what is ``encrypted``."""
