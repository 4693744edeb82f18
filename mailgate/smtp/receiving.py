"""One mail on its way in: what the client said of it, its bytes, and how it is handed to the intake.

The bytes are held once while they come, and reserved in ``limits.InFlight`` until the intake is done with them. A mail
that is too large, or for which there is no room, is dropped at once but for 64 KiB of its header, and swallowed to
its end, so that the client hears the answer; past twice the limit the connection ends.

Limits: the whole transaction has ``data_seconds`` and one second more for each ``data_pace`` octets that came, and no
pause may last longer than ``command_seconds``.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from mailgate import events
from mailgate.domain.ledger import Outcome, Verdict
from mailgate.domain.mail import Addressee, Delivery, Envelope
from mailgate.domain.trust import Client, Relay
from mailgate.errors import Reason
from mailgate.smtp import datareader
from mailgate.smtp.arguments import MailFrom
from mailgate.smtp.limits import Hold, Limits
from mailgate.smtp.wire import PIECE, Wire

Done = Callable[[tuple[Outcome, ...]], None]


class Receiver(Protocol):
    """The part of the intake that takes mails."""

    def receive(self, delivery: Delivery) -> tuple[Outcome, ...]:
        """Judge a mail and keep it; one outcome per addressee, in their order."""

    def begin(self, delivery: Delivery, done: Done) -> None:
        """Judge a mail and have it kept; ``done`` is told the outcomes afterwards, in any thread."""

    def turn_back(self, envelope: Envelope, reason: Reason, head: bytes = b"", size: int = 0) -> tuple[Outcome, ...]:
        """Refuse a mail for its shape."""

    def begin_turning_back(self, envelope: Envelope, reason: Reason, head: bytes, size: int, done: Done) -> None:
        """The same, and tell ``done`` afterwards."""


class FarTooLarge(Exception):
    """Twice the limit has come, or was announced, and there is more."""


class Transaction:
    """From MAIL to the end of the mail; ``relay`` and ``client`` are settled at MAIL.

    ``hold`` is released by whoever owns the transaction when it ends.
    """

    def __init__(self, said: MailFrom, hold: Hold, limits: Limits, relay: Relay, client: Client) -> None:
        self.said = said
        self.relay = relay
        self.client = client
        self.addressees: list[Addressee] = []
        self.chunked = False  # a BDAT came
        self.failed = False  # a BDAT was refused: nothing but RSET helps
        self.size = 0
        self.dropped: Reason | None = None
        self._raw = bytearray()
        self._hold = hold
        self._limits = limits
        self._began = asyncio.get_running_loop().time()

    def envelope(self) -> Envelope:
        """Give the envelope as it is now."""
        return Envelope(
            relay=self.relay, sender=self.said.sender, addressees=tuple(self.addressees), client=self.client
        )

    def add(self, piece: bytes) -> None:
        """Take bytes of the mail, or only count them once it was dropped."""
        self.size += len(piece)
        if self.dropped:
            return
        if self.size > self._limits.max_size:
            self._drop(Reason.TOO_LARGE)
        elif not self._hold.grow_to(self.size):
            self._drop(Reason.BUSY)
        else:
            self._raw += piece

    def _drop(self, why: Reason) -> None:
        self.dropped = why
        del self._raw[datareader.MAX_HEAD :]
        self._hold.shrink_to(datareader.MAX_HEAD)

    def check_size(self, more: int) -> None:
        """Raise ``FarTooLarge`` where this many octets more are not even worth swallowing."""
        if self.size + more > 2 * self._limits.max_size:
            self.drop_all()
            raise FarTooLarge

    def drop_all(self) -> None:
        """Drop a mail that is too large."""
        if not self.dropped:
            self._drop(Reason.TOO_LARGE)

    def seconds_left(self) -> float:
        """Say how long the client may take until it sends again; ``TimeoutError`` where it took too long already."""
        took = asyncio.get_running_loop().time() - self._began
        left = self._limits.data_seconds + self.size / self._limits.data_pace - took
        if left <= 0:
            raise TimeoutError
        return min(left, self._limits.command_seconds)

    def take_raw(self) -> bytes:
        """Give the bytes and keep none."""
        raw = bytes(self._raw)
        self._raw.clear()
        return raw

    def release(self) -> None:
        """The mail is settled or given up."""
        self._raw.clear()
        self._hold.release()


async def read_data(wire: Wire, mail: Transaction) -> None:
    """Read up to the end of DATA. Raises ``FarTooLarge`` and what ``wire`` raises."""
    end = datareader.EndOfData()
    while end.rest is None:
        mail.add(end.feed(await wire.piece(PIECE, mail.seconds_left())))
        mail.check_size(0)
    wire.put_back(end.rest)


async def read_chunk(wire: Wire, mail: Transaction, octets: int) -> None:
    """Read one BDAT chunk. Raises ``FarTooLarge`` before it reads, and what ``wire`` raises."""
    mail.check_size(octets)
    while octets:
        piece = await wire.piece(min(octets, PIECE), mail.seconds_left())
        octets -= len(piece)
        mail.add(piece)


async def skip(wire: Wire, octets: int, limits: Limits) -> None:
    """Swallow a chunk that belongs to no mail, for its bytes must not be read as commands."""
    if octets > 2 * limits.max_size:
        raise FarTooLarge
    async with asyncio.timeout(limits.data_seconds + octets / limits.data_pace):
        while octets:
            octets -= len(await wire.piece(min(octets, PIECE), limits.command_seconds))


def settle(
    receiver: Receiver, mail: Transaction, envelope: Envelope, received_at: datetime, max_header_size: int
) -> tuple[Outcome, ...]:
    """Hand a whole mail to the intake, or refuse it for its shape. Blocks; never raises."""

    def work() -> tuple[Outcome, ...]:
        raw = mail.take_raw()
        if reason := _flaw(mail, raw, max_header_size):
            return receiver.turn_back(envelope, reason, datareader.head_of(raw), mail.size)
        return receiver.receive(_delivery(mail, envelope, raw, received_at))

    return _surely(envelope, work)


def begin_settling(
    receiver: Receiver,
    mail: Transaction,
    envelope: Envelope,
    received_at: datetime,
    max_header_size: int,
    *,
    done: Done,
) -> None:
    """Do the same without waiting for the commit; ``done`` is told afterwards, in any thread."""

    def tell(outcomes: tuple[Outcome, ...]) -> None:
        done(_surely(envelope, lambda: outcomes))

    try:
        raw = mail.take_raw()
        if reason := _flaw(mail, raw, max_header_size):
            receiver.begin_turning_back(envelope, reason, datareader.head_of(raw), mail.size, tell)
        else:
            receiver.begin(_delivery(mail, envelope, raw, received_at), tell)
    except Exception as bug:  # noqa: BLE001 - a bug of ours is a 4xx, never a bounce
        events.surprise("settle", bug)
        done(all_deferred(envelope))


def _flaw(mail: Transaction, raw: bytes, max_header_size: int) -> Reason | None:
    return mail.dropped or datareader.flaw(raw, max_header_size=max_header_size, chunked=mail.chunked)


def _delivery(mail: Transaction, envelope: Envelope, raw: bytes, received_at: datetime) -> Delivery:
    return Delivery(envelope=envelope, raw=raw, received_at=received_at, chunked=mail.chunked)


def put_off(receiver: Receiver, mail: Transaction, envelope: Envelope, reason: Reason) -> tuple[Outcome, ...]:
    """Have the intake put off a whole mail that nobody has the time to judge. Blocks; never raises."""
    raw = mail.take_raw()
    return _surely(envelope, lambda: receiver.turn_back(envelope, reason, datareader.head_of(raw), mail.size))


def _surely(envelope: Envelope, work: Callable[[], tuple[Outcome, ...]]) -> tuple[Outcome, ...]:
    try:
        outcomes = work()
        if len(outcomes) == len(envelope.addressees):
            return outcomes
        error: Exception = RuntimeError("one outcome per addressee")
    except Exception as bug:  # noqa: BLE001 - a bug of ours is a 4xx, never a bounce
        error = bug
    events.surprise("settle", error)
    return all_deferred(envelope)


def all_deferred(envelope: Envelope) -> tuple[Outcome, ...]:
    """Put a mail off for every recipient: nobody can say what became of it."""
    return tuple(
        Outcome(recipient=addressee.recipient, verdict=Verdict.DEFERRED, reason=Reason.STORE_DOWN)
        for addressee in envelope.addressees
    )
