"""What a registered proxy says of the client behind it before anything else: the PROXY protocol, versions 1 and 2.

A proxy that speaks it (HAProxy: ``send-proxy``, ``send-proxy-v2``) begins each connection with one header, before our
greeting (HAProxy's ``proxy-protocol.txt``, sections 2.1 and 2.2). One that doesn't sends nothing until it is greeted.
Where the header holds no address of a client (``UNKNOWN``, ``LOCAL``, a unix socket), none is known: never the proxy's
own. What follows the addresses (type-length-value fields) is passed over.

Raises ``Broken`` for anything that begins as a header and isn't one: ports or addresses of another shape, UDP, a
header of more than 107 octets (version 1) or 4,096 (version 2), one that isn't whole in time.
"""

import asyncio
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from mailgate.domain.trust import plain
from mailgate.smtp.wire import Hangup, Wire

V1 = b"PROXY "
V2 = b"\r\n\r\n\x00\r\nQUIT\n"
MAX_V1 = 107  # octets, with CRLF
MAX_V2 = 4096

_HEAD = 16  # octets of version 2 before the addresses
_LOCAL, _PROXY = 0x20, 0x21  # version 2, command
_PORT = r"(?:0|[1-9][0-9]{0,4})"
_LINE = re.compile(rf"PROXY (TCP4|TCP6) (\S{{2,45}}) (\S{{2,45}}) ({_PORT}) ({_PORT})")
_MAX_PORT = 65535


class Broken(Exception):
    """What came is no PROXY header, although it begins as one."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A header was there. ``address`` is the client's, if it told one."""

    address: IPv4Address | IPv6Address | None = None


def begins(data: bytes) -> bool:
    """Say whether this is a header, or may become one."""
    return any(data.startswith(mark) or mark.startswith(data) for mark in (V1, V2))


async def read_header(wire: Wire, wait_seconds: float, whole_seconds: float) -> HandedOver | None:
    """Take the header off, if the client begins with one. ``None``: it waits to be greeted, or speaks SMTP at once.

    Waits for its first octet for ``wait_seconds``, then for all of it for ``whole_seconds``. Raises ``Broken`` and
    ``Hangup``.
    """
    try:
        begun = await wire.peek(1, wait_seconds)
    except TimeoutError:
        return None
    if not begins(begun):
        return None
    try:
        async with asyncio.timeout(whole_seconds):
            return await _read(wire, whole_seconds)
    except (TimeoutError, Hangup):
        raise Broken from None


async def _read(wire: Wire, seconds: float) -> HandedOver | None:
    size = 1
    while begins((data := await wire.peek(size, seconds))[: len(V2)]):
        if whole := _size(data):
            await wire.peek(whole, seconds)
            header = wire.take(whole)
            return v1(header[:-2]) if header.startswith(V1) else v2(header)
        size = len(data) + 1
    return None


def _size(data: bytes) -> int:
    """Tell how long the header is that begins so; 0 while that can't be known yet."""
    if data.startswith(V1):
        end = data.find(b"\r\n", 0, MAX_V1) + 2
        if end < len(V1) and len(data) >= MAX_V1:
            raise Broken
        return end if end > len(V1) else 0
    if len(data) < _HEAD:
        return 0
    whole = _HEAD + int.from_bytes(data[_HEAD - 2 : _HEAD])
    if whole > MAX_V2:
        raise Broken
    return whole


def v1(line: bytes) -> HandedOver:
    """Read a header of version 1, without its line end."""
    text = line.decode("ascii", "replace")
    if text == "PROXY UNKNOWN" or text.startswith("PROXY UNKNOWN "):
        return HandedOver()
    found = _LINE.fullmatch(text)
    if not found or max(int(found[4]), int(found[5])) > _MAX_PORT:
        raise Broken
    kind = IPv4Address if found[1] == "TCP4" else IPv6Address
    try:
        source, _ = kind(found[2]), kind(found[3])
    except ValueError:
        raise Broken from None
    return HandedOver(_unscoped(source))


def v2(data: bytes) -> HandedOver:
    """Read a whole header of version 2."""
    command, family, addresses = data[12], data[13], data[_HEAD:]
    if command == _LOCAL:  # a health check of the proxy itself
        return HandedOver()
    if command != _PROXY or family not in _ADDRESSES:
        raise Broken
    size, source = _ADDRESSES[family]
    if len(addresses) < size:
        raise Broken
    if source == 0:
        return HandedOver()
    packed = addresses[:source]
    return HandedOver(IPv4Address(packed) if source == _V4 else plain(IPv6Address(packed)))


_V4, _V6 = 4, 16
# family and transport -> octets of both addresses with their ports, octets of the client's address
_ADDRESSES = {0x00: (0, 0), 0x11: (2 * _V4 + 4, _V4), 0x21: (2 * _V6 + 4, _V6), 0x31: (216, 0)}


def _unscoped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise Broken  # a zone means something on the proxy's machine only
    return plain(address)
