"""What a wish means in this database: which records and whom, and what may lead the search for it.

``NotFound`` names a contact or lead that isn't there. Whoever else is unknown is looked for as an address.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, select, union

from mailgate.domain.activity import Side
from mailgate.domain.listing import PERSONS, Wish
from mailgate.domain.record import RecordRef
from mailgate.store import register
from mailgate.store.tables import record, record_contact, record_email, record_relation, user_address


@dataclass(frozen=True, slots=True)
class Person:
    """A participant: by addresses on one side, and by the records that they are linked to."""

    side: Side
    emails: Sequence[str]
    records: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """A wish with what the database knows of it, and what leads it, or may lead it."""

    records: Sequence[int]
    wish: Wish
    external: Person | None
    internal: Person | None
    leaders: Sequence[Side | None]  # None: the activities themselves

    @property
    def leading(self) -> Side | None:
        """What leads, where that is settled."""
        (only,) = self.leaders
        return only


def look_up(connection: Connection, record_id: int, wish: Wish) -> Search:
    """Look up which records and whom a wish means; ``NotFound`` for a contact or lead."""
    external = _external(connection, wish.external) if wish.external is not None else None
    internal = _internal(connection, wish.internal) if wish.internal is not None else None
    return Search(_records(connection, record_id, wish), wish, external, internal, leaders(wish))


def look_again(connection: Connection, search: Search, record_id: int) -> Search:
    """Look up anew which records and whom a wish means: some may have been merged."""
    return replace(look_up(connection, record_id, search.wish), leaders=search.leaders)


def _records(connection: Connection, own: int, wish: Wish) -> Sequence[int]:
    """Give the records of a listing: itself, and those one relation away in either direction and any role."""
    if not wish.affiliations:
        return [own]
    related = union(
        select(record_relation.c.other_id.label("record_id")).where(record_relation.c.record_id == own),
        select(record_relation.c.record_id).where(record_relation.c.other_id == own),
        select(record_contact.c.contact_id).where(record_contact.c.record_id == own),
        select(record_contact.c.record_id).where(record_contact.c.contact_id == own),
    ).subquery("related")
    kind = select(record.c.kind).where(record.c.id == related.c.record_id).scalar_subquery()
    found = connection.scalars(select(related.c.record_id).where(kind.in_(wish.affiliations))).all()
    return sorted({*found, *([own] if wish.own else [])})


def _external(connection: Connection, who: str | RecordRef) -> Person:
    """Give a person by an address of its own or as a record.

    Of a record, an address that others have too isn't the person's: what came to it is theirs who it is linked to.
    """
    if isinstance(who, str):
        return Person(Side.EXTERNAL, (who,), connection.scalars(_owners(who)).all())
    keys = register.keys(connection, [who])
    if who not in keys:
        raise register.not_found(who)
    emails = connection.scalars(select(record_email.c.email).where(record_email.c.record_id == keys[who])).all()
    own = [email for email in emails if len(connection.scalars(_owners(email)).all()) == 1]
    return Person(Side.EXTERNAL, own, (keys[who],))


def _owners(email: str) -> Select[Any]:
    return (
        select(record_email.c.record_id)
        .join(record, record.c.id == record_email.c.record_id)
        .where(record_email.c.email == email, record.c.kind.in_(PERSONS))
    )


def _internal(connection: Connection, email: str) -> Person:
    user = select(user_address.c.user_id).where(user_address.c.email == email).scalar_subquery()
    emails = connection.scalars(select(user_address.c.email).where(user_address.c.user_id == user)).all()
    return Person(Side.INTERNAL, emails or (email,))


def leaders(wish: Wish) -> Sequence[Side | None]:
    """Say what may lead: each thing that is asked for, or the activities where nothing is.

    The rarer first, as a rule; but a user has a sequence for each address on each record, the activities have one.
    """
    externals: list[Side | None] = [] if wish.external is None else [Side.EXTERNAL]
    internals: list[Side | None] = [] if wish.internal is None else [Side.INTERNAL]
    is_narrowed = bool(wish.type or wish.topic or wish.done is not None)
    return [*externals, *([None] if is_narrowed or not (externals or internals) else []), *internals]
