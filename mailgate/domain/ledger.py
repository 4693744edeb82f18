"""The ledger: one row per recipient verdict, the answer to "where is my mail?"."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailgate.domain.record import RecordRef
from mailgate.errors import Advice, Reason


class Verdict(StrEnum):
    """What became of a mail at one of its recipients."""

    KEPT = "kept"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One verdict. ``id`` is "" until the archive gives one; ``count`` passes 1 only in the bounded rows."""

    id: str = ""
    at: datetime
    verdict: Verdict
    reason: Reason | None = None
    record: RecordRef | None = None
    relay: str | None = None
    queue_id: str | None = None
    author: str | None = None
    message_id: str | None = None
    activity: str | None = None
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one recipient of a mail is told: the verdict, its ledger row and, where kept, the activity."""

    recipient: str
    verdict: Verdict
    reason: Reason | None = None
    value: str = ""  # the one value that the answer may name
    advice: Advice | None = None
    ledger_id: str = ""
    activity: str | None = None
