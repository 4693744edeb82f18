"""The machine that figures come from, in words: they mean nothing without it."""

import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from mailgate.store.database import sqlite_module
from tests.benchmarks.figures import median, percentile, shown
from tests.postgres_server import running

SYNCS = 200


def described() -> Mapping[str, str]:
    """Describe this machine, and the versions that were measured."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "disk": f"4 KiB written and synced in {_sync_times()}",
        "system": platform.platform(),
        "Python": platform.python_version(),
        "SQLite": str(sqlite_module().sqlite_version),
        "PostgreSQL": _postgresql(),
        "Postfix": _postfix(),
        "mailgate": _commit(),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _sync_times() -> str:
    took = []
    with tempfile.TemporaryFile() as file:  # where the stores of the benchmark are
        for _ in range(SYNCS):
            start = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - start) * 1000)
    return f"{shown(median(took))} ms (median; p99 {shown(percentile(took, 0.99))} ms)"


def _postgresql() -> str:
    with running(durable=False) as server, server.connect() as connection:
        row = connection.execute(b"SHOW server_version").fetchone()
        return str(row and row[0])


def _postfix() -> str:
    return _said("postconf", "-d", "-h", "mail_version") if shutil.which("postconf") else "none"


def _commit() -> str:
    commit = _said("git", "rev-parse", "--short", "HEAD")
    return commit + (" with changes" if _said("git", "status", "--porcelain", "--", "mailgate") else "")


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=Path(__file__).parent)
    except OSError:
        return ""
    return done.stdout.strip()
