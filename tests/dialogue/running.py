"""A real server on real sockets, its event loop in a thread; and a plain client for it."""

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mailgate.smtp.limits import Limits
from mailgate.smtp.listeners import BoundListener, Listen, open_sockets
from mailgate.smtp.server import Server
from mailgate.smtp.tls import TlsFiles
from tests.dialogue.scripted import ScriptedIntake

HOSTNAME = "mailgate.test"
HELP_URL = "https://help.example/bcc"
PATIENCE = 20.0  # seconds that anything here may take at most


class Client:
    """One connection, line by line."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        self._in = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def line(self) -> str:
        """Read a line without its end; "" at the end of the connection."""
        while b"\r\n" not in self._in:
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                assert not self._in, f"half a line: {self._in!r}"
                return ""
            self._in += more
        line, _, self._in = self._in.partition(b"\r\n")
        return line.decode("ascii")

    def reply(self) -> str:
        """Read a reply to its last line; lines are joined by ``|``."""
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return "|".join(lines)

    def ask(self, command: str) -> str:
        self.send(command.encode() + b"\r\n")
        return self.reply()

    def greet(self, verb: str = "EHLO") -> None:
        assert self.reply().startswith("220 ")
        assert self.ask(f"{verb} client.test").startswith("250")

    def open_mail(self, *recipients: str, parameters: str = "") -> None:
        assert self.ask(f"MAIL FROM:<anna@example.test>{parameters}") == "250 2.1.0 OK"
        for recipient in recipients or ("one@log.test",):
            assert self.ask(f"RCPT TO:<{recipient}>") == "250 2.1.5 OK"

    def start_tls(self, context: ssl.SSLContext) -> None:
        self.sock = context.wrap_socket(self.sock, server_hostname=HOSTNAME)

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """End the connection with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


@dataclass
class Running:
    """A server that runs, and how to reach it."""

    server: Server
    intake: ScriptedIntake
    loop: asyncio.AbstractEventLoop
    listeners: list[BoundListener]

    def connect(self, protocol: str = "smtp", source: str = "127.0.0.1") -> Client:
        listener = next(one for one in self.listeners if one.protocol == protocol)
        sock = socket.socket(listener.sock.family, socket.SOCK_STREAM)
        sock.settimeout(PATIENCE)
        if listener.sock.family == socket.AF_INET:
            sock.bind((source, 0))
        sock.connect(self.addresses[id(listener)])
        client = Client(sock)
        self.clients.append(client)
        return client

    def __post_init__(self) -> None:
        self.addresses = {id(listener): listener.sock.getsockname() for listener in self.listeners}
        self.clients: list[Client] = []
        self.results: list[object] = []

    def call(self, work: object) -> object:
        """Run a coroutine in the server's loop and wait for it."""
        assert asyncio.iscoroutine(work)
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)


@contextmanager
def running(
    intake: ScriptedIntake | None = None,
    limits: Limits | None = None,
    tls: TlsFiles | None = None,
    folder: Path | None = None,
    protocol: str = "smtp",
) -> Iterator[Running]:
    """Serve one protocol on a free port, or LMTP on a unix socket in ``folder`` too."""
    wished = [Listen("lmtp" if protocol == "lmtp" else "smtp", "127.0.0.1:0")]
    if folder:
        wished.append(Listen("lmtp", f"unix:{folder}/lmtp"))
    intake = intake or ScriptedIntake()
    listeners = open_sockets(wished, {})
    server = Server(intake, limits or Limits(drain_seconds=2), listeners, tls=tls, hostname=HOSTNAME, help_url=HELP_URL)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="server")
    thread.start()
    alive = Running(server, intake, loop, listeners)
    try:
        alive.call(server.start())
        yield alive
    finally:
        intake.may_go_on.set()
        for client in alive.clients:
            client.close()
        if not server.draining:
            alive.call(server.drain())
        with suppress(TimeoutError):
            alive.call(_finish_tasks())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


async def _finish_tasks() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=PATIENCE)
