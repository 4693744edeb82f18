"""Mails that wait for the DNS hold up no others, and are put off where too many of them wait."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest

from mailgate.domain.ledger import Outcome
from mailgate.domain.mail import Delivery
from mailgate.domain.trust import Relay, Trust
from mailgate.errors import Reason
from mailgate.smtp.limits import Limits
from mailgate.smtp.shared import waits_for_dns
from tests.dialogue.running import PATIENCE, Client, Running, running
from tests.dialogue.scripted import EDGE, RELAY, ScriptedIntake, ScriptedPolicy
from tests.dialogue.test_limits import says_nothing, send_mail, wait_for

SEALED = Relay(
    name="sealed", networks=(ip_network("127.0.0.5"),), trust=Trust.STAMPED, sealers=frozenset({"list.example"})
)
STAMPED = Relay(name="stamped", networks=(ip_network("127.0.0.6"),), trust=Trust.STAMPED)
SLOW = {"127.0.0.4", "127.0.0.5"}
QUICK = {"127.0.0.1", "127.0.0.6"}


@dataclass
class SlowDns(ScriptedIntake):
    """Its DNS answers when it is told to."""

    policy: ScriptedPolicy = field(default_factory=lambda: ScriptedPolicy(relays=(RELAY, EDGE, SEALED, STAMPED)))
    answers: threading.Event = field(default_factory=threading.Event)
    waiting: list[str] = field(default_factory=list)

    def receive(self, delivery: Delivery) -> tuple[Outcome, ...]:
        relay = delivery.envelope.relay
        if relay in {EDGE, SEALED}:
            self.waiting.append(relay.name)
            assert self.answers.wait(30)
        return super().receive(delivery)


@contextmanager
def slow_dns(**figures: float) -> Iterator[tuple[Running, SlowDns]]:
    intake = SlowDns()
    figures = {"drain_seconds": 2, "threads": 2, "slow_threads": 4, "slow_wait_seconds": PATIENCE, **figures}
    with running(intake, Limits(**figures)) as server:  # type: ignore[arg-type]  # names are checked by the call
        try:
            yield server, intake
        finally:
            intake.answers.set()


def begin_mail(server: Running, source: str) -> Client:
    """Hand over a mail and don't wait for what is said to it."""
    client = server.connect(source=source)
    client.greet()
    client.open_mail()
    client.ask("DATA")
    client.send(b"From: anna@example.test\r\n\r\nlong live the mail\r\n.\r\n")
    return client


def test_who_may_wait_for_the_dns() -> None:
    assert [waits_for_dns(relay) for relay in (EDGE, SEALED, STAMPED, RELAY)] == [True, True, False, False]


def test_while_some_wait_for_the_dns_all_others_are_served() -> None:
    with slow_dns() as (server, intake):
        waiting = [begin_mail(server, source) for source in sorted(SLOW) * 6]
        wait_for(lambda: len(intake.waiting) == 4)
        for source in sorted(QUICK) * 10:
            client = server.connect(source=source)
            client.greet()
            assert send_mail(client).startswith("250 ")
        for source in SLOW:
            client = server.connect(source=source)
            client.greet()
            client.open_mail("one@log.test", "two@log.test")  # also recipients of theirs
        assert all(delivery.envelope.relay in {RELAY, STAMPED} for delivery in intake.deliveries)
        assert says_nothing(waiting[0])
        intake.answers.set()
        assert [client.reply() for client in waiting] == ["250 2.0.0 [MG-KEPT] L0"] * 12


def test_a_mail_for_which_no_thread_is_free_in_time_is_put_off_for_the_dns() -> None:
    with slow_dns(slow_wait_seconds=0.2) as (server, intake):
        waiting = [begin_mail(server, "127.0.0.4") for _ in range(4)]
        wait_for(lambda: len(intake.waiting) == 4)
        late = begin_mail(server, "127.0.0.4")
        assert late.reply() == "451 4.4.3 [MG-DNS] A look-up in the DNS failed; try later."
        assert [(reason, head) for reason, head, *_ in intake.turned_back] == [
            (Reason.DNS, b"From: anna@example.test\r\n\r\n")
        ]
        assert late.ask("NOOP").startswith("250 ")
        intake.answers.set()
        assert [client.reply() for client in waiting] == ["250 2.0.0 [MG-KEPT] L0"] * 4
        assert len(intake.waiting) == 4, "what was put off is not judged behind the client's back"
        assert send_mail(late).startswith("250 ")
        wait_for(lambda: server.server.bytes_in_flight == 0)


@pytest.mark.parametrize("source", sorted(SLOW))
def test_looking_for_proof_may_take_longer_than_keeping_a_mail(source: str) -> None:
    with slow_dns(store_seconds=0.2, proof_seconds=PATIENCE) as (server, intake):
        client = begin_mail(server, source)
        wait_for(lambda: len(intake.waiting) == 1)
        assert says_nothing(client)
        assert says_nothing(client)
        intake.answers.set()
        assert client.reply() == "250 2.0.0 [MG-KEPT] L0"


def test_a_client_that_leaves_while_its_mail_waits_gives_its_place_back() -> None:
    with slow_dns(slow_wait_seconds=0.2) as (server, intake):
        for client in [begin_mail(server, "127.0.0.4") for _ in range(8)]:
            client.reset()
        wait_for(lambda: server.server.connections == 0)
        intake.answers.set()
        wait_for(lambda: server.server.bytes_in_flight == 0)
        assert all(begin_mail(server, "127.0.0.4").reply().startswith("250 ") for _ in range(8))


def test_a_drain_cuts_off_what_still_waits(caplog: pytest.LogCaptureFixture) -> None:
    with slow_dns(drain_seconds=0.3) as (server, intake):
        clients = [begin_mail(server, "127.0.0.4") for _ in range(6)]
        wait_for(lambda: len(intake.waiting) == 4)
        assert server.call(server.server.drain()) == 6
        assert [client.line() for client in clients] == [""] * 6
        intake.answers.set()
        wait_for(lambda: server.server.bytes_in_flight == 0)
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_by_default_there_is_time_for_the_dns_before_a_client_gives_up() -> None:
    limits = Limits()
    assert limits.slow_threads == 64
    assert limits.proof_seconds >= 2 * 20  # what the look-ups of one mail may take together
    assert limits.slow_wait_seconds + limits.proof_seconds + limits.store_seconds < 600  # RFC 5321 4.5.3.2.6
