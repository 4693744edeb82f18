"""Who guesses addresses learns nothing from the answers, is slowed down, is counted, and is never banned."""

import time
from dataclasses import dataclass, field

from mailgate import events
from mailgate.domain.mail import Addressee
from mailgate.domain.trust import Relay
from mailgate.smtp.limits import Limits
from tests.desk import ADDRESS, Desk
from tests.dialogue.running import running
from tests.dialogue.scripted import ScriptedIntake
from tests.worlds import DOMAIN

ANSWER = "550 5.1.1 [MG-ADDRESS] There is no such record address. https://help.example/bcc"
WRONG = [f"{local}@{DOMAIN}" for local in ("zzzz", "dddd", "bbbb")]  # unknown, revoked, its grace is over


@dataclass
class RealRecipients(ScriptedIntake):
    """Recipients are looked up by the real intake."""

    desk: Desk = field(default_factory=Desk)

    def check_recipient(self, relay: Relay, recipient: str, sender: str) -> Addressee:
        return self.desk.intake.check_recipient(relay, recipient, sender)


def counted(reason: str) -> float:
    line = f'mailgate_bad_recipients_total{{reason="{reason}"}} '
    lines = events.render_metrics().decode().splitlines()
    return sum(float(each.removeprefix(line)) for each in lines if each.startswith(line))


def test_unknown_revoked_and_expired_addresses_differ_in_nothing_and_each_is_counted() -> None:
    intake = RealRecipients()
    with running(intake) as server:
        client = server.connect()
        client.greet()
        client.ask("MAIL FROM:<anna@firma.example>")
        for recipient in WRONG * 2:
            before, asked = counted("unknown_address"), intake.desk.directory.asked
            assert client.ask(f"RCPT TO:<{recipient}>") == ANSWER
            assert intake.desk.directory.asked - asked == 2
            assert counted("unknown_address") == before + 1


def test_after_many_wrong_ones_answers_come_later_but_the_relay_is_served_on_and_on() -> None:
    with running(RealRecipients(), Limits(drain_seconds=2, bad_recipient_seconds=0.1)) as server:
        client = server.connect()
        client.greet()
        client.ask("MAIL FROM:<anna@firma.example>")
        for _ in range(20):
            assert client.ask(f"RCPT TO:<{WRONG[0]}>") == ANSWER
        for recipient in WRONG * 5:
            began = time.monotonic()
            assert client.ask(f"RCPT TO:<{recipient}>") == ANSWER
            assert time.monotonic() - began >= 0.1
        assert client.ask(f"RCPT TO:<{ADDRESS}>") == "250 2.1.5 OK"
        other = server.connect()
        other.greet()
        other.ask("MAIL FROM:<anna@firma.example>")
        assert other.ask(f"RCPT TO:<{ADDRESS}>") == "250 2.1.5 OK"
