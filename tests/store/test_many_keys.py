"""Sets of keys that are larger than an engine takes parameters in a statement: PostgreSQL 65,535, SQLite fewer."""

import pytest
from sqlalchemy import text

from mailgate.domain.record import RecordKind, RecordRef
from mailgate.store import nearness, register, users
from mailgate.store.database import Database

TOO_MANY = 66_000
_NUMBERS = f"WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n <= {TOO_MANY})"
_CUSTOMERS = (
    "INSERT INTO record (id, kind, ref, name, state, created_at) VALUES (1, 'contact', 'c', 'c', 'open', '2026-01-01')",
    (
        f"INSERT INTO record (id, kind, ref, name, state, created_at) {_NUMBERS} "
        "SELECT n, 'customer', CAST(n AS TEXT), 'c', 'open', '2026-01-01' FROM numbers"
    ),
)
_NAMED = "INSERT INTO record_contact (record_id, role, contact_id) SELECT id, 'main', 1 FROM record WHERE id > 1"
_NAMES = (
    "INSERT INTO record_relation (record_id, role, other_id) SELECT 1, 'customer', id FROM record WHERE id > 1",
    "INSERT INTO record_relation (record_id, role, other_id) SELECT id, 'customer', 1 FROM record WHERE id > 1",
)


@pytest.mark.parametrize("relations", [(_NAMED,), _NAMES])
def test_a_contact_may_stand_on_any_number_of_customers(database: Database, relations: tuple[str, ...]) -> None:
    with database.write() as connection:
        for statement in (*_CUSTOMERS, *relations):
            connection.execute(text(statement))
    with database.read() as connection:
        here, clients = nearness.steps(connection, 1)
    assert 1 in here
    assert clients >= set(range(2, TOO_MANY + 2))


def test_any_number_of_records_and_users_is_looked_up_at_once(database: Database) -> None:
    with database.read() as connection:
        refs = [RecordRef(RecordKind.CONTACT, str(number)) for number in range(TOO_MANY)]
        assert register.keys(connection, refs) == {}
        assert users.load(connection, [f"{number}@muster.example" for number in range(TOO_MANY)]) == {}
