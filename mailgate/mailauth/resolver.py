"""The one place that asks the DNS: one ``Resolver`` for the process, one set of ``Lookups`` for a mail.

No such name, no such data and CNAMEs that go in a circle give an empty tuple. Everything else that is no answer
(SERVFAIL, REFUSED, silence, bytes that are no message, a full house) raises ``Trouble``: nobody knows what an answer
would have said. Names that no DNS holds (empty or long labels, more than 253 bytes, anything but printable ASCII) are
never asked: they have no data.

Bounded whatever the servers do, so that no mail holds a thread for long and others keep their pace:
- A mail has ``budget_seconds`` and ``max_questions`` for all its look-ups together, one question ``timeout_seconds``;
  it may cause answers of ``MAX_OCTETS`` in all. What is remembered costs it nothing.
- A mail may wait for two seconds in all (less with a short timeout), and for one of them with one question. To wait on
  it needs one of ``MAX_SLOW`` places, of which the names of one organisation get ``MAX_SLOW_OF_ONE``; where none is
  free it is trouble at once. So a pool of many more than ``MAX_SLOW`` threads always has some for mails whose domains
  answer, however many domains don't.
- Several threads with the same question ask once. Answers are remembered as long as they say, at most an hour and at
  least five seconds, those without data at most five minutes; trouble for five seconds, so that a flood for a broken
  domain fails fast. The memory holds ``MAX_ENTRIES`` answers and ``MAX_BYTES``.

Safe in threads. What the servers say is believed: DNSSEC is theirs to check.
"""

import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.resolver
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.PTR import PTR
from dns.rdtypes.ANY.TXT import TXT
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA

from mailgate import events
from mailgate.mailauth.alignment import organisational_domain

BUDGET_TIMEOUTS = 3
MAX_BUDGET_SECONDS = 20.0
MAX_QUESTIONS = 150  # RFC 7208 4.6.4 allows 111 to an SPF record alone
MAX_OCTETS = 2**18  # an answer of 64 kB may hold thousands of records, and takes 0.1 s to read
PATIENCE_SHARE = 0.4  # of ``timeout_seconds``
MAX_PATIENCE_SECONDS = 2.0
MAX_SLOW = 32
MAX_SLOW_OF_ONE = 4
MIN_TTL = 5.0
MAX_TTL = 3600.0
MAX_EMPTY_TTL = 300.0
TROUBLE_TTL = 5.0
MAX_ENTRIES = 10_000
MAX_BYTES = 16 * 2**20

_MAX_NAME = 253  # RFC 1035 2.3.4: 255 on the wire
_MAX_LABEL = 63
_FIRST_TRY = 0.4
_UDP_PAYLOAD = 1232  # what goes through everywhere unfragmented: dnsflagday.net, 2020
_PORT = 53
_NO_TIME = "no time, or no place, to wait longer"
_ENTRY_BYTES = 200  # about what an entry takes besides its data

Rdatas = tuple[dns.rdata.Rdata, ...]
_Key = tuple[str, RdataType]
_Server = tuple[str, int]


class Trouble(Exception):
    """A look-up failed for now; the text names the question and what was wrong, for people."""


class Lookups(Protocol):
    """What one mail may ask. Each method takes a name with or without the root's dot and may raise ``Trouble``.

    No such name and no data give ``()``. Answers are in no certain order.
    """

    def txt(self, name: str) -> tuple[bytes, ...]:
        """Return the TXT records, the strings of each joined without a space between (RFC 7208 3.3, RFC 6376 3.6.2)."""

    def a(self, name: str) -> tuple[str, ...]:
        """Return IPv4 addresses."""

    def aaaa(self, name: str) -> tuple[str, ...]:
        """Return IPv6 addresses."""

    def mx(self, name: str) -> tuple[tuple[int, str], ...]:
        """Return preferences and hosts, without the root's dot."""

    def ptr(self, name: str) -> tuple[str, ...]:
        """Return the names that a reverse name (``1.2.0.192.in-addr.arpa``) points to, without the root's dot."""


@dataclass(slots=True)
class _Allowance:
    """What a mail has left. ``deadline`` is of ``time.monotonic``."""

    deadline: float
    questions: int
    patience: float
    octets: int = MAX_OCTETS


@dataclass(slots=True)
class _Flight:
    """A question that is being asked. ``outcome`` stays None where the asker gave up for want of time of its own."""

    landed: threading.Event = field(default_factory=threading.Event)
    outcome: "Rdatas | Trouble | None" = None


class Resolver:
    """Answers from memory, else by asking ``servers``: IP, IP:PORT, V6 or [V6]:PORT; none: the system's of now."""

    def __init__(self, servers: Sequence[str] = (), timeout_seconds: float = 5.0) -> None:
        self._servers = tuple(dict.fromkeys(map(_endpoint, servers))) or _system_servers()
        self._timeout = timeout_seconds
        self._patience = min(timeout_seconds * PATIENCE_SHARE, MAX_PATIENCE_SECONDS)
        self._lock = threading.Lock()
        self._memory = _Memory()
        self._flights: dict[_Key, _Flight] = {}
        self._slow: dict[str, int] = {}

    def lookups(self, budget_seconds: float | None = None, max_questions: int = MAX_QUESTIONS) -> "MailLookups":
        """Give what one mail may ask, from now on; without a budget three times the timeout, at most 20 s."""
        whole = min(self._timeout * BUDGET_TIMEOUTS, MAX_BUDGET_SECONDS) if budget_seconds is None else budget_seconds
        return MailLookups(self, _Allowance(time.monotonic() + whole, max_questions, self._patience))

    def find(self, name: str, kind: RdataType, allowance: _Allowance) -> Rdatas:
        """Answer one question at the cost of ``allowance``."""
        folded = _fold(name)
        if folded is None:
            return ()
        outcome = self._outcome((folded, kind), allowance)
        if isinstance(outcome, Trouble):
            raise Trouble(*outcome.args)
        return outcome

    def _outcome(self, key: _Key, allowance: _Allowance) -> "Rdatas | Trouble":
        while True:
            with self._lock:
                remembered = self._memory.get(key)
                if remembered is not None:
                    return remembered
                flight = self._flights.get(key)
                if mine := flight is None:
                    flight = self._flights[key] = _Flight()
            if mine:
                return self._fly(key, flight, allowance)
            outcome = self._joined(key, flight, allowance)
            if outcome is not None:
                return outcome

    def _fly(self, key: _Key, flight: _Flight, allowance: _Allowance) -> "Rdatas | Trouble":
        try:
            return self._asked(key, flight, allowance)
        finally:
            with self._lock:
                del self._flights[key]
            flight.landed.set()

    def _asked(self, key: _Key, flight: _Flight, allowance: _Allowance) -> "Rdatas | Trouble":
        if allowance.questions <= 0 or allowance.octets <= 0:
            return _trouble(key, "the mail has asked enough")
        allowance.questions -= 1
        until = time.monotonic() + self._timeout
        with closing(_Asking(self._servers, key)) as asking:
            if not self._wait(asking.ask, key, until, allowance) and time.monotonic() < until:
                events.dns_asked("hurried")  # another mail has more time, or finds a place: nothing to remember
                return _trouble(key, _NO_TIME)
        allowance.octets -= asking.octets
        flight.outcome, seconds = asking.outcome()
        with self._lock:
            self._memory.put(key, flight.outcome, seconds)
        events.dns_asked(_word(flight.outcome))
        return flight.outcome

    def _joined(self, key: _Key, flight: _Flight, allowance: _Allowance) -> "Rdatas | Trouble | None":
        def landed(moment: float) -> bool:
            return flight.landed.wait(max(0.0, moment - time.monotonic()))

        if self._wait(landed, key, time.monotonic() + self._timeout, allowance):
            return flight.outcome
        return _trouble(key, _NO_TIME)

    def _wait(self, step: Callable[[float], bool], key: _Key, until: float, allowance: _Allowance) -> bool:
        """Let ``step`` wait up to a moment: first as long as patience allows, then as a place among the slow does."""
        end = min(until, allowance.deadline)
        zone = _zone(key[0])
        began = time.monotonic()
        if began < end and allowance.patience > 0 and not self._is_full(zone):
            done = step(min(end, began + min(allowance.patience, self._patience / 2)))
            allowance.patience -= time.monotonic() - began
            if done:
                return True
        if time.monotonic() >= end:
            return False
        with self._place(zone) as placed:
            return placed and step(end)

    def _is_full(self, zone: str) -> bool:
        with self._lock:
            return self._slow.get(zone, 0) >= MAX_SLOW_OF_ONE

    @contextmanager
    def _place(self, zone: str) -> Iterator[bool]:
        with self._lock:
            taken = self._slow.get(zone, 0)
            free = taken < MAX_SLOW_OF_ONE and sum(self._slow.values()) < MAX_SLOW
            if free:
                self._slow[zone] = taken + 1
        try:
            yield free
        finally:
            if free:
                self._leave(zone)

    def _leave(self, zone: str) -> None:
        with self._lock:
            self._slow[zone] -= 1
            if not self._slow[zone]:
                del self._slow[zone]


class MailLookups:
    """``Lookups`` of one mail, in one or more threads."""

    def __init__(self, resolver: Resolver, allowance: _Allowance) -> None:
        self._resolver = resolver
        self._allowance = allowance

    def txt(self, name: str) -> tuple[bytes, ...]:
        """``Lookups.txt``."""
        return tuple(b"".join(each.strings) for each in self._find(name, RdataType.TXT) if isinstance(each, TXT))

    def a(self, name: str) -> tuple[str, ...]:
        """``Lookups.a``."""
        return tuple(each.address for each in self._find(name, RdataType.A) if isinstance(each, A))

    def aaaa(self, name: str) -> tuple[str, ...]:
        """``Lookups.aaaa``."""
        return tuple(each.address for each in self._find(name, RdataType.AAAA) if isinstance(each, AAAA))

    def mx(self, name: str) -> tuple[tuple[int, str], ...]:
        """``Lookups.mx``."""
        found = self._find(name, RdataType.MX)
        return tuple((each.preference, _text(each.exchange)) for each in found if isinstance(each, MX))

    def ptr(self, name: str) -> tuple[str, ...]:
        """``Lookups.ptr``."""
        return tuple(_text(each.target) for each in self._find(name, RdataType.PTR) if isinstance(each, PTR))

    def _find(self, name: str, kind: RdataType) -> Rdatas:
        return self._resolver.find(name, kind, self._allowance)


class _Memory:
    """Outcomes by question, the least used forgotten first. Not safe in threads by itself."""

    def __init__(self) -> None:
        self._held: OrderedDict[_Key, tuple[float, int, Rdatas | Trouble]] = OrderedDict()
        self._bytes = 0

    def get(self, key: _Key) -> "Rdatas | Trouble | None":
        if key not in self._held:
            return None
        until, _, outcome = self._held[key]
        if until <= time.monotonic():
            self._forget(key)
            return None
        self._held.move_to_end(key)
        return outcome

    def put(self, key: _Key, outcome: "Rdatas | Trouble", seconds: float) -> None:
        self._forget(key)
        size = _ENTRY_BYTES + len(key[0]) + (0 if isinstance(outcome, Trouble) else sum(map(_size, outcome)))
        self._held[key] = (time.monotonic() + seconds, size, outcome)
        self._bytes += size
        while len(self._held) > MAX_ENTRIES or self._bytes > MAX_BYTES:
            self._forget(next(iter(self._held)))

    def _forget(self, key: _Key) -> None:
        _, size, _ = self._held.pop(key, (0.0, 0, ()))
        self._bytes -= size


class _Asking:
    """One question on its way to the servers, each asked in turn, and again and again: an early answer counts too."""

    def __init__(self, servers: Sequence[_Server], key: _Key) -> None:
        self._servers = servers
        self._key = key
        self._question = _name(key[0])
        self.octets = 0
        self._tries = 0
        self._lines: dict[_Server, tuple[socket.socket, dns.message.Message]] = {}
        self._open = ExitStack()
        self._refusals: dict[_Server, str] = {}
        self._found: tuple[Rdatas, float] | None = None

    def close(self) -> None:
        """Hear no more answers."""
        self._open.close()

    def ask(self, until: float) -> bool:
        """Ask until then; say whether there is no more to be had: an answer, or a word of refusal from every server."""
        while self._found is None and len(self._refusals) < len(self._servers):
            left = until - time.monotonic()
            if left <= 0:
                return False
            server = self._servers[self._tries % len(self._servers)]
            patience = _FIRST_TRY * 2 ** (self._tries // len(self._servers))
            self._tries += 1
            if server not in self._refusals:
                self._try(server, min(left, patience), until)
        return True

    def outcome(self) -> "tuple[Rdatas | Trouble, float]":
        """Say what came of it, and for how long that holds."""
        if self._found is not None:
            return self._found
        return _trouble(self._key, " ".join(sorted(set(self._refusals.values()))) or "no answer in time"), TROUBLE_TTL

    def _try(self, server: _Server, seconds: float, until: float) -> None:
        try:
            response = self._exchanged(server, seconds, until)
            self.octets += len(response.wire or b"")
            self._take(server, response)
        except dns.exception.Timeout:
            pass
        except Exception as error:  # noqa: BLE001 - parsers meet hostile bytes here: whatever they raise is no answer
            self._refusals[server] = type(error).__name__

    def _exchanged(self, server: _Server, seconds: float, until: float) -> dns.message.Message:
        """Ask by UDP, and where that is too small by TCP. Bytes that are no answer to this question are passed over."""
        host, port = server
        line, query = self._line(server)
        try:
            return dns.query.udp(
                query, host, seconds, port, ignore_unexpected=True, ignore_errors=True, raise_on_truncation=True,
                sock=line,
            )  # fmt: skip
        except dns.message.Truncated:
            return dns.query.tcp(query, host, until - time.monotonic(), port)

    def _line(self, server: _Server) -> tuple[socket.socket, dns.message.Message]:
        """Open a port of its own for a server, where the answers to all tries arrive."""
        if server not in self._lines:
            family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
            line = self._open.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            line.settimeout(0)
            query = dns.message.make_query(self._question, self._key[1], use_edns=0, payload=_UDP_PAYLOAD)
            self._lines[server] = line, query
        return self._lines[server]

    def _take(self, server: _Server, response: dns.message.Message) -> None:
        code = response.rcode()
        if code not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN} or response.flags & dns.flags.TC:
            self._refusals[server] = dns.rcode.to_text(code)
            return
        if not isinstance(response, dns.message.QueryMessage):
            self._refusals[server] = "no answer to a question"
            return
        try:
            chain = response.resolve_chaining()
        except dns.message.ChainTooLong:
            self._found = (), MIN_TTL
            return
        if chain.answer is None and _refers(response):
            self._refusals[server] = "a referral"
        elif chain.answer is None:
            self._found = (), _between(MIN_TTL, chain.minimum_ttl, MAX_EMPTY_TTL)
        else:
            self._found = tuple(chain.answer), _between(MIN_TTL, chain.minimum_ttl, MAX_TTL)


def _zone(name: str) -> str:
    """Name whose servers are asked, as far as a name tells."""
    return organisational_domain(name) or ".".join(name.split(".")[-2:])


def _word(outcome: "Rdatas | Trouble") -> str:
    if isinstance(outcome, Trouble):
        return "trouble"
    return "answer" if outcome else "empty"


def _trouble(key: _Key, what: str) -> Trouble:
    return Trouble(f"{key[0]} {key[1].name}: {what}")


def _refers(response: dns.message.Message) -> bool:
    """Tell a server that doesn't look up for others, and names those to ask, from one that knows of no data."""
    kinds = {rrset.rdtype for rrset in response.authority}
    return RdataType.NS in kinds and RdataType.SOA not in kinds


def _between(low: float, value: float, high: float) -> float:
    return max(low, min(value, high))


def _size(rdata: dns.rdata.Rdata) -> int:
    return _ENTRY_BYTES + len(rdata.to_wire() or b"")


def _fold(name: str) -> str | None:
    """Return a name in lower case without the root's dot; None for one that nobody can have."""
    folded = name.removesuffix(".").lower()
    if len(folded) > _MAX_NAME or not folded.isascii() or not folded.isprintable() or "\\" in folded:
        return None
    if not all(0 < len(label) <= _MAX_LABEL for label in folded.split(".")):
        return None
    return folded


def _name(folded: str) -> dns.name.Name:
    return dns.name.Name([*(label.encode("ascii") for label in folded.split(".")), b""])


def _text(name: dns.name.Name) -> str:
    """Write a name of an answer. An odd byte or a dot inside a label comes with a backslash: ``_fold`` takes none."""
    return name.to_text(omit_final_dot=True).removesuffix(".")


def _endpoint(server: str) -> _Server:
    host, _, port = server.rpartition(":")
    if "]" in server or server.count(":") == 1:
        return host.strip("[]"), int(port)
    return server, _PORT


def _system_servers() -> tuple[_Server, ...]:
    try:
        system = dns.resolver.Resolver()
    except dns.exception.DNSException:
        return (("127.0.0.1", _PORT),)  # what resolv.conf(5) says for an empty file
    return tuple(dict.fromkeys((str(server), system.port) for server in system.nameservers))
