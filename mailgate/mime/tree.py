"""The tree of parts, split on the bytes of the mail and shown to mail-parser.

The standard library's splitter, and mail-parser with it, loses what follows where a multipart uses the boundary of the
one around it, reads one mail differently on different Pythons, and holds every line against every open boundary; so
the splitting is our own. A line is a delimiter if it is ``--``, the boundary of an open multipart, maybe ``--``, and
white space (RFC 2046 section 5.1.1); of two that fit the innermost. Only where a multipart would have no part at all
more may stand behind its boundary. That of an outer multipart ends the inner ones
(section 5.1.2). The line break before a delimiter belongs to it. ``message/*`` is a leaf: an attached mail keeps its
bytes, and a mail in a mail in a mail doesn't recurse.

The parts are messages of the standard library all the same: mail-parser gets the tree and says which defects it sees
in it, unless nothing in it can be one to it (a test holds that over all mails there are), for it takes a quarter of
the time of reading. It would merge attached mails into the body and lose unnamed parts and calendars, so bodies and
documents are made from the tree itself; its own troubles are swallowed.

``parse`` raises ``TooMuch`` beyond ``MAX_PARTS`` or ``MAX_DEPTH``. Linear; a part's content is cut out of the mail
when asked for.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import errors
from email.message import Message
from email.policy import compat32
from functools import lru_cache

import mailparser  # type: ignore[import-untyped]  # it ships no types

from mailgate.mime import fields, params, transfer
from mailgate.mime.fields import Fields

MAX_PARTS = 2000
MAX_DEPTH = 100
MAX_SQUARES = 64_000_000  # of the sizes of parts' headers: mail-parser reads parameters in quadratic time
MAX_FIELD = 16 * 1024  # longer fields of the mail aren't shown to mail-parser
MAX_SHOWN = 1024 * 1024  # more content of a part isn't shown to mail-parser, which keeps it in several forms
MAX_LINES = 1_000_000  # of a mail that is shown to mail-parser

_BLANK = re.compile(rb"(?<=\n)\r*+\n")
_LINE_BREAK = re.compile(rb"\r?\n\Z")
_TYPE = re.compile(r"[!-.0-~]+/[!-.0-~]+")
_SHOWN = frozenset({"from", "to", "cc", "date", "subject", "message-id"})
_ORDINARY_ENCODINGS = frozenset({b"", b"7bit", b"8bit", b"binary", b"quoted-printable"})
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_PLAIN_ENCODINGS = frozenset({b"", b"7bit", b"8bit", b"binary"})
# it logs what the mail says; no content of a mail may reach a log
logging.getLogger("mailparser").setLevel(logging.CRITICAL + 1)

# the relays' doing, and what has a note of its own
_ELSEWHERE = frozenset({"ReceivedHeaderDefect", "CharsetDecodeDefect", "DateHeaderDefect"})


@lru_cache(maxsize=64)
def _dashes(first: bytes) -> re.Pattern[bytes]:
    # found by their dashes, of which base64 has none; of line breaks it has many
    return re.compile(rb"-(?<=\n-)-[" + re.escape(first) + rb"]")


class TooMuch(ValueError):
    """The mail has more parts, or nests them deeper, than is read."""


class Part(Message):
    """A part whose type is read by our own rules; see the top of this module."""

    def __init__(self, raw: bytes, head: Fields, top: int, start: int) -> None:
        super().__init__(compat32)
        self.fields = head
        self.top = top  # where it starts in the mail
        self.parts: list[Part] = []
        self.reused = False  # a multipart with the boundary of one around it
        self.loose = False  # a multipart whose delimiters have more behind the boundary
        self._raw = raw
        self.start = start  # where its content does
        self._end = len(raw)
        self._type: params.Value | None = None
        self._media = ""
        self._boundary: bytes | None = None

    @property
    def type(self) -> params.Value:
        """Content-Type with its parameters."""
        if self._type is None:
            self._type = params.parse(self.fields.first("content-type"))
        return self._type

    @property
    def media(self) -> str:
        """The type in lower case; the default where it is missing or no type (RFC 2045 section 5.2)."""
        if not self._media:
            value = self.type.value
            if not value:
                return self.get_default_type()  # may be set later
            self._media = value if _TYPE.fullmatch(value) else "text/plain"
        return self._media

    @property
    def boundary(self) -> bytes:
        """The boundary of a multipart; trailing white space isn't part of it (RFC 2046 section 5.1.1)."""
        return self._declared_boundary.rstrip()

    @property
    def boundary_ending(self) -> bytes:
        """The white space that the boundary was declared with all the same."""
        return self._declared_boundary[len(self.boundary) :]

    @property
    def _declared_boundary(self) -> bytes:
        if self._boundary is None:
            octets = self.type.octets.get("boundary") if self.media.startswith("multipart/") else b""
            self._boundary = self.type.parameter("boundary").encode() if octets is None else octets
        return self._boundary

    def content(self) -> bytes:
        """Return the decoded content of a leaf."""
        return transfer.decode(self.octets, self.fields.first("content-transfer-encoding"))

    @property
    def octets(self) -> bytes:
        """The content of a leaf as it stands in the mail."""
        return self._raw[self.start : self._end]

    @property
    def size(self) -> int:
        """The number of these octets."""
        return self._end - self.start

    def end(self, before: int) -> None:
        """End the content before a delimiter, whose line break is not of the content."""
        broken = _LINE_BREAK.search(self._raw, max(self.start, before - 2), before)
        self._end = max(self.start, broken.start() if broken else before)

    def get_content_type(self) -> str:
        """Answer mail-parser: a leaf is a leaf whatever it holds."""
        return "application/octet-stream" if self.media.startswith("message/") else self.media

    @property
    def _payload(self) -> "list[Part] | str":
        """Answer the standard library."""
        if not self.parts and self.size > MAX_SHOWN:
            return ""
        return self.parts or self.octets.decode("ascii", "surrogateescape")

    @_payload.setter
    def _payload(self, payload: object) -> None:
        """Take what the standard library begins with, which is nothing."""


@dataclass(slots=True)
class _Open:
    """A multipart whose end was not seen yet."""

    part: Part
    boundary: bytes
    hidden: "_Where | None"  # the level that had its boundary before
    cut: list[bytes] = field(default_factory=list)  # boundaries of multiparts in it that never closed
    exact: bool = False  # its boundary ends in white space, and so do its delimiters


@dataclass(frozen=True, slots=True)
class _Where:
    """Which level a boundary belongs to; ``cut`` if it was that of a multipart there that never closed."""

    level: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class _Delimiter:
    """A line that ends a part: where it starts, where the next one starts, of which level it is."""

    start: int
    after: int
    where: _Where
    closes: bool


class _Splitter:
    """One pass over a mail."""

    def __init__(self, raw: bytes, root: Part) -> None:
        self._raw = raw
        self._open: list[_Open] = []
        self._levels: dict[bytes, _Where] = {}
        self._count = 1
        self._blank = (0, 0)  # the last empty line that was found
        self._last = root  # what goes on until the next delimiter
        self._enter(root)

    def run(self, start: int) -> None:
        while self._open and (found := self._delimiter(start, len(self._raw))):
            self._last.end(found.start)
            self._leave(found.where.level + 1, found.start)
            if found.closes:
                # what follows the end of a multipart that was cut short is nobody's
                self._last = Part(self._raw, Fields(), found.after, found.after) if found.where.cut else self._close()
                start = found.after
            elif found.after >= len(self._raw):
                break  # a delimiter at the very end opens nothing
            else:
                start = self._part(found)
        for each in self._open:
            each.part.defects.append(errors.CloseBoundaryNotFoundDefect())

    def _part(self, delimiter: _Delimiter) -> int:
        """Begin a part behind its delimiter; return where its content starts."""
        above = self._open[delimiter.where.level].part
        if self._count >= MAX_PARTS:
            raise TooMuch(f"more than {MAX_PARTS} parts")
        self._count += 1
        start = delimiter.after
        blank = self._next_blank(start)
        early = self._delimiter(start, blank)
        end = early.start if early else blank
        part = _headed(self._raw, fields.split(self._raw[start:end]), start)
        part.set_default_type("message/rfc822" if above.media == "multipart/digest" else "text/plain")
        above.parts.append(part)
        self._last = part
        self._enter(part)
        return part.start

    def _enter(self, part: Part) -> None:
        boundary = part.boundary
        if not boundary:
            if part.media.startswith("multipart/"):
                part.defects.append(errors.NoBoundaryInMultipartDefect())
            return
        if len(self._open) >= MAX_DEPTH:
            raise TooMuch(f"parts nested more than {MAX_DEPTH} deep")
        part.reused = boundary in self._levels
        self._open.append(_Open(part, boundary, self._levels.get(boundary)))
        self._levels[boundary] = _Where(len(self._open) - 1)

    def _leave(self, level: int, end: int) -> None:
        """Leave the multiparts that this delimiter of one around them ends; their own may still follow."""
        while len(self._open) > level:
            boundary = self._open[-1].boundary
            part = self._close()
            part.end(end)
            part.defects.append(errors.CloseBoundaryNotFoundDefect())
            if boundary not in self._levels:
                self._levels[boundary] = _Where(level - 1, cut=True)
                self._open[level - 1].cut.append(boundary)

    def _close(self) -> Part:
        closed = self._open.pop()
        for boundary in closed.cut:
            self._levels.pop(boundary, None)
        if closed.hidden is None:
            self._levels.pop(closed.boundary, None)
        else:
            self._levels[closed.boundary] = closed.hidden
        if not closed.part.parts:
            closed.part.defects.append(errors.StartBoundaryNotFoundDefect())
        return closed.part

    def _delimiter(self, start: int, stop: int) -> _Delimiter | None:
        """Find the next delimiter whose line starts at ``start`` or behind it, before ``stop``."""
        for at in self._dashed(start, stop):
            after = self._raw.find(b"\n", at) + 1 or len(self._raw)
            line = self._raw[at + 2 : after].rstrip(b"\r\n")
            told = self._level(line.rstrip(b" \t"))
            if told and self._is_exact(line, *told):
                return _Delimiter(at, after, *told)
        return None

    def _dashed(self, start: int, stop: int) -> Iterator[int]:
        """List where lines start that may be delimiters: with dashes and the first octet of a boundary."""
        if start < stop and self._raw.startswith(b"--", start):
            yield start
        first = bytes(sorted({boundary[0] for boundary in self._levels}))
        yield from (found.start() for found in _dashes(first).finditer(self._raw, start + 1, stop))

    def _level(self, line: bytes) -> tuple[_Where, bool] | None:
        opens = self._levels.get(line)
        closes = self._levels.get(line[:-2].rstrip(b" \t")) if line.endswith(b"--") else None
        if closes is not None and (opens is None or opens.level < closes.level):
            return closes, True
        return self._loosely(line) if opens is None else (opens, False)

    def _is_exact(self, line: bytes, where: _Where, closes: bool) -> bool:  # noqa: FBT001 - what _level told
        """Say whether white space at the end is right: lost on the way from all delimiters of a multipart, or none."""
        told = self._open[where.level]
        ending = told.part.boundary_ending
        if where.cut or closes or not ending:
            return True
        if not told.part.parts:
            told.exact = line.endswith(ending)
        return not told.exact or line.endswith(ending)

    def _loosely(self, line: bytes) -> tuple[_Where, bool] | None:
        """Take a line that only starts as a delimiter, if the innermost multipart has no better one."""
        innermost = self._open[-1]
        if not line.startswith(innermost.boundary) or (innermost.part.parts and not innermost.part.loose):
            return None
        innermost.part.loose = True
        return self._levels[innermost.boundary], line.startswith(b"--", len(innermost.boundary))

    def _next_blank(self, start: int) -> int:
        """Return where the empty line ends that is next; the end of the mail where there is none."""
        if self._raw.startswith((b"\n", b"\r\n"), start):
            return self._raw.index(b"\n", start) + 1
        line, end = self._blank
        if line < start:
            found = _BLANK.search(self._raw, start)
            line, end = self._blank = found.span() if found else (len(self._raw), len(self._raw))
        return end


def parse(raw: bytes, head: Fields) -> Part:
    """Build the tree of a mail; ``TooMuch`` beyond the bounds."""
    root = _headed(raw, head, 0)
    _Splitter(raw, root).run(root.start)
    return root


def defects(root: Part, *, all_read: bool = False) -> tuple[str, ...]:
    """Name the kinds of defects that mail-parser and we see, sorted; ``all_read``: those of addresses don't matter."""
    known = {type(defect).__name__ for part in walk(root) for defect in part.defects}
    if all_read and is_ordinary(root):
        return tuple(sorted(known - _ELSEWHERE))
    if sum(_size(part) ** 2 for part in walk(root)) <= MAX_SQUARES and root.octets.count(b"\n") <= MAX_LINES:
        known |= _diagnosed(root)
    return tuple(sorted(known - _ELSEWHERE))


def is_ordinary(root: Part) -> bool:
    """Say whether mail-parser has nothing to say of how a mail is built, whatever it says of its addresses."""
    return all(map(_is_ordinary, walk(root)))


def _is_ordinary(part: Part) -> bool:
    for name, value in part.fields.items:
        if name.startswith("content-") and not (value.isascii() and b"*" not in value and b"=?" not in value):
            return False  # RFC 2231 and encoded words may be wrong in many ways
    if part.parts:
        return True
    encoding = part.fields.first("content-transfer-encoding").strip().lower()
    return encoding in _ORDINARY_ENCODINGS or (encoding == b"base64" and _is_base64(part.octets))


def _is_base64(octets: bytes) -> bool:
    """Say whether octets are whole groups of letters (RFC 4648), the last one maybe filled up, and line breaks."""
    rest = octets.translate(None, _BASE64)
    padding = rest.translate(None, b"\r\n")
    letters = len(octets) - len(rest) + len(padding)
    if padding not in {b"", b"=", b"=="}:
        return False
    behind = octets[octets.index(b"=") :] if padding else b""
    return letters % 4 == 0 and not behind.strip(b"=\r\n")


def walk(root: Part) -> list[Part]:
    """List a tree's parts in the order of the mail."""
    found, waiting = [], [root]
    while waiting:
        part = waiting.pop()
        found.append(part)
        waiting.extend(reversed(part.parts))
    return found


def _headed(raw: bytes, head: Fields, start: int) -> Part:
    """Make a part of its header, which starts there; a multipart's own delimiter ends it without an empty line."""
    part = Part(raw, head, start, start + head.body)
    if part.boundary and b"\n--" + part.boundary in raw[start : part.start]:
        header = raw[start : part.start]
        early = re.search(rb"(?<=\n)--" + re.escape(part.boundary) + rb"[ \t]*+\r?\n", header)
        if early:
            part = Part(raw, fields.split(header[: early.start()]), start, start + early.start())
            part.defects.append(errors.MissingHeaderBodySeparatorDefect())
    _note_header(part)
    return part


def _note_header(part: Part) -> None:
    if part.fields.broken:
        part.defects.append(errors.MissingHeaderBodySeparatorDefect())
    encoding = part.fields.first("content-transfer-encoding").strip().lower()
    if part.boundary and encoding not in _PLAIN_ENCODINGS:
        part.defects.append(errors.InvalidMultipartContentTransferEncodingDefect())


def _size(part: Part) -> int:
    return sum(len(value) for _, value in part.fields.items)


def _diagnosed(root: Part) -> set[str]:
    _show(root, _SHOWN)
    for part in walk(root)[1:]:
        _show(part, None)
    try:
        return set(mailparser.MailParser(root).defects_categories)
    except Exception:  # noqa: BLE001 - it raises AttributeError and more on broken mail; the tree stands without it
        return set()


def _show(part: Part, worth: frozenset[str] | None) -> None:
    """Give the standard library's side of a part its fields: what says how it is built, and those worth a diagnosis."""
    for name, value in part.fields.items:
        if worth is None or name.startswith("content-") or (name in worth and len(value) <= MAX_FIELD):
            part.set_raw(name, value.decode("ascii", "surrogateescape").strip("\r\n"))
