"""Users as admins keep them: add, change, give a further address, disable, remove.

An address belongs to one user only, be it as main address or alias, and no record address is a user's. A user is named
by any of its addresses. Refuses, with ``BadInput``: adding who exists, an address that is taken, removing a user whom
activities or audit need, making a user who has activities a system user or no longer one: what a system user recorded
nobody deletes, what others did they may. ``NotFound`` names the user who isn't there.

``load``, ``plan`` and ``save`` work on many users at once, for imports; they hold no rule twice.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Column, ColumnElement, Connection, bindparam, delete, exists, insert, or_, select, update

from mailgate.domain import address
from mailgate.domain.entry import UserEntry
from mailgate.domain.routing import is_ours
from mailgate.domain.user import Language, Role, User, UserKind
from mailgate.errors import BadInput, NotFound
from mailgate.store import again
from mailgate.store.audit import Act, enter, utc_now
from mailgate.store.database import Database
from mailgate.store.linking import link_users
from mailgate.store.orders import in_parts
from mailgate.store.tables import activity, audit, record_user, removal, user_account, user_address, user_role

PAGE = 500


@dataclass(frozen=True, slots=True)
class StoredUser:
    """A user with its key in the database."""

    id: int
    user: User


@dataclass(frozen=True, slots=True)
class UserChange:
    """A user before and after; ``before`` is ``None`` for a new one."""

    before: StoredUser | None
    after: User

    @property
    def changed(self) -> tuple[str, ...]:
        """Name the fields that differ."""
        if self.before is None:
            return ()
        old = self.before.user
        return tuple(name for name in User.__slots__ if getattr(old, name) != getattr(self.after, name))


class Users:
    """The users of an instance. ``domain`` is that of the record addresses, folded."""

    def __init__(self, database: Database, domain: str, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self.domain = domain
        self._now = now

    def add(self, entry: UserEntry, *, actor: str) -> User:
        """Register a user; ``BadInput`` if it is there."""

        def work(connection: Connection) -> User:
            stored = load(connection, addresses_of(entry))
            if entry.email in stored:
                raise BadInput(f"{entry.email} is {_whose(entry.email, stored)}: use mailgate user set")
            return self._save(connection, plan(entry, stored, self.domain), actor)

        return again.write(self._database, work)

    def set(self, entry: UserEntry, *, actor: str) -> User:
        """Change what the entry holds."""

        def work(connection: Connection) -> User:
            stored = load(connection, addresses_of(entry))
            named = replace(entry, email=_find(stored, entry.email).user.email)
            return self._save(connection, plan(named, stored | _by_main(stored), self.domain), actor)

        return again.write(self._database, work)

    def alias(self, email: str, alias: str, *, remove: bool, actor: str) -> User:
        """Give the user a further sender address, or take it away."""
        main, other = address.fold(email), address.fold(alias)

        def work(connection: Connection) -> User:
            stored = load(connection, {main, other})
            user = _find(stored, main).user
            aliases = _without(user, other) if remove else _with(user, other)
            named = UserEntry(email=user.email, aliases=aliases)
            return self._save(connection, plan(named, stored | _by_main(stored), self.domain), actor)

        return again.write(self._database, work)

    def list(self) -> Iterator[User]:
        """List all users by main address."""
        after = ""
        while True:
            with self._database.read() as connection:
                page = _page(connection, after)
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].email

    def show(self, email: str) -> User:
        """Find the user who owns this address."""
        folded = address.fold(email)
        with self._database.read() as connection:
            return _find(load(connection, {folded}), folded).user

    def disable(self, email: str, *, actor: str) -> User:
        """Let no mail of the user be logged, and let it change nothing; what is there stays."""
        return self._switch(email, actor, enabled=False)

    def enable(self, email: str, *, actor: str) -> User:
        """Undo ``disable``."""
        return self._switch(email, actor, enabled=True)

    def remove(self, email: str, *, actor: str) -> User:
        """Take a user out who never did anything; ``BadInput`` for all others."""
        folded = address.fold(email)

        def work(connection: Connection) -> User:
            stored = _find(load(connection, {folded}), folded)
            _check_unneeded(connection, stored)
            connection.execute(delete(record_user).where(record_user.c.user_id == stored.id))
            connection.execute(delete(user_account).where(user_account.c.id == stored.id))
            enter(connection, actor, self._now(), [Act("user removed", stored.user.email)])
            return stored.user

        return again.write(self._database, work)

    def _switch(self, email: str, actor: str, *, enabled: bool) -> User:
        folded = address.fold(email)

        def work(connection: Connection) -> User:
            stored = _find(load(connection, {folded}), folded)
            return self._save(connection, UserChange(stored, replace(stored.user, enabled=enabled)), actor)

        return again.write(self._database, work)

    def _save(self, connection: Connection, change: UserChange, actor: str) -> User:
        check_kind(connection, change)
        save(connection, [change], actor, self._now())
        return change.after


# -- many at once ---------------------------------------------------------------------------------------------------


def addresses_of(entry: UserEntry) -> set[str]:
    """Collect the addresses whose owners must be known before the entry can be judged."""
    return {entry.email, *(entry.aliases or ())}


def load(connection: Connection, emails: Collection[str]) -> dict[str, StoredUser]:
    """Find the users who own these folded addresses, by those addresses; whoever isn't there is left out."""
    owner = select(user_address.c.email, user_address.c.user_id)
    owned: dict[str, int] = {}
    for part in in_parts(emails):
        rows = connection.execute(owner.where(user_address.c.email.in_(part)))
        owned.update({row.email: row.user_id for row in rows})
    users: dict[int, StoredUser] = {}
    for ids in in_parts(set(owned.values())):
        users.update(_users(connection, ids))
    # on PostgreSQL a user may be removed between the two reads
    return {email: users[user_id] for email, user_id in owned.items() if user_id in users}


def plan(entry: UserEntry, stored: Mapping[str, StoredUser], domain: str) -> UserChange:
    """Judge an entry; ``stored`` holds the owners of ``addresses_of(entry)``."""
    before = stored.get(entry.email)
    if before is not None and before.user.email != entry.email:
        raise BadInput(f"{entry.email} is {_whose(entry.email, stored)}: name that user")
    after = entry.apply(before.user if before else None)
    for email in (after.email, *after.aliases):
        owner = stored.get(email)
        if owner is not None and owner.user.email != after.email:
            raise BadInput(f"{email} is {_whose(email, stored)}: an address belongs to one user")
        if is_ours(email, domain):
            raise BadInput(f"{email} is at {domain}, where the record addresses are: it can't be a user's")
    return UserChange(before, after)


def check_kind(connection: Connection, change: UserChange) -> None:
    """Refuse a change to or from ``system`` of a user who has activities: it would change who may delete them."""
    if change.before is None:
        return
    old, new = change.before.user.kind, change.after.kind
    if old is new or UserKind.SYSTEM not in (old, new):
        return
    # takes no lock: what is logged meanwhile and unseen counts as logged after the change, which nothing forbids
    if connection.execute(select(exists().where(activity.c.recorder_id == change.before.id))).scalar_one():
        raise BadInput(
            f"{change.after.email} has activities and stays of kind {old.value}: make a user of its own of kind "
            f"{new.value} (mailgate user add)"
        )


def save(connection: Connection, changes: Sequence[UserChange], actor: str, at: datetime) -> None:
    """Write what ``plan`` decided, the audit of it, and link where new addresses took part before."""
    new = [change.after for change in changes if change.before is None]
    differing = [change for change in changes if change.changed]
    ids = _insert(connection, new, at) | _update(connection, differing)
    _replace_lists(connection, ids, {change.before.id for change in differing if change.before})
    acts = [Act("user added", user.email) for user in new]
    acts += [Act("user changed", change.after.email, ", ".join(change.changed)) for change in differing]
    enter(connection, actor, at, acts)
    link_users(connection, {email for change in changes for email in _gained(change)})


def _gained(change: UserChange) -> set[str]:
    had = {change.before.user.email, *change.before.user.aliases} if change.before else set()
    return {change.after.email, *change.after.aliases} - had


def _insert(connection: Connection, users: Sequence[User], at: datetime) -> dict[int, User]:
    if not users:
        return {}
    rows = [{"email": user.email, "created_at": at, **_columns(user)} for user in users]
    returning = insert(user_account).returning(user_account.c.id, user_account.c.email)
    by_email = {user.email: user for user in users}
    return {row.id: by_email[row.email] for row in connection.execute(returning, rows)}


def _update(connection: Connection, changes: Sequence[UserChange]) -> dict[int, User]:
    ids = {change.before.id: change.after for change in changes if change.before}
    if ids:
        statement = update(user_account).where(user_account.c.id == bindparam("key"))
        connection.execute(statement, [{"key": key, **_columns(user)} for key, user in ids.items()])
    return ids


def _columns(user: User) -> dict[str, object]:
    return {
        "name": user.name,
        "kind": user.kind,
        "language": user.language,
        "enabled": user.enabled,
        "accept_automatic": user.accept_automatic,
    }


def _replace_lists(connection: Connection, ids: Mapping[int, User], old: Collection[int]) -> None:
    if old:
        connection.execute(delete(user_address).where(user_address.c.user_id.in_(old)))
        connection.execute(delete(user_role).where(user_role.c.user_id.in_(old)))
    addresses = [{"email": email, "user_id": key} for key, user in ids.items() for email in (user.email, *user.aliases)]
    roles = [{"role": role, "user_id": key} for key, user in ids.items() for role in sorted(user.roles)]
    if addresses:
        connection.execute(insert(user_address), addresses)
    if roles:
        connection.execute(insert(user_role), roles)


# -- reading --------------------------------------------------------------------------------------------------------


def _page(connection: Connection, after: str) -> list[User]:
    keys = select(user_account.c.id).where(user_account.c.email > after).order_by(user_account.c.email).limit(PAGE)
    found = list(connection.execute(keys).scalars())
    users = _users(connection, found)
    return [users[key].user for key in found]


def _users(connection: Connection, ids: Collection[int]) -> dict[int, StoredUser]:
    aliases = _grouped(connection, user_address.c.email, ids)
    roles = _grouped(connection, user_role.c.role, ids)
    rows = connection.execute(select(user_account).where(user_account.c.id.in_(ids)))
    return {
        row.id: StoredUser(
            row.id,
            User(
                email=row.email,
                name=row.name,
                kind=UserKind(row.kind),
                language=Language(row.language) if row.language else None,
                enabled=row.enabled,
                roles=frozenset(Role(role) for role in roles.get(row.id, ())),
                aliases=tuple(sorted(email for email in aliases.get(row.id, ()) if email != row.email)),
                accept_automatic=row.accept_automatic,
            ),
        )
        for row in rows
    }


def _grouped(connection: Connection, column: Column[str], ids: Collection[int]) -> dict[int, list[str]]:
    table = column.table
    groups: dict[int, list[str]] = {}
    for key, value in connection.execute(select(table.c.user_id, column).where(table.c.user_id.in_(ids))):
        groups.setdefault(key, []).append(value)
    return groups


def _find(stored: Mapping[str, StoredUser], email: str) -> StoredUser:
    if email not in stored:
        raise NotFound(f"no user {email}: see mailgate user list, or add it with mailgate user add")
    return stored[email]


def _by_main(stored: Mapping[str, StoredUser]) -> dict[str, StoredUser]:
    return {one.user.email: one for one in stored.values()}


def _whose(email: str, stored: Mapping[str, StoredUser]) -> str:
    owner = stored[email].user
    return "a user already" if owner.email == email else f"an alias of {owner.email}"


def _with(user: User, alias: str) -> tuple[str, ...]:
    if alias in (user.email, *user.aliases):
        raise BadInput(f"{alias} is an address of {user.email} already")
    return (*user.aliases, alias)


def _without(user: User, alias: str) -> tuple[str, ...]:
    if alias == user.email:
        raise BadInput(f"{alias} is the main address of {user.email}: only aliases can be removed")
    if alias not in user.aliases:
        raise NotFound(f"no alias {alias} of {user.email}: see mailgate user show {user.email}")
    return tuple(email for email in user.aliases if email != alias)


def _check_unneeded(connection: Connection, stored: StoredUser) -> None:
    email = stored.user.email
    needs: Iterable[tuple[str, ColumnElement[bool]]] = (
        ("has activities", exists().where(or_(activity.c.recorder_id == stored.id, activity.c.topic_by == stored.id))),
        ("stands in the audit", or_(exists().where(removal.c.actor == email), exists().where(audit.c.actor == email))),
    )
    for why, needed in needs:
        if connection.execute(select(needed)).scalar_one():
            raise BadInput(f"{email} {why} and can't be removed: use mailgate user disable {email}")
