"""Who owns an address, and which of several owners is nearest to a record.

The steps from a record are: the record itself and the persons on it, then its customer, intermediary and agency and
the persons on those. On a record are the contacts it names and, on a customer, the persons that name it as theirs.
Addresses come folded (``domain.address``). Costs an indexed statement per 500 addresses; for a walk two, and four more
per 500 clients. Who is at any step at all is asked without a walk, in the statement that finds the persons: each
of them is looked up among the few records at whose persons a walk would look.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import BindParameter, Connection, Select, bindparam, exists, func, null, or_, select, union_all

from mailgate.domain.record import RecordKind, RecordRef
from mailgate.store.orders import in_parts
from mailgate.store.prepared import Asking
from mailgate.store.tables import record, record_contact, record_email, record_relation, user_address

PERSONS = (RecordKind.CONTACT.value, RecordKind.LEAD.value)
CLIENT_ROLES = ("customer", "intermediary", "agency")


_EMAILS: BindParameter[str] = bindparam("emails", expanding=True)
_USERS = select(user_address.c.email).where(user_address.c.email.in_(_EMAILS))


@dataclass(frozen=True, slots=True)
class Persons:
    """The contacts and leads that have an address: their names by key; ``near`` where one is at a step of a record."""

    refs: Mapping[int, RecordRef]
    near: bool


def users_among(connection: Connection, emails: Iterable[str]) -> set[str]:
    """Pick the addresses that are users', as main address or alias."""
    found: set[str] = set()
    for part in in_parts(emails):
        found.update(connection.scalars(_USERS, {"emails": part}))
    return found


def persons_among(connection: Connection, emails: Iterable[str]) -> dict[str, dict[int, RecordRef]]:
    """Find the contacts and leads that have these addresses: keys and names, by address."""
    found: dict[str, dict[int, RecordRef]] = {}
    for part in in_parts(emails):
        rows = connection.execute(
            select(record_email.c.email, record.c.id, record.c.kind, record.c.ref)
            .join(record, record.c.id == record_email.c.record_id)
            .where(record_email.c.email.in_(part))
        )
        for row in rows:
            if row.kind in PERSONS:  # asked in SQL, SQLite would begin with all records of these kinds
                found.setdefault(row.email, {})[row.id] = RecordRef(RecordKind(row.kind), row.ref)
    return found


class Owners:
    """Whose addresses are, gathered from the rows of ``OWNERS_NEAR``."""

    def __init__(self) -> None:
        self.users: set[str] = set()
        self._refs: dict[str, dict[int, RecordRef]] = {}
        self._near: set[str] = set()

    def add(self, rows: Iterable[tuple[str, int | None, str, str, bool]]) -> None:
        """Take rows."""
        for email, key, kind, ref, near in rows:
            if key is None:
                self.users.add(email)
            elif kind in PERSONS:  # the same
                self._refs.setdefault(email, {})[key] = RecordRef(RecordKind(kind), ref)
                self._near |= {email} if near else set()

    def persons(self) -> dict[str, Persons]:
        """Give the contacts and leads that have the addresses."""
        return {email: Persons(refs, email in self._near) for email, refs in self._refs.items()}


def _persons_near() -> "Select[tuple[str, int, str, str, bool]]":
    own = select(record.c.id).where(record.c.kind == bindparam("kind"), record.c.ref == bindparam("ref")).cte("own")
    is_own = select(own.c.id)
    related = select(record_relation.c.other_id).where(
        record_relation.c.record_id.in_(is_own), record_relation.c.role.in_(CLIENT_ROLES)
    )
    customer = record.alias()
    is_customer = func.coalesce(customer.c.kind, "") == RecordKind.CUSTOMER.value  # bare, SQLite would begin with all
    naming = (
        select(record_contact.c.record_id)
        .join(customer, customer.c.id == record_contact.c.record_id)
        .where(record_contact.c.contact_id.in_(is_own), is_customer)
    )
    places = is_own.union(related, naming).cte("places")
    there = select(places.c.id)
    named = exists().where(record_contact.c.contact_id == record.c.id, record_contact.c.record_id.in_(there))
    belonging = exists().where(
        record_relation.c.record_id == record.c.id,
        record_relation.c.role == CLIENT_ROLES[0],
        record_relation.c.other_id.in_(there),
    )
    near = or_(record.c.id.in_(there), named, belonging).label("near")
    return (
        select(record_email.c.email, record.c.id, record.c.kind, record.c.ref, near)
        .join(record, record.c.id == record_email.c.record_id)
        .where(record_email.c.email.in_(_EMAILS))
    )


# users (without a key) and persons in one statement: every mail pays for it, and both are of one moment
OWNERS_NEAR = Asking(
    union_all(
        select(user_address.c.email, null(), null(), null(), null()).where(user_address.c.email.in_(_EMAILS)),
        _persons_near(),
    ),
    emails="",
)


def steps(connection: Connection, own: int) -> Sequence[set[int]]:
    """Walk from a record: the keys of the persons (and of the records they stand on) at each step."""
    related = select(record_relation.c.other_id).where(
        record_relation.c.record_id == own, record_relation.c.role.in_(CLIENT_ROLES)
    )
    # a contact belongs to the customer that names it, too
    naming = (
        select(record_contact.c.record_id)
        .join(record, record.c.id == record_contact.c.record_id)
        .where(record_contact.c.contact_id == own, record.c.kind == RecordKind.CUSTOMER.value)
    )
    clients = set(connection.scalars(related)) | set(connection.scalars(naming))
    return ({own} | _persons_on(connection, {own}), clients | _persons_on(connection, clients))


def nearest(persons: Collection[int], walked: Sequence[set[int]]) -> int | None:
    """Pick the only person at the first step that has any of them, else the only one; ``None`` where several are."""
    here = [[key for key in persons if key in step] for step in walked]
    at = next((keys for keys in here if keys), list(persons))
    return at[0] if len(at) == 1 else None


def _persons_on(connection: Connection, records: Collection[int]) -> set[int]:
    found: set[int] = set()
    for part in in_parts(records):
        named = select(record_contact.c.contact_id).where(record_contact.c.record_id.in_(part))
        belonging = select(record_relation.c.record_id).where(
            record_relation.c.other_id.in_(part), record_relation.c.role == CLIENT_ROLES[0]
        )
        found.update(connection.scalars(named), connection.scalars(belonging))
    return found
