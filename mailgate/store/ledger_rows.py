"""Rows of the ledger: one per verdict, and the bounded ones that count strangers by relay, reason and minute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from mailgate.domain.ledger import LedgerEntry, Verdict
from mailgate.errors import Reason
from mailgate.store.database import insert
from mailgate.store.identifiers import new_id
from mailgate.store.prepared import Adding
from mailgate.store.tables import ledger

Row = dict[str, object]
_ADD_ROWS = Adding(
    ledger,
    (
        *("id", "at", "verdict", "reason", "record", "relay", "queue_id", "author", "message_id", "activity_id"),
        *("count", "bucket"),
    ),
    unless=("id",),
)


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """What a bounded row counts; ``minute`` is the moment at which that minute began."""

    relay: str
    reason: Reason
    verdict: Verdict
    minute: datetime

    @classmethod
    def of(cls, *, relay: str, reason: Reason, verdict: Verdict, at: datetime) -> "Bucket":
        """Find the bucket of a moment."""
        return cls(relay, reason, verdict, at.replace(second=0, microsecond=0))


def row_of(entry: LedgerEntry) -> Row:
    """Make the row of an entry that has its id."""
    return {
        "id": entry.id,
        "at": entry.at,
        "verdict": entry.verdict.value,
        "reason": entry.reason.value if entry.reason else None,
        "record": str(entry.record) if entry.record else None,
        "relay": entry.relay,
        "queue_id": entry.queue_id,
        "author": entry.author,
        "message_id": entry.message_id,
        "activity_id": entry.activity,
        "count": entry.count,
        "bucket": None,
    }


def write_rows(connection: Connection, rows: Sequence[Row]) -> None:
    """Write rows; those that are there already, from a commit whose answer was lost, stay as they are."""
    _ADD_ROWS.add(connection, rows)


def write_counts(connection: Connection, counts: Mapping[Bucket, int]) -> None:
    """Add to the bounded rows, in one order for all processes."""
    if not counts:
        return
    statement = insert(connection, ledger)
    statement = statement.on_conflict_do_update(
        index_elements=[ledger.c.bucket], set_={"count": ledger.c.count + statement.excluded.count}
    )
    connection.execute(statement, [_bucket_row(bucket, counts[bucket]) for bucket in sorted(counts)])


def _bucket_row(bucket: Bucket, count: int) -> Row:
    entry = LedgerEntry(
        id=new_id(), at=bucket.minute, verdict=bucket.verdict, reason=bucket.reason, relay=bucket.relay, count=count
    )
    minute = bucket.minute.strftime("%Y-%m-%dT%H:%M%z")
    key = f"{bucket.reason.value} {bucket.verdict.value} {minute} {bucket.relay}"
    return {**row_of(entry), "bucket": key}
