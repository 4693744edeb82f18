"""Record addresses as admins keep them: shown (made on first asking), rotated, closed, reopened, revoked, listed.

    open --rotate--> revoked, or grace until it expires        open, grace --close--> closed --reopen--> as before
    any but revoked --revoke--> revoked, for good

A record has one standing address, open or closed; after a merge it may have more, and the newest is shown. After
``revoke``, and only then, ``show`` makes a fresh one. Two who ask at once get the same. Every change is audited under
the login of who made it, with the address masked: it is a secret.

Refuses, with ``BadInput``: a kind of record that the edition lacks; rotating a closed address; closing, reopening or
revoking where there is none that lives; a period of grace outside 1 to 3650 days.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, Select, and_, insert, or_, select, update

from mailgate.domain.record import AddressState, Edition, RecordAddress, RecordKind, RecordRef, exists_in
from mailgate.domain.routing import TOKEN_BYTES, masked, new_token, record_address
from mailgate.errors import BadInput
from mailgate.store import again, register
from mailgate.store.audit import Act, enter, utc_now
from mailgate.store.database import Database
from mailgate.store.register import check_edition, not_found
from mailgate.store.tables import address, record

PAGE = 500
MAX_GRACE = 3650

_Found = Row[tuple[object, ...]]


class Addresses:
    """The record addresses of an instance. ``domain`` is theirs, folded; ``random_bytes`` must be a secure source."""

    def __init__(
        self,
        database: Database,
        domain: str,
        edition: Edition,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._domain = domain
        self._edition = edition
        self._random_bytes = random_bytes
        self._now = now

    def show(self, ref: RecordRef, *, actor: str) -> RecordAddress:
        """Give the standing address of a record; made now, if it never had one or all were revoked."""
        check_edition(ref, self._edition)
        with self._database.read() as connection:
            keys = register.keys(connection, [ref])
            if ref not in keys:
                raise not_found(ref)
            found = _standing(connection, keys[ref])
        if found:
            return self._seen(found[-1])

        def work(connection: Connection) -> RecordAddress:
            key = register.key(connection, ref)
            there = _standing(connection, key)  # somebody may have been quicker
            return self._seen(there[-1]) if there else self._make(connection, ref, key, actor)

        return again.write(self._database, work)

    def rotate(self, ref: RecordRef, *, grace_days: int | None, actor: str) -> RecordAddress:
        """Make a new address; the old one is taken for so many days more, or revoked at once."""
        if grace_days is not None and not 1 <= grace_days <= MAX_GRACE:
            raise BadInput(
                f"a grace of {grace_days} days is not possible: give 1 to {MAX_GRACE}, or none to revoke at once"
            )

        def work(connection: Connection) -> RecordAddress:
            key = self._hold(connection, ref)
            old = _standing(connection, key)
            if any(row.state == AddressState.CLOSED for row in old):
                raise BadInput(f"the address of {ref} is closed: use mailgate address reopen {ref} first")
            at = self._now()
            grace = AddressState.REVOKED if grace_days is None else AddressState.GRACE
            expires = None if grace_days is None else at + timedelta(days=grace_days)
            self._change(connection, old, ref, actor, "rotated away", state=grace, expires_at=expires)
            return self._make(connection, ref, key, actor)

        return again.write(self._database, work)

    def close(self, ref: RecordRef, *, actor: str) -> Sequence[RecordAddress]:
        """Take no mail by the addresses that live; can be undone."""

        def work(connection: Connection) -> Sequence[RecordAddress]:
            live = self._alive(connection, ref)
            closing = [row for row in live if row.state != AddressState.CLOSED]
            return self._change(connection, closing, ref, actor, "closed", state=AddressState.CLOSED)

        return again.write(self._database, work)

    def reopen(self, ref: RecordRef, *, actor: str) -> Sequence[RecordAddress]:
        """Undo ``close``: what was in its period of grace is so again."""

        def work(connection: Connection) -> Sequence[RecordAddress]:
            closed = [row for row in self._alive(connection, ref) if row.state == AddressState.CLOSED]
            rotated = [row for row in closed if row.expires_at is not None]
            standing = [row for row in closed if row.expires_at is None]
            return [
                *self._change(connection, rotated, ref, actor, "reopened", state=AddressState.GRACE),
                *self._change(connection, standing, ref, actor, "reopened", state=AddressState.OPEN),
            ]

        return again.write(self._database, work)

    def revoke(self, ref: RecordRef, *, actor: str) -> Sequence[RecordAddress]:
        """Make all addresses that live unknown, for good."""

        def work(connection: Connection) -> Sequence[RecordAddress]:
            live = self._alive(connection, ref)
            return self._change(connection, live, ref, actor, "revoked", state=AddressState.REVOKED)

        return again.write(self._database, work)

    def list(self, ref: RecordRef | None = None) -> Iterator[RecordAddress]:
        """List all addresses that ever were, of one record or of all, oldest first."""
        if ref is not None:
            check_edition(ref, self._edition)
            with self._database.read() as connection:
                if not register.keys(connection, [ref]):
                    raise not_found(ref)
        after = 0
        while True:
            with self._database.read() as connection:
                page = connection.execute(self._page(after, ref)).all()
            yield from map(self._seen, page)
            if len(page) < PAGE:
                return
            after = page[-1].id

    def _hold(self, connection: Connection, ref: RecordRef) -> int:
        check_edition(ref, self._edition)
        return register.key(connection, ref)

    def _alive(self, connection: Connection, ref: RecordRef) -> Sequence[_Found]:
        key = self._hold(connection, ref)
        unexpired = or_(address.c.expires_at.is_(None), address.c.expires_at > self._now())
        lives = and_(address.c.record_id == key, address.c.state != AddressState.REVOKED, unexpired)
        live = connection.execute(_select().where(lives).order_by(address.c.id)).all()
        if not live:
            raise BadInput(f"{ref} has no address that lives: mailgate address show {ref} makes one")
        return live

    def _make(self, connection: Connection, ref: RecordRef, key: int, actor: str) -> RecordAddress:
        local = new_token(self._random_bytes(TOKEN_BYTES))
        at = self._now()
        row = {"local": local, "record_id": key, "state": AddressState.OPEN, "created_at": at}
        connection.execute(insert(address).values(row))
        made = RecordAddress(
            address=record_address(local, self._domain), record=ref, state=AddressState.OPEN, created_at=at
        )
        enter(connection, actor, at, [Act("address made", str(ref), masked(made.address))])
        return made

    def _change(
        self, connection: Connection, rows: Sequence[_Found], ref: RecordRef, actor: str, action: str, **values: object
    ) -> Sequence[RecordAddress]:
        ids = [row.id for row in rows]
        if not ids:
            return []
        connection.execute(update(address).where(address.c.id.in_(ids)).values(values))
        acts = [Act(f"address {action}", str(ref), masked(self._seen(row).address)) for row in rows]
        enter(connection, actor, self._now(), acts)
        after = connection.execute(_select().where(address.c.id.in_(ids)).order_by(address.c.id))
        return [self._seen(row) for row in after]

    def _page(self, after: int, ref: RecordRef | None) -> Select[tuple[object, ...]]:
        kinds = [kind for kind in RecordKind if exists_in(kind, self._edition)]
        page = _select().where(address.c.id > after, record.c.kind.in_(kinds)).order_by(address.c.id).limit(PAGE)
        return page if ref is None else page.where(record.c.kind == ref.kind, record.c.ref == ref.ref)

    def _seen(self, row: _Found) -> RecordAddress:
        return RecordAddress(
            address=record_address(row.local, self._domain),
            record=RecordRef(RecordKind(row.kind), row.ref),
            state=AddressState(row.state),
            created_at=row.created_at,
            expires_at=row.expires_at,
            exposed_at=row.exposed_at,
            last_used_at=row.last_used_at,
        )


def _select() -> Select[tuple[object, ...]]:
    return select(address, record.c.kind, record.c.ref).join(record, record.c.id == address.c.record_id)


def _standing(connection: Connection, key: int) -> Sequence[_Found]:
    statement = _select().where(address.c.record_id == key, *register.standing()).order_by(address.c.id)
    return connection.execute(statement).all()
