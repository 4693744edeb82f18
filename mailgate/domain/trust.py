"""What makes an author believed.

Each relay is registered with the one kind of proof that counts for it. In this version that is ``vouched``: the
relay takes mail for our domain from authenticated submission only and guards the envelope sender, so From is
believed when it equals the envelope sender or when the two are an allowed pair. Sender-login maps look at the
envelope alone: without the comparison any user could write as any other.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from mailgate.errors import Reason, Refused

UNIX = "unix"


class Trust(StrEnum):
    """The kind of proof; stored with each activity."""

    VOUCHED = "vouched"
    STAMPED = "stamped"
    VERIFIED = "verified"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """A mail server that may hand us mail. ``unix`` says that it may speak over our unix socket."""

    name: str
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False
    trust: Trust = Trust.VOUCHED
    envelope_must_match: bool = True


@dataclass(frozen=True, slots=True)
class SenderPair:
    """``envelope`` may send as ``author``; both folded."""

    envelope: str
    author: str


def relay_at(relays: Sequence[Relay], peer: IPv4Address | IPv6Address | None) -> Relay | None:
    """Name the first registered relay at this address; ``None`` as peer means our unix socket.

    An IPv4 client of a dual-stack listener shows as ``::ffff:a.b.c.d`` and is met under its IPv4 address.
    """
    if peer is None:
        return next((relay for relay in relays if relay.unix), None)
    plain = peer.ipv4_mapped or peer if isinstance(peer, IPv6Address) else peer
    return next((relay for relay in relays if any(plain in network for network in relay.networks)), None)


def believe(relay: Relay, author: str, envelope_sender: str, pairs: Set[SenderPair]) -> Trust:
    """Return the kind of trust that the author has on this relay; ``Refused(NOT_BELIEVED)`` where there is none.

    ``author`` and ``envelope_sender`` are folded addresses.
    """
    if relay.trust is not Trust.VOUCHED:
        raise Refused(Reason.NOT_BELIEVED, author)
    if not relay.envelope_must_match:
        return Trust.VOUCHED
    if author == envelope_sender or SenderPair(envelope_sender, author) in pairs:
        return Trust.VOUCHED
    raise Refused(Reason.NOT_BELIEVED, author)
