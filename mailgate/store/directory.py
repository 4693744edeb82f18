"""Who and what is registered, for the path of a mail (``ports.Directory``): each question is asked anew, none cached.

Raises ``Deferred`` where the store doesn't answer. Addresses come folded (``domain.address``).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Row, Select, select

from mailgate.domain.activity import Known, Side
from mailgate.domain.record import AddressState, RecordAddress, RecordKind, RecordRef, RecordState
from mailgate.domain.user import Language, Role, User, UserKind
from mailgate.ports import FoundAddress
from mailgate.store.database import Database
from mailgate.store.orders import in_parts
from mailgate.store.tables import (
    address,
    record,
    record_contact,
    record_email,
    record_relation,
    user_account,
    user_address,
    user_role,
)
from mailgate.store.trouble import told

PERSONS = (RecordKind.CONTACT.value, RecordKind.LEAD.value)
CLIENT_ROLES = ("customer", "intermediary", "agency")


class Directory:
    """``domain`` is that of the record addresses, folded; addresses of another are unknown."""

    def __init__(self, database: Database, domain: str) -> None:
        self._database = database
        self._domain = domain

    def find_address(self, whole: str) -> FoundAddress | None:
        """Look up a record address by its local part, in whatever state it is."""
        local, _, domain = whole.rpartition("@")
        if domain != self._domain:
            return None
        with self._reading() as connection:
            row = connection.execute(
                select(address, record.c.kind, record.c.ref, record.c.state.label("record_state"))
                .join(record, record.c.id == address.c.record_id)
                .where(address.c.local == local)
            ).first()
        if row is None:
            return None
        return FoundAddress(
            address=RecordAddress(
                address=f"{row.local}@{self._domain}",
                record=_ref(row),
                state=AddressState(row.state),
                created_at=row.created_at,
                expires_at=row.expires_at,
                exposed_at=row.exposed_at,
                last_used_at=row.last_used_at,
            ),
            record_state=RecordState(row.record_state),
        )

    def find_user(self, email: str) -> User | None:
        """Look up the user whose main address or alias this is."""
        with self._reading() as connection:
            row = connection.execute(
                select(user_account)
                .join(user_address, user_address.c.user_id == user_account.c.id)
                .where(user_address.c.email == email)
            ).first()
            if row is None:
                return None
            roles = connection.scalars(select(user_role.c.role).where(user_role.c.user_id == row.id)).all()
            emails = connection.scalars(select(user_address.c.email).where(user_address.c.user_id == row.id)).all()
        return User(
            email=row.email,
            name=row.name,
            kind=UserKind(row.kind),
            language=Language(row.language) if row.language else None,
            enabled=row.enabled,
            roles=frozenset(Role(role) for role in roles),
            aliases=tuple(sorted(set(emails) - {row.email})),
        )

    def known(self, seen_from: RecordRef, emails: Collection[str]) -> Mapping[str, Known]:
        """Say who these addresses are, seen from a record (``ports.Directory.known``).

        On a record are the contacts it names and, on a customer, the persons that name it as theirs. Whoever is the
        only one with an address is found at some step, so the steps are walked only where there are several.
        """
        found: dict[str, Known] = {}
        with self._reading() as connection:
            users = _users_among(connection, emails)
            found.update(dict.fromkeys(users, Known(Side.INTERNAL)))
            persons = _persons_among(connection, [email for email in emails if email not in users])
            several = {email for email, rows in persons.items() if len(rows) > 1}
            steps = _steps(connection, seen_from) if several else ()
        for email, rows in persons.items():
            found[email] = _nearest(rows, steps)
        return found

    def has_users(self) -> bool:
        """Say whether any user is registered."""
        return self._any(select(user_account.c.id))

    def has_addresses(self) -> bool:
        """Say whether any record address was ever made."""
        return self._any(select(address.c.id))

    def _any(self, statement: Select[int]) -> bool:
        with self._reading() as connection:
            return connection.execute(statement.limit(1)).first() is not None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with told(self._database), self._database.read() as connection:
            yield connection


def _ref(row: Row[*tuple[object, ...]]) -> RecordRef:
    return RecordRef(RecordKind(row.kind), row.ref)


def _users_among(connection: Connection, emails: Collection[str]) -> set[str]:
    found: set[str] = set()
    for part in in_parts(emails):
        found.update(connection.scalars(select(user_address.c.email).where(user_address.c.email.in_(part))))
    return found


def _persons_among(connection: Connection, emails: Collection[str]) -> dict[str, list[tuple[int, RecordRef]]]:
    found: dict[str, list[tuple[int, RecordRef]]] = {}
    for part in in_parts(emails):
        rows = connection.execute(
            select(record_email.c.email, record.c.id, record.c.kind, record.c.ref)
            .join(record, record.c.id == record_email.c.record_id)
            .where(record_email.c.email.in_(part), record.c.kind.in_(PERSONS))
        )
        for row in rows:
            found.setdefault(row.email, []).append((row.id, _ref(row)))
    return found


def _steps(connection: Connection, seen_from: RecordRef) -> Sequence[set[int]]:
    """Give the ids of the persons at each step: on the record, then on its clients."""
    own = connection.scalar(
        select(record.c.id).where(record.c.kind == seen_from.kind.value, record.c.ref == seen_from.ref)
    )
    if own is None:
        return ()
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


def _persons_on(connection: Connection, records: set[int]) -> set[int]:
    named = select(record_contact.c.contact_id).where(record_contact.c.record_id.in_(records))
    belonging = select(record_relation.c.record_id).where(
        record_relation.c.other_id.in_(records), record_relation.c.role == CLIENT_ROLES[0]
    )
    return set(connection.scalars(named)) | set(connection.scalars(belonging))


def _nearest(rows: Sequence[tuple[int, RecordRef]], steps: Sequence[set[int]]) -> Known:
    here = [[ref for number, ref in rows if number in step] for step in steps]
    at = next((refs for refs in here if refs), [ref for _, ref in rows])
    return Known(Side.EXTERNAL, record=at[0]) if len(at) == 1 else Known(Side.EXTERNAL, ambiguous=True)
