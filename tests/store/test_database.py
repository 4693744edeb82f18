import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from mailgate.errors import Deferred, Misconfigured, Reason
from mailgate.store import database as module
from mailgate.store import tables
from mailgate.store.database import Database, is_transient, open_database, sqlite_module
from tests.store.seeding import rows
from tests.worlds import NOW

ENTRY = {"at": NOW, "actor": "a", "action": "b", "subject": "c", "detail": "d"}


def _write(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(tables.audit), ENTRY)


def _write_and_fail(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(tables.audit), ENTRY)
        raise ZeroDivisionError


# -- reading and writing, on both engines ---------------------------------------------------------------------------


def test_what_was_written_is_read(database: Database) -> None:
    _write(database)
    (row,) = rows(database, tables.audit)
    assert (row["at"], row["detail"]) == (NOW, "d")
    assert row["at"].tzinfo is not None


def test_an_error_in_the_block_undoes_the_write(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        _write_and_fail(database)
    assert rows(database, tables.audit) == []


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(Deferred), database.read() as connection:
        connection.execute(insert(tables.audit), ENTRY)
    _write(database)


def test_a_writer_writes_again_after_a_bare_connection(database: Database) -> None:
    with database.bare() as connection:
        connection.exec_driver_sql("BEGIN")
        connection.execute(insert(tables.audit), ENTRY)
        connection.exec_driver_sql("ROLLBACK")
    assert rows(database, tables.audit) == []
    with pytest.raises(ZeroDivisionError):
        _write_and_fail(database)
    assert rows(database, tables.audit) == []


def test_look_ups_do_not_wait_for_a_writer(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(tables.audit), ENTRY)
        assert rows(database, tables.audit) == []  # neither waits nor sees what isn't committed


def test_what_is_read_in_one_go_is_of_one_moment(database: Database) -> None:
    _write(database)
    count = text("SELECT count(*) FROM audit")
    with database.read() as connection:
        before = connection.scalar(count)
        _write(database)
        during = connection.scalar(count)
    with database.read() as connection:
        assert (before, during, connection.scalar(count)) == (1, 1, 2)


def test_many_threads_read_and_write_at_once(database: Database) -> None:
    def work(_number: int) -> None:
        for _ in range(10):
            _write(database)
            database.ping()
            rows(database, tables.audit)

    with ThreadPoolExecutor(24) as pool:
        list(pool.map(work, range(24)))  # raises what they raise
    assert len(rows(database, tables.audit)) == 240


def test_foreign_keys_are_held(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(tables.user_role), {"user_id": 99, "role": "administer"})


def test_errors_of_the_driver_are_deferred_with_their_cause(database: Database) -> None:
    with pytest.raises(Deferred) as caught, database.write() as connection:
        connection.execute(text("SELECT * FROM nowhere"))
    assert caught.value.reason is Reason.STORE_DOWN
    assert caught.value.__cause__ is not None


def test_parameters_never_stand_in_an_error(database: Database) -> None:
    with pytest.raises(Deferred) as caught, database.write() as connection:
        connection.execute(text("SELECT :secret FROM nowhere"), {"secret": "hush-hush"})
    assert "hush-hush" not in str(caught.value.__cause__)


def _driver_error(**attributes: object) -> OperationalError:
    origin = Exception("x")
    for name, value in attributes.items():
        setattr(origin, name, value)
    return OperationalError("SELECT", {}, origin)


@pytest.mark.parametrize(
    ("error", "reason", "transient"),
    [
        (_driver_error(), Reason.STORE_DOWN, False),
        (_driver_error(sqlite_errorcode=sqlite3.SQLITE_FULL), Reason.DISK_FULL, False),
        (_driver_error(sqlite_errorcode=sqlite3.SQLITE_IOERR), Reason.STORE_DOWN, False),
        (_driver_error(sqlstate="53100"), Reason.DISK_FULL, False),
        (_driver_error(sqlstate="57P01"), Reason.STORE_DOWN, False),
        (_driver_error(sqlstate="40P01"), Reason.STORE_DOWN, True),
        (_driver_error(sqlstate="40001"), Reason.STORE_DOWN, True),
        (PoolTimeoutError("no connection"), Reason.STORE_DOWN, False),
    ],
)
def test_each_error_of_a_driver_has_its_reason(error: Exception, reason: Reason, transient: bool) -> None:
    with pytest.raises(Deferred) as caught, module._translated():
        raise error
    assert caught.value.reason is reason
    assert is_transient(caught.value) is transient


# -- SQLite ---------------------------------------------------------------------------------------------------------


def test_a_file_is_made_only_when_asked_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/folder/mailgate.db"
    with pytest.raises(Misconfigured, match=f"no database at {tmp_path}/folder/mailgate.db"):
        open_database(url, create=False)
    assert not (tmp_path / "folder").exists()
    open_database(url, create=True).close()
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "folder" / "mailgate.db").stat().st_mode) == 0o600
    open_database(url, create=False).close()


def test_its_other_files_are_as_private(tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "mailgate.db").chmod(0o600)
    database = open_database(sqlite_url, create=False)
    _write(database)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("mailgate.db*")}
    assert modes == {"mailgate.db": 0o600, "mailgate.db-wal": 0o600, "mailgate.db-shm": 0o600}
    database.close()


def _bad_file(folder: Path) -> str:
    (folder / "bad.db").write_bytes(b"no database at all" * 100)
    return f"sqlite:///{folder}/bad.db"


def _bad_folder(folder: Path) -> str:
    (folder / "file").touch()
    return f"sqlite:///{folder}/file/mailgate.db"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_bad_file, r"bad.db can't be opened as a SQLite database \(file is not a database\): name another"),
        (_bad_folder, "file/mailgate.db can't be made .*: name a place"),
        (lambda folder: f"sqlite:///{folder}", "is no file"),
        (lambda folder: f"sqlite:///{folder}/{'x' * 300}", r"can't be reached \(File name too long\): run this as"),
        (lambda _: "sqlite://", "names no file"),
        (lambda _: "sqlite:///:memory:", "names no file"),
        (lambda _: "sqlite:///file:x?mode=memory&uri=true", "names no file"),
        (lambda _: "mysql://u:hush@h/d", "begins with mysql"),
        (lambda _: "postgresql+asyncpg://u:hush@h/d", "begins with postgresql\\+asyncpg"),
        (lambda _: "nonsense hush", "is no database URL"),
        (lambda _: "postgresql://u:hush@a:1,b:2/d", "several hosts"),
        (lambda _: "postgresql://u:hush@127.0.0.1:1/d", "at 127.0.0.1:1 can't be reached"),
        (lambda _: "postgresql://u:hush@/d?host=127.0.0.1:1&host=localhost:2", "127.0.0.1:1, localhost:2 can't be"),
        (lambda folder: f"postgresql:///d?host={folder}", "can't be reached"),
    ],
)
def test_what_cannot_be_opened_is_told_in_one_line_by_the_name_of_the_key_without_secrets(
    tmp_path: Path, make: Callable[[Path], str], says: str
) -> None:
    with pytest.raises(Misconfigured, match=says) as caught:
        open_database(make(tmp_path), create=True)
    assert str(caught.value).startswith("store.url")
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def _pragma(database: Database, name: str) -> object:
    with database.write() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_a_safe_sqlite_runs_with_wal_and_syncs_every_commit(sqlite_url: str) -> None:
    database = open_database(sqlite_url, create=False)
    assert sqlite_module().sqlite_version_info >= module.SAFE_WAL
    assert (_pragma(database, "journal_mode"), _pragma(database, "synchronous")) == ("wal", 2)
    database.close()


def test_an_unsafe_sqlite_runs_without_wal_and_syncs_the_folder_too(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAFE_WAL", (99, 0, 0))
    database = open_database(sqlite_url, create=False)
    assert (_pragma(database, "journal_mode"), _pragma(database, "synchronous")) == ("delete", 3)
    database.close()


def test_an_unsafe_sqlite_does_not_join_another_process_in_wal(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_database(sqlite_url, create=False)
    monkeypatch.setattr(module, "LOCK_SECONDS", 0)
    monkeypatch.setattr(module, "SAFE_WAL", (99, 0, 0))
    with first.read() as connection:
        connection.execute(text("SELECT count(*) FROM audit"))
        with pytest.raises(Misconfigured):
            open_database(sqlite_url, create=False)
    first.close()


def test_the_newest_sqlite_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"pysqlite3.dbapi2": SimpleNamespace(sqlite_version_info=(3, 1, 0))}
    monkeypatch.setattr("importlib.import_module", found.__getitem__)
    assert sqlite_module() is sqlite3


def test_python_s_own_sqlite_does_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    assert sqlite_module() is sqlite3


def test_every_connection_has_foreign_keys_and_patience(sqlite_url: str) -> None:
    database = open_database(sqlite_url, create=False)
    with database.read() as one, database.read() as two, database.write() as three:
        for connection in (one, two, three):
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 20_000
    database.close()


def test_a_write_takes_the_lock_at_its_beginning(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 0)
    ours, theirs = (open_database(sqlite_url, create=False) for _ in range(2))
    with ours.write() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(Deferred) as caught:
            _write(theirs)
        assert caught.value.reason is Reason.STORE_DOWN
    _write(theirs)
    for database in (ours, theirs):
        database.close()


def test_a_full_disk_is_deferred_as_such(sqlite_url: str) -> None:
    database = open_database(sqlite_url, create=False)
    with database.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")  # of the one writing connection
    with pytest.raises(Deferred) as caught, database.write() as connection:
        connection.execute(insert(tables.audit), {**ENTRY, "detail": "x" * 1_000_000})
    assert caught.value.reason is Reason.DISK_FULL
    database.close()


def test_a_relative_path_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    database = open_database("sqlite:///mailgate.db", create=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    database.ping()
    assert database.place == str(tmp_path / "mailgate.db")
    assert [path.name for path in tmp_path.glob("**/*.db")] == ["mailgate.db"]
    database.close()


# -- PostgreSQL -----------------------------------------------------------------------------------------------------


def test_a_server_that_may_lose_commits_is_refused(postgres_url: str) -> None:
    with pytest.raises(Misconfigured, match="fsync and synchronous_commit off"):
        open_database(postgres_url, create=False)


def test_a_server_that_loses_none_is_taken(durable_postgres_url: str) -> None:
    open_database(durable_postgres_url, create=False).close()


@pytest.mark.parametrize("setting", ["synchronous_commit"])
def test_a_setting_of_the_database_or_user_counts(durable_postgres_url: str, setting: str) -> None:
    url = f"{durable_postgres_url}&options=-c%20{setting}%3Doff"
    with pytest.raises(Misconfigured, match=f"runs with {setting} off"):
        open_database(url, create=False)


def test_the_short_scheme_means_the_same_driver(durable_postgres_url: str) -> None:
    database = open_database(durable_postgres_url.replace("postgresql+psycopg:", "postgresql:"), create=False)
    assert database.kind == "postgresql"
    database.ping()
    database.close()


@pytest.mark.parametrize(("name", "value"), [("jit", "off"), ("lock_timeout", "20s")])
def test_every_connection_is_settled(postgres_url: str, name: str, value: str) -> None:
    opened = open_database(postgres_url, create=False, allow_unsafe=True)
    for each in (opened.read, opened.write):
        with each() as connection:
            assert connection.exec_driver_sql(f"SHOW {name}").scalar_one() == value
    opened.close()


def test_a_database_that_is_not_there_is_named(postgres_url: str) -> None:
    with pytest.raises(Misconfigured, match="nowhere"):
        open_database(postgres_url.replace("/test_", "/nowhere_"), create=True)


def test_connections_that_were_cut_are_made_again(postgres_url: str) -> None:
    database = open_database(postgres_url, create=False, allow_unsafe=True)
    database.ping()
    _write(database)
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    database.ping()
    _write(database)
    database.close()
