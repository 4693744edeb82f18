r"""Plays a dialogue file against a running server.

    # ...         a comment
    @ NAME VALUE  before all else, how the server is set up: a field of ``Limits``, or
                  protocol smtp|lmtp, soft true, stranger true, certificate true,
                  proxy true (the client is a registered proxy)
    C: TEXT       the client sends TEXT and CRLF
    C> TEXT       the client sends TEXT and nothing after it
    C* N TEXT     the client sends TEXT N times and nothing after it
    S: TEXT       the server says exactly this line
    S~ REGEX      the server says a line that this matches as a whole
    K: TEXT       the last mail that the intake got is exactly TEXT
    N: COUNT      this many mails got to the intake so far
    T: REASON     the last mail that was turned back was so for this reason
    F: IP HELO    the last mail that the intake got came from this client (- where that isn't known)
    A: REASON     the last client or command turned away was so for this reason
    H:            the client sends no more (half-closes)
    X:            the server has closed the connection, with nothing more said
    E:            the client closes

``\r \n \0 \\ \xNN`` in TEXT of C and K are what they are in Python; a space at the end of a line is ``\x20``. What the
client sends goes out in one piece up to the next line that isn't the client's. Each file ends with ``X:`` or
``E:`` and looks at the intake.
"""

import dataclasses
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path

from mailgate.smtp.limits import Limits
from mailgate.smtp.tls import TlsFiles
from tests.dialogue.running import Client, Running, running
from tests.dialogue.scripted import PROXY, STRANGER, ScriptedIntake, ScriptedPolicy

SIGN = re.compile(r"(\S\S?)(?: (.*))?")
LOOKS = {"K:", "N:", "T:", "F:", "A:"}  # at the intake


@dataclass
class Script:
    path: Path
    settings: dict[str, str] = field(default_factory=dict)
    steps: list[tuple[int, str, str]] = field(default_factory=list)


def read(path: Path) -> Script:
    script = Script(path)
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        found = SIGN.fullmatch(line)
        assert found, f"{path.name}:{number}: {line}"
        sign, text = found[1], found[2] or ""
        if sign == "@":
            name, _, value = text.partition(" ")
            script.settings[name] = value
        else:
            script.steps.append((number, sign, text))
    ends = [sign for _, sign, _ in script.steps if sign not in LOOKS]
    assert ends[-1] in {"X:", "E:"}, f"{path.name} has no end"
    return script


def play(script: Script, tls: TlsFiles) -> None:
    settings = dict(script.settings)
    protocol = settings.pop("protocol", "smtp")
    source = STRANGER if settings.pop("stranger", "") else "127.0.0.1"
    source = PROXY if settings.pop("proxy", "") else source
    intake = ScriptedIntake(policy=ScriptedPolicy(soft_refuse=bool(settings.pop("soft", ""))))
    files = tls if settings.pop("certificate", "") else None
    known = {one.name for one in dataclasses.fields(Limits)}
    assert not settings.keys() - known, f"{script.path.name}: {settings.keys() - known}"
    numbers = {name: float(value) if "." in value else int(value) for name, value in settings.items()}
    limits = Limits(**{"drain_seconds": 2, **numbers})  # type: ignore[arg-type]  # names and types are read from a file
    with running(intake, limits, files, protocol=protocol) as server:
        Player(server, server.connect(protocol, source), script.path.name).play(script.steps)


@dataclass
class Player:
    server: Running
    client: Client
    name: str
    unsent: bytes = b""

    def play(self, steps: list[tuple[int, str, str]]) -> None:
        for number, sign, text in steps:
            where = f"{self.name}:{number}: {sign} {text}"
            if sign in {"C:", "C>", "C*"}:
                self.unsent += _sent(sign, text)
            else:
                if self.unsent:
                    self.client.send(self.unsent)
                    self.unsent = b""
                self._look(sign, text, where)

    def _look(self, sign: str, text: str, where: str) -> None:
        if sign == "S:":
            assert self.client.line() == text, where
        elif sign == "S~":
            said = self.client.line()
            assert re.fullmatch(text, said), f"{where} but {said}"
        elif sign == "X:":
            assert self.client.line() == "", where
        elif sign == "H:":
            self.client.sock.shutdown(socket.SHUT_WR)
        elif sign == "E:":
            self.client.close()
        else:
            self._look_at_intake(sign, text, where)

    def _look_at_intake(self, sign: str, text: str, where: str) -> None:
        intake = self.server.intake
        if sign == "K:":
            assert intake.deliveries[-1].raw == _bytes(text), where
        elif sign == "N:":
            assert len(intake.deliveries) == int(text), where
        elif sign == "T:":
            assert [reason for reason, *_ in intake.turned_back][-1:] == [text], where
        elif sign == "F:":
            client = intake.deliveries[-1].envelope.client
            assert f"{client.address or '-'} {client.helo or '-'}" == text, where
        else:
            assert sign == "A:", where
            assert [reason for _, reason in intake.turned_away][-1:] == [text], where


def _sent(sign: str, text: str) -> bytes:
    if sign == "C*":
        count, _, what = text.partition(" ")
        return int(count) * _bytes(what)
    return _bytes(text) + (b"\r\n" if sign == "C:" else b"")


def _bytes(text: str) -> bytes:
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")
