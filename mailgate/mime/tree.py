"""The tree of parts: built by the standard library's parser with our own parts, and shown to mail-parser.

The standard library splits (policy compat32; ``policy.default`` raises on real mail), but what decides how to split
is said by ``Part``: types and boundaries are read by ``params``, in linear time and alike on every Python, and
``message/*`` is a leaf, so an attached mail keeps its bytes and a mail in a mail in a mail doesn't recurse.
mail-parser gets the same tree and says which defects it sees in it; it would merge attached mails into the body and
lose unnamed parts and calendars, so bodies and documents are made from the tree itself.

``parse`` raises ``TooMuch`` beyond ``MAX_PARTS``, ``MAX_DEPTH``, ``MAX_LINES`` or too much work for the boundaries of
deep trees. mail-parser's own troubles are swallowed: the tree stands without it.
"""

import logging
import re
from collections.abc import Iterable
from email._policybase import Compat32
from email.errors import MissingHeaderBodySeparatorDefect
from email.message import Message
from email.parser import BytesFeedParser
from email.policy import compat32

import mailparser  # type: ignore[import-untyped]  # it ships no types

from mailgate.mime import fields, params, transfer, words
from mailgate.mime.fields import Fields

MAX_PARTS = 2000
MAX_DEPTH = 100
MAX_LINES = 3_000_000
MAX_MATCHES = 30_000_000  # lines times depth: each line is held against the boundary of each open multipart
MAX_SQUARES = 64_000_000  # of the sizes of parts' headers: mail-parser reads parameters in quadratic time
MAX_FIELD = 16 * 1024  # longer fields of the mail aren't shown to mail-parser

_CHUNK = 1024 * 1024
_TYPE = re.compile(r"[!-.0-~]+/[!-.0-~]+")
_SHOWN = frozenset({"from", "to", "cc", "date", "subject", "message-id"})
# it logs what the mail says; no content of a mail may reach a log
logging.getLogger("mailparser").setLevel(logging.CRITICAL + 1)

# the relays' doing, and what has a note of its own
_ELSEWHERE = frozenset({"ReceivedHeaderDefect", "CharsetDecodeDefect", "DateHeaderDefect"})


class TooMuch(ValueError):
    """The mail has more parts, or nests them deeper, than is read."""


class _Bounds:
    """What one parse may cost."""

    def __init__(self, lines: int) -> None:
        self.lines = lines
        self.parts = -1  # the parser makes one for trial
        if lines > MAX_LINES:
            raise TooMuch(f"more than {MAX_LINES} lines")

    def count(self) -> None:
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise TooMuch(f"more than {MAX_PARTS} parts")

    def check(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise TooMuch(f"parts nested more than {MAX_DEPTH} deep")
        if depth * self.lines > MAX_MATCHES:
            raise TooMuch("many lines in deeply nested parts")


class Part(Message):
    """A part whose type is read by our own rules; see the top of this module."""

    def __init__(self, policy: Compat32 = compat32, bounds: _Bounds | None = None) -> None:
        super().__init__(policy)
        self.depth = 0
        self._bounds = bounds
        self._fields: Fields | None = None
        self._octets: bytes | None = None
        self._type: params.Value | None = None

    @property
    def fields(self) -> Fields:
        """The part's own header."""
        if self._fields is None:
            self._fields = fields.of_part(self.raw_items())
        return self._fields

    def mend(self) -> None:
        """Split a leaf's header again where the parser stopped at a line that is no field, and more fields follow."""
        if self.parts or not any(isinstance(defect, MissingHeaderBodySeparatorDefect) for defect in self.defects):
            return
        whole = _written(self.fields.items) + self._raw_octets()
        again = fields.split(whole)
        if len(again.items) > len(self.fields.items):
            self._fields, self._octets, self._type = again, whole[again.body :], None

    @property
    def type(self) -> params.Value:
        """Content-Type with its parameters."""
        if self._type is None:
            self._type = params.parse(self.fields.first("content-type"))
        return self._type

    @property
    def media(self) -> str:
        """The type in lower case; the default where it is missing or no type (RFC 2045 section 5.2)."""
        value = self.type.value
        if value in {"", "text"} or not _TYPE.fullmatch(value):
            return "text/plain" if value else self.get_default_type()
        return value

    @property
    def parts(self) -> list["Part"]:
        """The parts in it; none in a leaf."""
        payload = self._payload  # type: ignore[attr-defined]  # get_payload() would decode it, with losses
        return payload if isinstance(payload, list) else []

    def content(self) -> bytes:
        """Return the decoded content of a leaf."""
        encoding = self.fields.first("content-transfer-encoding")
        return transfer.decode(self._raw_octets() if self._octets is None else self._octets, encoding)

    def _raw_octets(self) -> bytes:
        """Return the content of a leaf as it stands in the mail."""
        payload = self._payload  # type: ignore[attr-defined]  # get_payload() would decode it, with losses
        return payload.encode("ascii", "surrogateescape") if isinstance(payload, str) else b""

    def get_content_type(self) -> str:
        """Answer the parser: a leaf is a leaf whatever it holds."""
        return "application/octet-stream" if self.media.startswith("message/") else self.media

    def get_boundary(self, failobj: str | None = None) -> str | None:  # type: ignore[override]  # failobj is never another type here
        """Answer the parser; trailing white space isn't part of it (RFC 2046 section 5.1.1)."""
        octets = self.type.octets.get("boundary")
        told = self.type.parameter("boundary") if octets is None else octets.decode("ascii", "surrogateescape")
        return told.rstrip() or failobj

    def attach(self, payload: Message) -> None:  # type: ignore[override]  # the parser hands over nothing else
        """Take a part in, if the bounds allow one more level."""
        if isinstance(payload, Part):
            payload.depth = self.depth + 1
            if self._bounds:
                self._bounds.check(payload.depth)
        super().attach(payload)


def parse(raw: bytes, head: Fields) -> Part:
    """Build the tree of a mail; ``TooMuch`` beyond the bounds."""
    bounds = _Bounds(raw.count(b"\n", head.body))

    def part(policy: Compat32 = compat32) -> Part:
        bounds.count()
        return Part(policy, bounds)

    parser = BytesFeedParser(part, policy=compat32)
    parser.feed(_head(head))
    body = memoryview(raw)[head.body :]
    for start in range(0, len(body), _CHUNK):
        parser.feed(bytes(body[start : start + _CHUNK]))
    root = parser.close()
    assert isinstance(root, Part)  # noqa: S101 - the factory makes nothing else
    for leaf in walk(root):
        leaf.mend()
    return root


def defects(root: Part) -> tuple[str, ...]:
    """Name the kinds of defects that mail-parser and the standard library see, sorted."""
    known = {type(defect).__name__ for part in walk(root) for defect in part.defects}
    if sum(_size(part) ** 2 for part in walk(root)) <= MAX_SQUARES:
        known |= _diagnosed(root)
    return tuple(sorted(known - _ELSEWHERE))


def walk(root: Part) -> list[Part]:
    """List a tree's parts in the order of the mail."""
    found, waiting = [], [root]
    while waiting:
        part = waiting.pop()
        found.append(part)
        waiting.extend(reversed(part.parts))
    return found


def _head(head: Fields) -> bytes:
    """Write the fields that say how the mail is built, and those worth a diagnosis, one way for all spellings."""
    worth = (
        (name, value)
        for name, value in head.items
        if name.startswith("content-") or (name in _SHOWN and len(value) <= MAX_FIELD)
    )
    return _written(worth) + b"\r\n"


def _written(items: Iterable[tuple[str, bytes]]) -> bytes:
    # unfolded: a bare CR inside a value would end the line for the parser, and not for us
    return b"".join(b"%b: %b\r\n" % (name.encode("ascii"), words.unfold(value)) for name, value in items)


def _size(part: Part) -> int:
    return sum(len(value) for _, value in part.fields.items)


def _diagnosed(root: Part) -> set[str]:
    try:
        return set(mailparser.MailParser(root).defects_categories)
    except Exception:  # noqa: BLE001 - it raises AttributeError and more on broken mail; the tree stands without it
        return set()
