"""Who may take part in a hand-made activity: the contacts and users that its record knows.

Contacts are those on the record, its customer, intermediary and agency, and the record itself where it is a contact or
lead; users are those on the record, in whatever role, enabled or not: they may have been there. Others are refused by
name with ``BadInput``, which names some that could be chosen. A person is kept with its first address, if it has any.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, or_, select

from mailgate.domain.activity import Participant, Side
from mailgate.domain.record import RecordKind, RecordRef
from mailgate.errors import BadInput
from mailgate.store import register
from mailgate.store.nearness import steps
from mailgate.store.orders import in_parts
from mailgate.store.tables import record, record_email, record_user, user_account
from mailgate.store.users import load as load_users

MANY = 6  # to choose from: a refusal names one less


@dataclass(frozen=True, slots=True)
class KeyedRecord:
    """The record that an activity is on, with its key."""

    key: int
    ref: RecordRef


def contacts(connection: Connection, on: KeyedRecord, wanted: Collection[RecordRef]) -> list[Participant]:
    """Make participants of these contacts; ``BadInput`` names the first that is none of the record's."""
    if not wanted:
        return []
    there = set[int]().union(*steps(connection, on.key))
    keys = register.keys(connection, wanted)
    for ref in wanted:
        if not (_is_person(ref, on) and keys.get(ref) in there):
            choice = _choice(_some_persons(connection, there, on))
            raise BadInput(f"contact: {ref} is no contact of {on.ref} or its customer, intermediary, agency: {choice}")
    return _persons(connection, {ref: keys[ref] for ref in wanted})


def _is_person(ref: RecordRef, on: KeyedRecord) -> bool:
    """A contact, or the lead that the activity itself is on."""
    return ref.kind is RecordKind.CONTACT or (ref.kind is RecordKind.LEAD and ref == on.ref)


def _some_persons(connection: Connection, there: Collection[int], on: KeyedRecord) -> list[str]:
    found: list[str] = []
    person = or_(
        record.c.kind == RecordKind.CONTACT.value,
        and_(record.c.kind == RecordKind.LEAD.value, record.c.id == on.key),
    )
    for part in in_parts(sorted(there)):
        rows = connection.execute(select(record.c.kind, record.c.ref).where(record.c.id.in_(part), person).limit(MANY))
        found += [f"{kind}:{ref}" for kind, ref in rows]
        if len(found) >= MANY:
            break
    return sorted(found)


def _choice(names: Sequence[str]) -> str:
    """Say what can be chosen, cut at a handful."""
    if not names:
        return "there is none to choose from"
    more = " and others" if len(names) >= MANY else ""
    return f"choose among {', '.join(names[: MANY - 1])}{more}"


def _persons(connection: Connection, keys: Mapping[RecordRef, int]) -> list[Participant]:
    owned = record_email.c.record_id.in_(keys.values())
    first = select(record_email.c.record_id, func.min(record_email.c.email)).where(owned)
    emails = {row[0]: row[1] for row in connection.execute(first.group_by(record_email.c.record_id))}
    named = select(record.c.id, record.c.name).where(record.c.id.in_(keys.values()))
    names = {row.id: row.name for row in connection.execute(named)}
    return [
        Participant(email=emails.get(key, ""), name=names[key], header="", side=Side.EXTERNAL, record=ref)
        for ref, key in keys.items()
    ]


def users(connection: Connection, on: KeyedRecord, wanted: Collection[str]) -> list[Participant]:
    """Make participants of the users with these addresses; ``BadInput`` names the first who isn't on the record."""
    if not wanted:
        return []
    on_record = select(record_user.c.user_id).where(record_user.c.record_id == on.key)
    statement = select(user_account.c.id, user_account.c.email, user_account.c.name)
    rows = connection.execute(statement.where(user_account.c.id.in_(on_record)).order_by(user_account.c.email)).all()
    there = {row.id: Participant(email=row.email, name=row.name, header="", side=Side.INTERNAL) for row in rows}
    stored = load_users(connection, wanted)
    for email in wanted:
        if email not in stored or stored[email].id not in there:
            raise BadInput(f"user: {email} is not on {on.ref}: {_choice([one.email for one in there.values()])}")
    return list({stored[email].id: there[stored[email].id] for email in wanted}.values())
