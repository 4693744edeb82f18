"""The header fields of a mail, split on its bytes in linear time.

A field name is printable ASCII; white space before the colon is allowed (RFC 5322 section 4.5). The header ends at
the first empty line. A line that is neither a field nor a continuation is skipped, with the folded lines below it,
where it is below a trace field (a fold whose white space was lost) or a field follows whose name is well-known or looks
like one; else the body starts with that line, as readers show it. What is surely the rest of a torn field is skipped
as well: a folded first line that is a parameter, a single word that starts with ``Content-``. A leading mbox line is
skipped.

Who wrote a mail is decided elsewhere, by a strict rule; this one is for showing.

Limits: ``MAX_BYTES`` of header are read; the body is found behind a longer one too. Below ``LARGE_LINES`` lines
only well-known fields are kept, ``MAX_EACH`` of a name: one of seven octets takes some two hundred in memory.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from mailgate.mime import words

MAX_BYTES = 8 * 1024 * 1024
LARGE_BYTES = 1024 * 1024
LARGE_LINES = 5000
MAX_EACH = 2_000

_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")
_ODD_NAME = re.compile(rb"[!-9;-~]*+[\x80-\xff][!-9;-~\x80-\xff]*+[ \t]*+:")
_WELL_KNOWN_NAMES = (
    "bcc cc content-disposition content-transfer-encoding content-type date dkim-signature from message-id mime-version"
    " received references reply-to return-path sender subject to"
)
_WELL_KNOWN = frozenset(_WELL_KNOWN_NAMES.split())
_LIKE_A_NAME = re.compile(rb"[A-Z][A-Za-z]*+-|[A-Z][a-z]++[A-Z]")  # X-Mailer, AnotherHeader; but no "Note"
# long ones that programs break; a text never starts right below them
_TRACES = frozenset(
    {"arc-authentication-results", "arc-message-signature", "arc-seal", "authentication-results", "dkim-signature"}
    | {"received", "received-spf", "x-received"}
)
_TORN = re.compile(rb"Content-[!-9;-~]*+[ \t]*+\r?\n|[ \t]++[a-z][a-z0-9*-]*+=[^\s]*+[ \t]*+\r?\n", re.IGNORECASE)
_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Fields:
    """Names in lower case with their raw values, folding and all, in the order of the mail."""

    items: tuple[tuple[str, bytes], ...] = ()
    body: int = 0  # where the body starts
    lines: int = 0
    broken: bool = False  # the header had no proper end, or a line that is no field

    def all(self, name: str) -> list[bytes]:
        """Return the unfolded values of every field of that name."""
        return [words.unfold(value) for known, value in self.items if known == name]

    def first(self, name: str) -> bytes:
        """Return the unfolded value of the first field of that name, else nothing."""
        for known, value in self.items:
            if known == name:
                return words.unfold(value)
        return b""

    @property
    def large(self) -> bool:
        """Say whether the header is larger than any real one."""
        return self.body > LARGE_BYTES or self.lines > LARGE_LINES


def split(raw: bytes) -> Fields:
    """Split the header of a whole mail."""
    state = _Splitting(raw)
    for start, row in _rows(raw):
        if not row.strip(b"\r\n"):
            return state.done(start + len(row))
        state.add(start, row)
    return state.done(_after(raw, min(len(raw), MAX_BYTES)))


class _Splitting:
    """The header so far, and the first line since the last well-known field that is none."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._items: list[tuple[str, int]] = []  # where the value starts
        self._ends: list[int] = []  # and where it ends
        self._below: Counter[str] = Counter()  # the fields below so many lines
        self._lines = 0
        self._broken = False
        self._skipping = False  # the line above is none of a field
        self._doubt: tuple[int, int] | None = None  # where that line starts, and how many fields stand above it

    def add(self, start: int, row: bytes) -> None:
        name = _NAME.match(row)
        if name:
            self._field(name[1], start + name.end(), start + len(row))
        elif row[:1] in b" \t" and self._items:
            # what a skipped line goes on with is no part of the field above it
            if not self._skipping:
                self._ends[-1] = start + len(row)
        elif self._lines or not row.startswith((b"From ", b">From ")):
            self._broken = self._skipping = True
            traced = bool(self._items) and self._items[-1][0] in _TRACES
            odd = _ODD_NAME.match(row) or _TORN.fullmatch(row)  # of a name that can't be, or has lost its colon
            if not traced and not odd:  # a field all the same
                self._doubt = self._doubt or (start, len(self._items))
        self._lines += 1

    def _field(self, written: bytes, start: int, end: int) -> None:
        name = written.decode("ascii").lower()
        self._skipping = not self._keeps(name)
        if not self._skipping:
            self._items.append((name, start))
            self._ends.append(end)
        if name in _WELL_KNOWN or _LIKE_A_NAME.match(written):
            self._doubt = None

    def _keeps(self, name: str) -> bool:
        if self._lines < LARGE_LINES:
            return True
        if name not in _WELL_KNOWN:
            return False
        self._below[name] += 1
        return self._below[name] <= MAX_EACH

    def done(self, body: int) -> Fields:
        above = len(self._items)
        if self._doubt:
            body, above = self._doubt
        found = zip(self._items[:above], self._ends, strict=False)
        items = tuple((name, self._raw[start:end]) for (name, start), end in found)
        return Fields(items, body, self._lines, self._broken)


def _rows(raw: bytes) -> Iterator[tuple[int, bytes]]:
    start, stop = 0, min(len(raw), MAX_BYTES)
    while start < stop:
        end = raw.find(b"\n", start, stop) + 1 or stop
        yield start, raw[start:end]
        start = end


def _after(raw: bytes, start: int) -> int:
    end = _END.search(raw, start)
    return end.end() if end else len(raw)
