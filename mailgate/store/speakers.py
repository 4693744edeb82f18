"""Which languages are set on users, contacts and records (``ports.Speakers``): read anew at each question.

Addresses come folded (``domain.address``). Costs a few statements per 500 addresses, whatever the record.
"""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, select

from mailgate.domain.record import RecordKind, RecordRef
from mailgate.domain.user import Language
from mailgate.store import register
from mailgate.store.database import Database
from mailgate.store.nearness import CLIENT_ROLES, persons_among, steps
from mailgate.store.orders import in_parts
from mailgate.store.tables import record, record_contact, record_relation, user_account, user_address

CUSTOMER = CLIENT_ROLES[0]


class Speakers:
    """The languages that are set in an instance."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def users(self, emails: Collection[str]) -> Mapping[str, Language | None]:
        """Give the languages set on users."""
        columns = select(user_address.c.email, user_account.c.language).join(user_account)
        found: dict[str, Language | None] = {}
        with self._database.read() as connection:
            for part in in_parts(emails):
                rows = connection.execute(columns.where(user_address.c.email.in_(part)))
                found.update({row.email: _language(row.language) for row in rows})
        return found

    def contacts(self, seen_from: RecordRef, emails: Collection[str]) -> Mapping[str, Language]:
        """Give the languages set on contacts, or on their customers."""
        with self._database.read() as connection:
            persons = persons_among(connection, emails)
            walked = _walk(connection, seen_from)
            near = {email: _nearest(set(found), walked) for email, found in persons.items()}
            asked = set[int]().union(*near.values())
            own = _languages(connection, asked)
            customers = _customers(connection, asked - set(own))
            clients = walked[1] if walked else set[int]()
            theirs = _languages(connection, set[int]().union(*customers.values()))
        chosen = {email: _choose(found, own, customers, clients, theirs) for email, found in near.items()}
        return {email: language for email, language in chosen.items() if language is not None}

    def language(self, of: RecordRef) -> Language | None:
        """Give the language set on a record."""
        statement = select(record.c.language).where(record.c.kind == of.kind.value, record.c.ref == of.ref)
        with self._database.read() as connection:
            row = connection.execute(statement).first()
        if row is None:
            raise register.not_found(of)
        return _language(row.language)


def _language(code: str | None) -> Language | None:
    return Language(code) if code else None


def _walk(connection: Connection, seen_from: RecordRef) -> tuple[set[int], set[int]] | None:
    keys = register.keys(connection, [seen_from])
    if seen_from not in keys:
        return None
    here, clients = steps(connection, keys[seen_from])
    return here, clients


def _nearest(persons: set[int], walked: Iterable[set[int]] | None) -> set[int]:
    """Pick those at the first step that has any, else all."""
    return next((persons & step for step in walked or () if persons & step), persons)


def _choose(
    persons: set[int],
    own: Mapping[int, Language],
    customers: Mapping[int, set[int]],
    clients: Collection[int],
    theirs: Mapping[int, Language],
) -> Language | None:
    """Take the one language set on these persons, else the one on their customers; ``None`` where they disagree."""
    said = {own[person] for person in persons if person in own}
    if not said:
        belonging = set[int]().union(*(customers.get(person, set()) for person in persons))
        related = belonging & set(clients)
        said = {theirs[customer] for customer in related or belonging if customer in theirs}
    return said.pop() if len(said) == 1 else None


def _languages(connection: Connection, records: Iterable[int]) -> dict[int, Language]:
    found: dict[int, Language] = {}
    for part in in_parts(records):
        columns = select(record.c.id, record.c.language)
        rows = connection.execute(columns.where(record.c.id.in_(part), record.c.language.is_not(None)))
        found.update({row.id: Language(row.language) for row in rows})
    return found


def _customers(connection: Connection, persons: Iterable[int]) -> dict[int, set[int]]:
    """Find the customers that persons name as theirs, and those that name them."""
    found: dict[int, set[int]] = {}
    named = select(record_relation.c.record_id, record_relation.c.other_id).where(record_relation.c.role == CUSTOMER)
    naming = (
        select(record_contact.c.contact_id, record_contact.c.record_id)
        .join(record, record.c.id == record_contact.c.record_id)
        .where(record.c.kind == RecordKind.CUSTOMER.value)
    )
    for part in in_parts(persons):
        for statement, person in ((named, record_relation.c.record_id), (naming, record_contact.c.contact_id)):
            for key, customer in connection.execute(statement.where(person.in_(part))):
                found.setdefault(key, set()).add(customer)
    return found
