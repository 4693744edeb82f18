"""Putting a world into a database by plain statements, and looking at what is in one."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select

from mailgate.domain.record import RecordRef
from mailgate.store import tables
from mailgate.store.database import Database
from tests.worlds import DAY, World


def seed(database: Database, world: World) -> None:
    with database.write() as connection:
        users = {user.email: _user(connection, user) for user in world.users}
        assert len(users) == len(world.users)
        keys = {
            record.record: _key(
                connection,
                tables.record,
                kind=record.record.kind.value,
                ref=record.record.ref,
                name=record.name,
                language=record.language,
                state=record.state.value,
                created_at=DAY,
            )
            for record in world.records
        }
        for record in world.records:
            _hang_on(connection, record, keys)
        for address in world.addresses:
            values: dict[str, Any] = {
                "local": address.address.partition("@")[0],
                "record_id": keys[address.record],
                "state": address.state.value,
                "created_at": address.created_at,
                "expires_at": address.expires_at,
            }
            connection.execute(insert(tables.address), values)


def _user(connection: Connection, user: Any) -> int:
    number = _key(
        connection,
        tables.user_account,
        email=user.email,
        name=user.name,
        kind=user.kind.value,
        language=user.language.value if user.language else None,
        enabled=user.enabled,
        created_at=DAY,
        accept_automatic=user.accept_automatic,
    )
    for email in (user.email, *user.aliases):
        connection.execute(insert(tables.user_address), {"email": email, "user_id": number})
    for role in user.roles:
        connection.execute(insert(tables.user_role), {"user_id": number, "role": role.value})
    return number


def _hang_on(connection: Connection, record: Any, keys: Mapping[RecordRef, int]) -> None:
    own = {"record_id": keys[record.record]}
    for email in record.email:
        connection.execute(insert(tables.record_email), {**own, "email": email})
    for related in record.relations:
        connection.execute(
            insert(tables.record_relation), {**own, "role": related.role, "other_id": keys[related.record]}
        )
    for related in record.contacts:
        connection.execute(
            insert(tables.record_contact), {**own, "role": related.role, "contact_id": keys[related.record]}
        )


def _key(connection: Connection, table: Table, **values: Any) -> int:
    key = connection.execute(insert(table).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def rows(database: Database, table: Table) -> list[dict[str, Any]]:
    with database.read() as connection:
        order = list(table.primary_key)
        return [dict(row) for row in connection.execute(select(table).order_by(*order)).mappings()]


def count(database: Database, table: Table) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0
