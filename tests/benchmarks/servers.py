"""What is measured, each in a folder of its own: mailgate on SQLite and PostgreSQL, Postfix, plain aiosmtpd, sinks.

A ``Server`` takes mails for ``recipient`` on ``port``. Every one of them has a mail on disk before it says 250, save
the two sinks, which say what the generator can do.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from mailgate.settings import Settings
from tests.acceptance.postfix import answers, free_port, installed, postfix, wait_for
from tests.acceptance.program import Program, daemon, program
from tests.benchmarks import processes
from tests.benchmarks.figures import Unmeasurable
from tests.benchmarks.mails import AUTHOR
from tests.postgres_server import running

WORKERS = int(os.environ.get("BENCH_WORKERS", "0"))  # rows more, with so many processes on PostgreSQL


@dataclass(frozen=True)
class Server:
    """One that runs. ``database`` is the process of its database, ``settings`` are mailgate's."""

    name: str
    port: int
    recipient: str
    pid: int
    database: int | None = None
    settings: Settings | None = None

    def cpu(self) -> float:
        """Return the time in seconds that all its processes used so far, those of its database too."""
        return processes.cpu(self.pid, *([self.database] if self.database else []))


@dataclass(frozen=True)
class Settled:
    """mailgate with a user and a record, not served yet."""

    program: Program
    folder: Path
    recipient: str
    database: int | None

    @property
    def url(self) -> str:
        """Where its store is."""
        return self.program.settings().store.url


@contextmanager
def settled(engine: str, **settings: str) -> Iterator[Settled]:
    """Set mailgate up as installed, on ``sqlite`` or on a durable ``postgresql`` of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailgate-bench-")))
        url = pid = None
        if engine == "postgresql":
            database = stack.enter_context(running(durable=True))
            url, pid = database.url(database.new()), database.process.pid
        made = program(folder, url, MAILGATE_SMTP__MAX_CONNECTIONS_PER_PEER="500", **settings)
        made.must("migrate")
        made.must("user", "add", AUTHOR, "--name", "Anna Muster")
        made.must("record", "add", "campaign:1", "--name", "Herbst")
        yield Settled(made, folder, made.must("address", "show", "campaign:1"), pid)


@contextmanager
def mailgate(
    engine: str, *, workers: int = 0, prepare: Callable[[Settled], None] = lambda _: None, name: str = ""
) -> Iterator[Server]:
    """Run mailgate as installed, with as many processes as it chooses; ``prepare`` may fill its store before."""
    more = {"MAILGATE_SMTP__WORKERS": str(workers)} if workers else {}
    with settled(engine, **more) as ready:
        prepare(ready)
        with daemon(ready.program, ready.folder / "log") as process:
            label = name or f"mailgate on {engine}" + (f", workers = {workers}" if workers else "")
            yield Server(
                label,
                ready.program.smtp_port,
                ready.recipient,
                process.pid,
                ready.database,
                ready.program.settings(),
            )


@contextmanager
def each_mailgate() -> Iterator[list[Server]]:
    """Run mailgate in every way that there are rows for: on each engine, and with ``BENCH_WORKERS`` processes too."""
    with ExitStack() as stack:
        servers = [stack.enter_context(mailgate(engine)) for engine in ("sqlite", "postgresql")]
        if WORKERS:
            servers.append(stack.enter_context(mailgate("postgresql", workers=WORKERS)))
        yield servers


@contextmanager
def plain_postfix() -> Iterator[Server]:
    """Run Postfix as Debian sets it up, with what it takes discarded."""
    if not installed():
        raise Unmeasurable("Postfix is measured where Debian's postfix is installed, by root")
    extra = "smtpd_client_connection_count_limit = 0\nsmtpd_peername_lookup = no\n"
    stack = ExitStack()
    mta = stack.enter_context(
        postfix(name="bench", record_domain="log.example", transport="discard:", elsewhere="discard:", extra=extra)
    )
    pid = int((mta.base / "queue/pid/master.pid").read_text())
    try:
        yield Server("Postfix", mta.port, "x@log.example", pid)
    finally:
        with redirect_stdout(StringIO()):  # it would print its log
            stack.close()


@contextmanager
def plain_aiosmtpd() -> Iterator[Server]:
    """Run the plain server of ``tests.benchmarks.plain``."""
    with tempfile.TemporaryDirectory(prefix="mailgate-bench-") as folder:
        port = free_port()
        command = [sys.executable, "-m", "tests.benchmarks.plain", str(port), f"{folder}/plain.db"]
        with _started("plain aiosmtpd", command, port) as server:
            yield server


@contextmanager
def sinks() -> Iterator[list[Server]]:
    """Run what takes everything and keeps nothing: Postfix's ``smtp-sink`` if there, and ``tests.benchmarks.drain``."""
    with ExitStack() as stack:
        port, other = free_port(), free_port()
        command = [sys.executable, "-m", "tests.benchmarks.drain", str(port)]
        found = [stack.enter_context(_started("drain", command, port))]
        if (path := shutil.which("smtp-sink")) is not None:
            drop = ["-u", "nobody"] if os.geteuid() == 0 else []
            found.append(stack.enter_context(_started("smtp-sink", [path, *drop, f"127.0.0.1:{other}", "200"], other)))
        yield found


@contextmanager
def _started(name: str, command: list[str], port: int) -> Iterator[Server]:
    process = subprocess.Popen(command)
    try:
        wait_for(lambda: answers(port))
        yield Server(name, port, "x@log.example", process.pid)
    finally:
        process.kill()
        process.wait()
