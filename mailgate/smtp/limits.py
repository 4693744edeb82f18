"""How much is taken at once: the figures, the connections per peer, the bytes in flight."""

from collections import Counter
from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The figures of one instance. Sizes in octets, times in seconds."""

    max_size: int = 50 * MIB
    max_header_size: int = 4 * MIB
    max_recipients: int = 100
    max_connections: int = 500
    max_connections_per_peer: int = 100
    bytes_in_flight: int = 1024 * MIB
    drain_seconds: float = 30
    command_seconds: float = 300  # for a whole command line, however many packets it comes in (RFC 5321 4.5.3.2.7)
    data_seconds: float = 600  # for a whole mail, and more by ``data_pace``: an honest slow transfer passes
    data_pace: int = 8192  # octets per second that a mail may take longer for
    store_seconds: float = 60  # for a look-up, or for judging and keeping a mail: more than ``Archive`` takes itself
    write_seconds: float = 60  # until a client has read our replies
    fresh_seconds: float = 5  # in which a client that has just come may begin a mail although we drain
    close_seconds: float = 10  # until a client lets a connection end
    stranger_seconds: float = 30  # for the whole stay of a client that is no registered relay
    bad_recipients: int = 20  # of one connection; the answers to further ones come later
    bad_recipient_seconds: float = 1
    max_errors: int = 10  # in a row, of the protocol
    max_line: int = 4096
    proxy_seconds: float = 2  # until a registered proxy begins a PROXY header; then it is greeted
    proxy_header_seconds: float = 5  # until the rest of the header is there
    threads: int = 32
    big_size: int = MIB  # mails above it are judged by threads of their own: taking them apart lasts
    big_threads: int = 4  # two may read at a time, and others check or store meanwhile
    big_wait_seconds: float = 240  # that a big mail may take besides ``store_seconds``, for others come first
    slow_threads: int = 64  # for mails that may have to wait for the DNS
    slow_wait_seconds: float = 20  # until one of these threads is free for a mail; then it is put off
    proof_seconds: float = 40  # that looking for proof may take, besides ``store_seconds``: more than it takes itself


class Peers:
    """Who holds how many connections, by address. Our unix socket counts as one peer."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[str] = Counter()

    def enter(self, peer: str) -> bool:
        """Count a connection; ``False``, and not counted, where the peer has its fill."""
        if self._held[peer] >= self._most:
            return False
        self._held[peer] += 1
        return True

    def leave(self, peer: str) -> None:
        """Count a connection off."""
        self._held[peer] -= 1
        if self._held[peer] <= 0:
            del self._held[peer]


class InFlight:
    """The bytes of mails that are being received or stored, of all connections together."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    def hold(self, octets: int) -> "Hold | None":
        """Reserve for a mail of this declared size (0: not declared); ``None`` where there is no room."""
        hold = Hold(self)
        return hold if hold.grow_to(octets) else None


class Hold:
    """What one mail has reserved. Whoever owns it releases it once, whatever becomes of the mail."""

    def __init__(self, room: InFlight) -> None:
        self._room = room
        self._octets = 0

    def grow_to(self, octets: int) -> bool:
        """Hold at least this much; ``False``, and nothing changed, where there is no room."""
        more = octets - self._octets
        if more <= 0:
            return True
        if self._room.held + more > self._room.most:
            return False
        self._room.held += more
        self._octets = octets
        return True

    def shrink_to(self, octets: int) -> None:
        """Hold no more than this."""
        less = max(0, self._octets - octets)
        self._room.held -= less
        self._octets -= less

    def release(self) -> None:
        """Hold nothing any more; doing so again changes nothing."""
        self.shrink_to(0)
