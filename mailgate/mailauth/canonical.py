"""A mail as DKIM and ARC see it: its fields by name, and the hash of its body (RFC 6376 3.4).

The body is hashed over the exact bytes that came: no line end is mended. Canonicalisation is ours and not dkimpy's,
whose expressions take quadratic time on long runs of white space; a property test holds the two equal. Each of the two
forms is hashed once for a mail, however many signatures it carries. Raises nothing; linear time and memory, but for
runs of white space, where it is n log n.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256

from mailgate.domain.header import Field, Header, Shape

SIMPLE = b"simple"
RELAXED = b"relaxed"

_CRLF = b"\r\n"
_PIECE = 2**16


class Message:
    """One mail, cut once for all its signatures."""

    def __init__(self, fields: Header, raw: bytes) -> None:
        self._raw = raw
        self._body = fields.body
        self._digests: dict[bytes, bytes] = {}
        self.has_garbage = any(field.shape is Shape.GARBAGE for field in fields.fields)
        self._by_name: defaultdict[bytes, list[Field]] = defaultdict(list)
        for field in fields.fields:
            if field.name:
                self._by_name[field.name.lower()].append(field)

    def named(self, name: bytes) -> Sequence[Field]:
        """Return the fields of this name (lower case), topmost first."""
        return self._by_name.get(name, ())

    def selected(self, names: Iterable[bytes]) -> list[Field]:
        """Return the fields that ``h=`` means: of each name the lowest first (RFC 6376 5.4.2), absent ones not."""
        left: dict[bytes, int] = {}
        found: list[Field] = []
        for name in names:
            fields = self.named(name)
            left[name] = left.get(name, len(fields)) - 1
            if left[name] >= 0:
                found.append(fields[left[name]])
        return found

    def body_digest(self, form: bytes) -> bytes:
        """Return the SHA-256 of the body in the form ``simple`` or ``relaxed``."""
        if form not in self._digests:
            self._digests[form] = self._digest(form)
        return self._digests[form]

    def _digest(self, form: bytes) -> bytes:
        if form == RELAXED:
            return sha256(relaxed(self._raw[self._body :])).digest()
        end, tail = _cut(self._raw, self._body)
        hashed = sha256(memoryview(self._raw)[self._body : end])  # most are hashed where they lie
        hashed.update(tail)
        return hashed.digest()


def simple(body: bytes) -> bytes:
    """Take the empty lines off the end of a body (RFC 6376 3.4.3)."""
    end, tail = _cut(body, 0)
    return body[:end] + tail


def relaxed(body: bytes) -> bytes:
    """Make each run of white space one space, take it off line ends, and empty lines off the end (RFC 6376 3.4.4)."""
    plain = simple(_with_plain_spaces(body))
    return b"" if plain == _CRLF else plain


def _with_plain_spaces(body: bytes) -> bytes:
    body = body.replace(b"\t", b" ")
    while b"  " in body:
        body = body.replace(b"  ", b" ")
    return body.replace(b" \r\n", _CRLF)


def _cut(body: bytes, start: int) -> tuple[int, bytes]:
    """Return where the body goes on unchanged up to, and what follows instead of the rest."""
    if not body.endswith(_CRLF, start):
        return len(body), _CRLF
    end = len(body)
    while end > start:  # piece by piece: the whole would be copied
        piece = body[max(start, end - _PIECE) : end]
        kept = len(piece.rstrip(_CRLF))
        end += kept - len(piece)
        if kept:
            break
    pairs = body[end:].replace(_CRLF, b"\0")  # it holds only CR and LF: a NUL is a pair of them
    return end, pairs.rstrip(b"\0").replace(b"\0", _CRLF) + _CRLF
