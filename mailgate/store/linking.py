"""Linking afterwards: whoever is registered later is found in what was logged before.

Where an address took part that was nobody's, it becomes internal once it is a user's, and is linked to the contact or
lead that it becomes an address of: the only one who has it, else the nearest to the activity's record (as
``ports.Directory.known`` would say), else nobody. What is linked or internal already stays as it is, also when the
address later changes hands, its owner is disabled or an alias is taken away: it was theirs when they wrote. Only
``participation.side`` and ``participation.record_id`` change, never what was sent; a note ``contact_ambiguous`` stays,
as it says how things stood when the mail came.

A mail may be on its way meanwhile: looked at before somebody is registered, and committed after. So whoever writes
participants calls ``look_again`` in its own transaction for those that are nobody's. On SQLite that is enough, as
writers take turns. On PostgreSQL it holds a lock, shared among mails, until its commit; a registration takes it alone.
So a registration finds all mails that didn't look again after it, and a mail finds all registrations before its look.
A registration takes the lock last, holding nothing that a mail waits for; a mail waits no longer than one chunk of an
import takes to commit.

Costs: a few indexed statements per 500 addresses. Only where several persons have an address the steps are walked once
per record that it appears on. Limits: of several persons with one address, who are not added in one transaction, the
first gets all its earlier appearances.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    func,
    null,
    select,
    text,
    union_all,
    update,
)

from mailgate.domain.activity import Side
from mailgate.store.nearness import PERSONS, nearest, persons_among, steps, users_among
from mailgate.store.orders import in_parts
from mailgate.store.prepared import Asking
from mailgate.store.tables import participation, record, record_email, user_address

_PG_LOCK = 0x6D67_6C69  # of advisory locks, whose numbers a database shares among all that use it

_AMONG_MAILS = text(f"SELECT pg_advisory_xact_lock_shared({_PG_LOCK})")
_WITHOUT_MAILS = text(f"SELECT pg_advisory_xact_lock({_PG_LOCK})")

_EMAILS: BindParameter[str] = bindparam("emails", expanding=True)
_OWNERS = Asking(
    union_all(
        select(user_address.c.email, null().label("key"), null().label("kind")).where(
            user_address.c.email.in_(_EMAILS)
        ),
        select(record_email.c.email, record.c.id, record.c.kind)
        .join(record, record.c.id == record_email.c.record_id)
        .where(record_email.c.email.in_(_EMAILS)),
    ),
    emails="",
)

# not IS NULL: most rows are nobody's, and the index that finds those is tempting where the one by address is right
_NOBODYS = and_(participation.c.side == Side.EXTERNAL.value, func.coalesce(participation.c.record_id, 0) == 0)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an address is by now: a user's, or the contact's or lead's with this key; neither where several have it."""

    side: Side
    person: int | None = None


def link_users(connection: Connection, emails: Collection[str]) -> None:
    """Make internal what these addresses took part in as nobody's; the caller just made them users'."""
    _keep_mails_off(connection, emails)
    for part in in_parts(sorted(emails)):
        connection.execute(update(participation).where(_of(part)).values(side=Side.INTERNAL.value))


def link_persons(connection: Connection, emails: Collection[str]) -> None:
    """Link what these addresses took part in as nobody's; the caller just made them a contact's or lead's."""
    _keep_mails_off(connection, emails)
    link_again(connection, emails)


def link_again(connection: Connection, emails: Collection[str]) -> None:
    """Do the same where nobody was registered but fewer persons have the addresses now. Takes no lock."""
    for part in in_parts(sorted(emails)):
        seen = connection.scalars(select(participation.c.email).where(_of(part)).distinct()).all()
        persons = persons_among(connection, set(seen) - users_among(connection, seen))
        _link_only(connection, {email: key for email, found in persons.items() if len(found) == 1 for key in found})
        _link_nearest(connection, {email: found for email, found in persons.items() if len(found) > 1})


def look_again(connection: Connection, unknown: Collection[tuple[int, str]]) -> Mapping[tuple[int, str], Owner]:
    """Say whose these addresses (with the key of the record they are seen from) are by now; without those of nobody.

    The answer holds until the caller's transaction ends.
    """
    if not unknown:
        return {}
    if connection.dialect.name == "postgresql":
        connection.execute(_AMONG_MAILS)
    users, persons = _owners(connection, {email for _, email in unknown})
    owners = {seen: Owner(Side.INTERNAL) for seen in unknown if seen[1] in users}
    several: dict[int, set[str]] = {}
    for seen_from, email in unknown:
        if email in users:
            continue
        if len(persons.get(email, ())) > 1:
            several.setdefault(seen_from, set()).add(email)
        elif email in persons:
            owners[seen_from, email] = Owner(Side.EXTERNAL, *persons[email])
    for seen_from, ambiguous in several.items():
        walked = steps(connection, seen_from)
        owners.update(
            {(seen_from, email): Owner(Side.EXTERNAL, nearest(persons[email], walked)) for email in ambiguous}
        )
    return owners


def _owners(connection: Connection, emails: Iterable[str]) -> tuple[set[str], Mapping[str, set[int]]]:
    """Find users and persons in one statement: every mail pays for it."""
    users: set[str] = set()
    persons: dict[str, set[int]] = {}
    for part in in_parts(emails):
        for email, key, kind in _OWNERS.rows(connection, {"emails": part}):
            if key is None:
                users.add(email)
            elif kind in PERSONS:
                persons.setdefault(email, set()).add(key)
    return users, persons


def _keep_mails_off(connection: Connection, emails: Collection[str]) -> None:
    if emails and connection.dialect.name == "postgresql":
        connection.execute(_WITHOUT_MAILS)


def _of(emails: Iterable[str]) -> ColumnElement[bool]:
    return and_(participation.c.email.in_(list(emails)), _NOBODYS)


def _link_only(connection: Connection, persons: Mapping[str, int]) -> None:
    if not persons:
        return
    one = update(participation).where(participation.c.email == bindparam("address"), _NOBODYS)
    rows = [{"address": email, "person": persons[email]} for email in sorted(persons)]
    connection.execute(one.values(record_id=bindparam("person")), rows)


def _link_nearest(connection: Connection, persons: Mapping[str, Collection[int]]) -> None:
    if not persons:
        return
    on, email = participation.c.activity_record_id, participation.c.email
    appearances = select(on, email).where(_of(persons)).distinct().order_by(on, email)
    for seen_from, rows in groupby(connection.execute(appearances).all(), key=lambda row: row[0]):
        walked = steps(connection, seen_from)
        for _, each in rows:
            person = nearest(persons[each], walked)
            if person is not None:
                here = update(participation).where(_of([each]), on == seen_from)
                connection.execute(here.values(record_id=person))
