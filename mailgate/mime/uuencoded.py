"""Files that stand uuencoded in a text, as old mail programs sent them (POSIX uuencode, both of its encodings).

A file is ``begin``, a mode of octal digits and a name, at the start of a line; then nothing but lines of data, each of
the length that it says; then ``end``, or the end of the text. Whatever isn't so to the letter stays in the text: prose
that begins a line with "begin", a quoted block, a block with a broken line. yEnc begins otherwise and stays too.
``begin-base64`` ends with ``====``. A block whose lines lost the spaces at their ends needs its ``end``.

Stricter than ``transfer.uudecode``, which is told that its octets are uuencoded and makes the best of them.
Raises nothing; linear: a line of data is no ``begin``, so none is looked at more than twice. ``MAX_FILES`` are taken,
from blocks of at most ``MAX_LINES``, and no more than ``MAX_BEGINS`` are looked at; what else there is stays.
"""

import re
from binascii import Error, a2b_base64, a2b_uu
from collections.abc import Iterator

from mailgate.mime import endings, text
from mailgate.mime.bodies import File

MAX_FILES = 500
MAX_BEGINS = 10_000
MAX_LINES = 2_000_000  # a file of 50 MB has 800,000

_BEGIN = re.compile(rb"^begin(-base64)? [0-7]{3,6} ([^\r\n]{1,500})\r?\n", re.MULTILINE)
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{2,400}={0,2}")

# the content of a block, and where the text goes on behind it
_Block = tuple[bytes, int]


def split(octets: bytes, most: int = MAX_FILES) -> tuple[bytes, tuple[File, ...]]:
    """Take at most so many files out of a text: what is left, and the files in their order."""
    if b"begin" not in octets:
        return octets, ()
    kept: list[bytes] = []
    files: list[File] = []
    done = at = 0
    for _ in range(MAX_BEGINS):
        begin = _BEGIN.search(octets, at)
        if begin is None or len(files) >= most:
            break
        at = begin.end()
        block = _base64(octets, at) if begin[1] else _uuencoded(octets, at)
        if block is not None:
            content, at = block
            files.append(_file(begin[2], content))
            kept.append(octets[done : begin.start()])
            done = at
    if not files:
        return octets, ()
    return b"".join((*kept, octets[done:])), tuple(files)


def _file(declared: bytes, content: bytes) -> File:
    name = text.line(text.decode(declared, "utf-8").text).strip('"')
    return File(endings.media(name), name, content)


def _rows(octets: bytes, start: int) -> Iterator[tuple[bytes, int]]:
    """Cut lines from there on: each without its line break, and where the next one starts."""
    for _ in range(MAX_LINES):
        if start >= len(octets):
            return
        after = octets.find(b"\n", start) + 1 or len(octets)
        yield octets[start:after].rstrip(b"\r\n"), after
        start = after


def _uuencoded(octets: bytes, start: int) -> _Block | None:
    content = bytearray()
    ended = stripped = False
    after = start
    for row, after in _rows(octets, start):
        if row.startswith(b"end") and not row[3:].strip():
            return bytes(content), after
        ended = ended or not row.strip(b" `")  # by a line of no data
        if ended and row.strip(b" `"):
            return None
        if not ended:
            chunk, lost = _line(row)
            if not chunk:
                return None
            content += chunk
            stripped = stripped or lost
    return (bytes(content), after) if content and not stripped and after == len(octets) else None


def _line(row: bytes) -> tuple[bytes, bool]:
    """Decode a line that has as many letters as it says, and say if it lost spaces; nothing where it is no such line.

    The letters are padded to fours by most encoders, and a few add one that counts them.
    """
    length = row[0] - 32
    if not 0 < length < 64:  # noqa: PLR2004 - six bits
        return b"", False
    full = 1 + (length + 2) // 3 * 4
    if len(row.rstrip(b" ")) > full + 1:
        return b"", False
    try:
        return a2b_uu(row[:full]), len(row) - 1 < (length * 4 + 2) // 3
    except Error:
        return b"", False


def _base64(octets: bytes, start: int) -> _Block | None:
    content = bytearray()
    after = start
    for row, after in _rows(octets, start):
        if row.strip() == b"====":
            return bytes(content), after
        if row.strip():
            if len(row) % 4 or not _BASE64.fullmatch(row):
                return None
            content += a2b_base64(row)
    return (bytes(content), after) if content and after == len(octets) else None
