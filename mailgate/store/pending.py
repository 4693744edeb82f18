"""The list of those who wait to be registered (``ports.PendingSenders``), and what an admin does with it.

Entries whose author is a user by now are shown to nobody; ``release`` takes them out and says which mails they were.
Entries age out: whatever was not touched for ``keep`` goes with the next write or listing. At most ``MAX_ENTRIES``
are kept, ``MAX_OF_AUTHOR`` of one author at one relay; what was untouched for longest goes first. A mail whose entry
went is put off all the same, at the end of DATA, and is then on the list again.

Raises ``Deferred`` where the store doesn't answer. Limits: an entry names one mail, the first; a second one of the same
author to the same record address counts as a try of it, and comes with the mail server's own next try.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    tuple_,
)

from mailgate.domain.pending import PendingSender, WaitingMail
from mailgate.domain.record import RecordKind, RecordRef
from mailgate.store import again
from mailgate.store.audit import utc_now
from mailgate.store.database import Database, insert
from mailgate.store.orders import in_parts
from mailgate.store.tables import address, pending_sender, record, user_address
from mailgate.store.trouble import told

MAX_ENTRIES = 1000
MAX_OF_AUTHOR = 100

_KEY = (
    pending_sender.c.address_id,
    pending_sender.c.relay,
    pending_sender.c.envelope_from,
    pending_sender.c.email,
)
_IS_USER = exists().where(user_address.c.email == pending_sender.c.email)


class PendingSenders:
    """The list of an instance. ``queue_days`` says by name how long each relay tries again."""

    def __init__(self, database: Database, *, keep: timedelta, queue_days: Mapping[str, int]) -> None:
        self._database = database
        self._keep = keep
        self._queue_days = queue_days

    # -- for the path of a mail -------------------------------------------------------------------------------------

    def wait(self, mails: Sequence[WaitingMail]) -> None:
        """Put mails on the list, or count a try of those that are on it."""
        if not mails:
            return

        def work(connection: Connection) -> None:
            keys = _held_addresses(connection, mails)
            _alone(connection)
            self._forget_aged(connection, max(mail.at for mail in mails))
            rows = [_row(mail, keys[local]) for mail in mails if (local := _local(mail.address)) in keys]
            if rows:
                _count(connection, rows)
                _keep_within_bounds(connection)

        with told(self._database):
            again.write(self._database, work)

    def waiting(self, *, relay: str, sender: str, address: str, at: datetime) -> Sequence[PendingSender]:
        """Give the entries of this relay, envelope sender and record address whose author is no user yet."""
        wanted = _entries(at - self._keep).where(
            pending_sender.c.address_id == _id_of(address),
            pending_sender.c.relay == relay,
            pending_sender.c.envelope_from == sender,
        )
        with told(self._database), self._database.read() as connection:
            return [self._entry(row) for row in connection.execute(wanted)]

    # -- for admins -------------------------------------------------------------------------------------------------

    def list(self, now: datetime | None = None) -> Sequence[PendingSender]:
        """List who waits, whoever waits longest first."""
        at = now or utc_now()
        with self._database.read() as connection:
            found = [self._entry(row) for row in connection.execute(_entries(at - self._keep))]
            aged = connection.scalar(select(func.count()).select_from(pending_sender).where(self._aged(at)))
        if aged:
            again.write(self._database, lambda connection: self._forget_aged(connection, at))
        return found

    def release(self, emails: Collection[str] | None = None) -> Sequence[PendingSender]:
        """Take out the entries of those who are users by now, of all or of these folded addresses; give them."""
        columns = _columns().where(_IS_USER)

        def work(connection: Connection) -> Sequence[PendingSender]:
            wanted = [columns] if emails is None else [_of(columns, part) for part in in_parts(emails)]
            rows = [row for statement in wanted for row in connection.execute(statement)]
            for row in rows:
                connection.execute(delete(pending_sender).where(tuple_(*_KEY) == tuple_(*_key_of(row))))
            return [self._entry(row) for row in rows]

        with self._database.read() as connection:  # mostly nobody waits, and then no lock is taken
            if connection.execute(columns.limit(1)).first() is None:
                return []
        return again.write(self._database, work)

    def _aged(self, at: datetime) -> ColumnElement[bool]:
        return pending_sender.c.last_at < at - self._keep

    def _forget_aged(self, connection: Connection, at: datetime) -> None:
        connection.execute(delete(pending_sender).where(self._aged(at)))

    def _entry(self, row: Row[*tuple[object, ...]]) -> PendingSender:
        days = self._queue_days.get(row.relay)
        return PendingSender(
            email=row.email,
            relay=row.relay,
            envelope_from=row.envelope_from,
            record=RecordRef(RecordKind(row.kind), row.ref),
            queue_id=row.queue_id,
            tries=row.tries,
            first_at=row.first_at,
            last_at=row.last_at,
            until=None if days is None else row.first_at + timedelta(days=days),
        )


# -- reading --------------------------------------------------------------------------------------------------------


def _columns() -> Select[tuple[object, ...]]:
    return (
        select(pending_sender, record.c.kind, record.c.ref)
        .join(address, address.c.id == pending_sender.c.address_id)
        .join(record, record.c.id == address.c.record_id)
        .order_by(pending_sender.c.first_at, *_KEY)
    )


def _entries(since: datetime) -> Select[tuple[object, ...]]:
    return _columns().where(~_IS_USER, pending_sender.c.last_at >= since)


def _of(statement: Select[tuple[object, ...]], emails: Collection[str]) -> Select[tuple[object, ...]]:
    return statement.where(pending_sender.c.email.in_(emails))


def _key_of(row: Row[*tuple[object, ...]]) -> tuple[object, ...]:
    return tuple(getattr(row, column.name) for column in _KEY)


def _local(whole: str) -> str:
    return whole.rpartition("@")[0]


def _id_of(whole: str) -> ColumnElement[int]:
    return select(address.c.id).where(address.c.local == _local(whole)).scalar_subquery()


# -- writing --------------------------------------------------------------------------------------------------------


def _alone(connection: Connection) -> None:
    """Keep other writers of the list off: entries that two of them take out would make them wait for each other."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE pending_sender IN SHARE ROW EXCLUSIVE MODE"))


def _held_addresses(connection: Connection, mails: Sequence[WaitingMail]) -> dict[str, int]:
    """Find the addresses and hold them, before the list: whoever removes a record goes that way too."""
    found: dict[str, int] = {}
    columns = select(address.c.local, address.c.id).order_by(address.c.id).with_for_update(read=True, key_share=True)
    for part in in_parts({_local(mail.address) for mail in mails}):
        rows = connection.execute(columns.where(address.c.local.in_(part)))
        found.update({row.local: row.id for row in rows})
    return found


def _row(mail: WaitingMail, address_id: int) -> dict[str, object]:
    return {
        "address_id": address_id,
        "relay": mail.relay,
        "envelope_from": mail.sender,
        "email": mail.author,
        "queue_id": mail.queue_id,
        "tries": 1,
        "first_at": mail.at,
        "last_at": mail.at,
    }


def _count(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    there = pending_sender.c
    new = (statement := insert(connection, pending_sender)).excluded
    statement = statement.on_conflict_do_update(
        index_elements=list(_KEY),
        set_={
            "tries": there.tries + new.tries,
            "last_at": case((new.last_at > there.last_at, new.last_at), else_=there.last_at),
            "queue_id": func.coalesce(there.queue_id, new.queue_id),
        },
    )
    connection.execute(statement, rows)


def _keep_within_bounds(connection: Connection) -> None:
    newest = (pending_sender.c.last_at.desc(), pending_sender.c.first_at.desc(), *_KEY)
    of_author = (pending_sender.c.email, pending_sender.c.relay)
    ranked = select(
        *_KEY,
        func.row_number().over(order_by=newest).label("place"),
        func.row_number().over(partition_by=of_author, order_by=newest).label("own_place"),
    ).subquery()
    too_many = select(*(ranked.c[column.name] for column in _KEY)).where(
        or_(ranked.c.place > MAX_ENTRIES, ranked.c.own_place > MAX_OF_AUTHOR)
    )
    connection.execute(delete(pending_sender).where(tuple_(*_KEY).in_(too_many)))
