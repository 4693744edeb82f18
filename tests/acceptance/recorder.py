"""Listens between Postfix and mailgate, passes every byte on, and writes down what Postfix sent.

The recording is what a test compares stored bytes with: it knows nothing of mailgate's way of reading.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

END = b"\r\n.\r\n"


class Recording:
    """What clients sent, one byte string per connection."""

    def __init__(self) -> None:
        self.streams: list[bytearray] = []

    def mails(self) -> list[bytes]:
        """Give each mail that was sent by DATA, dot-unstuffed, in the order it came."""
        return [mail for stream in self.streams for mail in _mails(bytes(stream))]


def _mails(stream: bytes) -> Iterator[bytes]:
    rest = stream
    while True:
        # a pipelining Postfix sends DATA as the end of a group, after RCPT lines
        start = rest.find(b"\r\nDATA\r\n")
        if start < 0:
            return
        rest = rest[start + len(b"\r\nDATA\r\n") :]
        end = rest.find(END)
        if end < 0:
            return
        lines = rest[: end + 2].split(b"\r\n")
        yield b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)
        rest = rest[end + 3 :]


def _pump(source: socket.socket, target: socket.socket, keep: bytearray | None) -> None:
    with suppress(OSError):  # one side is gone: the other notices by itself
        while chunk := source.recv(65536):
            if keep is not None:
                keep += chunk
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def recording(listener: socket.socket, connect: Callable[[], socket.socket]) -> Iterator[Recording]:
    """Stand between whoever connects to ``listener`` and what ``connect()`` reaches."""
    recorded = Recording()
    with ExitStack() as opened:
        threads: list[threading.Thread] = []

        def start(work: Callable[..., None], *arguments: object) -> None:
            threads.append(threading.Thread(target=work, args=arguments, daemon=True))
            threads[-1].start()

        def accept() -> None:
            while True:
                try:
                    client = opened.enter_context(listener.accept()[0])
                    server = opened.enter_context(connect())
                except OSError:
                    return
                stream = bytearray()
                recorded.streams.append(stream)
                start(_pump, client, server, stream)
                start(_pump, server, client, None)

        listener.listen(100)
        start(accept)
        try:
            yield recorded
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
            for thread in threads:
                thread.join(timeout=10)


def tcp_listener() -> socket.socket:
    """Bind a free port of loopback."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def unix_listener(path: Path) -> socket.socket:
    """Bind a socket file that Postfix may write to."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o666)
    return listener


def tcp(port: int) -> Callable[[], socket.socket]:
    """Connect to a port of loopback."""
    return lambda: socket.create_connection(("127.0.0.1", port))


def unix(path: Path) -> Callable[[], socket.socket]:
    """Connect to a socket file."""

    def connect() -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(path))
        except OSError:
            client.close()
            raise
        return client

    return connect
