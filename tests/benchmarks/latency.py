"""How long a sender waits from the end of DATA to 250: at half the load that the slower one can take, and idle.

    python -m tests.benchmarks latency

At half the load: mails of 5 kB fall due evenly, whether or not those before were taken (an open load), as many per
second for mailgate as for Postfix: half of the rate of the slower of the two in the row "5 kB, connections reused",
measured right before. The two take turns; the median of the pairs' p99 ratios counts. How late the generator itself
was stands beside. Idle: one mail at a time, a pause between, mailgate beside Postfix too.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from tests.benchmarks.figures import TIMES, Row, median, percentile, ratios
from tests.benchmarks.generator import Load, Run
from tests.benchmarks.scale import PAIRS, numbers, scaled
from tests.benchmarks.servers import Server, each_mailgate, plain_postfix
from tests.benchmarks.throughput import WORKS, send

PART = "latency"
SECONDS = 12  # of an open load
IDLE = 200  # mails
BUSY = next(work for work in WORKS if work.size == 5_000 and work.reused)


def rows() -> Iterator[Row]:
    """Measure both rows on each engine."""
    with ExitStack() as stack:
        postfix = stack.enter_context(plain_postfix())
        ours = stack.enter_context(each_mailgate())
        for server in ours:
            yield _at_half(server, postfix)
        for server in ours:
            yield _idle(server, postfix)


def _at_half(server: Server, postfix: Server) -> Row:
    fastest = {one.name: median(send(one, BUSY).run.rate for _ in range(3)) for one in (server, postfix)}
    pace = min(fastest.values()) / 2
    runs = [(_open(server, pace), _open(postfix, pace)) for _ in range(PAIRS)]
    ours, theirs = [pair[0] for pair in runs], [pair[1] for pair in runs]
    each = ratios(_p99(ours), _p99(theirs))
    return Row(
        part=PART,
        work="p99 to 250 at half the load, 5 kB",
        on=server.name,
        unit=TIMES,
        value=median(each),
        most=2.0,
        aim=1.0,
        beside={
            "worst": max(each),
            "at mails/s": pace,
            "p99 ms": median(_p99(ours)) * 1000,
            "Postfix p99 ms": median(_p99(theirs)) * 1000,
            "median ms": median(run.percentile(0.5) for run in ours) * 1000,
            "Postfix median ms": median(run.percentile(0.5) for run in theirs) * 1000,
            "generator late p99 ms": percentile([late for run in (*ours, *theirs) for late in run.late], 0.99) * 1000,
        },
    )


def _open(server: Server, pace: float) -> Run:
    mails = scaled(pace * SECONDS, 100)
    return Load(server.port, server.recipient, mails, pace=pace, first=next(numbers)).run()


def _p99(runs: Sequence[Run]) -> list[float]:
    return [run.percentile(0.99) for run in runs]


def _idle(server: Server, postfix: Server) -> Row:
    waits: dict[str, list[float]] = {}
    time.sleep(1)
    for _ in range(4):  # in turns
        for one in (server, postfix):
            load = Load(one.port, one.recipient, scaled(IDLE / 4, 5), clients=1, pace=20, first=next(numbers))
            waits.setdefault(one.name, []).extend(load.run().waits)
    ours, theirs = waits[server.name], waits[postfix.name]
    return Row(
        part=PART,
        work="one mail, idle server, to 250",
        on=server.name,
        unit="ms",
        value=median(ours) * 1000,
        most=10.0,
        aim=5.0,
        beside={
            "p99 ms": percentile(ours, 0.99) * 1000,
            "Postfix median ms": median(theirs) * 1000,
            "Postfix p99 ms": percentile(theirs, 0.99) * 1000,
        },
    )
