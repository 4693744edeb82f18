"""The argument of XCLIENT, with which a registered proxy says who the client behind it is (Postfix's XCLIENT_README).

``XCLIENT NAME=mail.client.test ADDR=IPV6:2001:db8::1 HELO=mail.client.test``: names in either case, values as xtext
(RFC 3461 section 4), ``[UNAVAILABLE]`` and ``[TEMPUNAVAIL]`` where the proxy doesn't know. Only the address and the
EHLO argument are used: a host name that somebody else looked up, and a login, prove nothing here.

Refuses, with ``BadArgument``: no attribute, one that isn't known, the same one twice, text that is no xtext, an
address that isn't one, values of more than 255 octets.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from mailgate.domain.trust import plain
from mailgate.smtp import replies
from mailgate.smtp.arguments import BadArgument

ATTRIBUTES = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT")
MAX_VALUE = 255  # octets
UNKNOWN = frozenset({"[UNAVAILABLE]", "[TEMPUNAVAIL]"})

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-Fa-f]{2})+")
_CODED = re.compile(r"\+([0-9A-Fa-f]{2})")
_V6 = "IPV6:"


@dataclass(frozen=True, slots=True)
class Told:
    """``has_address``: the address was told, or that there is none; else nothing was said of it."""

    has_address: bool = False
    address: IPv4Address | IPv6Address | None = None
    helo: str = ""


def told(argument: bytes) -> Told:
    """Read what follows ``XCLIENT``."""
    values: dict[str, str] = {}
    for word in argument.decode("ascii", "replace").split():
        name, _, value = word.partition("=")
        name = name.upper()
        if name not in ATTRIBUTES or name in values:
            raise BadArgument(replies.BAD_SYNTAX)
        values[name] = _decoded(value)
    if not values:
        raise BadArgument(replies.BAD_SYNTAX)
    helo = values.get("HELO", "")
    return Told("ADDR" in values, _address(values.get("ADDR", "")), "" if helo.upper() in UNKNOWN else helo)


def _decoded(value: str) -> str:
    if not _XTEXT.fullmatch(value):
        raise BadArgument(replies.BAD_SYNTAX)
    text = _CODED.sub(lambda found: chr(int(found[1], 16)), value)
    if len(text) > MAX_VALUE:
        raise BadArgument(replies.BAD_SYNTAX)
    return text


def _address(text: str) -> IPv4Address | IPv6Address | None:
    if not text or text.upper() in UNKNOWN:
        return None
    try:
        if text.upper().startswith(_V6):
            return _without_zone(IPv6Address(text[len(_V6) :]))
        return IPv4Address(text)
    except ValueError:
        raise BadArgument(replies.BAD_SYNTAX) from None


def _without_zone(address: IPv6Address) -> IPv4Address | IPv6Address:
    if address.scope_id is not None:
        raise ValueError
    return plain(address)
