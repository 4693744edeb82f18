"""Who is at the other end of one connection, as far as is known at each moment.

At connect the address says which relays it may be. A registered proxy then hands over the address of the client behind
it, once: by a PROXY header before the greeting, else by XCLIENT. From then on nothing that the client says itself
can change that, for what follows a header may be the client's own words. TLS may bring a certificate; which relay it
is shows at MAIL.

Connections are counted by the client's address. One of a registered proxy counts for nobody until it hands an address
over, then for that address: so many clients behind one proxy don't use up one peer's share.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from mailgate.domain import trust
from mailgate.domain.trust import Client, Relay
from mailgate.smtp.limits import Peers

UNIX = "unix"
STRANGER = "unknown"  # stands for the name of a relay where a client is none
MAX_HELO = 255  # octets: no host name is longer (RFC 1035 section 2.3.4)


@dataclass(slots=True, kw_only=True)
class Caller:
    """One per connection. ``address`` is that of the connection, ``None`` for our unix socket; ``peers`` counts it."""

    address: IPv4Address | IPv6Address | None
    relays: tuple[Relay, ...]  # those that it may be
    peers: Peers
    certificate_names: frozenset[str] = frozenset()
    handed_over: bool = False
    _client: IPv4Address | IPv6Address | None = None
    _helo: str = ""
    _helo_handed_over: str = ""
    _counted: str = field(default="", init=False)

    @property
    def is_proxy(self) -> bool:
        """Whether a registered proxy is calling."""
        return any(trust.is_proxy(relay, self.address) for relay in self.relays)

    @property
    def may_hand_over(self) -> bool:
        """Whether XCLIENT is for this client: a proxy's, until it has handed an address over."""
        return self.is_proxy and not self.handed_over

    @property
    def name(self) -> str:
        """How the log calls the client."""
        known = self._client or self.address
        return str(known) if known else UNIX

    @property
    def relay(self) -> Relay | None:
        """Which relay this is, by all that it has shown so far."""
        return trust.shown_by(self.relays, self.certificate_names)

    @property
    def relay_name(self) -> str:
        """The relay's name for log and ledger."""
        return self.relay.name if self.relay else STRANGER

    def client(self) -> Client:
        """Say who speaks SMTP with us, or with the proxy in front."""
        address = self._client if self.is_proxy else self.address
        return Client(address, self._helo_handed_over or self._helo)

    def greets(self, helo: bytes) -> None:
        """Keep the argument of EHLO. What a proxy has handed over holds before it."""
        self._helo = _printable(helo.decode("ascii", "replace"))

    def forget_greeting(self) -> None:
        """Begin anew: after the TLS handshake, and after XCLIENT."""
        self._helo = ""

    def hand_over(self, address: IPv4Address | IPv6Address | None) -> bool:
        """Take a client's address from the proxy; ``False`` where that client has its fill of connections."""
        self.handed_over = True
        self._client = address
        return address is None or self.count()

    def hand_over_helo(self, helo: str) -> None:
        """Take the client's EHLO argument from the proxy."""
        self._helo_handed_over = _printable(helo)

    # -- counting ---------------------------------------------------------------------------------------------------

    def count(self) -> bool:
        """Count the connection; ``False`` where the peer has its fill."""
        if self.is_proxy and self._client is None:
            return True
        if not self.peers.enter(self.name):
            return False
        self._counted = self.name
        return True

    def count_off(self) -> None:
        """Count the connection off."""
        if self._counted:
            self.peers.leave(self._counted)
            self._counted = ""


def _printable(text: str) -> str:
    return "".join(char if " " < char <= "~" else "?" for char in text.strip()[:MAX_HELO])
