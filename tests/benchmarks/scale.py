"""How long a run is: ``BENCH_PAIRS`` (5) interleaved pairs, ``BENCH_SCALE`` (1) times the usual number of mails."""

import os
from itertools import count

FULL_PAIRS = 5
PAIRS = int(os.environ.get("BENCH_PAIRS", str(FULL_PAIRS)))
SCALE = float(os.environ.get("BENCH_SCALE", "1"))
SHORT = SCALE < 1 or PAIRS < FULL_PAIRS  # figures of such a run are for who works on the benchmark
ENGINES = ("sqlite", "postgresql")

numbers = count(1_000_000, 1_000_000)  # of the first mails of runs: no two send the same


def scaled(usual: float, least: int = 1) -> int:
    """Give a number of mails, turns or seconds for this run."""
    return max(least, round(usual * SCALE))
