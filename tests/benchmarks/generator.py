"""Sends unique mails as fast as a server takes them: bare sockets, prepared bytes, no parsing but of the codes.

``Load.run`` opens ``clients`` connections at once, each with its share of the mails, or a new one for each mail. The
mails are made before the clock starts. What the generator can do at most is measured with Postfix's ``smtp-sink``
(``tests.benchmarks.throughput``).
"""

import os
import socket
import threading
import time
from dataclasses import dataclass, field

from tests.benchmarks.mails import AUTHOR, Mails

__all__ = ["AUTHOR", "Load", "Run"]


@dataclass
class Run:
    """What a run took: wall time and the generator's own time in seconds, and from the end of each DATA to its 250."""

    mails: int
    seconds: float
    own: float
    waits: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Mails per second."""
        return self.mails / self.seconds

    def percentile(self, part: float) -> float:
        """Seconds from the end of DATA to 250 that so many of the mails stayed under."""
        return sorted(self.waits)[min(len(self.waits) - 1, int(len(self.waits) * part))]


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

    def run(self) -> Run:
        """Send everything; raises when a mail is not taken."""
        made = Mails(self.size)
        prepared = [made.one(self.first + n) for n in range(self.mails)]
        shares = [prepared[client :: self.clients] for client in range(self.clients)]
        failures: list[str] = []
        waits: list[float] = []
        threads = [threading.Thread(target=self._client, args=(*each, failures, waits)) for each in enumerate(shares)]
        before = os.times()
        start = self._start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - start
        after = os.times()
        if failures:
            raise RuntimeError(f"{len(failures)} mails not taken, the first: {failures[0]}")
        return Run(self.mails, seconds, after.user + after.system - before.user - before.system, waits)

    def _client(self, client: int, mails: list[bytes], failures: list[str], waits: list[float]) -> None:
        try:
            groups = [mails] if self.reused else [[mail] for mail in mails]
            sent = 0
            for group in groups:
                with socket.create_connection(("127.0.0.1", self.port)) as link, link.makefile("rb") as replies:
                    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    _expect(replies.readline(), b"2")
                    link.sendall(b"EHLO bench.example\r\n")
                    while replies.readline()[3:4] == b"-":
                        pass
                    for mail in group:
                        self._hold(client, sent)
                        waits.append(self._one(link, replies, mail))
                        sent += 1
                    link.sendall(b"QUIT\r\n")
                    replies.readline()
        except (OSError, ValueError) as error:
            failures.append(str(error))

    def _one(self, link: socket.socket, replies: object, mail: bytes) -> float:
        for line in (f"MAIL FROM:<{AUTHOR}>", f"RCPT TO:<{self.recipient}>", "DATA"):
            link.sendall(line.encode() + b"\r\n")
            _expect(replies.readline(), b"23")  # type: ignore[attr-defined]  # a BufferedReader of a socket
        link.sendall(mail)
        sent = time.perf_counter()
        link.sendall(b".\r\n")
        _expect(replies.readline(), b"2")  # type: ignore[attr-defined]  # the same
        return time.perf_counter() - sent

    def _hold(self, client: int, sent: int) -> None:
        if self.pace is not None:
            due = self._start + (sent * self.clients + client) / self.pace
            time.sleep(max(0.0, due - time.perf_counter()))


def _expect(said: bytes, digits: bytes) -> None:
    if said[:1] not in {digits[at : at + 1] for at in range(len(digits))}:
        raise ValueError(said.decode("ascii", "replace") or "the connection ended")
