"""Opaque S/MIME: what a CMS envelope is, and the content inside a signed one (RFC 5652, RFC 8551 section 3).

``kind`` goes by the type that the envelope names in itself, and by the declared smime-type only where the envelope is
too broken to name one. Signed content is cut out whether it is written in DER or in BER, with lengths left open and the
content in pieces, as every mailer that streams sends it; PEM, and base64 left in place by a wrong declaration, are
undone first. Signatures are not checked, nothing is decrypted, and compressed data stays closed as archives do.

Read by a small walk of our own: of the whole of ASN.1 only "what is this, and where does it end" is needed, the
libraries at hand build objects of everything, recurse on what is nested, or are no longer cared for. The walk is a
loop: linear, at most ``MAX_DEPTH`` pieces within pieces and ``MAX_VALUES`` values. Raises nothing.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from mailgate.mime import words
from mailgate.mime.bodies import Piece

MAX_DEPTH = 16
MAX_VALUES = 500_000  # programs cut content in pieces of a kilobyte and more

TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_UNSAID = frozenset({"application/octet-stream", "binary/octet-stream"})

_SEQUENCE, _SET, _INTEGER, _OID, _CONTENT = 0x30, 0x31, 0x02, 0x06, 0xA0
_OCTETS, _PIECES = 0x04, 0x24
_END = b"\x00\x00"
_MAX_LENGTH_OCTETS = 8
_ARMOUR = re.compile(rb"-----BEGIN [A-Z0-9 ]{1,40}-----\s*+([A-Za-z0-9+/=\s]*+)")
_BASE64_BEGINS = re.compile(
    rb"\s{0,20}MI[A-Za-z0-9+/\s]{14}"
)  # a SEQUENCE of more than 127 octets, or of an open length


class Kind(StrEnum):
    """What an envelope is."""

    SIGNED = "signed"
    ENCRYPTED = "encrypted"
    COMPRESSED = "compressed"
    CERTIFICATES = "certificates"  # signed data without content
    OTHER = ""


_KINDS = {
    bytes.fromhex("2a864886f70d010702"): Kind.SIGNED,
    bytes.fromhex("2a864886f70d010703"): Kind.ENCRYPTED,  # enveloped-data
    bytes.fromhex("2a864886f70d010704"): Kind.ENCRYPTED,  # signed and enveloped (PKCS #7 1.5)
    bytes.fromhex("2a864886f70d010706"): Kind.ENCRYPTED,  # encrypted-data
    bytes.fromhex("2a864886f70d0109100109"): Kind.COMPRESSED,
    bytes.fromhex("2a864886f70d0109100117"): Kind.ENCRYPTED,  # authEnveloped-data
}
_DECLARED = {
    "enveloped-data": Kind.ENCRYPTED,
    "authenveloped-data": Kind.ENCRYPTED,
    "compressed-data": Kind.COMPRESSED,
    "certs-only": Kind.CERTIFICATES,
}


def may_be(piece: Piece) -> bool:
    """Say whether a document is declared as an envelope, by its type or its name."""
    name = piece.name.lower().strip()
    return piece.media in TYPES or name == "smime.p7m" or (piece.media in _UNSAID and name.endswith(".p7m"))


def kind(piece: Piece) -> Kind:
    """Say what envelope a document is; ``OTHER`` for none."""
    if not may_be(piece):
        return Kind.OTHER
    octets = _binary(piece.content)
    try:
        found = _Walk(octets).kind()
    except _Broken:
        return _DECLARED.get(piece.parameter("smime-type").lower(), Kind.OTHER)
    if found is Kind.SIGNED and content(octets) is None:
        return Kind.CERTIFICATES
    return found


def is_signed(piece: Piece) -> bool:
    """Say whether a document is an opaque signed envelope with content that can be read."""
    return kind(piece) is Kind.SIGNED


def content(octets: bytes) -> bytes | None:
    """Return the signed content, mostly a MIME entity; ``None`` where there is none, or none that can be read."""
    walk = _Walk(_binary(octets))
    try:
        return walk.content() if walk.kind() is Kind.SIGNED else None
    except _Broken:
        return None


def _binary(octets: bytes) -> bytes:
    """Undo PEM, and base64 that nothing declared."""
    if octets[:1] == b"\x30":
        return octets
    armour = _ARMOUR.search(octets[:1000]) and _ARMOUR.search(octets)
    if armour:
        return words.base64(armour[1])
    return words.base64(octets) if _BASE64_BEGINS.match(octets) else octets


class _Broken(ValueError):
    """The octets are no such envelope, or not all of one."""


@dataclass(frozen=True, slots=True)
class _Value:
    """One value: its tag, where what it holds starts, and where it ends; ``None`` where the length is open."""

    tag: int
    start: int
    end: int | None


class _Walk:
    """A walk through BER (X.690 section 8) from value to value; ``at`` is where the next one starts."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0
        self._seen = 0

    def kind(self) -> Kind:
        """Read the type that the ContentInfo names."""
        self._enter(_SEQUENCE)
        name = self._next()
        if name.tag != _OID or name.end is None:
            raise _Broken
        self._at = self._whole(name.end)
        return _KINDS.get(self._octets[name.start : name.end], Kind.OTHER)

    def content(self) -> bytes | None:
        """Read eContent; behind ``kind`` of a SignedData."""
        self._enter(_CONTENT)
        self._enter(_SEQUENCE)
        self._pass(_INTEGER)
        self._pass(_SET)
        inside = self._enter(_SEQUENCE)
        self._pass(_OID)
        # without content, what follows behind the end may have the same tag: the certificates
        if inside.end is not None and self._at >= inside.end:
            return None
        if self._octets[self._at : self._at + 1] != bytes([_CONTENT]):
            return None
        self._enter(_CONTENT)
        return self._string()

    def _next(self) -> _Value:
        """Read the head of the value that starts here."""
        self._seen += 1
        octets, at = self._octets, self._at
        if self._seen > MAX_VALUES or at + 2 > len(octets):
            raise _Broken
        tag, length, start = octets[at], octets[at + 1], at + 2
        if tag & 0x1F == 0x1F:  # noqa: PLR2004 - tags in several octets; none that is known has any
            raise _Broken
        if length == 0x80:  # noqa: PLR2004 - an open length (8.1.3.6)
            return _Value(tag, start, None)
        if length & 0x80:
            count = length & 0x7F
            start += count
            if count > _MAX_LENGTH_OCTETS:
                raise _Broken
            length = int.from_bytes(octets[start - count : start], "big")
        return _Value(tag, start, start + length)

    def _whole(self, end: int) -> int:
        if end > len(self._octets):
            raise _Broken
        return end

    def _enter(self, tag: int) -> _Value:
        value = self._next()
        if value.tag != tag:
            raise _Broken
        self._at = value.start
        return value

    def _pass(self, tag: int) -> None:
        """Go behind a value, however deep it is."""
        value = self._enter(tag)
        depth = 1
        if value.end is not None:
            self._at = self._whole(value.end)
            return
        while depth:
            if self._octets.startswith(_END, self._at):
                self._at += len(_END)
                depth -= 1
                continue
            value = self._next()
            depth += value.end is None
            self._at = value.start if value.end is None else self._whole(value.end)

    def _string(self) -> bytes:
        """Read an OCTET STRING, whole or in pieces, and pieces of pieces (8.7)."""
        chunks: list[bytes] = []
        open_ends: list[int | None] = []
        while True:
            value = self._next()
            self._at = value.start
            if value.tag == _OCTETS and value.end is not None:
                chunks.append(self._octets[value.start : self._whole(value.end)])
                self._at = value.end
            elif value.tag == _PIECES and len(open_ends) < MAX_DEPTH:
                open_ends.append(value.end)
            elif not (value.tag == 0 and value.end == value.start and open_ends and open_ends[-1] is None):
                raise _Broken
            else:
                open_ends.pop()
            while open_ends and open_ends[-1] == self._at:
                open_ends.pop()
            if not open_ends:
                return b"".join(chunks)
