"""Content transfer encodings (RFC 2045 section 6), read as mail programs do: never refused, nothing decompressed.

An unknown encoding leaves the octets as they are, and so does base64 that is plain text: whose first line has words
with spaces between them, or starts with a dot or another sign that base64 doesn't have, and a space; or that is a
single line with such a sign, not of whole groups of letters (RFC 2045 section 6.8), and decoded no text. Linear.
"""

import re
from binascii import Error, a2b_qp, a2b_uu

from mailgate.mime import words

_COMMENT = re.compile(rb"\([^()]*+\)?")
_TOKEN = re.compile(rb"[A-Za-z0-9-]+")
_UUENCODE = frozenset({b"uuencode", b"x-uuencode", b"uue", b"x-uue"})
_PLAIN_TEXT = re.compile(rb"\s*+(?:[A-Za-z]{1,30}+[,.:]?[ \t]++[A-Za-z]|[!-*,.:;<>?@-]{1,9}+[ \t]++[A-Za-z0-9])")
_ONE_LINE = re.compile(rb"\s*+[!-~]{1,76}+\s*+")
_LETTERS = re.compile(rb"[A-Za-z0-9+/]")
_LINE = re.compile(rb"[^\r\n]+")
_BEGIN = re.compile(rb"^begin [0-7]{3,4} ?([^\r\n]*)\r?\n", re.MULTILINE)


def decode(octets: bytes, encoding: bytes) -> bytes:
    """Decode content by the value of its Content-Transfer-Encoding."""
    token = _TOKEN.search(_COMMENT.sub(b" ", encoding) if b"(" in encoding else encoding)
    name = token[0].lower() if token else b""
    if name == b"base64":
        return octets if _PLAIN_TEXT.match(octets) else _base64(octets)
    if name == b"quoted-printable":
        return a2b_qp(octets)
    if name in _UUENCODE:
        begin = _BEGIN.search(octets)
        return uudecode(octets[begin.end() :]) if begin else octets
    return octets


def _base64(octets: bytes) -> bytes:
    decoded = words.base64(octets)
    if b"=" in octets or not _ONE_LINE.fullmatch(octets):
        return decoded
    letters = len(_LETTERS.findall(octets))
    whole = letters % 4 == 0 or letters == len(octets.strip())
    return decoded if whole or _is_utf_8(decoded) else octets


def _is_utf_8(octets: bytes) -> bool:
    try:
        return octets.decode().strip().isprintable()
    except UnicodeDecodeError:
        return False


def uudecode(octets: bytes) -> bytes:
    """Decode the lines after ``begin``, up to ``end``."""
    decoded = bytearray()
    for line in _LINE.finditer(octets):
        if line[0].strip() == b"end":
            break
        decoded += _uu_line(line[0])
    return bytes(decoded)


def _uu_line(line: bytes) -> bytes:
    try:
        return a2b_uu(line)
    except Error:
        # some encoders write more after the data than the length at the start of the line counts
        length = (line[0] - 32) & 63 if line else 0
        try:
            return a2b_uu(line[: (length * 4 + 5) // 3])
        except Error:
            return b""
