"""Reads an Authentication-Results value (RFC 8601): strictly where it decides, tolerantly where it doesn't.

Three forms are read, each by a function of its own:

    read             authserv-id [version]; results                      RFC 8601 2.2
    read_without_id  results                                             Microsoft 365
    read_arc         i=N; authserv-id [version]; results                 ARC-Authentication-Results, RFC 8617 4.1.1

Strangers choose part of the bytes (the envelope sender, d=, s= and i= of a signature), so what two readers could take
differently is no result. Comments are left out, nested ones too.

Nothing is read at all (``None``) in a value that holds a control character, an open comment or quoted string, a ``)``
or a backslash outside of both, another version than 1, two ``dmarc`` results that differ, or one that is malformed,
or more than 64 KiB or 200 results. A single result is left out where a property is named twice with two values; a
comment touches a property's value (``header.d=legit.test(.attack.test``) or holds what looks like a property; a word
is no ``name=value``; or a value is missing and it can't be told whether the next word is it.

Tolerated: empty results (a semicolon at the end), unknown methods, properties without a type (``action=none``),
``reason``, values with any printable character but white space, ``;``, ``(``, ``)``, ``"`` and backslash, UTF-8.

The package authres reads the same grammar, but not such bytes: it recurses into comments, copies the rest of the text
at each token (quadratic), and goes on behind a property that it can't read. Tests hold this reader against it.

Raises nothing. Linear time, no recursion.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from mailgate.domain.header import end_of_comment, unfold

MAX_VALUE = 65_536  # bytes; the longest of a real provider have some 5,000
MAX_RESULTS = 200

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(r'(?P<white>[ \t]++)|(?P<word>[^ \t;()"\\]++)|(?P<quoted>"(?:[^"\\]++|\\.)*+")|(?P<other>.)')
_QUOTED_PAIR = re.compile(r"\\(.)")
_PROPERTY_LIKE = re.compile(r"(?:header|smtp|body|policy)[ \t]*+\.[ \t]*+[A-Za-z0-9_-]++[ \t]*+=", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_.-]++)?")
_METHOD = re.compile(r"([A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]++)*+)(?:/([0-9]++))?")
_RESULT = re.compile(r"[A-Za-z0-9_-]++")
_INSTANCE = re.compile(r"i=([1-9][0-9]?)")
_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Result:
    """One result. ``method``, ``result`` and the names of the properties are in lower case, values as they stand.

    A quoted value comes without its quotes, one followed by ``@domain`` with them.
    """

    method: str
    result: str
    properties: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Results:
    """What one field says; ``authserv_id`` is "" in the form without one."""

    authserv_id: str
    results: tuple[Result, ...]


class _Unclear(Exception):
    """Two readers could take it differently."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A run without white space. ``touched`` says that a comment follows at once."""

    text: str
    plain: bool  # no quoted part: names are read in such words only
    touched: bool


@dataclass(slots=True)
class _Segment:
    """What stands between two semicolons."""

    words: list[_Word] = field(default_factory=list)
    suspect: bool = False  # a comment holds what looks like a property


def read(value: bytes) -> Results | None:
    """Read a value in the form of the RFC; ``None`` where there is no telling what it says."""
    try:
        return _with_id(_segments(value))
    except _Unclear:
        return None


def read_without_id(value: bytes) -> Results | None:
    """Read a value in the form of Microsoft 365; ``None`` also where it has an authserv-id.

    Among its results the recipient's domain may stand alone; it says nothing.
    """
    try:
        segments = _segments(value)
        if not segments[0].words or "=" not in segments[0].words[0].text:
            return None
        return Results("", _results(segments))
    except _Unclear:
        return None


def read_arc(value: bytes) -> tuple[int, Results] | None:
    """Read an ARC-Authentication-Results value: its instance and what it says."""
    try:
        segments = _segments(value)
        words = segments[0].words
        instance = _INSTANCE.fullmatch("".join(word.text for word in words)) if len(words) <= len("i=N") else None
        if instance is None or not all(word.plain for word in words):
            return None
        found = _with_id(segments[1:])
        return (int(instance.group(1)), found) if found else None
    except _Unclear:
        return None


def _with_id(segments: Sequence[_Segment]) -> Results | None:
    match segments[0].words if segments else []:
        case [_Word(text=name)] | [_Word(text=name), _Word(text="1")] if "=" not in name:
            return Results(_unquoted(name), _results(segments[1:]))
        case _:
            return None


def _results(segments: Sequence[_Segment]) -> tuple[Result, ...]:
    """Read each result; those that can't be are left out."""
    if len(segments) > MAX_RESULTS:
        raise _Unclear
    found: list[Result] = []
    for segment in segments:
        try:
            found.extend(_result(segment))
        except _Unclear:
            if _may_be_dmarc(segment):
                raise
    policies = {(one.result, _folded(one.properties)) for one in found if one.method == "dmarc"}
    if len(policies) > 1:
        raise _Unclear
    return tuple(found)


def _may_be_dmarc(segment: _Segment) -> bool:
    # a "fail" that can't be read is none that may be left out
    return bool(segment.words) and segment.words[0].text.lower().startswith("dmarc")


def _folded(properties: Mapping[str, str]) -> str:
    return properties.get("header.from", "").lower()


def _result(segment: _Segment) -> Iterator[Result]:
    """Read ``method [/ version] = result`` and its properties (RFC 8601 2.2, ``resinfo``); none in ``none``."""
    pairs = list(_pairs(segment.words))
    if not pairs or (len(pairs) == 1 and pairs[0][1] is None):
        return  # empty, "none", or a word alone
    (name, said), properties = pairs[0], pairs[1:]
    method = _METHOD.fullmatch(name)
    if said is None or method is None or method.group(2) not in (None, _VERSION) or not said.plain:
        raise _Unclear
    if segment.suspect or not _RESULT.fullmatch(said.text):
        raise _Unclear
    yield Result(method.group(1).lower(), said.text.lower(), MappingProxyType(_properties(properties)))


def _properties(pairs: Sequence[tuple[str, _Word | None]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        if value is None or value.touched or not _NAME.fullmatch(name):
            raise _Unclear
        if found.setdefault(name.lower(), value.text).lower() != value.text.lower():
            raise _Unclear
    return found


def _pairs(words: Sequence[_Word]) -> Iterator[tuple[str, _Word | None]]:
    """Put words together to names and values; white space and comments may stand around ``=``, ``.`` and ``/``."""
    name = ""
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        left, equals, right = word.text.partition("=")
        if not equals and not word.plain:
            raise _Unclear
        if name and not (left.startswith((".", "/")) or name.endswith((".", "/")) or not left):
            raise _Unclear  # two words side by side, and no = between them
        name += left
        if not equals:
            continue
        if right:
            yield name, _Word(_unquoted(right), word.plain, word.touched)
        elif at == len(words):
            yield name, _Word("", plain=True, touched=False)
        else:
            value = words[at]
            at += 1
            if value.plain and "=" in value.text:
                raise _Unclear  # this value, or the next name
            yield name, _Word(_unquoted(value.text), value.plain, value.touched)
        name = ""
    if name:
        yield name, None


def _unquoted(value: str) -> str:
    """Take the quotes off a value that is one quoted string; others keep them, as in ``"a b"@legit.test``."""
    if value.startswith('"') and value.endswith('"') and len(value) > 1:
        return _QUOTED_PAIR.sub(r"\1", value[1:-1])
    return value


# -- pieces -----------------------------------------------------------------------------------------------------------


def _segments(value: bytes) -> list[_Segment]:
    """Cut a value at its semicolons, and what stands between them into words."""
    if len(value) > MAX_VALUE:
        raise _Unclear
    text = unfold(value).decode("utf-8", "surrogateescape")
    if _CONTROL.search(text):
        raise _Unclear
    segments = [_Segment()]
    parts: list[str] = []
    position = 0
    while position < len(text):
        start, (piece, kind) = position, _piece(text, position)
        position += len(piece)
        if kind in ("word", "quoted"):
            parts.append(piece)
            continue
        _end_word(segments[-1], parts, touched=piece == "(")
        if piece == "(":
            end = end_of_comment(text, start)
            if end is None:
                raise _Unclear
            position = end
            segments[-1].suspect |= _PROPERTY_LIKE.search(text, start, position) is not None
        elif piece == ";":
            segments.append(_Segment())
        elif kind != "white":
            raise _Unclear
    _end_word(segments[-1], parts, touched=False)
    return segments


def _piece(text: str, position: int) -> tuple[str, str]:
    found = _TOKEN.match(text, position)
    if found is None or found.lastgroup is None:
        raise _Unclear
    return found.group(), found.lastgroup


def _end_word(segment: _Segment, parts: list[str], *, touched: bool) -> None:
    if parts:
        whole = "".join(parts)
        segment.words.append(_Word(whole, plain='"' not in whole, touched=touched))
        parts.clear()
