"""The audit: who changed an address, a record, a user, and when. Rows are only ever added.

Record addresses are secrets: callers write them masked. ``subject`` is ``KIND:REF`` or a user's main address as it was
at that moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, insert

from mailgate.store.tables import audit


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that somebody did."""

    action: str
    subject: str
    detail: str = ""


def utc_now() -> datetime:
    """Tell the time: the clock of everything that takes none."""
    return datetime.now(UTC)


def enter(connection: Connection, actor: str, at: datetime, acts: Sequence[Act]) -> None:
    """Write down what ``actor`` did, in the transaction in which it is done."""
    if acts:
        rows = [{"at": at, "actor": actor, **_columns(act)} for act in acts]
        connection.execute(insert(audit), rows)


def _columns(act: Act) -> dict[str, str]:
    return {"action": act.action, "subject": act.subject, "detail": act.detail}
