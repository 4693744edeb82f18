"""What all sessions of a server have in common, and what they need of the intake."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from mailgate import events
from mailgate.domain.ledger import Outcome
from mailgate.domain.mail import Addressee, Envelope
from mailgate.domain.trust import Relay, Trust
from mailgate.errors import Deferred, Reason, Refused
from mailgate.smtp import receiving
from mailgate.smtp.core import Core
from mailgate.smtp.limits import InFlight, Limits, Peers
from mailgate.smtp.patience import Patience
from mailgate.smtp.receiving import Transaction
from mailgate.smtp.replies import Replies
from mailgate.smtp.tls import Certificates

T = TypeVar("T")


class Rules(Protocol):
    """The part of the policy that the listeners go by."""

    @property
    def soft_refuse(self) -> bool:
        """Whether refusals are deferrals for now."""

    @property
    def relays(self) -> Sequence[Relay]:
        """The registered relays."""


class MailIntake(receiving.Receiver, Protocol):
    """What the listeners need of ``intake.Intake``."""

    @property
    def policy(self) -> Rules:
        """What the instance decided."""

    def turn_away(self, relay: str, reason: Reason) -> None:
        """Count one that was refused before any mail. Doesn't wait."""

    def check_recipient(self, relay: Relay, recipient: str, sender: str) -> Addressee:
        """Find the record that a recipient means, in a mail of this sender. Raises ``Refused`` or ``Deferred``."""


@dataclass(slots=True, kw_only=True)
class Shared:
    """One per server. ``storing`` holds the mails that the intake has; they outlive their connections."""

    intake: MailIntake
    limits: Limits
    replies: Replies
    hostname: str
    certificates: Certificates | None
    in_flight: InFlight
    peers: Peers
    core: Core
    big_pool: ThreadPoolExecutor  # for big mails: what waits for one to be read must not hold up look-ups
    slow_pool: ThreadPoolExecutor  # for mails that may wait for the DNS: they must not hold up the others
    slow_room: asyncio.Semaphore  # one for each thread of it
    draining: bool = False
    ended: bool = False
    storing: set["asyncio.Future[None]"] = field(default_factory=set)

    @property
    def soft(self) -> bool:
        """Whether refusals are deferrals for now."""
        return self.intake.policy.soft_refuse

    # -- recipients -------------------------------------------------------------------------------------------------

    async def look_up(self, mail: Transaction, recipient: str, patience: Patience) -> Addressee:
        """Find the record that a recipient of this mail means. Raises ``Refused`` or ``Deferred``."""
        found: asyncio.Future[Addressee | Refused | Deferred] = asyncio.get_running_loop().create_future()
        work = partial(self._addressee, mail, recipient)
        self.core.submit(lambda: self.core.give_back(partial(_settle, found, work())))
        try:
            addressee = await patience.wait(found, patience.until(self.limits.store_seconds))
        except TimeoutError:
            events.protocol_trouble(relay=mail.relay.name, what="a look-up took too long")
            raise Deferred(Reason.STORE_DOWN) from None
        if isinstance(addressee, Refused | Deferred):
            raise addressee
        return addressee

    def _addressee(self, mail: Transaction, recipient: str) -> Addressee | Refused | Deferred:
        try:
            return self.intake.check_recipient(mail.relay, recipient, mail.said.sender)
        except (Refused, Deferred) as no:
            return no
        except Exception as bug:  # noqa: BLE001 - a bug of ours is a 4xx
            events.surprise("check_recipient", bug)
            return Deferred(Reason.STORE_DOWN)

    # -- mails ------------------------------------------------------------------------------------------------------

    async def judge(self, mail: Transaction, at: datetime, patience: Patience) -> tuple[Outcome, ...]:
        """Have the intake judge and keep a mail. Goes on behind a client that is lost: a commit isn't cut short."""
        envelope = mail.envelope()
        told: asyncio.Future[tuple[Outcome, ...]] = asyncio.get_running_loop().create_future()
        self._store(mail, envelope, at, told)
        try:
            return await patience.wait(told, patience.until(self._store_seconds(mail)))
        except TimeoutError:
            # should it be kept after all, its next try is met as a duplicate
            events.protocol_trouble(relay=mail.relay.name, what="judging a mail took too long")
            return receiving.all_deferred(envelope)

    def _store(
        self, mail: Transaction, envelope: Envelope, at: datetime, told: "asyncio.Future[tuple[Outcome, ...]]"
    ) -> None:
        loop = asyncio.get_running_loop()
        stored = loop.create_future()
        self.storing.add(stored)

        def end(outcomes: tuple[Outcome, ...]) -> None:
            mail.release()
            self.storing.discard(stored)
            stored.set_result(None)
            _settle(told, outcomes)

        if waits_for_dns(envelope.relay) or self._is_big(mail):
            task = loop.create_task(self._store_apart(mail, envelope, at))
            task.add_done_callback(lambda done: end(_outcomes_of(done, envelope)))
        else:
            most = self.limits.max_header_size
            begin = partial(receiving.begin_settling, self.intake, mail, envelope, at, most)
            self.core.submit(lambda: begin(done=lambda outcomes: self.core.give_back(partial(end, outcomes))))

    async def _store_apart(self, mail: Transaction, envelope: Envelope, at: datetime) -> tuple[Outcome, ...]:
        """Have a mail judged and kept by a thread that may take its time."""
        settle = partial(receiving.settle, self.intake, mail, envelope, at, self.limits.max_header_size)
        if waits_for_dns(envelope.relay):
            return await self._store_slowly(mail, envelope, settle)
        return await asyncio.get_running_loop().run_in_executor(self.big_pool, settle)

    async def _store_slowly(
        self, mail: Transaction, envelope: Envelope, settle: Callable[[], tuple[Outcome, ...]]
    ) -> tuple[Outcome, ...]:
        loop = asyncio.get_running_loop()
        free = await self._slow_thread()
        try:
            if self.ended:
                return receiving.all_deferred(envelope)
            if free:
                return await loop.run_in_executor(self.slow_pool, settle)
            put_off = partial(receiving.put_off, self.intake, mail, envelope, Reason.DNS)
            return await loop.run_in_executor(self.big_pool, put_off)
        finally:
            if free:
                self.slow_room.release()

    async def _slow_thread(self) -> bool:
        """Wait for a thread; ``False`` where none is free in time, for all before it wait for the DNS."""
        try:
            async with asyncio.timeout(self.limits.slow_wait_seconds):
                return await self.slow_room.acquire()
        except TimeoutError:
            return False

    def _is_big(self, mail: Transaction) -> bool:
        return mail.size > self.limits.big_size

    def _store_seconds(self, mail: Transaction) -> float:
        limits = self.limits
        proof = limits.slow_wait_seconds + limits.proof_seconds if waits_for_dns(mail.relay) else 0
        return limits.store_seconds + proof + (limits.big_wait_seconds if self._is_big(mail) else 0)

    def shut_down(self) -> None:
        """Begin no work any more; what has begun goes on."""
        self.ended = True
        self.core.close()
        for pool in (self.big_pool, self.slow_pool):
            pool.shutdown(wait=False, cancel_futures=True)


def waits_for_dns(relay: Relay) -> bool:
    """Say whether proof is looked for in the DNS: our own checks, and ARC chains in what a relay stamped."""
    return relay.trust is Trust.VERIFIED or (relay.trust is Trust.STAMPED and bool(relay.sealers))


def _settle(waiting: "asyncio.Future[T]", found: T) -> None:
    if not waiting.done():
        waiting.set_result(found)


def _outcomes_of(task: "asyncio.Task[tuple[Outcome, ...]]", envelope: Envelope) -> tuple[Outcome, ...]:
    if task.cancelled() or task.exception() is not None:
        return receiving.all_deferred(envelope)
    return task.result()
