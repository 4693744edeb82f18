"""Bugs of ours: 451 with a fixed text, and the connection goes on where it can."""

import pytest

from mailgate.domain.mail import Addressee
from mailgate.domain.trust import Relay
from mailgate.errors import Reason
from mailgate.smtp import receiving
from mailgate.smtp.limits import Limits
from tests.dialogue.running import running
from tests.dialogue.scripted import ScriptedIntake

SORRY = "451 4.3.0 [MG-STORE] This can't be done now; try later."


class Forgetful(ScriptedIntake):
    def turn_away(self, relay: str, reason: Reason) -> None:
        raise RuntimeError(f"secret of ours: {relay} {reason}")


class Hanging(ScriptedIntake):
    def check_recipient(self, relay: Relay, recipient: str, sender: str) -> Addressee:
        if recipient.startswith("hanging"):
            assert self.may_go_on.wait(30)
        return super().check_recipient(relay, recipient, sender)


async def broken(*_: object) -> None:
    raise RuntimeError("secret of ours")


def test_a_bug_in_a_command_drops_the_mail_and_the_next_one_goes_well() -> None:
    with running(Forgetful()) as server:
        client = server.connect()
        client.greet()
        client.open_mail(*["one@log.test"] * 100, parameters=" SIZE=1000")
        assert client.ask("RCPT TO:<one@log.test>") == SORRY
        assert server.server.bytes_in_flight == 0
        assert client.ask("RCPT TO:<one@log.test>").startswith("503 ")
        client.open_mail()
        assert client.ask("DATA").startswith("354 ")
        client.send(b".\r\n")
        assert client.reply().startswith("250 ")


@pytest.mark.parametrize("command", ["DATA", "BDAT 10 LAST"])
def test_a_bug_within_a_mail_ends_the_connection_for_its_bytes_are_no_commands(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(receiving, "read_data", broken)
    monkeypatch.setattr(receiving, "read_chunk", broken)
    with running() as server:
        client = server.connect()
        client.greet()
        client.open_mail()
        client.send(command.encode() + b"\r\n")
        assert client.reply() in {SORRY, "354 End data with <CR><LF>.<CR><LF>"}
        assert client.reply() in {SORRY, ""}
        assert client.line() == ""


def test_a_bug_with_one_client_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as server:
        other = server.connect()
        other.greet()
        monkeypatch.setattr("mailgate.smtp.session.Dialogue", broken)
        assert server.connect().line() == ""
        monkeypatch.undo()
        other.open_mail()
        server.connect().greet()


def test_a_store_that_hangs_is_answered_in_time_and_the_connection_goes_on() -> None:
    with running(Hanging(), Limits(store_seconds=0.2, drain_seconds=2)) as server:
        client = server.connect()
        client.greet()
        client.open_mail()
        server.intake.may_go_on.clear()
        assert client.ask("RCPT TO:<hanging@log.test>") == SORRY
        assert client.ask("DATA").startswith("354 ")
        client.send(b"a: b\r\n\r\n.\r\n")
        assert client.reply() == SORRY
        assert client.ask("NOOP").startswith("250 ")
        server.intake.may_go_on.set()
