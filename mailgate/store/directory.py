"""Who and what is registered, for the path of a mail (``ports.Directory``): each question is asked anew, none cached.

Raises ``Deferred`` where the store doesn't answer. Addresses come folded (``domain.address``).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, bindparam, func, literal_column, select

from mailgate.domain.activity import Known, Side
from mailgate.domain.record import AddressState, RecordAddress, RecordKind, RecordRef, RecordState
from mailgate.domain.user import Language, Role, User, UserKind
from mailgate.ports import FoundAddress
from mailgate.store.database import Database
from mailgate.store.nearness import OWNERS_NEAR, Owners, Persons, nearest, steps
from mailgate.store.orders import in_parts
from mailgate.store.prepared import Asking, Row
from mailgate.store.tables import address, record, user_account, user_address, user_role
from mailgate.store.trouble import told

# made once: to build a statement takes as long as to run it
_ADDRESS = Asking(
    select(
        *(record.c.kind, record.c.ref, record.c.state.label("record_state")),
        *(address.c.state, address.c.created_at, address.c.expires_at, address.c.exposed_at, address.c.last_used_at),
    )
    .join(record, record.c.id == address.c.record_id)
    .where(address.c.local == bindparam("sought"))
)
_HAS = user_address.alias()
_USER = Asking(
    select(
        *(user_account.c.email, user_account.c.name, user_account.c.kind, user_account.c.language),
        *(user_account.c.enabled, user_account.c.accept_automatic),
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
_ANY_USER = Asking(select(user_account.c.id).limit(literal_column("1")))
_ANY_ADDRESS = Asking(select(address.c.id).limit(literal_column("1")))


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
        for kind, ref, record_state, state, created_at, expires_at, exposed_at, last_used_at in self._ask(
            _ADDRESS, {"sought": local}
        ):
            return FoundAddress(
                address=RecordAddress(
                    address=f"{local}@{self._domain}",
                    record=RecordRef(RecordKind(kind), ref),
                    state=AddressState(state),
                    created_at=created_at,
                    expires_at=expires_at,
                    exposed_at=exposed_at,
                    last_used_at=last_used_at,
                ),
                record_state=RecordState(record_state),
            )
        return None

    def find_user(self, email: str) -> User | None:
        """Look up the user whose main address or alias this is."""
        for main, name, kind, language, enabled, accept_automatic, roles, emails in self._ask(_USER, {"sought": email}):
            return User(
                email=main,
                name=name,
                kind=UserKind(kind),
                language=Language(language) if language else None,
                enabled=enabled,
                roles=frozenset(Role(role) for role in (roles or "").split()),
                aliases=tuple(sorted({*emails.split("\n")} - {main})),
                accept_automatic=accept_automatic,
            )
        return None

    def known(self, seen_from: RecordRef, emails: Collection[str]) -> Mapping[str, Known]:
        """Say who these addresses are, seen from a record (``ports.Directory.known``).

        Whoever is the only one with an address is found at some step, so the steps (``store.nearness``) are walked only
        where there are several.
        """
        found = Owners()
        for part in in_parts(emails):
            found.add(self._ask(OWNERS_NEAR, {"emails": part, "kind": seen_from.kind.value, "ref": seen_from.ref}))
        known = dict.fromkeys(found.users, Known(Side.INTERNAL))
        persons = {email: having for email, having in found.persons().items() if email not in found.users}
        walked: Sequence[set[int]] = ()
        if any(len(having.refs) > 1 for having in persons.values()):
            with self._reading() as connection:
                walked = _steps(connection, seen_from)
        return known | {email: _named(having, walked) for email, having in persons.items()}

    def has_users(self) -> bool:
        """Say whether any user is registered."""
        return bool(self._ask(_ANY_USER, {}))

    def has_addresses(self) -> bool:
        """Say whether any record address was ever made."""
        return bool(self._ask(_ANY_ADDRESS, {}))

    def _ask(self, question: Asking, given: Row) -> list[tuple[Any, ...]]:
        with told(self._database):
            return self._database.ask(question, given)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with told(self._database), self._database.read() as connection:
            yield connection


def _steps(connection: Connection, seen_from: RecordRef) -> Sequence[set[int]]:
    this = (record.c.kind == seen_from.kind.value, record.c.ref == seen_from.ref)
    own = connection.scalar(select(record.c.id).where(*this))
    return () if own is None else steps(connection, own)


def _named(persons: Persons, walked: Sequence[set[int]]) -> Known:
    found = nearest(persons.refs, walked)
    named = None if found is None else persons.refs[found]
    return Known(Side.EXTERNAL, record=named, ambiguous=found is None, near=persons.near)
