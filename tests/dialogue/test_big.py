"""Big mails wait for each other, and hold up nobody else."""

import threading
from dataclasses import dataclass, field

from mailgate.domain.ledger import Outcome
from mailgate.domain.mail import Delivery
from mailgate.smtp.limits import MIB, Limits
from tests.dialogue.running import Client, Running, running
from tests.dialogue.scripted import ScriptedIntake
from tests.dialogue.test_limits import says_nothing, send_mail, wait_for

BIG = 2000


@dataclass
class SlowReader(ScriptedIntake):
    """Big mails are read when it is told to."""

    reads: threading.Event = field(default_factory=threading.Event)
    waiting: list[int] = field(default_factory=list)

    def receive(self, delivery: Delivery) -> tuple[Outcome, ...]:
        if len(delivery.raw) > BIG:
            self.waiting.append(len(delivery.raw))
            assert self.reads.wait(30)
        return super().receive(delivery)


def begin_big_mail(server: Running) -> Client:
    client = server.connect()
    client.greet()
    client.open_mail()
    client.ask("DATA")
    client.send(b"From: anna@example.test\r\n\r\n" + b"long live the mail\r\n" * 200 + b".\r\n")
    return client


def test_while_big_mails_are_read_all_others_are_served() -> None:
    intake = SlowReader()
    limits = Limits(threads=2, big_threads=2, big_size=BIG, store_seconds=0.2, drain_seconds=2)
    with running(intake, limits) as server:
        try:
            big = [begin_big_mail(server) for _ in range(6)]
            wait_for(lambda: len(intake.waiting) == 2)
            for _ in range(10):
                client = server.connect()
                client.greet()
                assert send_mail(client).startswith("250 ")
            assert says_nothing(big[0])  # store_seconds are over: a big mail has more
            assert len(intake.waiting) == 2
            intake.reads.set()
            assert [client.reply() for client in big] == ["250 2.0.0 [MG-KEPT] L0"] * 6
        finally:
            intake.reads.set()


def test_by_default_all_that_big_mails_wait_for_is_over_before_a_client_gives_up() -> None:
    limits = Limits()
    assert limits.big_size == MIB
    # RFC 5321 4.5.3.2.6: a client waits 10 minutes for the reply to a mail
    more = limits.slow_wait_seconds + limits.proof_seconds
    assert limits.store_seconds + limits.big_wait_seconds + more < 600
