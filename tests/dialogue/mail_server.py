"""A mail server that says at each step what a test tells it to, and writes down what it was told."""

import base64
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NoReturn

from mailgate.smtp.tls import TlsFiles

CUT = "<cut>"  # in place of an answer: the connection ends
SILENT = "<silent>"  # no answer at all
DRIP = "<drip>"  # a line that goes on for ever, one character after the other
MORE = "<more>"  # a reply that goes on for ever, one line after the other, quickly
PATIENCE = 20.0

USERNAME = "mailgate"
PASSWORD = "Straße 9: geheim"

ANSWERS = {
    "GREETING": "220 mail.test ESMTP",
    "EHLO": "250-mail.test|250-STARTTLS|250-AUTH PLAIN LOGIN|250-SMTPUTF8|250 8BITMIME",
    "STARTTLS": "220 2.0.0 Go ahead",
    "AUTH": "",  # by name and password
    "MAIL": "250 2.1.0 OK",
    "RCPT": "250 2.1.5 OK",
    "DATA": "354 Go ahead",
    "CONTENT": "250 2.0.0 Queued as 4711",
    "RSET": "250 2.0.0 OK",
    "QUIT": "221 2.0.0 Bye",
}


@dataclass
class MailServer:
    """``scripts`` hold, per connection, the answers that differ; the last one is used on."""

    port: int
    scripts: Sequence[Mapping[str, str]]
    context: ssl.SSLContext | None
    before_yes: Callable[[], None]
    connections: list[list[str]] = field(default_factory=list)  # the verbs of each
    mails: list[tuple[str, bytes]] = field(default_factory=list)  # taken: recipient, content with its dots
    logins: list[tuple[str, str]] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)  # lines that went over the wire in the clear

    def answer(self, verb: str) -> str:
        script = self.scripts[min(len(self.connections), len(self.scripts)) - 1]
        return script.get(verb, ANSWERS.get(verb, "500 5.5.1 What?"))


class _Gone(Exception):
    pass


class _Dialogue:
    def __init__(self, server: MailServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.lines = sock.makefile("rb")
        self.verbs: list[str] = []
        self.secure = False
        server.connections.append(self.verbs)

    def run(self) -> None:
        try:
            self._say(self.server.answer("GREETING"))
            while True:
                self._step(self._line())
        except (OSError, _Gone):
            pass
        finally:
            self.lines.close()
            self.sock.close()

    def _step(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        self.verbs.append(verb)
        if verb == "AUTH" and not self.server.answer("AUTH"):
            self._auth(rest)
            return
        answer = self.server.answer(verb)
        self._say(answer)
        if verb == "QUIT":
            raise _Gone
        if verb == "RCPT":
            self.recipient = rest.partition("<")[2].rpartition(">")[0]
        if verb == "STARTTLS" and answer.startswith("220") and self.server.context:
            self.lines.close()
            self.sock = self.server.context.wrap_socket(self.sock, server_side=True)
            self.lines = self.sock.makefile("rb")
            self.secure = True
        if verb == "DATA" and answer.startswith("354"):
            self._content()

    def _content(self) -> None:
        answer = self.server.answer("CONTENT")
        if answer == CUT + CUT:  # before the end of the content
            self.lines.readline()
            raise _Gone
        content = b""
        while (line := self.lines.readline()) != b".\r\n":
            if not line:
                raise _Gone
            content += line
        if answer.startswith("2"):
            self.server.before_yes()
            self.server.mails.append((self.recipient, content))
        self._say(answer)

    def _auth(self, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        if mechanism == "PLAIN":
            _, name, password = base64.b64decode(initial).decode().split("\0")
        else:
            name, password = (self._ask(word) for word in ("Username:", "Password:"))
        self.server.logins.append((name, password))
        right = (name, password) == (USERNAME, PASSWORD)
        self._say("235 2.7.0 Welcome" if right else f"535 5.7.8 {password} is wrong")

    def _ask(self, word: str) -> str:
        self._say(f"334 {base64.b64encode(word.encode()).decode()}")
        return base64.b64decode(self._line()).decode()

    def _line(self) -> str:
        line = self.lines.readline()
        if not line:
            raise _Gone
        text = line.decode("utf-8", "replace").removesuffix("\r\n")
        if not self.secure:
            self.server.plain.append(text)
        return text

    def _say(self, answer: str) -> None:
        if answer == CUT:
            raise _Gone
        if answer == DRIP:
            self._go_on(b"2", pause=0.02)
        if answer == MORE:
            self._go_on(b"250-and more\r\n" * 100, pause=0)
        if answer != SILENT:
            self.sock.sendall("".join(f"{line}\r\n" for line in answer.split("|")).encode())

    def _go_on(self, words: bytes, pause: float) -> NoReturn:
        """Say it again and again until the client leaves, or long after it should have."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            self.sock.sendall(words)
            time.sleep(pause)
        raise _Gone


@contextmanager
def mail_server(
    *scripts: Mapping[str, str], tls: TlsFiles | None = None, before_yes: Callable[[], None] = lambda: None
) -> Iterator[MailServer]:
    """Serve one connection after the other on a free port of loopback."""
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.cert, tls.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = MailServer(listener.getsockname()[1], scripts or ({},), context, before_yes)
        thread = threading.Thread(target=_serve, args=(server, listener), name="mail server", daemon=True)
        thread.start()
        yield server
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)


def _serve(server: MailServer, listener: socket.socket) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        sock.settimeout(PATIENCE)
        _Dialogue(server, sock).run()
