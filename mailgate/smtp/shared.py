"""What all sessions of a server have in common, and what they need of the intake."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol, TypeVar

from mailgate.domain.ledger import Outcome
from mailgate.domain.mail import Addressee, Envelope
from mailgate.domain.trust import Relay
from mailgate.errors import Reason
from mailgate.smtp import receiving
from mailgate.smtp.limits import InFlight, Limits
from mailgate.smtp.receiving import Transaction
from mailgate.smtp.replies import Replies
from mailgate.smtp.tls import Certificates

T = TypeVar("T")

STRANGER = "unknown"  # stands for the name of a relay where a client is none


class Softness(Protocol):
    """The part of the policy that replies depend on."""

    @property
    def soft_refuse(self) -> bool:
        """Whether refusals are deferrals for now."""


class MailIntake(receiving.Receiver, Protocol):
    """What the listeners need of ``intake.Intake``."""

    @property
    def policy(self) -> Softness:
        """What the instance decided."""

    def relay_at(self, peer: IPv4Address | IPv6Address | None) -> Relay | None:
        """Name the registered relay at this address; ``None`` is our unix socket."""

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
    pool: ThreadPoolExecutor
    draining: bool = False
    storing: set["asyncio.Task[tuple[Outcome, ...]]"] = field(default_factory=set)

    @property
    def soft(self) -> bool:
        """Whether refusals are deferrals for now."""
        return self.intake.policy.soft_refuse

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run what may block."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)

    def store(self, mail: Transaction, envelope: Envelope, at: datetime) -> "asyncio.Task[tuple[Outcome, ...]]":
        """Hand a mail to the intake. Shield what is returned: a client that is lost must not cut a commit short."""
        task = asyncio.get_running_loop().create_task(self._store(mail, envelope, at))
        self.storing.add(task)
        task.add_done_callback(self.storing.discard)
        return task

    async def _store(self, mail: Transaction, envelope: Envelope, at: datetime) -> tuple[Outcome, ...]:
        most = self.limits.max_header_size
        try:
            return await self.in_thread(partial(receiving.settle, self.intake, mail, envelope, at, most))
        finally:
            mail.release()
