"""Statements that are compiled once say what SQLAlchemy says, on both engines, and survive what it survives."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Table, bindparam, literal_column, select, text, tuple_, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from mailgate.errors import Deferred
from mailgate.store import directory, keeping, linking, nearness, tables
from mailgate.store.database import Database
from mailgate.store.identifiers import new_id
from mailgate.store.prepared import Adding, Asking, Changing
from tests.store.seeding import rows, seed
from tests.worlds import ANNA, CAMPAIGN, WORLD

SUMMER = timezone(timedelta(hours=2))
MOMENT = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=SUMMER)
TEXTS = ("", "plain", "Grüezi 東京 👩‍🔧", 'it\'s "quoted" \\ %s ? %(x)s :y', "\t\r\n\u2028")


@pytest.fixture
def world(database: Database) -> Database:
    seed(database, WORLD)
    return database


def as_sqlalchemy_says(database: Database, question: Asking, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(question._statement, dict(given))]


EMAILS = [f"{n}@kunde.example" for n in range(40)]
ASKED: list[tuple[Asking, Mapping[str, Any]]] = [
    (directory._ADDRESS, {"sought": "aaaa"}),
    (directory._ADDRESS, {"sought": "nobody's"}),
    (directory._USER, {"sought": ANNA.email}),
    (directory._ANY_USER, {}),
    (directory._ANY_ADDRESS, {}),
    *(
        (nearness.OWNERS_NEAR, {"emails": emails, "kind": "campaign", "ref": CAMPAIGN.ref})
        for emails in ([ANNA.email], [ANNA.email, "one@kunde.example"], [*EMAILS, ANNA.email], EMAILS[:3])
    ),
    *((linking._OWNERS, {"emails": emails}) for emails in ([ANNA.email], ["one@kunde.example", *EMAILS])),
    *((keeping._RECORDS, {"keys": [("campaign", CAMPAIGN.ref), *[("deal", str(n)) for n in range(more)]]})
      for more in range(6)),
    (keeping._RECEIPTS, {"keys": [(1, "x"), (2, "y"), (3, "z")]}),
]  # fmt: skip


@pytest.mark.parametrize(("question", "given"), ASKED)
def test_a_question_gets_the_answer_that_sqlalchemy_gives(
    world: Database, question: Asking, given: Mapping[str, Any]
) -> None:
    wanted = sorted(as_sqlalchemy_says(world, question, given), key=repr)
    assert sorted(world.ask(question, given), key=repr) == wanted
    with world.read() as connection:
        assert sorted(question.rows(connection, given), key=repr) == wanted


def test_lists_of_any_length_find_what_is_in_them_once(world: Database) -> None:
    question = Asking(
        select(tables.record.c.ref).where(tables.record.c.ref.in_(bindparam("refs", expanding=True))), refs=""
    )
    for length in (1, 2, 3, 4, 5, 8, 9, 100, 500):
        refs = [CAMPAIGN.ref, *[f"none {n}" for n in range(length - 1)]]
        assert world.ask(question, {"refs": refs}) == [(CAMPAIGN.ref,)]


def a_row(number: int) -> dict[str, object]:
    return {
        "reading_id": f"00000000-0000-7000-8000-{number:012d}",
        "n": number,
        "name": TEXTS[number % len(TEXTS)],
        "type": "text/plain",
        "size": 2**40 + number,
        "sha256": "0" * 64,
        "inline": bool(number % 2),
        "content_id": "",
        "appointment": None if number % 3 else TEXTS[2],
    }


@pytest.mark.parametrize("number", [1, 2, 7, 100])
@pytest.mark.parametrize("empty", [True, False])
def test_rows_are_added_as_sqlalchemy_adds_them(database: Database, number: int, *, empty: bool) -> None:
    """All types that mails have: numbers, truth values, texts, and columns where every value is null."""
    wanted = [{**a_row(n), **({"appointment": None} if empty else {})} for n in range(number)]
    with database.write() as connection:
        ours, theirs = (copy_of(connection, tables.document, name) for name in ("ours", "theirs"))
        Adding(ours, tuple(column.name for column in ours.c)).add(connection, wanted)
        connection.execute(theirs.insert(), wanted)
        found = [dict(row) for row in connection.execute(select(ours).order_by(ours.c.n)).mappings()]
        assert found == wanted
        assert found == [dict(row) for row in connection.execute(select(theirs).order_by(theirs.c.n)).mappings()]


@pytest.mark.parametrize("moment", [None, MOMENT, MOMENT.astimezone(UTC), MOMENT.replace(microsecond=0)])
def test_moments_come_back_in_utc(world: Database, moment: datetime | None) -> None:
    adding = Adding(tables.address, ("local", "record_id", "state", "created_at", "expires_at"))
    row = {"local": "zzzz", "record_id": 1, "state": "open", "created_at": MOMENT, "expires_at": moment}
    with world.write() as connection:
        adding.add(connection, [row])
    ((*_, created, expires, exposed, used),) = world.ask(directory._ADDRESS, {"sought": "zzzz"})
    assert (created, expires, exposed, used) == (MOMENT, moment, None, None)
    assert created.tzinfo is UTC


def test_bytes_come_back_whole(database: Database) -> None:
    contents = [b"", b"\0\xff" * 300_000, bytes(range(256)), b"\\x41\\\\"]
    numbers = [new_id() for _ in contents]
    adding = Adding(tables.piece, ("upload", "n", "bytes"))
    with database.write() as connection:
        adding.add(
            connection,
            [{"upload": each, "n": 1, "bytes": raw} for each, raw in zip(numbers, contents, strict=True)],
        )
    found = {row["upload"]: bytes(row["bytes"]) for row in rows(database, tables.piece)}
    assert found == dict(zip(numbers, contents, strict=True))


def test_what_is_there_already_stays_where_that_was_asked_for(world: Database) -> None:
    columns = ("id", "at", "verdict", "count")
    row = {"id": new_id(), "at": MOMENT, "verdict": "kept", "count": 1}
    new = {**row, "id": new_id()}
    with world.write() as connection:
        Adding(tables.ledger, columns).add(connection, [row])
        Adding(tables.ledger, columns, unless=("id",)).add(connection, [{**row, "count": 2}, new])
    assert {each["id"]: each["count"] for each in rows(world, tables.ledger)} == {row["id"]: 1, new["id"]: 1}
    with pytest.raises(IntegrityError), world.write() as connection:
        Adding(tables.ledger, columns).add(connection, [row])


def test_changes_are_made_for_each_row(world: Database) -> None:
    statement = update(tables.record).where(tables.record.c.ref == bindparam("which"))
    changing = Changing(statement.values(name=bindparam("called")))
    with world.write() as connection:
        changing.change(connection, [{"which": CAMPAIGN.ref, "called": TEXTS[2]}, {"which": "none", "called": "x"}])
    names = {row["ref"]: row["name"] for row in rows(world, tables.record)}
    assert names[CAMPAIGN.ref] == TEXTS[2]
    assert "x" not in names.values()


def copy_of(connection: Any, table: Table, name: str) -> Table:
    """Make a temporary table of the same columns, without keys."""
    made = Table(name, type(table.metadata)(), *(column._copy() for column in table.c), prefixes=["TEMPORARY"])
    for column in made.c:
        column.foreign_keys.clear()
    made.constraints.clear()
    made.create(connection)
    return made


# -- trouble --------------------------------------------------------------------------------------------------------


def test_a_question_writes_nothing(world: Database) -> None:
    question = Asking(select(tables.record.c.id).limit(literal_column("1")))
    world.ask(question, {})
    cursor = world._asking[0].cursor()
    with pytest.raises(Exception, match=r"(?i)read-?only|readonly"):
        cursor.execute("DELETE FROM record_email")
    cursor.close()


def test_trouble_is_told_as_that_of_the_store_and_names_no_value(world: Database) -> None:
    broken = Asking(select(text("nothing FROM nowhere")).where(tables.record.c.ref == bindparam("ref")))
    with pytest.raises(Deferred) as caught:
        world.ask(broken, {"ref": "secret"})
    assert isinstance(caught.value.__cause__, DBAPIError)
    assert "secret" not in str(caught.value.__cause__)
    assert world.ask(directory._ANY_USER, {})


def test_connections_that_were_lost_while_idle_are_replaced(world: Database) -> None:
    question = directory._ANY_USER
    for _ in range(2):
        assert world.ask(question, {})
        lose_all(world)
    assert world.ask(question, {})


def lose_all(database: Database) -> None:
    """Cut all other connections; those to a file can't be cut."""
    if database.kind == "postgresql":
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        with database.bare() as connection:
            connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))


def test_keys_of_several_columns_are_found_together(world: Database) -> None:
    columns = (tables.record.c.kind, tables.record.c.ref)
    question = Asking(select(*columns).where(tuple_(*columns).in_(bindparam("keys", expanding=True))), keys=("", ""))
    keys: Sequence[tuple[str, str]] = [("deal", CAMPAIGN.ref), ("campaign", "none")]
    assert world.ask(question, {"keys": keys}) == []
    assert world.ask(question, {"keys": [*keys, ("campaign", CAMPAIGN.ref)]}) == [("campaign", CAMPAIGN.ref)]
