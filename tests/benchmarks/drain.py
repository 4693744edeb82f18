"""A server that takes every mail and looks at none of it, only for where it ends: what the generator can do at most.

python -m tests.benchmarks.drain PORT

Postfix's ``smtp-sink`` is the usual one, but looks at each octet and so is slower than the generator with large mails.
Offers PIPELINING. Limits: takes commands in the order and the packets of the benchmark's generator.
"""

import selectors
import socket
import sys
from collections.abc import Iterator

END = b"\r\n.\r\n"
ROOM = bytearray(1 << 20)


def client(sock: socket.socket) -> Iterator[None]:
    """Serve a connection; goes on whenever there is something to read."""
    sock.send(b"220 drain.example\r\n")
    while True:
        yield
        command = sock.recv(512)
        if command.endswith(b"DATA\r\n"):
            sock.send(b"250 ok\r\n" * (command.count(b"\r\n") - 1) + b"354 go on\r\n")
            tail = b""
            while not tail.endswith(END):
                yield
                count = sock.recv_into(ROOM)
                if not count:
                    return
                tail = (tail + bytes(ROOM[max(0, count - len(END)) : count]))[-len(END) :]
        if command[:4] in {b"QUIT", b""}:
            sock.send(b"221 bye\r\n")
            return
        sock.send(b"250-drain.example\r\n250 PIPELINING\r\n" if command[:4] == b"EHLO" else b"250 ok\r\n")


def main() -> None:
    """Serve until killed."""
    chooser = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=200)
    chooser.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in chooser.select():
            if key.fileobj is listener:
                sock, _ = listener.accept()
                talk = client(sock)
                next(talk)
                chooser.register(sock, selectors.EVENT_READ, (sock, talk))
                continue
            sock, talk = key.data
            try:
                next(talk)
            except (StopIteration, OSError):
                chooser.unregister(sock)
                sock.close()


if __name__ == "__main__":
    main()
