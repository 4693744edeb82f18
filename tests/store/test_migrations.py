import re
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select, text

from mailgate.domain.activity import Activity
from mailgate.errors import Misconfigured
from mailgate.ports import Kept
from mailgate.store import listing, migrations, tables, triggers
from mailgate.store.archive import Archive, raw_bytes
from mailgate.store.database import Database, open_database, sqlite_module
from mailgate.store.migrations import check_schema, migrate
from tests.postgres_server import PostgresServer
from tests.store.seeding import count, rows, seed
from tests.worlds import WORLD, new_mail, raw_mail


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Database]:
    opened = open_database(empty_database_url, create=True, allow_unsafe=True)
    yield opened
    opened.close()


def _fill(database: Database) -> Kept:
    seed(database, WORLD)
    archive = Archive(database)
    (kept,) = archive.keep(new_mail())
    archive.close()
    return kept


def _schema(database: Database) -> set[tuple[Any, ...]]:
    """All there is in a schema but the record of its revision, told by the engine itself."""
    with database.read() as connection:
        queries = _SQLITE if database.kind == "sqlite" else _POSTGRESQL
        told = {(number, *row) for number, query in enumerate(queries) for row in connection.execute(text(query))}
    return {row for row in told if "alembic_version" not in " ".join(str(value) for value in row)}


# the text of a table isn't compared: a column that came later stands behind the constraints there
_SQLITE = (
    "SELECT type, name, tbl_name, CASE type WHEN 'table' THEN NULL ELSE sql END FROM sqlite_master",
    """SELECT t.name, c.name, c.type, c."notnull", c.dflt_value, c.pk, c.hidden
       FROM sqlite_master AS t, pragma_table_xinfo(t.name) AS c WHERE t.type = 'table'""",
    """SELECT t.name, f."table", f."from", f."to", f.on_update, f.on_delete, f.match
       FROM sqlite_master AS t, pragma_foreign_key_list(t.name) AS f WHERE t.type = 'table'""",
    """SELECT t.name, i."unique", i.origin, i.partial, group_concat(n.name || ' ' || n."desc" || ' ' || n.coll)
       FROM sqlite_master AS t, pragma_index_list(t.name) AS i, pragma_index_xinfo(i.name) AS n
       WHERE t.type = 'table' AND n.cid >= 0 GROUP BY t.name, i.name""",
)
_POSTGRESQL = (
    """SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default, is_identity
       FROM information_schema.columns WHERE table_schema = 'public'""",
    """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
       WHERE connamespace = 'public'::regnamespace""",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    """SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(pg_trigger.oid), prosrc
       FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE NOT tgisinternal""",
)


def test_a_migrated_schema_equals_a_fresh_one(
    database: Database, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    url = f"sqlite:///{tmp_path}/fresh.db" if database.kind == "sqlite" else postgres_server.url(postgres_server.new())
    fresh = open_database(url, create=True, allow_unsafe=True)
    with fresh.write() as connection:
        tables.metadata.create_all(connection)
        triggers.create(connection)
    migrated = _schema(database)
    assert len(migrated) > 100
    assert migrated == _schema(fresh)
    fresh.close()


def test_every_revision_goes_up_and_down_with_data_in(empty: Database) -> None:
    revisions = [script.revision for script in ScriptDirectory.from_config(migrations._config()).walk_revisions()]
    assert migrate(empty)
    kept = _fill(empty)
    full = _schema(empty)
    for revision in [*revisions[1:], "base"]:
        assert migrate(empty, revision)
    assert _schema(empty) == set()
    for revision in [*reversed(revisions)]:
        assert migrate(empty, revision)
    assert _schema(empty) == full
    assert _fill(empty).activity != kept.activity


def test_a_logged_mail_is_the_same_after_every_revision(empty: Database) -> None:
    migrate(empty)
    activity = _fill(empty).activity or ""

    def shown() -> Activity | None:
        with empty.read() as connection:
            return listing.whole(connection, activity)

    before = shown()
    assert before is not None
    assert len(before.participants) > 1
    assert migrate(empty, "0001")
    assert migrate(empty)
    assert shown() == before


def test_data_survive_a_migration(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(empty)
    _fill(empty)
    with empty.write() as connection:
        triggers.drop(connection)  # as an older version would have had others
    assert migrate(empty)
    with empty.read() as connection:
        assert triggers.complete(connection)
        assert raw_bytes(connection, connection.scalars(select(tables.mail.c.sha256)).one()) == raw_mail()


def test_migrating_again_does_nothing(empty: Database) -> None:
    assert migrate(empty)
    before = _schema(empty)
    assert not migrate(empty)
    assert _schema(empty) == before


def test_two_processes_may_migrate_at_once(empty_database_url: str) -> None:
    databases = [open_database(empty_database_url, create=True, allow_unsafe=True) for _ in range(4)]
    outcomes: list[bool] = []
    threads = [threading.Thread(target=lambda own=each: outcomes.append(migrate(own))) for each in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False, False, False, True]
    for each in databases:
        check_schema(each)
        each.close()


def test_a_current_schema_is_fine(database: Database) -> None:
    check_schema(database)


def test_a_database_without_schema_is_told_to_be_migrated(empty: Database) -> None:
    with pytest.raises(Misconfigured, match="run mailgate migrate"):
        check_schema(empty)


def test_a_schema_without_its_triggers_is_told_to_be_migrated(database: Database) -> None:
    with database.write() as connection:
        triggers.drop(connection)
    with pytest.raises(Misconfigured, match="run mailgate migrate"):
        check_schema(database)
    migrate(database)
    check_schema(database)


def test_a_newer_schema_is_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = _schema(database)
    for step in (check_schema, migrate):
        with pytest.raises(Misconfigured, match=r"newer than this mailgate \(revision 9999\)"):
            step(database)
    assert _schema(database) == before


def test_a_database_of_somebody_else_is_left_alone(empty: Database) -> None:
    with empty.write() as connection:
        connection.execute(text("CREATE TABLE activity (x integer)"))
    for step in (check_schema, migrate):
        with pytest.raises(Misconfigured, match="holds tables that mailgate did not make"):
            step(empty)


def test_a_failing_migration_changes_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(database)
    before = _schema(database)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(triggers, "create", fail)
    monkeypatch.setattr(migrations, "_is_current", lambda _: False)
    monkeypatch.setattr(triggers, "complete", lambda _: False)
    with pytest.raises(ZeroDivisionError):
        migrate(database)
    assert _schema(database) == before
    assert count(database, tables.activity) == 1


def _copies(database: Database) -> list[Path]:
    path = Path(database.place)
    return sorted(path.parent.glob(f"{path.name}.before-*"))


def test_sqlite_is_copied_before_anything_is_changed(sqlite_url: str) -> None:
    database = open_database(sqlite_url, create=False)
    _fill(database)
    with database.write() as connection:
        triggers.drop(connection)
    migrate(database)
    (copy,) = _copies(database)
    assert re.fullmatch(rf"mailgate\.db\.before-{migrations._newest()}-\d{{8}}T\d{{12}}Z", copy.name)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite_module().connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM activity").fetchone() == (1,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        # the copy is from before
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'").fetchone() == (0,)
    database.close()


def test_a_new_file_needs_no_copy(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/new.db", create=True)
    migrate(database)
    assert not migrate(database)
    assert _copies(database) == []
    database.close()


def test_broken_references_stop_a_migration_of_sqlite(sqlite_url: str) -> None:
    database = open_database(sqlite_url, create=False)
    with database.bare() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.execute(insert(tables.user_role), {"user_id": 99, "role": "administer"})
        connection.exec_driver_sql("DROP TRIGGER mailgate_keep_mail_update")
    with pytest.raises(Misconfigured, match=r"refer to nothing \(user_role\): nothing was changed"):
        migrate(database)
    assert len(rows(database, tables.user_role)) == 1
    database.close()


def test_foreign_keys_are_on_again_afterwards(empty: Database) -> None:
    migrate(empty)
    if empty.kind == "sqlite":
        with empty.write() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_path_with_a_percent_sign_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "__file__", "/tmp/100%/migrations/__init__.py")
    assert migrations._config().get_main_option("script_location") == "/tmp/100%/migrations"
