"""Values with parameters: Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2231, RFC 6266).

Where a parameter is said in several ways the winner is fixed: ``name*`` over ``name*0``, ``name*1``, ... over
``name`` over pieces counted from 1; of two equal ones the first that isn't empty. ``ambiguous`` tells that they
differ. Read as mail programs do: an unquoted value reaches to the next ``;``, spaces and all, or to the next parameter
that is well known; quotes may stand unescaped within quotes; a missing ``;`` or a missing value before the parameters
is no harm.

Raises nothing. Linear; at most ``MAX_BYTES`` of a value and ``MAX_PARAMETERS`` are read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from mailgate.mime import text, words

MAX_BYTES = 64 * 1024
MAX_PARAMETERS = 1000
MAX_KNOWN = 200  # bytes of a value that is remembered

_HEAD = re.compile(rb'\s*+([^\s;",=]*+)(?!\s*+=)')
# a parameter that surely starts: well known, in quotes, or a piece of one
_NEXT = (
    rb"(?:(?:boundary|charset|filename|format|name|size|type|[a-z]{1,20}-date)(?:\*[0-9]{0,4}\*?)?\s*+="
    rb"|[a-z0-9-]{1,40}+(?:=\"|\*[0-9]{0,4}+\*?=))"
)
_END = rb"(?:\s*+(?:[;(]|\Z)|\s++%b)" % _NEXT
_QUOTED = rb'"(?:[^"\\]|\\.)*+'
_WITH_QUOTES_WITHIN = rb'"(?:[^";\\]|\\.|"(?!%b))*+"(?=%b)' % (_END, _END)
_UNQUOTED = rb"(?:%b|[^;\s]|\s++(?!%b))*+" % (words.WORD, _NEXT)
_PARAMETER = re.compile(
    rb"(?:;\s*+|(?<![\s;])\s++|\A)(?=((?:file)?name[*0-9]*+\s*+=)?)"
    rb'([^\s=;"]++)\s*+=\s*+(%b"(?=%b)|(?(1)%b|(?!))|%b"?|%b)'
    % (_QUOTED, _END, _WITH_QUOTES_WITHIN, _QUOTED, _UNQUOTED),
    re.DOTALL | re.IGNORECASE,
)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_TOKEN = re.compile(r"[^\s(;,]*")
_CHARSET = re.compile(rb"(?:big5|cp|euc|gb|iso|koi|latin|mac|shift|sjis|us-|utf|win)[a-z0-9_-]*+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Value:
    """The value in lower case and its parameters, names in lower case, octets as they came."""

    value: str = ""
    octets: Mapping[str, bytes] = field(default_factory=dict)
    ambiguous: bool = False

    def token(self, name: str) -> str:
        """Return a parameter that is a token, such as charset; "" where it is missing."""
        said = self.parameter(name)
        token = _TOKEN.match(text.line(said).strip()) if said else None
        return token[0] if token else ""

    def parameter(self, name: str) -> str:
        """Return a parameter as text, by the winner's rule; "" where it is missing."""
        if not self.octets:
            return ""
        extended = self.octets.get(f"{name}*")
        if extended is not None:
            return _extended(extended)
        return _pieces(name, self.octets, 0) or self._plain(name) or _pieces(name, self.octets, 1)

    def _plain(self, name: str) -> str:
        octets = self.octets.get(name, b"")
        charset = "" if octets.isascii() or name == "charset" else self.token("charset")
        return words.decode(octets, charset).text


def parse(raw: bytes) -> Value:
    """Read a value with parameters."""
    raw = words.unfold(raw[:MAX_BYTES])
    return _known(raw) if len(raw) <= MAX_KNOWN else _parse(raw)


def _parse(raw: bytes) -> Value:
    head = _HEAD.match(raw)
    octets: dict[str, bytes] = {}
    ambiguous = False
    for count, found in enumerate(_PARAMETER.finditer(raw)):
        if count >= MAX_PARAMETERS:
            break
        name, said = found[2].decode("latin-1").lower(), _unquoted(found[3])
        ambiguous = ambiguous or octets.get(name, said) != said
        octets[name] = octets.get(name) or said
    value = head[1].decode("latin-1").lower() if head else ""
    return Value(value, octets, ambiguous)


_known = lru_cache(maxsize=500)(_parse)  # a mail is asked several times, and mails say the same again and again


def _unquoted(value: bytes) -> bytes:
    value = value.strip()
    if not value.startswith(b'"'):
        return value
    inner = value[1:-1] if value.endswith(b'"') and len(value) > 1 else value[1:]
    return _QUOTED_PAIR.sub(_pair, inner)


def _pair(found: re.Match[bytes]) -> bytes:
    # a backslash before a letter is a Windows path that nobody escaped, not a quoted pair
    return found[1] if found[1] in b'"\\' else found[0]


def _extended(value: bytes) -> str:
    charset, _, rest = value.partition(b"'")
    _, second, encoded = rest.partition(b"'")
    if not second and _CHARSET.fullmatch(charset):
        encoded = rest  # one tick is missing
    elif not second:
        charset, encoded = b"", value
    return _decoded(unquote_to_bytes(encoded), charset.decode("latin-1"))


def _decoded(octets: bytes, charset: str) -> str:
    # some programs put an encoded word into it all the same
    return text.decode(octets, charset).text if charset and b"=?" not in octets else words.decode(octets, charset).text


def _pieces(name: str, octets: Mapping[str, bytes], first: int) -> str:
    """Join ``name*0``, ``name*1*``, ... up to the first gap (RFC 2231 section 3)."""
    charset = ""
    joined: list[bytes] = []
    for n in range(first, MAX_PARAMETERS):
        plain, encoded = octets.get(f"{name}*{n}"), octets.get(f"{name}*{n}*")
        if encoded is not None and n == first:
            label, _, rest = encoded.partition(b"'")
            charset = label.decode("latin-1")
            encoded = rest.partition(b"'")[2]
        if encoded is not None:
            joined.append(unquote_to_bytes(encoded))
        elif plain is not None:
            joined.append(plain)
        else:
            break
    return _decoded(b"".join(joined), charset) if joined else ""
