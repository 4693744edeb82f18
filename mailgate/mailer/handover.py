"""One mail after the other to one mail server, and what became of each.

``Mailer`` is for mails of our own: STARTTLS with a certificate that holds (no way around it when it is asked for),
login, one connection for many mails, opened again where it was lost. What the server did is told apart:

    taken     2xx after the content
    later     4xx at any step, no connection, a connection lost before the content: nothing was taken
    refused   5xx to the recipient or the content
    unknown   the connection broke, or the reply made no sense, after the content began to be sent

What is our own fault, not the mail's, is ``Misconfigured``, which names the setting; nothing was sent then: a
certificate that doesn't hold, no STARTTLS, a login that is refused or missing, a greeting or a sender that is refused
for good. Passwords are in no text, and neither are a server's words about a login: it may repeat what it was told.

``hand_over`` is the plain one for a server on the same machine: no TLS, no login; it returns the last reply, and
raises ``BadInput`` where no server listens or the connection is lost.

Limits: logs in by AUTH PLAIN or LOGIN. A reply has a deadline, and at most 64 KiB in 200 lines; one that goes beyond is
a lost connection. One mail takes no longer than ``Patience.longest``, whatever the server does.
"""

import base64
import errno
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType

from mailgate.errors import BadInput, Misconfigured
from mailgate.ports import HandedOver, Handing

TIMEOUT_SECONDS = 30
MAX_SHOWN = 300  # characters of a reply
MAX_LINES = 200  # of a reply; servers announce some 20 extensions
MAX_REPLY = 64 << 10  # bytes; RFC 5321 4.5.3.1.5 has 512 for a line
MAX_LINE = 8 << 10
PIECE = 16 << 10  # bytes sent at once: TLS has a deadline for each of its records only

_FIRST_NO = 400  # RFC 5321 4.2.1: 4yz and 5yz
_GO_AHEAD = 354
_LOGGED_IN = 235  # RFC 4954 6
_CHALLENGE = 334
_LOGIN_NEEDED = 530  # RFC 4954 6; RFC 3207 4: or TLS
_CODE = re.compile(rb"[0-9]{3}")
_AT_ONCE = 0.001  # seconds; 0 is no deadline but another mode
_LOST = (OSError, smtplib.SMTPException)

Reply = tuple[int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where it is, and as whom to log in; ``username`` empty: not at all."""

    host: str
    port: int
    starttls: bool
    username: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds to wait for each reply, for the content to be sent, and for the reply to it."""

    command: float = TIMEOUT_SECONDS
    content: float = 120
    reply: float = 300  # half of what RFC 5321 4.5.3.2.6 allows: the server is the company's own

    @property
    def before_content(self) -> float:
        """What comes before at most: the old connection, a new one with TLS and login, and the envelope."""
        return 13 * self.command

    @property
    def longest(self) -> float:
        """What one mail takes at most, once its content is sent."""
        return self.before_content + self.content + self.reply


class _NotNow(Exception):
    """No connection at the moment; the text says why."""


class _Lines:
    """Lines from a socket, as ``smtplib`` asks for them; ``until`` is when the reply must be whole."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._read = b""

    def readline(self, limit: int, until: float) -> bytes:
        """Read a line with its end, cut at the limit; the rest where the connection ends."""
        while b"\n" not in self._read and len(self._read) < limit:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._sock.settimeout(left)
            more = self._sock.recv(limit)
            if not more:
                break
            self._read += more
        end = self._read.find(b"\n") + 1 or len(self._read)
        line, self._read = self._read[: min(end, limit)], self._read[min(end, limit) :]
        return line

    def close(self) -> None:
        """Forget what was read ahead."""
        self._read = b""


class _Client(smtplib.SMTP):
    """``smtplib``'s, for which a server may go on talking for ever: the socket's timeout is for a whole reply here."""

    def getreply(self) -> Reply:
        """Read a reply: its code, -1 where it has none, and its text."""
        sock = self.sock
        if sock is None:
            raise smtplib.SMTPServerDisconnected("please run connect() first")
        patience = sock.gettimeout()
        until = time.monotonic() + (TIMEOUT_SECONDS if patience is None else patience)
        said: list[bytes] = []
        room = MAX_REPLY
        while room > 0 and len(said) < MAX_LINES:
            line = self._reply_line(sock, until)
            room -= len(line)
            said.append(line[4:].strip(b" \t\r\n"))
            code = int(line[:3]) if _CODE.match(line) else -1
            if code == -1 or line[3:4] != b"-":
                sock.settimeout(patience)
                return code, b"\n".join(said)
        raise self._lost(OSError(errno.EMSGSIZE, "a reply without end"))

    def _reply_line(self, sock: socket.socket, until: float) -> bytes:
        if self.file is None:  # a new connection, or TLS just began: what was read in the clear is gone
            self.file = _Lines(sock)
        try:
            line = bytes(self.file.readline(MAX_LINE, until))
        except TimeoutError:
            raise self._lost(TimeoutError(errno.ETIMEDOUT, "no whole reply in time")) from None
        except OSError as error:
            raise self._lost(error) from None
        if not line:
            raise self._lost(smtplib.SMTPServerDisconnected("Connection unexpectedly closed"))
        if len(line) == MAX_LINE:
            raise self._lost(OSError(errno.EMSGSIZE, "a line without end"))
        return line

    def _lost(self, error: Exception) -> Exception:
        self.close()
        return error


class Mailer:
    """Hands mails to one server (``ports.Mailer``). Not for several threads. Once it can't be reached, not again."""

    def __init__(self, server: MailServer, patience: Patience | None = None) -> None:
        self._server = server
        self._patience = patience or Patience()
        self._client: smtplib.SMTP | None = None
        self._down: HandedOver | None = None

    def __enter__(self) -> "Mailer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def hand_over(self, sender: str, recipient: str, mail: bytes) -> HandedOver:
        """Hand over one mail (CRLF line ends) to one recipient; both addresses folded."""
        if self._down is not None:
            return self._down
        until = time.monotonic() + self._patience.before_content
        try:
            client = self._connected()
        except _NotNow as why:
            self._down = HandedOver(Handing.LATER, _shown(str(why)))
            return self._down
        done = self._transaction(client, sender, recipient, mail, until)
        if done.state is Handing.UNKNOWN:
            self._drop()
        return done

    def close(self) -> None:
        """End the connection, politely where that is possible."""
        if self._client is not None:
            with suppress(*_LOST):
                self._client.quit()
            self._drop()

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    # -- the connection -----------------------------------------------------------------------------------------------

    def _connected(self) -> smtplib.SMTP:
        """Give the connection there is, cleared of what was before, or a new one."""
        if self._client is not None:
            with suppress(*_LOST):
                if self._client.rset()[0] < _FIRST_NO:
                    return self._client
            self._drop()
        try:
            return self._open()
        except BaseException:
            self._drop()
            raise

    def _open(self) -> smtplib.SMTP:
        host = self._server.host.strip("[]")
        try:
            self._client = client = _Client(host, self._server.port, timeout=self._patience.command)
            self._introduce(client)
            if self._server.starttls:
                self._start_tls(client)
            if self._server.username:
                self._log_in(client)
        except ssl.SSLCertVerificationError as error:
            raise Misconfigured(
                f"outbound.smtp.host: the certificate of {self._server} doesn't hold ({error.verify_message}): write "
                "the name that stands in it, or let this machine trust who signed it"
            ) from None
        except smtplib.SMTPConnectError as error:
            raise self._no(error.smtp_code, error.smtp_error, "outbound.smtp.host", "turns us away") from None
        except _LOST as error:
            raise _NotNow(f"{self._server} can't be reached ({_named(error)})") from error
        else:
            return client

    def _introduce(self, client: smtplib.SMTP) -> None:
        code, said = client.ehlo()
        if not _is_yes(code):
            raise self._no(code, said, "outbound.smtp.host", "turns us away")

    def _start_tls(self, client: smtplib.SMTP) -> None:
        if not client.has_extn("starttls"):
            raise Misconfigured(
                f"outbound.smtp.starttls: {self._server} offers no STARTTLS: name another host or port; false would "
                "send password and mails in the clear"
            )
        try:
            client.starttls(context=ssl.create_default_context())
        except smtplib.SMTPResponseException as error:
            raise self._no(error.smtp_code, error.smtp_error, "outbound.smtp.starttls", "refuses STARTTLS") from None
        self._introduce(client)

    def _log_in(self, client: smtplib.SMTP) -> None:
        offered = client.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in offered:
            whole = f"\0{self._server.username}\0{self._server.password}"  # RFC 4616 2
            code, _ = client.docmd("AUTH", f"PLAIN {_base64(whole)}")
        elif "LOGIN" in offered:
            code = self._log_in_by_turns(client)
        else:
            raise Misconfigured(
                f"outbound.smtp.username: {self._server} offers no login by PLAIN or LOGIN: leave it empty, or name "
                "the host and port that does"
            )
        if code != _LOGGED_IN:
            keys = "outbound.smtp.username, outbound.smtp.password_file"
            raise self._no(code, b"", keys, "refuses the login")

    def _log_in_by_turns(self, client: smtplib.SMTP) -> int:
        code, _ = client.docmd("AUTH", "LOGIN")
        for word in (self._server.username, self._server.password):
            if code == _CHALLENGE:
                code, _ = client.docmd(_base64(word))
        return code

    def _no(self, code: int, said: bytes | str, keys: str, what: str) -> Exception:
        """Say what a no means that has nothing to do with the mail."""
        told = _shown(_reply_text(code, said))
        if _is_for_good(code):
            return Misconfigured(f"{keys}: {self._server} {what} ({told}): write what it takes")
        return _NotNow(f"{self._server} {what} ({told})")

    # -- the mail -----------------------------------------------------------------------------------------------------

    def _transaction(self, client: smtplib.SMTP, sender: str, recipient: str, mail: bytes, until: float) -> HandedOver:
        try:
            no = self._envelope(client, sender, recipient)
        except _LOST as error:
            self._drop()
            return HandedOver(Handing.LATER, f"the connection was lost before the content ({_named(error)})")
        if no is None and time.monotonic() > until:  # names with many addresses; commands that go out slowly
            self._drop()
            return HandedOver(Handing.LATER, f"{self._server} took too long before the content")
        return no or self._content(client, mail)

    def _envelope(self, client: smtplib.SMTP, sender: str, recipient: str) -> HandedOver | None:
        """Go as far as the server's go-ahead for the content; give the no that came instead."""
        international = not f"{sender}{recipient}".isascii()
        if international and not client.has_extn("smtputf8"):
            return HandedOver(Handing.REFUSED, f"{self._server} takes no address with letters beyond ASCII")
        client.command_encoding = "utf-8" if international else "ascii"
        parameters = " SMTPUTF8 BODY=8BITMIME" if international else ""  # RFC 6531 3.4
        steps = (("MAIL", f"FROM:<{sender}>{parameters}"), ("RCPT", f"TO:<{recipient}>"), ("DATA", ""))
        for command, argument in steps:
            code, said = client.docmd(command, argument)
            if code == _GO_AHEAD if command == "DATA" else _is_yes(code):
                continue
            for_good = _is_for_good(code)
            if code == _LOGIN_NEEDED:
                keys = "outbound.smtp.username, outbound.smtp.starttls"
                raise self._no(code, said, keys, "wants a login, or TLS")
            if for_good and command == "MAIL":  # it knows nothing of this one mail yet
                raise self._no(code, said, "outbound.smtp.from", "refuses the sender")
            return HandedOver(Handing.REFUSED if for_good else Handing.LATER, _shown(_reply_text(code, said)))
        return None

    def _content(self, client: smtplib.SMTP, mail: bytes) -> HandedOver:
        try:
            self._send(client, _stuffed(mail))
            self._wait(client, self._patience.reply)
            code, said = client.getreply()
            self._wait(client, self._patience.command)
        except _LOST as error:
            return HandedOver(Handing.UNKNOWN, f"the connection was lost after the content began ({_named(error)})")
        states = {2: Handing.TAKEN, 4: Handing.LATER, 5: Handing.REFUSED}
        return HandedOver(states.get(code // 100, Handing.UNKNOWN), _shown(_reply_text(code, said)))

    def _send(self, client: smtplib.SMTP, content: bytes) -> None:
        until = time.monotonic() + self._patience.content
        for start in range(0, len(content), PIECE):
            self._wait(client, max(until - time.monotonic(), _AT_ONCE))
            client.send(content[start : start + PIECE])

    @staticmethod
    def _wait(client: smtplib.SMTP, seconds: float) -> None:
        if client.sock is not None:
            client.sock.settimeout(seconds)


def _is_yes(code: int) -> bool:
    return 200 <= code < 300  # noqa: PLR2004 - RFC 5321 4.2.1: 2yz


def _is_for_good(code: int) -> bool:
    return 500 <= code < 600  # noqa: PLR2004 - RFC 5321 4.2.1: 5yz


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _stuffed(mail: bytes) -> bytes:
    """Put a dot before each line that begins with one, and end with the dot (RFC 5321 4.5.2)."""
    ended = mail if mail.endswith(b"\r\n") else mail + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", ended) + b".\r\n"


def _reply_text(code: int, said: bytes | str) -> str:
    text = said if isinstance(said, str) else said.decode("utf-8", "replace")
    return f"{code} {text}" if code > 0 else f"an answer that is none: {text}"


def _shown(text: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:MAX_SHOWN]


def _named(error: BaseException) -> str:
    """Name an error of the network; a library's own words may quote what was sent."""
    reason = error.strerror if isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException) else None
    return reason or type(error).__name__


# -- the plain one ----------------------------------------------------------------------------------------------------


def hand_over(host: str, port: int, sender: str, recipients: Sequence[str], mail: bytes) -> tuple[int, str]:
    """Send a mail (CRLF line ends) and return the last reply: its code and text."""
    try:
        with _Client(host, port, timeout=TIMEOUT_SECONDS) as client:
            client.ehlo()
            return _plain_transaction(client, sender, recipients, mail)
    except (OSError, smtplib.SMTPException) as error:
        raise BadInput(
            f"no mail server takes mail at {host}:{port} ({type(error).__name__}): is it running?"
        ) from error


def _plain_transaction(client: smtplib.SMTP, sender: str, recipients: Sequence[str], mail: bytes) -> tuple[int, str]:
    steps: list[Callable[[], tuple[int, bytes]]] = [partial(client.mail, sender, ["BODY=8BITMIME"])]
    steps += [partial(client.rcpt, recipient) for recipient in recipients]
    steps.append(partial(client.data, mail))
    code, said = 0, b""
    for step in steps:
        code, said = step()
        if code >= _FIRST_NO:
            break
    return code, said.decode("ascii", "replace")
