"""Who and what is registered, for the path of a mail (``ports.Directory``): each question is asked anew, none cached.

Raises ``Deferred`` where the store doesn't answer. Addresses come folded (``domain.address``).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Row, Select, bindparam, func, select

from mailgate.domain.activity import Known, Side
from mailgate.domain.record import AddressState, RecordAddress, RecordKind, RecordRef, RecordState
from mailgate.domain.user import Language, Role, User, UserKind
from mailgate.ports import FoundAddress
from mailgate.store.database import Database
from mailgate.store.nearness import Persons, nearest, persons_near, steps, users_among
from mailgate.store.tables import address, record, user_account, user_address, user_role
from mailgate.store.trouble import told

# made once: to build a statement takes as long as to run it
_ADDRESS = (
    select(address, record.c.kind, record.c.ref, record.c.state.label("record_state"))
    .join(record, record.c.id == address.c.record_id)
    .where(address.c.local == bindparam("sought"))
)
_HAS = user_address.alias()
_USER = (
    select(
        user_account,
        # neither has line breaks within
        select(func.aggregate_strings(user_role.c.role, "\n"))
        .where(user_role.c.user_id == user_account.c.id)
        .scalar_subquery()
        .label("roles"),
        select(func.aggregate_strings(_HAS.c.email, "\n"))
        .where(_HAS.c.user_id == user_account.c.id)
        .scalar_subquery()
        .label("emails"),
    )
    .join(user_address, user_address.c.user_id == user_account.c.id)
    .where(user_address.c.email == bindparam("sought"))
)


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
            row = connection.execute(_ADDRESS, {"sought": local}).first()
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
            row = connection.execute(_USER, {"sought": email}).first()
        if row is None:
            return None
        return User(
            email=row.email,
            name=row.name,
            kind=UserKind(row.kind),
            language=Language(row.language) if row.language else None,
            enabled=row.enabled,
            roles=frozenset(Role(role) for role in (row.roles or "").split()),
            aliases=tuple(sorted({*row.emails.split("\n")} - {row.email})),
            accept_automatic=row.accept_automatic,
        )

    def known(self, seen_from: RecordRef, emails: Collection[str]) -> Mapping[str, Known]:
        """Say who these addresses are, seen from a record (``ports.Directory.known``).

        Whoever is the only one with an address is found at some step, so the steps (``store.nearness``) are walked only
        where there are several.
        """
        found: dict[str, Known] = {}
        with self._reading() as connection:
            users = users_among(connection, emails)
            found.update(dict.fromkeys(users, Known(Side.INTERNAL)))
            persons = persons_near(connection, seen_from, [email for email in emails if email not in users])
            several = any(len(having.refs) > 1 for having in persons.values())
            walked = _steps(connection, seen_from) if several else ()
        for email, having in persons.items():
            found[email] = _named(having, walked)
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


def _steps(connection: Connection, seen_from: RecordRef) -> Sequence[set[int]]:
    this = (record.c.kind == seen_from.kind.value, record.c.ref == seen_from.ref)
    own = connection.scalar(select(record.c.id).where(*this))
    return () if own is None else steps(connection, own)


def _named(persons: Persons, walked: Sequence[set[int]]) -> Known:
    found = nearest(persons.refs, walked)
    named = None if found is None else persons.refs[found]
    return Known(Side.EXTERNAL, record=named, ambiguous=found is None, near=persons.near)
