"""Records in the database, many at once: ``load`` what is there, ``plan`` what an entry makes of it, ``save`` that.

Commands and imports use the same three, so no rule stands twice. ``plan`` raises ``BadInput`` for a kind that the
edition lacks, a new record without a name and the like, ``NotFound`` for a record or user that the entry names and
that isn't there. Lists of one call hold at most a few hundred entries.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from mailgate.domain.entry import RecordEntry, sorted_records, sorted_users
from mailgate.domain.record import (
    AddressState,
    Edition,
    Record,
    RecordKind,
    RecordRef,
    RecordState,
    RoledRecord,
    RoledUser,
    exists_in,
)
from mailgate.domain.routing import record_address
from mailgate.errors import BadInput, NotFound
from mailgate.store.audit import Act, enter
from mailgate.store.linking import link_persons
from mailgate.store.nearness import PERSONS
from mailgate.store.orders import in_parts
from mailgate.store.tables import (
    activity,
    address,
    record,
    record_contact,
    record_email,
    record_relation,
    record_user,
    user_account,
    user_address,
)


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record with its key in the database. ``address`` and ``last_activity`` are only filled by ``complete``."""

    id: int
    record: Record


@dataclass(frozen=True, slots=True)
class RecordChange:
    """A record before and after; ``before`` is ``None`` for a new one."""

    before: StoredRecord | None
    after: Record

    @property
    def changed(self) -> tuple[str, ...]:
        """Name the fields that differ."""
        if self.before is None:
            return ()
        old = self.before.record
        return tuple(name for name in Record.__slots__ if getattr(old, name) != getattr(self.after, name))


@dataclass(frozen=True, slots=True)
class Known:
    """What entries refer to: keys of records by name, keys and main addresses of users by any of their addresses."""

    records: Mapping[RecordRef, int]
    users: Mapping[str, tuple[int, str]]


def check_edition(ref: RecordRef, edition: Edition) -> None:
    """Refuse a record of a kind that the edition lacks."""
    if not exists_in(ref.kind, edition):
        raise BadInput(f"{ref}: there are no publisher contracts in the edition {edition.value} (instance.edition)")


def not_found(ref: RecordRef) -> NotFound:
    """Say that a record isn't there."""
    return NotFound(f"no record {ref}: see mailgate record list, or add it with mailgate record add")


# -- reading --------------------------------------------------------------------------------------------------------


def keys(connection: Connection, refs: Iterable[RecordRef]) -> dict[RecordRef, int]:
    """Find the keys of the records that are there."""
    columns = select(record.c.id, record.c.kind, record.c.ref)
    found: dict[RecordRef, int] = {}
    for part in in_parts(refs):
        rows = connection.execute(columns.where(_named(part)))
        found.update({RecordRef(RecordKind(row.kind), row.ref): row.id for row in rows})
    return found


def key(connection: Connection, ref: RecordRef, *, exclusive: bool = False) -> int:
    """Find the key of one record and hold it until the transaction ends: against admins, if ``exclusive`` mails too."""
    statement = select(record.c.id).where(_named([ref])).with_for_update(key_share=not exclusive)
    found = connection.execute(statement).scalar_one_or_none()
    if found is None:
        raise not_found(ref)
    return int(found)


def hold(connection: Connection, refs: Sequence[RecordRef], *, shared: bool = False) -> dict[RecordRef, int]:
    """Find the keys of a few records and hold these until the transaction ends, in the order of ``store.again``.

    Alone; or ``shared`` with all who don't merge, remove or rename them.
    """
    columns = select(record.c.id, record.c.kind, record.c.ref).where(_named(refs)).order_by(record.c.id)
    rows = connection.execute(columns.with_for_update(read=shared, key_share=shared))
    found = {RecordRef(RecordKind(row.kind), row.ref): row.id for row in rows}
    for ref in refs:
        if ref not in found:
            raise not_found(ref)
    return found


def known(connection: Connection, entries: Sequence[RecordEntry]) -> Known:
    """Find all that these entries refer to."""
    refs = {ref for entry in entries for ref in entry.named_records()}
    emails = {roled.email for entry in entries for roled in entry.users or ()}
    statement = select(user_address.c.email, user_account.c.id, user_account.c.email.label("main")).join(
        user_account, user_account.c.id == user_address.c.user_id
    )
    users: dict[str, tuple[int, str]] = {}
    for part in in_parts(emails):
        rows = connection.execute(statement.where(user_address.c.email.in_(part)))
        users.update({row.email: (row.id, row.main) for row in rows})
    return Known(keys(connection, refs), users)


def load(connection: Connection, refs: Iterable[RecordRef]) -> dict[RecordRef, StoredRecord]:
    """Read the records that are there, all but ``address`` and ``last_activity``."""
    return {one.record.record: one for one in read(connection, select(record).where(_named(refs)))}


def page(
    connection: Connection, after: RecordRef | None, size: int, kinds: Collection[RecordKind]
) -> list[StoredRecord]:
    """Read the next records in the order of kind and reference."""
    statement = select(record).where(record.c.kind.in_(kinds)).order_by(record.c.kind, record.c.ref).limit(size)
    if after is not None:
        statement = statement.where(tuple_(record.c.kind, record.c.ref) > tuple_(after.kind.value, after.ref))
    return read(connection, statement)


def read(connection: Connection, statement: Select[tuple[object, ...]]) -> list[StoredRecord]:
    """Read the records of a SELECT over ``record``."""
    rows = connection.execute(statement).all()
    ids = [row.id for row in rows]
    emails = _emails(connection, ids)
    relations = _related(connection, record_relation, record_relation.c.other_id, ids)
    contacts = _related(connection, record_contact, record_contact.c.contact_id, ids)
    users = _on_record(connection, ids)
    return [
        StoredRecord(
            row.id,
            Record(
                record=RecordRef(RecordKind(row.kind), row.ref),
                name=row.name,
                language=row.language,
                state=RecordState(row.state),
                email=tuple(sorted(emails.get(row.id, ()))),
                relations=sorted_records(relations.get(row.id, ())),
                contacts=sorted_records(contacts.get(row.id, ())),
                users=sorted_users(users.get(row.id, ())),
            ),
        )
        for row in rows
    ]


def complete(connection: Connection, stored: Sequence[StoredRecord], domain: str) -> list[Record]:
    """Add the live address and the time of the last activity, each from an index."""
    ids = [one.id for one in stored]
    latest = select(func.max(activity.c.occurred_at)).where(activity.c.record_id == record.c.id).scalar_subquery()
    last = {
        row.id: row.last
        for row in connection.execute(select(record.c.id, latest.label("last")).where(record.c.id.in_(ids)))
    }
    of_ids = select(address.c.record_id, address.c.local).where(address.c.record_id.in_(ids), *standing())
    local = {row.record_id: row.local for row in connection.execute(of_ids.order_by(address.c.id))}
    return [
        replace(
            one.record,
            last_activity=last[one.id],
            address=record_address(local[one.id], domain) if one.id in local else None,
        )
        for one in stored
    ]


def standing() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Say which addresses stand for their record: open or closed, not rotated away, not revoked."""
    return address.c.state.in_([AddressState.OPEN, AddressState.CLOSED]), address.c.expires_at.is_(None)


def _named(refs: Iterable[RecordRef]) -> ColumnElement[bool]:
    by_kind: dict[RecordKind, list[str]] = {}
    for ref in refs:
        by_kind.setdefault(ref.kind, []).append(ref.ref)
    return or_(false(), *(and_(record.c.kind == kind, record.c.ref.in_(found)) for kind, found in by_kind.items()))


def _emails(connection: Connection, ids: Collection[int]) -> dict[int, list[str]]:
    groups: dict[int, list[str]] = {}
    for owner, email in connection.execute(
        select(record_email.c.record_id, record_email.c.email).where(record_email.c.record_id.in_(ids))
    ):
        groups.setdefault(owner, []).append(email)
    return groups


def _related(
    connection: Connection, table: Table, other: Column[int], ids: Collection[int]
) -> dict[int, list[RoledRecord]]:
    statement = select(table.c.record_id, table.c.role, record.c.kind, record.c.ref)
    rows = connection.execute(statement.join(record, record.c.id == other).where(table.c.record_id.in_(ids)))
    groups: dict[int, list[RoledRecord]] = {}
    for owner, role, kind, ref in rows:
        groups.setdefault(owner, []).append(RoledRecord(role, RecordRef(RecordKind(kind), ref)))
    return groups


def _on_record(connection: Connection, ids: Collection[int]) -> dict[int, list[RoledUser]]:
    statement = select(record_user.c.record_id, record_user.c.role, user_account.c.email).join(
        user_account, user_account.c.id == record_user.c.user_id
    )
    groups: dict[int, list[RoledUser]] = {}
    for owner, role, email in connection.execute(statement.where(record_user.c.record_id.in_(ids))):
        groups.setdefault(owner, []).append(RoledUser(role, email))
    return groups


# -- judging --------------------------------------------------------------------------------------------------------


def plan(entry: RecordEntry, before: StoredRecord | None, found: Known, edition: Edition) -> RecordChange:
    """Judge an entry against what is there."""
    for ref in (entry.record, *entry.named_records()):
        check_edition(ref, edition)
    for ref in entry.named_records():
        if ref not in found.records:
            raise not_found(ref)
    after = _with_main_addresses(entry, found).apply(before.record if before else None)
    return RecordChange(before, _with_unseen(after, before, edition))


def seen(one: Record, edition: Edition) -> Record:
    """Leave out what is related to it but doesn't exist in the edition; it comes back with another."""
    return replace(one, relations=tuple(roled for roled in one.relations if exists_in(roled.record.kind, edition)))


def _with_unseen(after: Record, before: StoredRecord | None, edition: Edition) -> Record:
    """Keep what an admin couldn't see when giving the relations anew."""
    unseen = set(before.record.relations) - set(seen(before.record, edition).relations) if before else set()
    return replace(after, relations=sorted_records({*after.relations, *unseen})) if unseen else after


def _with_main_addresses(entry: RecordEntry, found: Known) -> RecordEntry:
    if entry.users is None:
        return entry
    for roled in entry.users:
        if roled.email not in found.users:
            raise NotFound(f"no user {roled.email}: add it with mailgate user add")
    users = {RoledUser(roled.role, found.users[roled.email][1]) for roled in entry.users}
    return replace(entry, users=tuple(users))


# -- writing --------------------------------------------------------------------------------------------------------


def save(connection: Connection, changes: Sequence[RecordChange], found: Known, actor: str, at: datetime) -> None:
    """Write what ``plan`` decided, the audit of it, and link where persons took part before."""
    new = [change.after for change in changes if change.before is None]
    differing = [change for change in changes if change.changed]
    added = _insert(connection, new, at)
    # the new records may name each other
    there = {**found.records, **{one.record: own for own, one in added.items()}}
    there |= _unseen_keys(connection, differing, there)
    _save_lists(connection, added | _update(connection, differing), differing, Known(there, found.users))
    acts = [Act("record added", str(one.record)) for one in new]
    acts += [Act("record changed", str(change.after.record), ", ".join(change.changed)) for change in differing]
    enter(connection, actor, at, acts)
    own = {email for change in changes for email in _to_link(change)}
    link_persons(connection, own | _emails_of_named(connection, changes, there))


def _unseen_keys(
    connection: Connection, differing: Sequence[RecordChange], there: Mapping[RecordRef, int]
) -> dict[RecordRef, int]:
    """Find the keys of relations that nobody named, but that stay."""
    stay = {roled.record for change in differing if "relations" in change.changed for roled in change.after.relations}
    return keys(connection, stay - set(there))


def _to_link(change: RecordChange) -> set[str]:
    """Give the addresses of a person that it just got; all of them where it just came to belong to somebody."""
    if change.after.record.kind.value not in PERSONS:
        return set()
    if change.before is None or "relations" in change.changed:
        return set(change.after.email)
    return set(change.after.email) - set(change.before.record.email)


def _emails_of_named(
    connection: Connection, changes: Sequence[RecordChange], there: Mapping[RecordRef, int]
) -> set[str]:
    """Give the addresses of the contacts that records name now and didn't before: an import adds contacts first."""
    named: set[int] = set()
    for change in changes:
        before = change.before.record.contacts if change.before else ()
        named.update(there[roled.record] for roled in set(change.after.contacts) - set(before))
    return {email for part in in_parts(named) for emails in _emails(connection, part).values() for email in emails}


def _insert(connection: Connection, records: Sequence[Record], at: datetime) -> dict[int, Record]:
    if not records:
        return {}
    rows = [{"kind": one.record.kind, "ref": one.record.ref, "created_at": at, **_columns(one)} for one in records]
    returning = insert(record).returning(record.c.id, record.c.kind, record.c.ref)
    by_name = {(one.record.kind.value, one.record.ref): one for one in records}
    return {row.id: by_name[row.kind, row.ref] for row in connection.execute(returning, rows)}


def _update(connection: Connection, changes: Sequence[RecordChange]) -> dict[int, Record]:
    ids = {change.before.id: change.after for change in changes if change.before}
    if ids:
        statement = update(record).where(record.c.id == bindparam("key"))
        connection.execute(statement, [{"key": own, **_columns(one)} for own, one in ids.items()])
    return ids


def _columns(one: Record) -> dict[str, object]:
    return {"name": one.name, "language": one.language, "state": one.state}


def _save_lists(
    connection: Connection, after: Mapping[int, Record], differing: Sequence[RecordChange], found: Known
) -> None:
    users = {main: own for own, main in found.users.values()}
    lists: tuple[tuple[str, Table, list[dict[str, object]]], ...] = (
        ("email", record_email, []),
        ("relations", record_relation, []),
        ("contacts", record_contact, []),
        ("users", record_user, []),
    )
    for field, table, rows in lists:
        old = [change.before.id for change in differing if change.before and field in change.changed]
        if old:
            connection.execute(delete(table).where(table.c.record_id.in_(old)))
        fresh = set(after) - {change.before.id for change in differing if change.before}
        for own in (*old, *fresh):
            rows += [{"record_id": own, **row} for row in _rows(field, after[own], found.records, users)]
        if rows:
            connection.execute(insert(table), rows)


def _rows(
    field: str, one: Record, records: Mapping[RecordRef, int], users: Mapping[str, int]
) -> list[dict[str, object]]:
    if field == "email":
        return [{"email": email} for email in one.email]
    if field == "relations":
        return [{"role": roled.role, "other_id": records[roled.record]} for roled in one.relations]
    if field == "contacts":
        return [{"role": roled.role, "contact_id": records[roled.record]} for roled in one.contacts]
    return [{"role": roled.role, "user_id": users[roled.email]} for roled in one.users]
