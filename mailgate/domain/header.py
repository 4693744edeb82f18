"""Splits the header block of a mail into its fields, once, for all rules that look at raw bytes.

The block ends at the first empty line, or with the mail. Lines end with CRLF on the wire; CR or LF alone ends a line
too, so that any bytes can be split (the listeners refuse such mail before). Each line that starts a field is told from
one that doesn't:

    FIELD    printable ASCII name, then ":"                                RFC 5322 2.2
    SPACED   the same with white space before the ":"                      RFC 5322 4.5, obsolete
    MBOX     "From " or ">From " and more, as the very first line only: left by a mailbox file
    GARBAGE  anything else, with the folded lines below it: no colon, no name, 8-bit or control characters in the name,
             white space at the start of the first line, a name folded before its colon

Readers differ about garbage: some skip it, some end the header there. Rules that must not be fooled look at it.

Splitting raises nothing. Time is linear in the size of the block; memory too, with some 150 bytes per field: so compare
``body_offset`` with the limit for headers first.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from mailgate.errors import Reason, Refused

_FIELD = re.compile(rb"([!-9;-~]++)([ \t]*+):")
_WHITE = (b" ", b"\t")
_COMMENT_MARK = re.compile(rb'[()"\\]')
_INSIDE_COMMENT = re.compile(r"[()\\]")


class Shape(Enum):
    """What a line that starts an entry of the header block looks like."""

    FIELD = "field"
    SPACED = "spaced"
    MBOX = "mbox"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True)
class Field:
    """One entry. ``value`` keeps its folds but not its final line end; without a name it is the whole of its lines."""

    name: bytes
    value: bytes
    shape: Shape

    def is_named(self, name: bytes) -> bool:
        """Say whether it is a field of this name, given in lower case; the one with a spaced colon counts."""
        return self.name.lower() == name and bool(self.name)


@dataclass(frozen=True, slots=True)
class Header:
    """The entries in their order, and where the body starts in the raw bytes."""

    fields: tuple[Field, ...]
    body: int

    def values(self, name: bytes) -> list[bytes]:
        """Return the raw values of all fields of this name (lower case), topmost first."""
        return [field.value for field in self.fields if field.is_named(name)]


def body_offset(raw: bytes) -> int:
    """Return where the body starts: after the first empty line, or the length of the mail where there is none."""
    end = _first_empty_line(raw)
    return min(end + _line_end_length(raw, end), len(raw))


def split(raw: bytes) -> Header:
    """Split the header block of a mail; see the top of this module."""
    lines = raw[: _first_empty_line(raw)].splitlines(keepends=True)
    return Header(tuple(_entries(lines)), body_offset(raw))


def unfold(value: bytes) -> bytes:
    """Take the line ends out of a folded value; the white space after them stays (RFC 5322 2.2.3)."""
    return value.replace(b"\r", b"").replace(b"\n", b"")


def without_comments(value: bytes) -> bytes:
    """Put a space in the place of each comment, nested ones included (RFC 5322 3.2.2); an open one takes the rest."""
    kept: list[bytes] = []
    depth = start = position = 0
    quoted = False
    while mark := _COMMENT_MARK.search(value, position):
        position = mark.end()
        match mark.group():
            case b"\\":
                position += 1
            case b'"' if not depth:
                quoted = not quoted
            case b"(" if not quoted:
                if not depth:
                    kept.append(value[start : mark.start()])
                depth += 1
            case b")" if depth:
                depth -= 1
                start = position
    if not depth:
        kept.append(value[start:])
    return b" ".join(kept)


def end_of_comment(text: str, start: int) -> int | None:
    """Find the end of the comment that opens at ``start``, nested ones counted and not recursed into; none if open."""
    depth = 0
    position = start
    while mark := _INSIDE_COMMENT.search(text, position):
        position = mark.end()
        match mark.group():
            case "(":
                depth += 1
            case ")":
                depth -= 1
                if not depth:
                    return position
            case _:
                position += 1
    return None


def _first_empty_line(raw: bytes) -> int:
    """Find the empty line: a line end at the very start, or one right after another."""
    if raw.startswith((b"\r", b"\n")):
        return 0
    end = len(raw)
    for pair in (b"\n\r", b"\n\n", b"\r\r"):
        found = raw.find(pair, 0, end + 1)
        if found >= 0:
            end = found + 1
    return end


def _line_end_length(raw: bytes, at: int) -> int:
    return 2 if raw[at : at + 2] == b"\r\n" else 1


def _entries(lines: list[bytes]) -> Iterator[Field]:
    first = 0
    if lines and _is_mbox_line(lines):
        yield Field(b"", lines[0].rstrip(b"\r\n"), Shape.MBOX)
        first = 1
    while first < len(lines):
        after = first + 1
        while after < len(lines) and lines[after].startswith(_WHITE):
            after += 1
        yield _entry(lines[first], lines[first + 1 : after])
        first = after


def _entry(line: bytes, folded: Iterable[bytes]) -> Field:
    text = b"".join((line, *folded)).rstrip(b"\r\n")
    match = _FIELD.match(line)
    if match is None:
        return Field(b"", text, Shape.GARBAGE)
    return Field(match.group(1), text[match.end() :], Shape.SPACED if match.group(2) else Shape.FIELD)


def _is_mbox_line(lines: list[bytes]) -> bool:
    """Tell ``From anna Mon Jan 1`` from ``From : anna`` and from a ``From`` whose colon was folded away."""
    first = lines[0]
    folded_name = not first[5:].strip() and len(lines) > 1 and lines[1].startswith(_WHITE)
    return first.startswith((b"From ", b">From ")) and not _FIELD.match(first) and not folded_name


def with_crlf(raw: bytes) -> bytes:
    """Turn LF line ends of a file into CRLF; ``Refused(BARE_NEWLINE)`` for mixed ones, a bare CR or a NUL."""
    pairs, feeds = raw.count(b"\r\n"), raw.count(b"\n")
    if b"\0" in raw or raw.count(b"\r") != pairs or (pairs and feeds != pairs):
        raise Refused(Reason.BARE_NEWLINE)
    return raw if pairs else raw.replace(b"\n", b"\r\n")
