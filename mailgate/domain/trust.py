"""Who hands us mail, and which kind of proof counts for it.

Each relay is registered with the one kind of proof that counts for it; nothing else does:

    vouched   the relay takes mail for our domain from authenticated submission only and guards the envelope sender:
              From is believed when it equals the envelope sender, or the two are an allowed pair. Sender-login maps
              look at the envelope alone: without the comparison any user could write as any other
    stamped   the relay wrote down in Authentication-Results (RFC 8601) what it found out, in a place that is its own
    verified  we look ourselves: SPF, DKIM, DMARC, ARC

The two latter are found out by the ``Authenticator`` (``ports``); what it says is weighed in ``intake``.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

UNIX = "unix"


class Trust(StrEnum):
    """The kind of proof; stored with each activity."""

    VOUCHED = "vouched"
    STAMPED = "stamped"
    VERIFIED = "verified"
    NONE = "none"


class Stamp(StrEnum):
    """Where the relay's own Authentication-Results stand, seen from the Nth Received field."""

    ABOVE = "above"  # OpenDKIM and OpenDMARC behind Postfix
    BELOW = "below"  # Google, Microsoft, rspamd behind Postfix: the first one between the Nth and the N+1th


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """A mail server that may hand us mail. ``unix`` says that it may speak over our unix socket.

    ``received`` is the number of Received fields that it and the hops after it always add, itself included: with them
    the place of its stamp is counted, and with ``login`` the Received field that carries the login. ``sealers`` are
    the domains (folded) whose ARC seals count. A client in ``proxies`` hands over another's address (PROXY protocol or
    XCLIENT) and is this relay, whatever address it hands over. ``client_certificates`` are DNS names, folded: only a
    client that shows a certificate for one of them is this relay.
    """

    name: str
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False
    trust: Trust = Trust.VOUCHED
    envelope_must_match: bool = True
    login: bool = False
    client_certificates: frozenset[str] = frozenset()
    authserv_id: str = ""
    received: int = 1
    stamp: Stamp = Stamp.ABOVE
    sealers: frozenset[str] = frozenset()
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    queue_days: int = 5  # how long it tries again what was put off


@dataclass(frozen=True, slots=True)
class Client:
    """Who spoke SMTP with the relay's listener, or with the proxy in front: its address, and its EHLO argument.

    No address where none is known: a unix socket, or a proxy that handed none over.
    """

    address: IPv4Address | IPv6Address | None = None
    helo: str = ""


NOBODY = Client()


@dataclass(frozen=True, slots=True)
class SenderPair:
    """``envelope`` may send as ``author``; both folded."""

    envelope: str
    author: str


def relay_at(
    relays: Sequence[Relay], peer: IPv4Address | IPv6Address | None, certificate_names: Set[str] = frozenset()
) -> Relay | None:
    """Name the registered relay that speaks from here; ``None`` as peer means our unix socket.

    ``certificate_names`` are the DNS names (folded) of the certificate that it showed, once that was verified.
    """
    return shown_by(relays_at(relays, peer), certificate_names)


def relays_at(relays: Sequence[Relay], peer: IPv4Address | IPv6Address | None) -> tuple[Relay, ...]:
    """Name all that a client may be by where it speaks from; at a registered proxy that is the proxy's relay alone.

    An IPv4 client of a dual-stack listener shows as ``::ffff:a.b.c.d`` and is met under its IPv4 address.
    """
    if peer is None:
        return tuple(relay for relay in relays if relay.unix)
    behind = next((relay for relay in relays if is_proxy(relay, peer)), None)
    return (behind,) if behind else tuple(relay for relay in relays if _holds(relay.networks, peer))


def shown_by(relays: Sequence[Relay], certificate_names: Set[str]) -> Relay | None:
    """Choose the first of these relays that needs no certificate, or of which one was shown."""
    return next(
        (
            relay
            for relay in relays
            if not relay.client_certificates or not relay.client_certificates.isdisjoint(certificate_names)
        ),
        None,
    )


def is_proxy(relay: Relay, peer: IPv4Address | IPv6Address | None) -> bool:
    """Say whether this is the address of a proxy that hands over clients' addresses for the relay."""
    return peer is not None and _holds(relay.proxies, peer)


def plain(peer: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Give an IPv4 address that is written as an IPv6 one (``::ffff:a.b.c.d``) as what it is."""
    return peer.ipv4_mapped or peer if isinstance(peer, IPv6Address) else peer


def _holds(networks: Sequence[IPv4Network | IPv6Network], peer: IPv4Address | IPv6Address) -> bool:
    met = plain(peer)
    return any(met in network for network in networks)
