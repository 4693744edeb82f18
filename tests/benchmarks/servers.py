"""What is measured, each in a folder of its own: mailgate on SQLite and PostgreSQL, Postfix, plain aiosmtpd, a sink.

A ``Server`` takes mails for ``recipient`` on ``port``; ``cpu()`` is the time in seconds that all its processes used so
far, those of its database too. Every one of them has a mail on disk before it says 250, save the sink.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path

from tests.acceptance.postfix import answers, free_port, postfix, wait_for
from tests.acceptance.program import daemon, program
from tests.benchmarks.mails import AUTHOR
from tests.postgres_server import running

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """One that runs."""

    name: str
    port: int
    recipient: str
    cpu: Callable[[], float]
    memory: Callable[[], int]  # octets resident of its own processes, without the database


@contextmanager
def mailgate(engine: str) -> Iterator[Server]:
    """Run mailgate as installed, on ``sqlite`` or on a durable ``postgresql`` of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailgate-bench-")))
        roots = []
        url = None
        if engine == "postgresql":
            database = stack.enter_context(running(durable=True))
            url = database.url(database.new())
            roots.append(database.process.pid)
        served = program(folder, url, MAILGATE_SMTP__MAX_CONNECTIONS_PER_PEER="100")
        served.must("migrate")
        served.must("user", "add", AUTHOR, "--name", "Anna Muster")
        served.must("record", "add", "campaign:1", "--name", "Herbst")
        address = served.must("address", "show", "campaign:1")
        process = stack.enter_context(daemon(served, folder / "log"))
        spent = partial(cpu, process.pid, *roots)
        yield Server(f"mailgate on {engine}", served.smtp_port, address, spent, partial(resident, process.pid))


@contextmanager
def plain_postfix() -> Iterator[Server]:
    """Run Postfix as Debian sets it up, with what it takes discarded."""
    extra = "smtpd_client_connection_count_limit = 0\nsmtpd_peername_lookup = no\n"
    stack = ExitStack()
    mta = stack.enter_context(
        postfix(name="bench", record_domain="log.example", transport="discard:", elsewhere="discard:", extra=extra)
    )
    pid = int((mta.base / "queue/pid/master.pid").read_text())
    try:
        yield Server("Postfix", mta.port, "x@log.example", partial(cpu, pid), partial(resident, pid))
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
def sink() -> Iterator[Server]:
    """Run Postfix's ``smtp-sink``, which takes everything and keeps nothing: what the generator can do."""
    port = free_port()
    with _started("smtp-sink", ["smtp-sink", "-u", "nobody", f"127.0.0.1:{port}", "200"], port) as server:
        yield server


@contextmanager
def _started(name: str, command: list[str], port: int) -> Iterator[Server]:
    process = subprocess.Popen(command)
    try:
        wait_for(lambda: answers(port))
        yield Server(name, port, "x@log.example", partial(cpu, process.pid), partial(resident, process.pid))
    finally:
        process.kill()
        process.wait()


def cpu(*roots: int) -> float:
    """Return the seconds of these processes and all below them, also of those that ended."""
    stats = filter(None, map(_stat, _tree(*roots)))
    return sum(sum(map(int, stat[11:15])) for stat in stats) / TICKS


def resident(*roots: int) -> int:
    """Return the octets that these processes and all below them have in memory."""
    return sum(int(stat[21]) for stat in filter(None, map(_stat, _tree(*roots)))) * os.sysconf("SC_PAGE_SIZE")


def _tree(*roots: int) -> list[int]:
    """List these processes and all below them."""
    above: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and (stat := _stat(int(path.name))):
            above.setdefault(int(stat[1]), []).append(int(path.name))
    found, waiting = [], list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += above.get(pid, [])
    return found


def _stat(pid: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` behind the name, from the state on; [] where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    except OSError:
        return []
