"""A DNS for tests, on loopback (UDP and TCP, a port of its own) or without any socket.

    zones = {
        "muster.test": ["TXT v=spf1 mx -all", "MX 10 mail.muster.test"],
        "mail.muster.test": ["A 192.0.2.1"],
        "*.slow.test": ["TIMEOUT"],
    }
    with dns_server(zones) as server:
        resolver = Resolver([server.address], timeout_seconds=1)
        ...
        assert server.asked == [("muster.test", "TXT")]

    lookups = FakeLookups(zones)    # ``resolver.Lookups`` from memory, with ``asked`` too

Zones are a dict as above or a file of ``fixtures/zones`` (``zone_file("spf")``), where each line is ``NAME TYPE VALUE``
and ``#`` begins a comment line. Types are A, AAAA, CNAME, MX, PTR and TXT. A TXT is the rest of its line as it stands,
without quotes, and cut into strings of 255 bytes; bytes are written as a pair: ``("TXT", b"\\xff")``. It plays the
server that looks up for others: CNAMEs are followed through all zones, a loop of them is answered as a loop. A name
without data gives NXDOMAIN, or no data where names below it have some. ``*.`` stands for any name below.

Instead of an answer, for every type that the name has no records of:
    SERVFAIL, REFUSED, NXDOMAIN    that code
    TIMEOUT                        silence
    GARBAGE                        bytes that are no DNS message
    WRONG-ID                       an answer to another question's number: an address, "v=spf1 +all"
    REFERRAL                       no data, and other servers to ask
And with every answer of the name:
    DELAY seconds                  later
    TRUNCATED                      over UDP only a hint to ask by TCP
    TTL seconds                    instead of 300
"""

import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer, ThreadingUDPServer

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdatatype import RdataType

from mailgate.mailauth.resolver import Trouble

ZONE_FILES = Path(__file__).resolve().parents[1] / "fixtures" / "zones"

Line = str | tuple[str, bytes]
Zones = Mapping[str, Sequence[Line]]

_INSTEAD = frozenset({"SERVFAIL", "REFUSED", "NXDOMAIN", "TIMEOUT", "GARBAGE", "WRONG-ID", "REFERRAL"})
_MAX_CHAIN = 20
_UDP_PLAIN = 512
_GARBAGE = b"\xff\x00garbage, not a DNS message\x00\xff" * 4


@dataclass
class Node:
    """What is at one name."""

    records: dict[str, list[bytes | str]] = field(default_factory=dict)
    instead: str = ""
    delay: float = 0
    truncated: bool = False
    ttl: int = 300


def zone_file(name: str) -> dict[str, list[Line]]:
    """Read ``fixtures/zones/NAME.zone``."""
    found: dict[str, list[Line]] = {}
    for line in (ZONE_FILES / f"{name}.zone").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            owner, rest = line.split(None, 1)
            found.setdefault(owner, []).append(rest.strip())
    return found


class Answers:
    """The zones, read: what to say to a question."""

    def __init__(self, zones: Zones) -> None:
        self._nodes = {name.lower().rstrip("."): _node(lines) for name, lines in zones.items()}
        self._above = {above for name in self._nodes for above in _parents(name)}

    def node(self, name: str) -> Node | None:
        """Find a name, itself or by ``*``; an empty node where there are only names below; else None."""
        if name in self._nodes:
            return self._nodes[name]
        for above in _parents(name):
            if f"*.{above}" in self._nodes:
                return self._nodes[f"*.{above}"]
        return Node() if name in self._above else None

    def chain(self, name: str, kind: str) -> list[tuple[str, Node]]:
        """List the names from the one asked along its CNAMEs, to where the answer is or isn't."""
        found: list[tuple[str, Node]] = []
        while (node := self.node(name)) is not None and len(found) < _MAX_CHAIN:
            found.append((name, node))
            if "CNAME" not in node.records or kind in node.records or kind == "CNAME":
                break
            name = str(node.records["CNAME"][0]).lower().rstrip(".")
        return found


def _parents(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels))]


def _node(lines: Sequence[Line]) -> Node:
    node = Node()
    for line in lines:
        word, value = (*line.split(None, 1), "")[:2] if isinstance(line, str) else line
        if word in _INSTEAD:
            node.instead = word
        elif word == "DELAY":
            node.delay = float(value)
        elif word == "TRUNCATED":
            node.truncated = True
        elif word == "TTL":
            node.ttl = int(value)
        else:
            node.records.setdefault(word, []).append(value)
    return node


# -- without sockets ------------------------------------------------------------------------------------------------


class FakeLookups:
    """``resolver.Lookups`` from zones in memory: what would be trouble is at once, nothing is counted or cached."""

    def __init__(self, zones: Zones) -> None:
        self._answers = Answers(zones)
        self.asked: list[tuple[str, str]] = []

    def txt(self, name: str) -> tuple[bytes, ...]:
        return tuple(value if isinstance(value, bytes) else value.encode() for value in self._find(name, "TXT"))

    def a(self, name: str) -> tuple[str, ...]:
        return tuple(map(str, self._find(name, "A")))

    def aaaa(self, name: str) -> tuple[str, ...]:
        return tuple(map(str, self._find(name, "AAAA")))

    def mx(self, name: str) -> tuple[tuple[int, str], ...]:
        pairs = (str(value).partition(" ") for value in self._find(name, "MX"))
        return tuple((int(preference), host.strip(" .")) for preference, _, host in pairs)

    def ptr(self, name: str) -> tuple[str, ...]:
        return tuple(str(value).rstrip(".") for value in self._find(name, "PTR"))

    def _find(self, name: str, kind: str) -> list[bytes | str]:
        folded = name.lower().rstrip(".")
        self.asked.append((folded, kind))
        chain = self._answers.chain(folded, kind)
        node = chain[-1][1] if chain else Node()
        if kind not in node.records and node.instead not in {"", "NXDOMAIN"}:
            raise Trouble(f"{folded}: {node.instead}")
        return node.records.get(kind, [])


# -- with sockets ---------------------------------------------------------------------------------------------------


class DnsServer:
    """A running server: ``address`` is ``127.0.0.1:PORT``; ``asked`` lists the questions in the order they came."""

    def __init__(self, zones: Zones) -> None:
        self.answers = Answers(zones)
        self.asked: list[tuple[str, str]] = []
        self.closing = threading.Event()
        self._tcp, self._udp = self._bound()
        self.address = f"127.0.0.1:{self._udp.server_address[1]}"

    def change(self, zones: Zones) -> None:
        """Answer from these zones from now on."""
        self.answers = Answers(zones)

    def _bound(self) -> tuple["_Tcp", "_Udp"]:
        for _ in range(20):
            tcp = _Tcp(self)
            try:
                return tcp, _Udp(self, tcp.server_address[1])
            except OSError:  # the port is somebody's for UDP
                tcp.server_close()
        raise RuntimeError("no port is free for both UDP and TCP")

    def start(self) -> None:
        """Answer, in threads of our own."""
        for server in (self._tcp, self._udp):
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Close; whoever is waiting for an answer gets none."""
        self.closing.set()
        for server in (self._tcp, self._udp):
            server.shutdown()
            server.server_close()

    def reply(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """Answer one question; None is silence."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = _text(question.name), question.rdtype.name
        self.asked.append((name, kind))
        chain = self.answers.chain(name, kind)
        last = chain[-1][1] if chain else Node(instead="NXDOMAIN")
        self.closing.wait(sum(node.delay for _, node in chain))
        if last.instead in {"TIMEOUT", "GARBAGE", "WRONG-ID"} and kind not in last.records:
            return _rude(last.instead, query)
        truncated = any(node.truncated for _, node in chain)
        return _polite(query, chain, last, space=65535 if tcp else 0 if truncated else _space(query))


def _text(name: dns.name.Name) -> str:
    return b".".join(name.labels[:-1]).decode("latin-1").lower()


def _space(query: dns.message.Message) -> int:
    return query.payload if query.edns >= 0 else _UDP_PLAIN


def _rude(instead: str, query: dns.message.Message) -> bytes | None:
    if instead == "TIMEOUT":
        return None
    if instead == "GARBAGE":
        return _GARBAGE
    question = query.question[0]
    response = dns.message.make_response(query)
    response.id = query.id ^ 0x5555
    forged: dict[str, bytes | str] = {"TXT": "v=spf1 +all", "A": "192.0.2.66", "AAAA": "2001:db8::66"}
    if question.rdtype.name in forged:
        value = forged[question.rdtype.name]
        response.answer.append(_rrset(_text(question.name), question.rdtype.name, [value], 300))
    return response.to_wire()


def _polite(query: dns.message.Message, chain: list[tuple[str, Node]], last: Node, *, space: int) -> bytes:
    kind = query.question[0].rdtype.name
    response = dns.message.make_response(query, recursion_available=True)
    for name, node in chain:
        held = kind if kind in node.records else "CNAME"
        if held in node.records:
            response.answer.append(_rrset(name, held, node.records[held], node.ttl))
    if kind not in last.records:
        if last.instead == "REFERRAL":
            response.authority.append(dns.rrset.from_text("test.", 300, "IN", "NS", "ns.test."))
        else:
            response.set_rcode(dns.rcode.from_text(last.instead or "NOERROR"))
            response.authority.append(_soa(last.ttl))
    wire = response.to_wire(max_size=65535)
    return wire if len(wire) <= space else _hint(query)


def _hint(query: dns.message.Message) -> bytes:
    response = dns.message.make_response(query, recursion_available=True)
    response.flags |= dns.flags.TC
    return response.to_wire()


def _soa(ttl: int) -> dns.rrset.RRset:
    return dns.rrset.from_text(".", ttl, "IN", "SOA", f". . 1 3600 600 86400 {ttl}")


def _name(text: str) -> dns.name.Name:
    return dns.name.Name([label.encode("latin-1") for label in text.rstrip(".").split(".")] + [b""])


def _rrset(owner: str, kind: str, values: Sequence[bytes | str], ttl: int) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(_name(owner), ttl, [_rdata(kind, value) for value in values])


def _rdata(kind: str, value: bytes | str) -> dns.rdata.Rdata:
    if kind == "TXT":
        data = value if isinstance(value, bytes) else value.encode()
        parts = [data[start : start + 255] for start in range(0, len(data), 255)] or [b""]
        wire = b"".join(bytes([len(part)]) + part for part in parts)
        return dns.rdata.from_wire(dns.rdataclass.IN, RdataType.TXT, wire, 0, len(wire))
    return dns.rdata.from_text("IN", kind, _rooted(str(value)) if kind in {"CNAME", "MX", "PTR"} else str(value))


def _rooted(text: str) -> str:
    """Give the name at the end the root's dot; where there is none it is the root."""
    before, space, name = text.partition(" ")
    return f"{before} {name.rstrip('.')}." if space or before.isdigit() else f"{text.rstrip('.')}."


class _UdpHandler(BaseRequestHandler):
    server: "_Udp"

    def handle(self) -> None:
        wire, out = self.request
        reply = self.server.owner.reply(wire, tcp=False)
        if reply is not None and not self.server.owner.closing.is_set():
            out.sendto(reply, self.client_address)


class _TcpHandler(BaseRequestHandler):
    server: "_Tcp"

    def handle(self) -> None:
        length = self._take(2)
        if len(length) < 2:  # the client changed its mind
            return
        wire = self._take(struct.unpack("!H", length)[0])
        reply = self.server.owner.reply(wire, tcp=True)
        if reply is None:
            self.server.owner.closing.wait(60)
            return
        with suppress(OSError):  # the client may have had enough
            self.request.sendall(struct.pack("!H", len(reply)) + reply)

    def _take(self, count: int) -> bytes:
        data: bytes = self.request.recv(count, socket.MSG_WAITALL)
        return data


class _Udp(ThreadingUDPServer):
    daemon_threads = True
    max_packet_size = 65535

    def __init__(self, owner: DnsServer, port: int) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", port), _UdpHandler)


class _Tcp(ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, owner: DnsServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _TcpHandler)


@contextmanager
def dns_server(zones: Zones) -> Iterator[DnsServer]:
    """Run a server with these zones."""
    server = DnsServer(zones)
    server.start()
    try:
        yield server
    finally:
        server.stop()
