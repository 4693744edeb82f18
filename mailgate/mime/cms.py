"""Opaque signed mail: the content inside a CMS SignedData (RFC 5652 section 5, RFC 8551 section 3.5)."""

from mailgate.mime.bodies import Piece


def is_signed(_piece: Piece) -> bool:
    """Say whether a document is an opaque signed envelope."""
    return False


def content(_octets: bytes) -> bytes | None:
    """Return the signed content, a MIME entity; ``None`` where there is none that can be read."""
    return None
