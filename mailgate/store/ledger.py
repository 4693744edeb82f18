"""The ledger as admins read it: what became of every mail at every recipient, newest first.

Refuses a verdict or reason that doesn't exist (``BadInput``); a record that is neither registered nor in the ledger, or
an id that isn't there, is ``NotFound``; a record of a kind that the edition lacks is ``BadInput``, while its entries
stay among all others. Reads in pages, so that a long ledger takes little memory and no long lock.
"""

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Row, literal, select, tuple_

from mailgate.domain.ledger import LedgerEntry, Verdict
from mailgate.domain.record import Edition, RecordRef
from mailgate.errors import BadInput, NotFound, Reason
from mailgate.store import register
from mailgate.store.database import Database
from mailgate.store.register import check_edition, not_found
from mailgate.store.tables import ledger

PAGE = 500

_Conditions = list[ColumnElement[bool]]
_TIMES = ledger.c.count.label("times")  # a row has a method of the name count


class Ledger:
    """The ledger of an instance."""

    def __init__(self, database: Database, edition: Edition) -> None:
        self._database = database
        self._edition = edition

    def list(
        self,
        *,
        message_id: str | None = None,
        record: RecordRef | None = None,
        since: datetime | None = None,
        verdict: str | None = None,
        reason: str | None = None,
    ) -> Iterator[LedgerEntry]:
        """List what matches all that is given. A Message-ID may come with or without its angle brackets."""
        wanted: _Conditions = []
        if message_id is not None:
            bare = message_id.strip().removeprefix("<").removesuffix(">")
            wanted.append(ledger.c.message_id.in_([bare, f"<{bare}>"]))
        if record is not None:
            self._check_record(record)
            wanted.append(ledger.c.record == str(record))
        if since is not None:
            wanted.append(ledger.c.at >= since)
        if verdict is not None:
            wanted.append(ledger.c.verdict == _word(Verdict, "verdict", verdict))
        if reason is not None:
            wanted.append(ledger.c.reason == _word(Reason, "reason", reason))
        return self._pages(wanted)

    def show(self, entry_id: str) -> LedgerEntry:
        """Show one entry."""
        try:
            found = str(uuid.UUID(entry_id))
        except ValueError:
            raise _no_entry(entry_id) from None
        with self._database.read() as connection:
            row = connection.execute(select(ledger, _TIMES).where(ledger.c.id == found)).first()
        if row is None:
            raise _no_entry(found)
        return _entry(row)

    def _pages(self, wanted: Sequence[ColumnElement[bool]]) -> Iterator[LedgerEntry]:
        place = tuple_(ledger.c.at, ledger.c.id)
        after: ColumnElement[bool] | None = None
        while True:
            statement = select(ledger, _TIMES).where(*wanted, *(() if after is None else (after,)))
            with self._database.read() as connection:
                page = connection.execute(statement.order_by(ledger.c.at.desc(), ledger.c.id.desc()).limit(PAGE)).all()
            yield from map(_entry, page)
            if len(page) < PAGE:
                return
            last = page[-1]
            after = place < tuple_(literal(last.at, ledger.c.at.type), literal(last.id, ledger.c.id.type))

    def _check_record(self, ref: RecordRef) -> None:
        check_edition(ref, self._edition)
        with self._database.read() as connection:
            if not register.keys(connection, [ref]) and not _mentioned(connection, ref):
                raise not_found(ref)


def _mentioned(connection: Connection, ref: RecordRef) -> bool:
    return connection.execute(select(ledger.c.id).where(ledger.c.record == str(ref)).limit(1)).first() is not None


def _no_entry(entry_id: str) -> NotFound:
    return NotFound(f"no ledger entry {entry_id[:80]!a}: see mailgate ledger")


def _word(kind: type[Verdict] | type[Reason], what: str, text: str) -> str:
    if text not in set(kind):
        raise BadInput(f"{text[:80]!r} is no {what}: choose one of {', '.join(kind)}")
    return text


def _entry(row: Row[*tuple[object, ...]]) -> LedgerEntry:
    return LedgerEntry(
        id=row.id,
        at=row.at,
        verdict=Verdict(row.verdict),
        reason=Reason(row.reason) if row.reason else None,
        record=RecordRef.parse(row.record) if row.record else None,
        relay=row.relay,
        queue_id=row.queue_id,
        author=row.author,
        message_id=row.message_id,
        activity=row.activity_id,
        count=row.times,
    )
