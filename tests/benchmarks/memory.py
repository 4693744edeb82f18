"""Memory of mailgate, idle and with 20 mails of 25 MB in flight at once.

    python -m tests.benchmarks memory

PSS counts, without the database. Idle: that of the process that takes mail, with what it started to read for it; where
several take mail (``smtp.workers``), of the largest. In flight: that of all processes together. Each stands beside.

In flight, 20 clients announce a mail's size and send it, slowly and evenly (over ``SECONDS``), wait for each other
before the last dot, and then send it all at once, so that all mails are whole in memory before the first is read. The
largest look of many counts: they are taken from before the first octet to after the last reply.
"""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import BinaryIO

from tests.benchmarks.figures import Row, shown
from tests.benchmarks.mails import AUTHOR, Mails
from tests.benchmarks.processes import Taken, sampled
from tests.benchmarks.scale import numbers, scaled
from tests.benchmarks.servers import Server, each_mailgate

PART = "memory"
MB = 1_000_000
MAILS = 20
SIZE = 25 * MB
SECONDS = 10
STEPS = 100
PATIENCE = 300.0


def rows() -> Iterator[Row]:
    """Measure both rows on each engine."""
    with ExitStack() as stack:
        for server in stack.enter_context(each_mailgate()):
            _talk_once(server)
            time.sleep(2)
            idle = Taken.now(server.pid)
            yield _row(server, "idle", idle, value=idle.largest, most=120, aim=60)
            with sampled(server.pid) as looks:
                late = _in_flight(server)
            peak = max(looks, key=lambda look: look.all)
            yield _row(
                server,
                f"{MAILS} mails of 25 MB in flight",
                peak,
                value=peak.all,
                most=1500,
                aim=750,
                last_250_after=late,
            )
            time.sleep(5)
            after = Taken.now(server.pid)
            yield _row(server, "5 s after them", after, value=after.all)


def _row(
    server: Server,
    work: str,
    taken: Taken,
    *,
    value: int,
    most: float | None = None,
    aim: float | None = None,
    **more: str,
) -> Row:
    beside: dict[str, float | str] = {
        "server process MB": taken.own / MB,
        f"its {taken.children} children MB": taken.below / MB,
        "all MB": taken.all / MB,
        "RSS of all MB": taken.resident / MB,
    }
    return Row(
        part=PART,
        work=work,
        on=server.name,
        unit="MB PSS",
        value=value / MB,
        most=most,
        aim=aim,
        beside=beside | {name.replace("_", " "): said for name, said in more.items()},
    )


def _talk_once(server: Server) -> None:
    """Have mails taken by each process, so that all is loaded that is loaded at the first."""
    _send_together(server, Mails(5000), MAILS, seconds=0)


def _in_flight(server: Server) -> str:
    clients = _send_together(server, Mails(SIZE), MAILS, seconds=scaled(SECONDS, 2))
    took = max(client.answered for client in clients) - min(client.ended for client in clients)
    return f"{shown(took)} s"


def _send_together(server: Server, made: Mails, mails: int, *, seconds: float) -> list["_Client"]:
    whole = threading.Barrier(mails)
    clients = [_Client(server, made.pieces(next(numbers)), whole, seconds) for _ in range(mails)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    failed = [client.failure for client in clients if client.failure]
    if failed:
        raise RuntimeError(f"{len(failed)} of {mails} mails were not taken: {failed[0]}")
    return clients


class _Client(threading.Thread):
    """Sends one mail over so many seconds, and its last dot when all others are as far."""

    def __init__(self, server: Server, mail: Sequence[bytes], whole: threading.Barrier, seconds: float) -> None:
        super().__init__()
        self._server = server
        self._mail = mail
        self._whole = whole
        self._seconds = seconds
        self.failure = ""
        self.ended = 0.0
        self.answered = 0.0

    def run(self) -> None:
        """Send it."""
        try:
            with socket.create_connection(("127.0.0.1", self._server.port), timeout=PATIENCE) as link:
                self._talk(link)
        except (OSError, ValueError, threading.BrokenBarrierError) as error:
            self.failure = str(error) or type(error).__name__
            self._whole.abort()

    def _talk(self, link: socket.socket) -> None:
        with link.makefile("rb") as replies:
            _expect(replies, b"2")
            sender = f"MAIL FROM:<{AUTHOR}> SIZE={sum(map(len, self._mail))}"
            commands = ("EHLO bench.example", sender, f"RCPT TO:<{self._server.recipient}>", "DATA")
            for command in commands:
                link.sendall(command.encode() + b"\r\n")
                _expect(replies, b"23")
            for piece in self._mail:
                self._trickle(link, piece)
            self._whole.wait(PATIENCE)
            self.ended = time.perf_counter()
            link.sendall(b".\r\n")
            _expect(replies, b"2")
            self.answered = time.perf_counter()

    def _trickle(self, link: socket.socket, piece: bytes) -> None:
        view = memoryview(piece)
        step = max(len(view) // STEPS, 65_536)
        for at in range(0, len(view), step):
            link.sendall(view[at : at + step])
            time.sleep(self._seconds * step / SIZE)


def _expect(replies: BinaryIO, digits: bytes) -> None:
    line = replies.readline()
    while line[3:4] == b"-":
        line = replies.readline()
    if not line or line[0] not in digits:
        raise ValueError(line.decode("ascii", "replace") or "the connection ended")
