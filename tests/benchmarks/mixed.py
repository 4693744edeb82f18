"""Big beside small: how long mails of 5 kB wait for their 250 while four mails of 25 MB arrive, all the time.

    python -m tests.benchmarks mixed

The small ones fall due evenly, 20 per second, sent by this process; the big ones come from another one
(``tests.benchmarks.flood``) over four connections, each as fast as it is taken, the next one at once. Turns with and
without the big ones alternate; p99 is that of all small mails of a kind. Postfix under the same load stands beside.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.benchmarks.figures import Row, percentile
from tests.benchmarks.generator import Load, Run
from tests.benchmarks.scale import numbers, scaled
from tests.benchmarks.servers import Server, each_mailgate, plain_postfix

PACE = 20.0
SECONDS = 15
TURNS = 3
BIG = 25_000_000
CLIENTS = 4


def rows() -> Iterator[Row]:
    """Measure the row on each engine, and on Postfix."""
    with ExitStack() as stack:
        postfix = stack.enter_context(plain_postfix())
        for server in (*stack.enter_context(each_mailgate()), postfix):
            yield _row(server, wanted=server is not postfix)


def _row(server: Server, *, wanted: bool) -> Row:
    alone: list[float] = []
    beside: list[float] = []
    big, seconds = 0, 0.0
    for _ in range(TURNS):
        alone += _small(server).waits
        with _flood(server) as taken:
            run = _small(server)
            beside += run.waits
            seconds += run.seconds
        big += len(taken)
    return Row(
        part="mixed",
        work="p99 of 5 kB beside four of 25 MB",
        on=server.name,
        unit="ms",
        value=percentile(beside, 0.99) * 1000,
        most=100.0 if wanted else None,
        beside={
            "without them p99 ms": percentile(alone, 0.99) * 1000,
            "median ms": percentile(beside, 0.5) * 1000,
            "without them median ms": percentile(alone, 0.5) * 1000,
            "slowest ms": max(beside) * 1000,
            "big mails/s": big / seconds,
        },
    )


def _small(server: Server) -> Run:
    mails = scaled(PACE * SECONDS, 60)
    return Load(server.port, server.recipient, mails, clients=4, pace=PACE, first=next(numbers)).run()


@contextmanager
def _flood(server: Server) -> Iterator[list[str]]:
    """Send big mails; the list gets a line for each that was taken in the block."""
    command = [sys.executable, "-m", "tests.benchmarks.flood"]
    what = [str(server.port), server.recipient, str(BIG), str(CLIENTS)]
    process = subprocess.Popen([*command, *what], stdout=subprocess.PIPE, text=True)
    taken: list[str] = []
    try:
        assert process.stdout is not None
        if not process.stdout.readline():  # the first one is there: it runs
            raise RuntimeError("the big mails are not taken")
        begun = time.time()
        yield taken
        ended = time.time()
    finally:
        process.kill()
        rest, _ = process.communicate()
    taken += [line for line in rest.splitlines() if begun <= float(line) <= ended]
    time.sleep(1)  # for the server to be done with what was cut off
