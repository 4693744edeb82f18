"""Records as admins keep them: add, change, close, rename, remove. Merging is in ``store.merging``.

Refuses, with ``BadInput``: adding what exists, a kind that the edition lacks, removing a record that has activities,
renaming to what exists. ``NotFound`` names the record that isn't there. A closed record takes no mail; all else works.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime

from sqlalchemy import Connection, delete, exists, select, update

from mailgate.domain.entry import RecordEntry, may_become
from mailgate.domain.record import Edition, Record, RecordKind, RecordRef, RecordState, exists_in
from mailgate.errors import BadInput
from mailgate.store import again, merging, register
from mailgate.store.audit import Act, enter, utc_now
from mailgate.store.database import Database
from mailgate.store.register import StoredRecord, check_edition, not_found
from mailgate.store.tables import (
    activity,
    address,
    ledger,
    participation,
    receipt,
    record,
    record_contact,
    record_relation,
    removal,
)

PAGE = 500


class Records:
    """The records of an instance. ``domain`` is that of the record addresses, folded."""

    def __init__(
        self, database: Database, edition: Edition, domain: str, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self.edition = edition
        self._domain = domain
        self._now = now

    def add(self, entry: RecordEntry, *, actor: str) -> Record:
        """Register a record; ``BadInput`` if it is there."""

        def work(connection: Connection) -> Record:
            if register.load(connection, [entry.record]):
                raise BadInput(f"{entry.record} exists: use mailgate record set")
            return self._save(connection, entry, None, actor)

        return again.write(self._database, work)

    def set(self, entry: RecordEntry, *, actor: str) -> Record:
        """Change what the entry holds; a list that it holds replaces the whole list."""

        def work(connection: Connection) -> Record:
            self._key(connection, entry.record)
            before = register.load(connection, [entry.record])[entry.record]
            return self._save(connection, entry, before, actor)

        return again.write(self._database, work)

    def list(self) -> Iterator[Record]:
        """List all records by kind and reference; those of a kind that the edition lacks are left out."""
        kinds = [kind for kind in RecordKind if exists_in(kind, self.edition)]
        after: RecordRef | None = None
        while True:
            with self._database.read() as connection:
                stored = register.page(connection, after, PAGE, kinds)
                page = register.complete(connection, stored, self._domain)
            yield from (register.seen(one, self.edition) for one in page)
            if len(page) < PAGE:
                return
            after = page[-1].record

    def show(self, ref: RecordRef) -> Record:
        """Show one record."""
        check_edition(ref, self.edition)
        with self._database.read() as connection:
            return self._shown(connection, ref)

    def close(self, ref: RecordRef, *, actor: str) -> Record:
        """Take no more mail for the record; what is there stays, and all else still works."""
        return self.set(RecordEntry(record=ref, state=RecordState.CLOSED), actor=actor)

    def reopen(self, ref: RecordRef, *, actor: str) -> Record:
        """Undo ``close``."""
        return self.set(RecordEntry(record=ref, state=RecordState.OPEN), actor=actor)

    def rename(self, old: RecordRef, new: RecordRef, *, actor: str) -> Record:
        """Give a record the CRM's new reference; all that belongs to it follows, the ledger too."""
        may_become(old, new)

        def work(connection: Connection) -> Record:
            check_edition(new, self.edition)
            key = self._key(connection, old)
            if register.keys(connection, [new]):
                raise BadInput(f"{new} exists: use mailgate record merge {old} {new}")
            connection.execute(update(record).where(record.c.id == key).values(kind=new.kind, ref=new.ref))
            connection.execute(update(ledger).where(ledger.c.record == str(old)).values(record=str(new)))
            enter(connection, actor, self._now(), [Act("record renamed", str(new), f"from {old}")])
            return self._shown(connection, new)

        return again.write(self._database, work)

    def merge(self, source: RecordRef, into: RecordRef, *, actor: str) -> Record:
        """Put everything of one record on another and take the first one out."""
        may_become(source, into)

        def work(connection: Connection) -> Record:
            for ref in (source, into):
                check_edition(ref, self.edition)
            found = register.hold(connection, [source, into])
            moved = merging.merge(connection, (source, found[source]), (into, found[into]))
            enter(connection, actor, self._now(), [Act("record merged", str(into), f"{source} into {into}: {moved}")])
            return self._shown(connection, into)

        return again.write(self._database, work)

    def remove(self, ref: RecordRef, *, actor: str) -> Record:
        """Take a record without activities out, with its addresses; ``BadInput`` while it has any."""

        def work(connection: Connection) -> Record:
            key = self._key(connection, ref, exclusive=True)
            if connection.execute(select(exists().where(activity.c.record_id == key))).scalar_one():
                raise BadInput(f"{ref} has activities and can't be removed: use mailgate record close or merge")
            gone = self._shown(connection, ref)
            enter(connection, actor, self._now(), [*_traces(connection, key, ref), Act("record removed", str(ref))])
            _remove(connection, key)
            return gone

        return again.write(self._database, work)

    def _key(self, connection: Connection, ref: RecordRef, *, exclusive: bool = False) -> int:
        check_edition(ref, self.edition)
        return register.key(connection, ref, exclusive=exclusive)

    def _shown(self, connection: Connection, ref: RecordRef) -> Record:
        stored = register.load(connection, [ref])
        if ref not in stored:
            raise not_found(ref)
        return register.seen(register.complete(connection, [stored[ref]], self._domain)[0], self.edition)

    def _save(self, connection: Connection, entry: RecordEntry, before: StoredRecord | None, actor: str) -> Record:
        found = register.known(connection, [entry])
        change = register.plan(entry, before, found, self.edition)
        register.save(connection, [change], found, actor, self._now())
        return self._shown(connection, entry.record)


def _traces(connection: Connection, key: int, ref: RecordRef) -> list[Act]:
    """Keep in the audit what was removed from the record: the record's own traces go with it."""
    rows = connection.execute(select(removal).where(removal.c.record_id == key)).mappings()
    return [
        Act(
            f"activity {row['state']}",
            str(ref),
            json.dumps({name: str(row[name]) for name in ("activity_id", "at", "actor", "reason", "kinds")}),
        )
        for row in rows
    ]


def _remove(connection: Connection, key: int) -> None:
    connection.execute(update(participation).where(participation.c.record_id == key).values(record_id=None))
    for table, column in (
        (record_relation, record_relation.c.other_id),
        (record_contact, record_contact.c.contact_id),
        (address, address.c.record_id),
        (receipt, receipt.c.record_id),
        (removal, removal.c.record_id),
        (record, record.c.id),
    ):
        connection.execute(delete(table).where(column == key))
