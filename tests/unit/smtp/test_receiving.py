import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from mailgate.domain.ledger import Outcome, Verdict
from mailgate.domain.mail import Addressee, Delivery, Envelope
from mailgate.domain.record import AddressState, RecordKind, RecordRef
from mailgate.domain.trust import NOBODY, Relay
from mailgate.errors import Reason
from mailgate.smtp.arguments import MailFrom
from mailgate.smtp.limits import InFlight, Limits
from mailgate.smtp.receiving import Done, FarTooLarge, Transaction, begin_settling, settle

LIMITS = Limits(max_size=100_000, data_seconds=600, data_pace=1000, command_seconds=300)
TO = Addressee(recipient="a@b", address="a@b", record=RecordRef(RecordKind.LEAD, "1"), state=AddressState.OPEN)


def begun(room: InFlight, declared: int = 0) -> Transaction:
    async def begin() -> Transaction:
        hold = room.hold(declared)
        assert hold
        return Transaction(MailFrom("a@b", declared), hold, LIMITS, Relay(name="mx"), NOBODY)

    mail = asyncio.run(begin())
    mail.addressees += [TO, TO]
    return mail


def test_a_mail_is_reserved_as_it_comes() -> None:
    room = InFlight(1_000_000)
    mail = begun(room, declared=500)
    assert room.held == 500
    mail.add(b"x" * 400)
    assert room.held == 500
    mail.add(b"x" * 400)
    assert room.held == 800
    assert mail.take_raw() == b"x" * 800
    assert mail.take_raw() == b""
    mail.release()
    assert room.held == 0


@pytest.mark.parametrize(("most", "why"), [(1_000_000, Reason.TOO_LARGE), (90_000, Reason.BUSY)])
def test_of_a_mail_that_is_dropped_little_is_held(most: int, why: Reason) -> None:
    room = InFlight(most)
    mail = begun(room)
    mail.add(b"x" * 80_000)
    assert not mail.dropped
    for _ in range(200):
        mail.add(b"x" * 15_000)
    assert why is mail.dropped
    assert mail.size == 3_080_000
    assert room.held == 64 * 1024
    assert len(mail.take_raw()) == 64 * 1024


def test_nothing_is_read_past_twice_the_limit() -> None:
    mail = begun(InFlight(1_000_000))
    mail.add(b"x" * 50_000)
    mail.check_size(150_000)
    with pytest.raises(FarTooLarge):
        mail.check_size(150_001)
    assert mail.dropped is Reason.TOO_LARGE


def seconds_left(mail: Transaction, after: float) -> float:
    async def ask() -> float:
        mail._began = asyncio.get_running_loop().time() - after
        return mail.seconds_left()

    return asyncio.run(ask())


def test_a_slow_mail_has_time_as_long_as_it_keeps_its_pace() -> None:
    mail = begun(InFlight(1_000_000))
    assert 299 < seconds_left(mail, after=100) <= 300
    assert 99 < seconds_left(mail, after=500) <= 100
    with pytest.raises(TimeoutError):
        seconds_left(mail, after=601)
    mail.add(b"x" * 90_000)
    assert 88 < seconds_left(mail, after=601) <= 90
    with pytest.raises(TimeoutError):
        seconds_left(mail, after=691)


class Receives:
    """An intake that answers with these outcomes, or raises."""

    def __init__(self, answer: tuple[Outcome, ...] | Exception) -> None:
        self.answer = answer
        self.delivery: Delivery | None = None
        self.turned: tuple[Reason, bytes, int] | None = None

    def receive(self, delivery: Delivery) -> tuple[Outcome, ...]:
        self.delivery = delivery
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def begin(self, delivery: Delivery, done: Done) -> None:
        done(self.receive(delivery))

    def begin_turning_back(self, envelope: Envelope, reason: Reason, head: bytes, size: int, done: Done) -> None:
        done(self.turn_back(envelope, reason, head, size))

    def turn_back(self, envelope: Envelope, reason: Reason, head: bytes = b"", size: int = 0) -> tuple[Outcome, ...]:
        assert envelope.addressees
        self.turned = (reason, head, size)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


KEPT = Outcome(recipient="a@b", verdict=Verdict.KEPT)


def begun_and_told(
    receives: Receives, mail: Transaction, envelope: Envelope, at: datetime, max_header_size: int
) -> tuple[Outcome, ...]:
    told: list[tuple[Outcome, ...]] = []
    begin_settling(receives, mail, envelope, at, max_header_size, done=told.append)
    (outcomes,) = told
    return outcomes


Way = Callable[[Receives, Transaction, Envelope, datetime, int], tuple[Outcome, ...]]
BOTH_WAYS = pytest.mark.parametrize("way", [settle, begun_and_told])


def settled(way: Way, receives: Receives, raw: bytes, *, chunked: bool = False) -> tuple[Outcome, ...]:
    mail = begun(InFlight(1_000_000))
    mail.chunked = chunked
    mail.add(raw)
    envelope = mail.envelope()
    assert envelope.sender == "a@b"
    return way(receives, mail, envelope, datetime.now(UTC), 1000)


@BOTH_WAYS
def test_a_mail_is_handed_over_as_it_came(way: Way) -> None:
    receives = Receives((KEPT, KEPT))
    assert settled(way, receives, b"a: b\r\n\r\nx\n", chunked=True) == (KEPT, KEPT)
    assert receives.delivery
    assert receives.delivery.raw == b"a: b\r\n\r\nx\n"
    assert receives.delivery.chunked
    assert receives.delivery.envelope.addressees == (TO, TO)
    assert receives.turned is None


@BOTH_WAYS
def test_a_flawed_mail_is_turned_back_with_its_head_and_size(way: Way) -> None:
    receives = Receives((KEPT, KEPT))
    settled(way, receives, b"a: b\r\n\r\nx\n")
    assert receives.delivery is None
    assert receives.turned == (Reason.BARE_NEWLINE, b"a: b\r\n\r\n", 10)


@pytest.mark.parametrize("answer", [RuntimeError("a bug"), TimeoutError(), (), (KEPT,)])
@pytest.mark.parametrize("raw", [b"", b"\0"])
@BOTH_WAYS
def test_whatever_goes_wrong_every_recipient_is_deferred(
    way: Way, answer: tuple[Outcome, ...] | Exception, raw: bytes
) -> None:
    outcomes = settled(way, Receives(answer), raw)
    assert [(one.verdict, one.reason) for one in outcomes] == 2 * [(Verdict.DEFERRED, Reason.STORE_DOWN)]
