"""Says which single address wrote a mail, from the raw bytes of its header, or refuses.

The author is the one mailbox of the one From field, read by a strict rule of our own (RFC 5322 3.4 without the
obsolete source route). Readers of mail disagree about odd From fields, and every disagreement lets somebody write in
another's name: so what two readers could take differently is refused, not guessed.

Kept: ``anna@legit.test``, ``<anna@legit.test>``, any display name before the angle (plain, with dots, quoted, encoded,
raw 8-bit), comments outside the address, folds, and the address itself unquoted as its own display name.

Refused, ``NO_AUTHOR``: no From field, or an empty one. ``AMBIGUOUS_AUTHOR``, with what the field says: two From
fields; a group, a list, a source route, an ``@`` in an unquoted name that isn't the mailbox; a comment or an encoded
word inside the address; encoded words that open or close a quote or comment, where readers that know such words before
anything else see another address; NUL or another control; a line elsewhere that some reader may take for a From field;
a From field below a line that is no field, where some readers take the body to begin. Sender, Reply-To and Resent-From
never stand in.

Limits: no charset is decoded, for names don't matter here; a name of more than 1,000 words is refused. Linear time, no
recursion, whatever the size.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice

from mailgate.domain.address import fold
from mailgate.domain.header import Field, Header, Shape, end_of_comment, unfold
from mailgate.errors import BadInput, Reason, Refused

MAX_TOKENS = 1000

_FROM = b"from"
_NO_LETTER = re.compile(rb"[^A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_WHITE = re.compile(r"[ \t]++")
_WORD = re.compile(r'[^ \t()<>\[\]:;@\\,"]++')
_QUOTED = re.compile(r'"(?:[^"\\]++|\\.)*+"')
_LITERAL = re.compile(r"\[[^\[\]\\()<>@ \t]*+\]")
# RFC 2047 2, with what isn't allowed in it and is read all the same
_WHOLE_ENCODED_WORD = re.compile(r"=\?[^?\s]{1,120}\?[bBqQ]\?[^?]*+\?=")
_ENCODED_WORD = "=?"  # RFC 2047 2: not allowed in an address, and decoded there all the same by some
_SHOWN = 200


class _Kind(Enum):
    """WORD: a run without specials, dots included. SPECIAL: one of ``<>@,:;`` and whatever fits nowhere else."""

    WORD = "word"
    QUOTED = "quoted"
    LITERAL = "literal"
    COMMENT = "comment"
    SPECIAL = "special"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: _Kind
    text: str
    glued: bool  # no white space before it


class _Unclear(Exception):
    """The value is not exactly one mailbox."""


def read_author(header: Header) -> str:
    """Return the folded address of the author; ``Refused(NO_AUTHOR)`` or ``Refused(AMBIGUOUS_AUTHOR)``."""
    value = _only_from(header)
    text = unfold(value).decode("utf-8", "surrogateescape")
    if not text.strip(" \t"):
        raise Refused(Reason.NO_AUTHOR)
    try:
        return _read_both_ways(text)
    except (_Unclear, BadInput) as error:
        raise Refused(Reason.AMBIGUOUS_AUTHOR, _shown(value)) from error


def _only_from(header: Header) -> bytes:
    """Return the raw value of the one From field."""
    found: list[bytes] = []
    for_sure = True
    garbage = False
    for field in header.fields:
        if field.is_named(_FROM):
            found.append(field.value)
            for_sure = for_sure and not garbage and field.shape is Shape.FIELD
        elif field.shape is Shape.GARBAGE:
            garbage = True
            for_sure = for_sure and not _may_read_as_from(field)
    if found and for_sure and len(found) == 1:
        return found[0]
    if found or not for_sure:
        raise Refused(Reason.AMBIGUOUS_AUTHOR, _shown(found[0]) if found else "")
    raise Refused(Reason.NO_AUTHOR)


def _may_read_as_from(garbage: Field) -> bool:
    """Say whether a reader that skips odd bytes, trims lines or joins them sees a From field in this garbage."""
    return any(_names_from(text) for text in (garbage.value, *garbage.value.splitlines()))


def _names_from(text: bytes) -> bool:
    name, colon, _ = text.partition(b":")
    return bool(colon) and _NO_LETTER.sub(b"", name).lower() == _FROM


def _read_both_ways(text: str) -> str:
    """Read a value as it stands, and as readers do that take encoded words for words whatever is in them."""
    address = _read_mailbox(text)
    if _ENCODED_WORD in text and _read_mailbox(_WHOLE_ENCODED_WORD.sub("word", text)) != address:
        raise _Unclear
    return address


def _read_mailbox(text: str) -> str:
    """Read ``mailbox`` of RFC 5322 3.4: an address, or a name and an address in angle brackets."""
    if _CONTROL.search(text):
        raise _Unclear
    tokens = list(islice(_tokens(text), MAX_TOKENS + 1))
    if len(tokens) > MAX_TOKENS:
        raise _Unclear
    texts = [token.text for token in tokens]
    if "<" not in texts:
        return _read_address(_without_outer_comments(tokens))
    if ">" not in texts:
        raise _Unclear
    opening, closing = texts.index("<"), texts.index(">")
    name, inside, after = tokens[:opening], tokens[opening + 1 : closing], tokens[closing + 1 :]
    address = _read_address(inside)
    if any(token.kind is not _Kind.COMMENT for token in after) or not _fits_as_name(name, address):
        raise _Unclear
    return address


def _fits_as_name(tokens: list[_Token], address: str) -> bool:
    """Say whether it is a phrase (RFC 5322 3.2.5, dots allowed as in 4.1), or the very address again."""
    if all(token.kind in (_Kind.WORD, _Kind.QUOTED, _Kind.COMMENT) for token in tokens):
        return True
    return _read_address(_without_outer_comments(tokens)) == address


def _read_address(tokens: list[_Token]) -> str:
    """Read ``addr-spec`` of RFC 5322 3.4.1 with nothing inside it: local part, @, domain."""
    match tokens:
        case [
            _Token(kind=_Kind.WORD | _Kind.QUOTED, text=local),
            _Token(text="@", glued=True),
            _Token(kind=_Kind.WORD | _Kind.LITERAL, text=domain, glued=True),
        ] if _ENCODED_WORD not in local:
            return fold(f"{local}@{domain}")
        case _:
            raise _Unclear


def _without_outer_comments(tokens: list[_Token]) -> list[_Token]:
    outer = [n for n, token in enumerate(tokens) if token.kind is not _Kind.COMMENT]
    return tokens[outer[0] : outer[-1] + 1] if outer else []


def _tokens(text: str) -> Iterator[_Token]:
    """Cut a value at its specials (RFC 5322 3.2.3); each character is looked at once."""
    position = 0
    while position < len(text):
        start = white.end() if (white := _WHITE.match(text, position)) else position
        if start == len(text):
            return
        kind, end = _token_at(text, start)
        yield _Token(kind, text[start:end], glued=start == position)
        position = end


def _token_at(text: str, start: int) -> tuple[_Kind, int]:
    match text[start]:
        case "(":
            return _Kind.COMMENT, _end_of_comment(text, start)
        case '"':
            return _Kind.QUOTED, _end_of(_QUOTED, text, start)
        case "[":
            return _Kind.LITERAL, _end_of(_LITERAL, text, start)
        case "<" | ">" | "@" | "," | ":" | ";" | ")" | "]" | "\\":
            return _Kind.SPECIAL, start + 1
        case _:
            return _Kind.WORD, _end_of(_WORD, text, start)


def _end_of(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    if match is None:
        raise _Unclear
    return match.end()


def _end_of_comment(text: str, start: int) -> int:
    end = end_of_comment(text, start)
    if end is None:
        raise _Unclear
    return end


def _shown(value: bytes) -> str:
    return unfold(value[: 4 * _SHOWN]).decode("utf-8", "replace").strip()[:_SHOWN]
