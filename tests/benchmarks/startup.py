"""How long ``mailgate --version`` takes, wall time, as a process: what every command pays before it begins.

python -m tests.benchmarks startup
"""

import subprocess
import time
from collections.abc import Iterator

from tests.acceptance.program import MAILGATE
from tests.benchmarks.figures import Row, median
from tests.benchmarks.scale import scaled

RUNS = 20


def rows() -> Iterator[Row]:
    """Measure the row; one run that isn't counted comes first."""
    took = []
    for _ in range(scaled(RUNS, 5) + 1):
        start = time.perf_counter()
        subprocess.run([MAILGATE, "--version"], check=True, stdout=subprocess.DEVNULL)
        took.append(time.perf_counter() - start)
    yield Row(
        part="start",
        work="mailgate --version",
        on="mailgate",
        unit="s",
        value=median(took[1:]),
        most=0.3,
        beside={"slowest": max(took[1:]), "first": took[0]},
    )
