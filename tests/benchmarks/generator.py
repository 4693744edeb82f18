"""Sends unique mails as fast as a server takes them: one thread, bare sockets, prepared bytes, no parsing but of codes.

``Load.run`` keeps ``clients`` connections busy, each mail on a new one where ``reused`` is false. With a ``pace`` the
load is open: mails fall due evenly, so many per second, whether or not those before were taken; each goes out on a
connection that is idle, or on a new one. It speaks as mail servers do: MAIL, RCPT and DATA in one packet where the
server offers PIPELINING, a mail and its last dot in one write. The mails are made before the clock starts. What the
generator can do at most is measured beside each row (``tests.benchmarks.throughput``).
"""

import os
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from tests.benchmarks.figures import percentile
from tests.benchmarks.mails import AUTHOR, Mails
from tests.benchmarks.scale import numbers

__all__ = ["AUTHOR", "Load", "Run"]

MOST = 300  # connections of an open load
PATIENCE = 120.0  # seconds without any reply
_SOON = 0.0005  # seconds

# gives what is to be sent, is given as many replies as that asks for; () where it waits for its next mail
Talk = Generator[Sequence[bytes], bytes, None]


@dataclass
class Run:
    """What a run took, in seconds: wall time, the generator's own, and from the end of each DATA to its 250.

    ``late`` is by how much the mails of an open load went out behind their time: the generator's fault.
    """

    mails: int
    seconds: float
    own: float
    waits: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    connections: int = 0

    @property
    def rate(self) -> float:
        """Mails per second."""
        return self.mails / self.seconds

    @property
    def share(self) -> float:
        """Which part of all processors the generator had."""
        return self.own / self.seconds / (os.cpu_count() or 1)

    def percentile(self, part: float) -> float:
        """Seconds from the end of DATA to 250 that so many of the mails stayed under."""
        return percentile(self.waits, part)


@dataclass
class Load:
    """``mails`` of ``size`` octets to one recipient; ``pace``: so many per second, all clients together."""

    port: int
    recipient: str
    mails: int
    size: int = 5000
    clients: int = 20
    reused: bool = True
    pace: float | None = None
    first: int = 0  # the number of the first mail: no two runs send the same
    made: Mails | None = None  # what has them in common, where it was prepared before

    def run(self) -> Run:
        """Send everything; raises when a mail is not taken."""
        made = self.made or Mails(self.size)
        prepared = deque(_ended(made.pieces(self.first + n)) for n in range(self.mails))
        before = time.process_time()
        start = time.perf_counter()
        crowd = _Crowd(self, prepared, start)
        crowd.work()
        seconds = time.perf_counter() - start
        own = time.process_time() - before
        return Run(self.mails, seconds, own, crowd.waits, crowd.late, crowd.opened)


class _Link:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.sock = socket.socket()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.sock.connect_ex(("127.0.0.1", port))  # whatever comes of it is met at the greeting
        self.talk: Talk
        self.unsent: list[memoryview] = []
        self.blocked = False
        self.reply = b""
        self.wanted = 1  # replies
        self.sent_at = 0.0  # when the last octets were handed to the system
        self.replied_at = 0.0

    def push(self) -> bool:
        """Send what can be sent now; whether that was all."""
        while self.unsent:
            self.sent_at = time.perf_counter()
            try:
                sent = self.sock.sendmsg(self.unsent)
            except BlockingIOError:
                return False
            while self.unsent and sent >= len(self.unsent[0]):
                sent -= len(self.unsent.pop(0))
            if sent:
                self.unsent[0] = self.unsent[0][sent:]
        return True

    def pull(self) -> bool:
        """Read what came; whether all replies are there that are waited for."""
        came = self.sock.recv(4096)
        self.replied_at = time.perf_counter()
        if not came:
            raise OSError("the server ended the connection")
        self.reply += came
        if not self.reply.endswith(b"\n"):
            return False
        return sum(line[3:4] != b"-" for line in self.reply.splitlines()) >= self.wanted


class _Crowd:
    """All connections of a run."""

    def __init__(self, load: Load, mails: "deque[tuple[bytes, ...]]", start: float) -> None:
        self._load = load
        self._mails = mails
        self._start = start
        self._poll = select.epoll()
        self._links: dict[int, _Link] = {}
        self._idle: list[_Link] = []
        self._begun = 0  # mails of an open load
        self._coming = 0  # connections that were not greeted yet
        self._to_open = 0 if load.reused else len(mails) - load.clients
        self._mail = f"MAIL FROM:<{AUTHOR}>\r\n".encode()
        self._rcpt = f"RCPT TO:<{load.recipient}>\r\n".encode()
        self._begin = self._mail + self._rcpt + b"DATA\r\n"
        self.waits: list[float] = []
        self.late: list[float] = []
        self.opened = 0

    def work(self) -> None:
        """Send all mails."""
        try:
            for _ in range(min(self._load.clients, len(self._mails))):
                self._open()
            while self._links:
                self._turn()
        finally:
            for link in self._links.values():
                link.sock.close()
            self._poll.close()

    def _turn(self) -> None:
        seconds = self._until_due()
        found = self._poll.poll(seconds)
        if not found and seconds == PATIENCE:
            raise RuntimeError(f"no reply for {PATIENCE:.0f} s")
        for number, event in found:
            link = self._links[number]
            try:
                self._serve(link, event)
            except (OSError, ValueError) as error:
                raise RuntimeError(f"a mail is not taken after {len(self.waits)}: {error}") from error
        if self._load.pace is not None:
            self._begin_due(self._load.pace)

    def _serve(self, link: _Link, event: int) -> None:
        if event & select.EPOLLOUT:
            self._push(link)
        elif link.pull():
            reply, link.reply = link.reply, b""
            self._go_on(link, reply)

    def _go_on(self, link: _Link, reply: bytes) -> None:
        try:
            say = link.talk.send(reply)
        except StopIteration:
            self._end(link)
            return
        if say:
            link.unsent = [memoryview(piece) for piece in say]
            self._push(link)

    def _push(self, link: _Link) -> None:
        blocked = not link.push()
        if blocked != link.blocked:
            link.blocked = blocked
            self._poll.modify(link.sock, select.EPOLLOUT if blocked else select.EPOLLIN)

    def _open(self) -> None:
        link = _Link(self._load.port)
        self._links[link.sock.fileno()] = link
        self._poll.register(link.sock, select.EPOLLIN)
        self.opened += 1
        self._coming += 1
        link.talk = self._talk(link)
        next(link.talk)  # as far as the greeting

    def _end(self, link: _Link) -> None:
        del self._links[link.sock.fileno()]
        link.sock.close()
        if self._to_open > 0:
            self._to_open -= 1
            self._open()

    # -- an open load -----------------------------------------------------------------------------------------------

    def _due(self, number: int) -> float:
        return self._start + number / (self._load.pace or 1)

    def _until_due(self) -> float:
        if self._load.pace is None or self._begun >= self._load.mails:
            return PATIENCE
        return max(_SOON, min(PATIENCE, self._due(self._begun) - time.perf_counter()))

    def _begin_due(self, pace: float) -> None:
        begun = time.perf_counter()
        waiting = min(self._load.mails, int((begun - self._start) * pace) + 1) - self._begun
        for _ in range(min(waiting, len(self._idle))):
            self.late.append(begun - self._due(self._begun))
            self._begun += 1
            waiting -= 1
            self._go_on(self._idle.pop(), b"")
        for _ in range(min(waiting - self._coming, MOST - len(self._links))):
            self._open()
        if self._begun == self._load.mails:
            while self._idle:  # to say goodbye
                self._go_on(self._idle.pop(), b"")

    # -- what a client says -----------------------------------------------------------------------------------------

    def _talk(self, link: _Link) -> Talk:
        _expect((yield ()), b"2")
        offered = yield (b"EHLO bench.example\r\n",)
        _expect(offered, b"2")
        one = self._one_at_once if b"PIPELINING" in offered else self._one
        self._coming -= 1
        while True:
            if self._load.pace is not None:
                self._idle.append(link)
                yield ()
            if not self._mails:
                break
            yield from one(link, self._mails.popleft())
            if not self._load.reused:
                break
        yield (b"QUIT\r\n",)

    def _one_at_once(self, link: _Link, mail: tuple[bytes, ...]) -> Talk:
        link.wanted = 3
        said = yield (self._begin,)
        link.wanted = 1
        for line, digit in zip(said.splitlines(), (b"2", b"2", b"3"), strict=False):
            _expect(line, digit)
        yield from self._content(link, mail)

    def _one(self, link: _Link, mail: tuple[bytes, ...]) -> Talk:
        _expect((yield (self._mail,)), b"2")
        _expect((yield (self._rcpt,)), b"2")
        _expect((yield (b"DATA\r\n",)), b"3")
        yield from self._content(link, mail)

    def _content(self, link: _Link, mail: tuple[bytes, ...]) -> Talk:
        _expect((yield mail), b"2")
        self.waits.append(link.replied_at - link.sent_at)


def _ended(pieces: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (*pieces[:-1], pieces[-1] + b".\r\n")


def _expect(said: bytes, digit: bytes) -> None:
    if said[:1] != digit:
        raise ValueError(said.decode("ascii", "replace"))


def main() -> None:
    """Send mails of a size from a process of its own: PORT RECIPIENT MAILS SIZE."""
    port, recipient, mails, size = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    Load(port, recipient, mails, size=size, first=next(numbers)).run()


if __name__ == "__main__":
    main()
