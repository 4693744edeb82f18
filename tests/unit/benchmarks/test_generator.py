"""What the generator says to a server: all at once where that is offered, step by step where it isn't."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.benchmarks.generator import AUTHOR, Load
from tests.benchmarks.mails import Mails

MAIL = f"MAIL FROM:<{AUTHOR}>\r\n".encode()
RCPT = b"RCPT TO:<x@log.example>\r\n"
AT_ONCE = [MAIL + RCPT + b"DATA\r\n"]
STEP_BY_STEP = [MAIL, RCPT, b"DATA\r\n"]
END = b"\r\n.\r\n"


class _Server(threading.Thread):
    """Takes mails on connections that come one after the other; keeps each packet, and each mail."""

    def __init__(self, listener: socket.socket, greeting: bytes, answer: bytes = b"250 ok\r\n") -> None:
        super().__init__(daemon=True)
        self._listener = listener
        self._greeting = greeting
        self._answer = answer
        self.connections: list[list[bytes]] = []
        self.mails: list[bytes] = []

    def run(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            with link:
                self.connections.append([])
                self._serve(link, self.connections[-1])

    def _serve(self, link: socket.socket, said: list[bytes]) -> None:
        link.sendall(b"220 here\r\n")
        while packet := link.recv(4096):
            said.append(packet)
            if packet == b"QUIT\r\n":
                link.sendall(b"221 bye\r\n")
                return
            replies = [b"354 go on\r\n" if line == b"DATA" else b"250 ok\r\n" for line in packet.splitlines()]
            link.sendall(self._greeting if packet.startswith(b"EHLO") else b"".join(replies))
            if packet.endswith(b"DATA\r\n"):
                mail = b""
                while not mail.endswith(END):
                    mail += link.recv(1 << 20)
                self.mails.append(mail)
                link.sendall(self._answer)


@contextmanager
def serving(greeting: bytes, answer: bytes = b"250 ok\r\n") -> Iterator[tuple[int, _Server]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Server(listener, greeting, answer)
        server.start()
        yield listener.getsockname()[1], server
        listener.shutdown(socket.SHUT_RDWR)
    server.join(10)


@pytest.mark.parametrize(
    ("greeting", "commands"),
    [(b"250-here\r\n250-PIPELINING\r\n250 SIZE\r\n", AT_ONCE), (b"250-here\r\n250 SIZE\r\n", STEP_BY_STEP)],
)
@pytest.mark.parametrize("reused", [True, False])
@pytest.mark.parametrize("pace", [None, 1000.0])
def test_each_mail_is_sent_once(greeting: bytes, commands: list[bytes], reused: bool, pace: float | None) -> None:
    with serving(greeting) as (port, server):
        run = Load(port, "x@log.example", 3, clients=1, reused=reused, first=70, pace=pace).run()
    made = Mails(5000)
    assert server.mails == [made.one(number) + b".\r\n" for number in (70, 71, 72)]
    hello, goodbye = [b"EHLO bench.example\r\n"], [b"QUIT\r\n"]
    connections = [commands * 3] if reused else [commands] * 3
    assert [said for said in server.connections if said != hello + goodbye] == [
        hello + each + goodbye for each in connections
    ]
    assert len(run.waits) == run.mails == 3


def test_a_large_mail_arrives_as_it_was_made() -> None:
    with serving(b"250 PIPELINING\r\n") as (port, server):
        Load(port, "x@log.example", 1, size=2_000_000, clients=1).run()
    assert server.mails == [Mails(2_000_000).one(0) + b".\r\n"]


def test_a_mail_that_is_not_taken_ends_the_run() -> None:
    with (
        serving(b"250 PIPELINING\r\n", answer=b"451 later\r\n") as (port, _),
        pytest.raises(RuntimeError, match="not taken after 0: 451 later"),
    ):
        Load(port, "x@log.example", 3, clients=1).run()
