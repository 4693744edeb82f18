"""The one way to a database: opening it safely, reading, writing, and its errors in our words.

``open_database`` takes a URL of SQLite or PostgreSQL and gives a ``Database``: ``read()`` and ``write()`` are
transactions on connections from two pools, so that look-ups never wait for the writer. On both engines one ``read()``
sees the database as it was at its first statement, whatever is committed meanwhile, and can't write: so what it reads
belongs together, and it never has to be done again. What must hold until a commit is read, and held, in ``write()``,
which on PostgreSQL sees at each statement what is committed by then.

SQLite: the newest library at hand (``pysqlite3`` on Linux, else the one of Python) and WAL, if that library is free of
the bug by which two connections corrupt a WAL file; else a rollback journal. Every commit is on disk when ``write()``
returns. PostgreSQL: psycopg 3; several hosts are written ``postgresql://user@/db?host=a:5432&host=b:5432``.

Raises ``Misconfigured`` when opening: no such file, no database, not reachable, a server that may lose acknowledged
commits. Later, every driver's error becomes ``Deferred(STORE_DOWN)`` or ``Deferred(DISK_FULL)`` with the driver's as
its cause; only ``sqlalchemy.exc.IntegrityError`` passes as it is, for those who expect it.

Limits: a write waits 20 s for another process's, then it is deferred. Nothing may be shared across a fork: open after.
"""

import importlib
import os
import sqlite3
import stat
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from mailgate.errors import Deferred, Misconfigured, Reason
from mailgate.store.prepared import Asking, Cursor, Row, wrapped

# https://sqlite.org/wal.html: before, two connections writing or checkpointing at one instant can corrupt the file
SAFE_WAL = (3, 51, 3)
LOCK_SECONDS = 20
CONNECT_SECONDS = 5
READERS = 16
PREPARED = 1000  # statements that a connection to PostgreSQL keeps: one for each number of rows, too
WRITERS = 4  # for SQLite they take turns
_SQLITE_FULL = 13
_PG_DISK_FULL = "53100"
_PG_TRANSIENT = frozenset({"40001", "40P01", "55P03"})  # serialisation failure, deadlock, lock not available
_PG_OFF = ("fsync", "synchronous_commit")


class Database:
    """An open database. ``kind`` is ``sqlite`` or ``postgresql``, ``place`` its path or hosts, without secrets."""

    def __init__(self, *, kind: str, place: str, readers: Engine, writers: Engine, askers: Engine) -> None:
        self.kind = kind
        self.place = place
        self._readers = readers
        self._writers = writers
        self._askers = askers
        self._asking: deque[PoolProxiedConnection] = deque()  # those that wait for the next question
        # a file has one writer: waiting here is fair, while SQLite's own waiting is sleeping and trying again
        self._turn: threading.Lock | None = threading.Lock() if kind == "sqlite" else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that can't write and sees one moment; its look-ups don't wait for writers."""
        with _translated(), self._readers.connect() as connection:
            yield connection

    def ask(self, question: Asking, given: Row) -> list[tuple[Any, ...]]:
        """Ask one thing, outside of any transaction: that is one round trip.

        A connection may have been lost since it was last used; so a question that finds none is put once more.
        """
        with _translated():
            try:
                return self._ask(question, given)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                self._forget_askers()
                return self._ask(question, given)

    def _ask(self, question: Asking, given: Row) -> list[tuple[Any, ...]]:
        try:
            connection = self._asking.pop()
        except IndexError:
            connection = self._askers.raw_connection()
        try:
            cursor = connection.cursor()
            rows = question.ask(cast("Cursor", cursor), self._askers.dialect, given)
            cursor.close()
        except BaseException as error:
            told = wrapped(error, self._askers.dialect, connection)
            connection.invalidate()  # also where it isn't lost: a statement that it prepared may have come of age
            if told is error:
                raise
            raise told from error
        self._asking.append(connection)
        return rows

    def _forget_askers(self) -> None:
        with suppress(IndexError):
            while True:
                self._asking.pop().invalidate()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in a transaction, committed at the end of the block, rolled back on any error."""
        with self._in_turn(), _translated(), self._writers.begin() as connection:
            yield connection

    @contextmanager
    def bare(self) -> Iterator[Connection]:
        """Give a writing connection of its own without any transaction, for whoever must begin it differently."""
        with self._in_turn(), _translated(), self._writers.connect() as connection:
            # SQLAlchemy's AUTOCOMMIT would leave a SQLite connection beginning transactions by itself afterwards
            option = {"mailgate_bare": True} if self.kind == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
            try:
                yield connection.execution_options(**option)
            finally:
                connection.invalidate()  # whatever was set on it goes with it

    def ping(self) -> None:
        """Ask the database anything; ``Deferred`` when it doesn't answer."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._forget_askers()
        for engine in (self._readers, self._writers, self._askers):
            engine.dispose()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=LOCK_SECONDS):
            raise Deferred(Reason.STORE_DOWN)
        try:
            yield
        finally:
            self._turn.release()


def open_database(url: str, *, create: bool, allow_unsafe: bool = False) -> Database:
    """Open the database at ``url``; ``create`` makes the SQLite file and its folder where there is none.

    The schema is ``store.migrations``' matter. ``allow_unsafe`` takes a PostgreSQL that may lose acknowledged commits.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, create=create)
    return _open_postgresql(parsed, allow_unsafe=allow_unsafe)


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Begin an INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``, for either engine."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def is_transient(error: Deferred) -> bool:
    """Say whether the same transaction may well succeed at once: it lost against another one."""
    cause = error.__cause__
    return isinstance(cause, DBAPIError) and getattr(cause.orig, "sqlstate", None) in _PG_TRANSIENT


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # the URL may hold a password: not shown
        raise Misconfigured(
            "store.url is no database URL: write sqlite:///PATH or postgresql://USER@HOST/NAME "
            "(several hosts: postgresql://USER@/NAME?host=A:5432&host=B:5432)"
        ) from None
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg"}:
        raise Misconfigured(f"store.url begins with {parsed.drivername}: mailgate knows sqlite and postgresql")
    return parsed


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeoutError) as error:
        raise Deferred(Reason.DISK_FULL if _is_full(error) else Reason.STORE_DOWN) from error


def _is_full(error: SQLAlchemyError) -> bool:
    orig = getattr(error, "orig", None)
    return getattr(orig, "sqlite_errorcode", None) == _SQLITE_FULL or getattr(orig, "sqlstate", None) == _PG_DISK_FULL


# -- SQLite ---------------------------------------------------------------------------------------------------------


def sqlite_module() -> ModuleType:
    """Choose the newest SQLite at hand."""
    found: list[Any] = [sqlite3]
    with suppress(ImportError):
        found.append(importlib.import_module("pysqlite3.dbapi2"))
    newest: ModuleType = max(found, key=lambda module: module.sqlite_version_info)
    return newest


def _open_sqlite(url: URL, *, create: bool) -> Database:
    name = url.database
    if not name or name == ":memory:" or name.startswith("file:"):
        raise Misconfigured("store.url names no file: write sqlite:///PATH")
    path = Path(name).absolute()
    _find_file(path, create=create)
    module = sqlite_module()
    safe = module.sqlite_version_info >= SAFE_WAL
    where = url.set(drivername="sqlite+pysqlite", database=str(path))
    readers = _sqlite_engine(where, module, begin="BEGIN", size=READERS, pragmas=("query_only = ON",))
    # without WAL, FULL may lose the removal of the journal, and with it the commit; EXTRA syncs the folder too
    writers = _sqlite_engine(
        where, module, begin="BEGIN IMMEDIATE", size=1, pragmas=(f"synchronous = {'FULL' if safe else 'EXTRA'}",)
    )
    askers = _sqlite_engine(where, module, begin="BEGIN", size=READERS, pragmas=("query_only = ON",))
    database = Database(kind="sqlite", place=str(path), readers=readers, writers=writers, askers=askers)
    try:
        with database.bare() as connection:
            _choose_journal(connection, path, safe=safe)
    except Deferred as error:
        database.close()
        raise Misconfigured(
            f"store.url: {path} can't be opened as a SQLite database ({_first_line(error)}): name another file"
        ) from None
    except BaseException:
        database.close()
        raise
    return database


def _find_file(path: Path, *, create: bool) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        _make_file(path, create=create)
    except OSError as error:
        raise Misconfigured(
            f"store.url: {path} can't be reached ({error.strerror}): run this as the user of the service, "
            "or name a place (or data_dir) that this user may enter"
        ) from None
    else:
        if not stat.S_ISREG(mode):
            raise Misconfigured(f"store.url: {path} is no file: name one")


def _make_file(path: Path, *, create: bool) -> None:
    if not create:
        raise Misconfigured(
            f"store.url: no database at {path}: check it and data_dir, or make one with mailgate migrate"
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its -wal and -shm files the mode of this one
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise Misconfigured(
            f"store.url: {path} can't be made ({error.strerror}): name a place (or data_dir) where this user may write"
        ) from None


def _sqlite_engine(url: URL, module: ModuleType, *, begin: str, size: int, pragmas: tuple[str, ...]) -> Engine:
    engine = create_engine(
        url,
        module=module,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=READERS,
        pool_timeout=LOCK_SECONDS,
        hide_parameters=True,
        # the driver must not begin transactions by itself: it knows only BEGIN, and only before some statements
        connect_args={"check_same_thread": False, "isolation_level": None, "timeout": LOCK_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (f"busy_timeout = {LOCK_SECONDS * 1000}", "foreign_keys = ON", *pragmas):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        if not connection.get_execution_options().get("mailgate_bare"):
            connection.exec_driver_sql(begin)

    return engine


def _choose_journal(connection: Connection, path: Path, *, safe: bool) -> None:
    wanted = "wal" if safe else "delete"
    chosen = connection.exec_driver_sql(f"PRAGMA journal_mode = {wanted}").scalar_one()
    connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    if chosen != wanted:
        raise Misconfigured(
            f"store.url: {path} can't be set to journal mode {wanted} (it is {chosen}): end what has it open, "
            "or move it to a file system that can lock"
        )


# -- PostgreSQL -----------------------------------------------------------------------------------------------------


def _open_postgresql(url: URL, *, allow_unsafe: bool) -> Database:
    where = url.set(drivername="postgresql+psycopg")
    database = Database(
        kind="postgresql",
        place=_hosts(url),
        readers=_postgresql_engine(where, size=READERS, read_only=True),
        writers=_postgresql_engine(where, size=WRITERS, read_only=False),
        askers=_postgresql_engine(where, size=READERS, read_only=True, asking=True),
    )
    try:
        _check_server(database, allow_unsafe=allow_unsafe)
    except Deferred as error:
        database.close()
        raise Misconfigured(
            f"store.url: the database at {database.place} can't be reached ({_first_line(error)}): "
            "start it, or mend the URL"
        ) from None
    except BaseException:
        database.close()
        raise
    return database


def _postgresql_engine(url: URL, *, size: int, read_only: bool, asking: bool = False) -> Engine:
    options: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, "application_name": "mailgate"}
    # a server that is cut off must be noticed before a mail server gives up waiting for us
    options |= {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}
    engine = create_engine(
        url,
        pool_size=size,
        max_overflow=READERS,
        pool_timeout=LOCK_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        # all that is read in one transaction is of one moment; without writing none can fail to serialise
        isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
        execution_options={"postgresql_readonly": True} if read_only else {},
        connect_args={key: value for key, value in options.items() if key not in url.query},
    )

    @event.listens_for(engine, "connect")
    def settle(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
            cursor.execute("SET jit = off")  # compiling takes longer than any statement of ours
            if asking:
                cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        connection.commit()
        connection.autocommit = asking
        connection.prepared_max = PREPARED

    return engine


def _check_server(database: Database, *, allow_unsafe: bool) -> None:
    with database.write() as connection:
        values = {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in _PG_OFF}
    off = [name for name, value in values.items() if value == "off"]
    if off and not allow_unsafe:
        raise Misconfigured(
            f"store.url: the database at {database.place} runs with {' and '.join(off)} off and may lose mails it said "
            "yes to: turn it on (store.allow_unsafe is for tests)"
        )


def _hosts(url: URL) -> str:
    named = url.query.get("host", url.host or "the local socket")
    hosts = ", ".join(named) if isinstance(named, tuple) else named
    return f"{hosts}:{url.port}" if url.port else hosts


def _first_line(error: Deferred) -> str:
    cause = getattr(error.__cause__, "orig", None) or error.__cause__
    return str(cause).strip().partition("\n")[0][:200]
