"""Databases for every test that wants one: both engines in every run, none skipped.

``sqlite_url`` and ``postgres_url`` name a fresh database with the schema in it; ``database`` is one opened, and a test
that takes it runs once on each engine. The PostgreSQL of a run is started when first asked for, one per xdist worker;
it has fsync off. Where a test is about durability it takes ``durable_postgres_url``. SQLite is always durable.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailgate.store.database import Database, open_database
from mailgate.store.migrations import migrate
from tests.postgres_server import TEMPLATE, PostgresServer, running

ENGINES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with running(durable=False) as server:
        _make_template(server)
        yield server


@pytest.fixture(scope="session")
def durable_postgres_server() -> Iterator[PostgresServer]:
    with running(durable=True) as server:
        _make_template(server)
        yield server


def _make_template(server: PostgresServer) -> None:
    name = server.new()
    _prepare(server.url(name))
    server.prepared(name)


def _prepare(url: str) -> None:
    database = open_database(url, create=True, allow_unsafe=True)
    migrate(database)
    database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "mailgate.db"
    _prepare(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "mailgate.db")
    return f"sqlite:///{tmp_path / 'mailgate.db'}"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    name = postgres_server.take()
    yield postgres_server.url(name)
    postgres_server.give_back(name)


@pytest.fixture
def durable_postgres_url(durable_postgres_server: PostgresServer) -> Iterator[str]:
    name = durable_postgres_server.new(TEMPLATE)
    yield durable_postgres_server.url(name)
    durable_postgres_server.drop(name)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database without the schema."""
    name = postgres_server.new()
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Take this to run a test once on each engine."""
    return str(request.param)


@pytest.fixture
def database_url(engine: str, request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("sqlite_url" if engine == "sqlite" else "postgres_url"))


@pytest.fixture
def empty_database_url(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A database without the schema; for SQLite a file that is not there yet."""
    if engine == "sqlite":
        return f"sqlite:///{tmp_path / 'new.db'}"
    return str(request.getfixturevalue("empty_postgres_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url, create=False, allow_unsafe=True)
    yield opened
    opened.close()
