"""How PostgreSQL and SQLite find listings among many activities: from indexes, never through a whole table or a body.

On PostgreSQL with 1,000,000 activities on 100,000 records, each statement that the program sends is explained as it was
sent, once with its values and once as a prepared statement that is planned without knowing them. Tables that are small
in every instance (``SMALL``) may be read whole.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event

from mailgate.domain.listing import Wish
from mailgate.domain.record import Edition, RecordRef
from mailgate.store.activities import Activities
from mailgate.store.database import Database, open_database
from mailgate.store.records import Records
from tests.postgres_server import TEMPLATE, PostgresServer
from tests.store.multitude import FILTERS, PLACES, fill

MANY = 1_000_000
FEWER = 100_000  # here PostgreSQL finds other ways cheaper
SOME = 10_000
SMALL = {"user_account", "user_address", "user_role"}
BODIES = {"reading_body", "piece"}
# what a place in a listing costs at most, in rows of one table: 2,000 records, or some stretches that are tested
WALKED = 20_000
DEEP = 6  # pages that one of many looks into an index costs at most, and one row that it gives

pytestmark = [pytest.mark.xdist_group("multitude"), pytest.mark.timeout(600)]

Sent = tuple[str, Any]
Node = Mapping[str, Any]


@contextmanager
def _filled(server: PostgresServer, size: int) -> Iterator[Database]:
    name = server.new(TEMPLATE)
    opened = open_database(server.url(name), create=False, allow_unsafe=True)
    fill(opened, size)
    yield opened
    opened.close()
    server.drop(name)


@pytest.fixture(scope="module")
def many(postgres_server: PostgresServer) -> Iterator[Database]:
    with _filled(postgres_server, MANY) as opened:
        yield opened


@pytest.fixture(scope="module")
def fewer(postgres_server: PostgresServer) -> Iterator[Database]:
    with _filled(postgres_server, FEWER) as opened:
        yield opened


def _listing(database: Database, place: str, narrowed: str, after: str | None = None) -> list[str]:
    ref, widened = PLACES[place]
    wish = Wish.read(**widened, **FILTERS[narrowed])
    activities = Activities(database, Edition.MARKETER)
    return [one.id for one in activities.list(RecordRef.parse(ref), wish, after=after)]


@contextmanager
def _watched(database: Database) -> Iterator[list[Sent]]:
    """Collect what is sent to the database."""
    sent: list[Sent] = []
    with database.read() as connection:
        engine = connection.engine

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if statement.startswith(("SELECT", "WITH")):
            sent.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


# -- PostgreSQL -----------------------------------------------------------------------------------------------------


def _nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _plan(rows: Sequence[Sequence[Any]]) -> list[Node]:
    return list(_nodes(rows[0][0][0]["Plan"]))


def _with_values(connection: Connection, sent: Sent) -> list[Node]:
    """Explain with the values it was sent with, and run it."""
    cursor = connection.connection.cursor()
    cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sent[0]}", sent[1])
    return _plan(cursor.fetchall())


def _prepared(connection: Connection, sent: Sent) -> list[Node]:
    """Explain as a prepared statement whose values aren't known."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", sent[0])))
    statement = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", sent[0])
    cursor = connection.connection.cursor()
    cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    cursor.execute(f"PREPARE sent AS {statement}")
    values = f"({', '.join(['NULL'] * len(names))})" if names else ""
    cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE sent{values}")
    plan = _plan(cursor.fetchall())
    cursor.execute("DEALLOCATE sent")
    return plan


def _faults(nodes: list[Node]) -> list[str]:
    """Say what in a plan reads more than it should."""
    faults = []
    for node in nodes:
        kind, table = node["Node Type"], node.get("Relation Name", "")
        if kind == "Seq Scan" and table not in SMALL:
            faults.append(f"{table} is read whole")
        if table in BODIES or (table == "activity_content" and kind != "Index Only Scan"):
            faults.append(f"{table} is touched")
        walked = (node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0)) * node.get("Actual Loops", 0)
        if table and walked > WALKED:
            faults.append(f"{walked} rows of {table} are read")
        # what an index read and didn't give is counted nowhere else
        pages = node.get("Shared Hit Blocks", 0) + node.get("Shared Read Blocks", 0)
        looks = node.get("Actual Loops", 0)
        if table and looks > 1 and pages > (looks + walked) * DEEP:
            faults.append(f"{pages} pages of {node.get('Index Name', table)} are read for {walked} rows")
    return faults


def _check(database: Database, sent: list[Sent]) -> None:
    assert sent
    with database.read() as connection:
        for one in sent:
            assert _faults(_with_values(connection, one)) == [], one[0]
            assert _faults(_prepared(connection, one)) == [], one[0]


@pytest.mark.parametrize("narrowed", FILTERS)
@pytest.mark.parametrize("place", PLACES)
def test_a_listing_of_many_comes_from_indexes(many: Database, place: str, narrowed: str) -> None:
    with _watched(many) as sent:
        listed = _listing(many, place, narrowed)
        assert len(listed) >= (5 if narrowed == "rare type" else 50)
        assert _listing(many, place, narrowed, after=listed[3])[:1] == listed[4:5]
    _check(many, sent)


@pytest.mark.parametrize("narrowed", ["both", "user's type", "everything", "everything of tasks"])
@pytest.mark.parametrize("place", PLACES)
def test_what_is_tested_is_looked_up_by_the_whole_key(fewer: Database, place: str, narrowed: str) -> None:
    with _watched(fewer) as sent:
        _listing(fewer, place, narrowed)
    # not what reads the lines of a page: of so few records all may be read
    _check(fewer, [one for one in sent if "AS walked" in one[0]])


def test_who_never_took_part_costs_nothing(many: Database) -> None:
    activities = Activities(many, Edition.MARKETER)
    with _watched(many) as sent:
        for wish in (
            Wish.read(affiliation=["campaign"], external="nobody@else.example"),
            Wish.read(affiliation=["campaign"], internal="nobody@else.example"),
        ):
            assert list(activities.list(RecordRef.parse("customer:big"), wish)) == []
    _check(many, sent)


@pytest.mark.parametrize("ref", ["campaign:hot", "customer:big", "contact:nora"])
def test_the_last_activity_of_a_record_comes_from_an_index(many: Database, ref: str) -> None:
    with _watched(many) as sent:
        shown = Records(many, Edition.MARKETER, "log.muster.example").show(RecordRef.parse(ref))
    assert shown.last_activity is not None
    _check(many, sent)


@pytest.mark.parametrize(
    ("index", "narrowed", "says"),
    [
        ("ix_participation_email", "internal", "participation is read whole"),
        ("ix_activity_type", "rare type", "rows of activity are read"),
    ],
)
def test_without_its_index_a_listing_would_be_caught(many: Database, index: str, narrowed: str, says: str) -> None:
    with _watched(many) as sent:
        _listing(many, "a record", narrowed)
    with many.write() as connection:
        connection.exec_driver_sql(f"DROP INDEX {index}")
        if index == "ix_activity_type":
            connection.exec_driver_sql("DROP INDEX ix_activity_type_topic")
        faults = [fault for one in sent for fault in _faults(_with_values(connection, one))]
        connection.rollback()
    assert any(says in fault for fault in faults), faults


# -- SQLite ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def some(sqlite_template: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("multitude") / "mailgate.db"
    path.write_bytes(sqlite_template.read_bytes())
    opened = open_database(f"sqlite:///{path}", create=False, allow_unsafe=True)
    fill(opened, SOME)
    yield opened
    opened.close()


def _steps(connection: Connection, sent: Sent) -> list[str]:
    cursor = connection.connection.cursor()
    cursor.execute(f"EXPLAIN QUERY PLAN {sent[0]}", sent[1])
    return [row[3] for row in cursor.fetchall()]


@pytest.mark.parametrize("narrowed", FILTERS)
@pytest.mark.parametrize("place", PLACES)
def test_sqlite_too_searches_and_reads_no_body(some: Database, place: str, narrowed: str) -> None:
    with _watched(some) as sent:
        listed = _listing(some, place, narrowed)
        _listing(some, place, narrowed, after=listed[-1])
    with some.read() as connection:
        tables = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
        steps = [step for one in sent for step in _steps(connection, one)]
    scanned = {step.split()[1] for step in steps if step.startswith("SCAN")}
    assert scanned & (tables - SMALL) == set()
    assert not [step for step in steps if re.search(rf"\b({'|'.join(BODIES)})\b", step)]
    of_languages = [step for step in steps if "activity_content" in step]
    assert of_languages
    assert all("COVERING INDEX" in step for step in of_languages), of_languages
