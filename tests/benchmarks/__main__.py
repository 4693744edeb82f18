"""``make bench``: mailgate on SQLite beside plain aiosmtpd, on this machine, now; then verification; then listings.

Both take the same mails from the same generator, parse them and commit each to disk before its 250. The two run in
turn, several pairs; the median ratio counts and the worst pair is printed beside it. The rest is timed by
``tests.benchmarks.verification`` and ``tests.benchmarks.listings``, which can be run alone. ``BENCH_PAIRS=0``,
``BENCH_VERIFICATIONS=0`` and ``BENCH_SIZES=`` leave a part out.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.postfix import answers, free_port, wait_for
from tests.acceptance.program import daemon, program
from tests.benchmarks import listings, verification
from tests.benchmarks.generator import Load

PAIRS = int(os.environ.get("BENCH_PAIRS", "5"))
MAILS = int(os.environ.get("BENCH_MAILS", "2000"))
AUTHOR = "anna@muster.example"


@contextmanager
def plain(folder: Path) -> Iterator[int]:
    """Run the plain server of ``tests.benchmarks.plain``."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.plain", str(port), str(folder / "plain.db")])
    try:
        wait_for(lambda: answers(port))
        yield port
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Print what the machine is, and all tables."""
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if PAIRS:
        compare()
    if verification.RUNS:
        verification.run()
    if listings.SIZES:
        listings.run()


def compare() -> None:
    """Run the pairs and print a table."""
    print(f"{MAILS} mails of 5 kB a run, 20 connections reused, {PAIRS} pairs")
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        served = program(folder)
        served.must("migrate")
        served.must("user", "add", AUTHOR, "--name", "Anna Muster")
        served.must("record", "add", "campaign:1", "--name", "Herbst")
        address = served.must("address", "show", "campaign:1")
        with daemon(served, folder / "log"), plain(folder) as plain_port:
            for pair in range(PAIRS):
                ours = Load(served.smtp_port, AUTHOR, address, MAILS).run()
                theirs = Load(plain_port, AUTHOR, "x@log.example", MAILS).run()
                ratios.append(ours / theirs)
                print(f"pair {pair + 1}: mailgate {ours:7.0f}/s   plain aiosmtpd {theirs:7.0f}/s   {ratios[-1]:5.2f} x")
    print(f"median {statistics.median(ratios):.2f} x, worst pair {min(ratios):.2f} x")


if __name__ == "__main__":
    main()
