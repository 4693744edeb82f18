"""mailgate on both engines beside Postfix: mails per second, in interleaved pairs, on this machine, now.

    python -m tests.benchmarks throughput

A pair is one run against each, one right after the other; the median of the pairs' ratios counts and the worst stands
beside it, with the processor's time that server and generator took for a mail. A run that isn't counted comes first.

The generator shares the machine with the servers. That it isn't the limit is shown in each row: what it sends to a
server that looks at nothing is to be at least three times what either took, and its share of all processors below a
quarter. ``BENCH_PAIRS`` (5) and ``BENCH_SCALE`` (1: how many mails) make it longer or shorter; ``BENCH_WORKERS`` adds
rows with so many processes on PostgreSQL.

    python -m tests.benchmarks.throughput [WORD ...]

measures only the rows with one of these words in their names, prints them, and writes nothing.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.benchmarks.figures import TIMES, Row, median, ratios
from tests.benchmarks.generator import Load, Run
from tests.benchmarks.scale import PAIRS, numbers, scaled
from tests.benchmarks.servers import Server, each_mailgate, plain_aiosmtpd, plain_postfix, sinks

PART = "throughput"
SHARE = 0.25  # of all processors, that the generator may have
FASTER = 3.0  # than either server


@dataclass(frozen=True)
class Work:
    """One row: what is sent, and how much of Postfix's rate is wanted."""

    name: str
    size: int
    mails: int
    reused: bool
    least: float
    aim: float
    clients: int = 20


WORKS = (
    Work("5 kB, a connection each", 5_000, 1500, reused=False, least=1.0, aim=1.5),
    Work("5 kB, connections reused", 5_000, 1500, reused=True, least=1.0, aim=1.5),
    Work("100 kB with a PDF", 100_000, 600, reused=True, least=1.0, aim=1.5),
    Work("5 MB with a PDF", 5_000_000, 40, reused=True, least=0.7, aim=1.0, clients=4),
)


@dataclass(frozen=True)
class Timed:
    """A run, and the processor's time that the server took for it, in seconds."""

    run: Run
    cpu: float

    @property
    def each(self) -> float:
        """Milliseconds of the processor for a mail."""
        return self.cpu / self.run.mails * 1000


def send(server: Server, work: Work) -> Timed:
    """Make one run."""
    load = Load(
        server.port,
        server.recipient,
        scaled(work.mails, work.clients),
        size=work.size,
        clients=work.clients,
        reused=work.reused,
        first=next(numbers),
    )
    before = server.cpu()
    run = load.run()
    return Timed(run, server.cpu() - before)


def rows(*words: str) -> Iterator[Row]:
    """Measure all rows whose names have one of these words in them."""
    with ExitStack() as stack:
        postfix = stack.enter_context(plain_postfix())
        nothing = stack.enter_context(sinks())
        ours = stack.enter_context(each_mailgate())
        others = [stack.enter_context(plain_aiosmtpd())]
        for work in (work for work in WORKS if any(word in work.name for word in words or ("",))):
            alone = {server.name: send(server, work).run.rate for server in nothing}
            found: list[tuple[Timed, Timed]] = []
            for server in (*ours, *others):
                pairs = list(_pairs(server, postfix, work))
                yield _row(server, work, pairs, wanted=server in ours)
                found += pairs
            yield from _of_generator(work, alone, found)


def _pairs(server: Server, postfix: Server, work: Work) -> Iterator[tuple[Timed, Timed]]:
    send(server, work)
    for _ in range(PAIRS):
        yield send(server, work), send(postfix, work)


def _row(server: Server, work: Work, pairs: Sequence[tuple[Timed, Timed]], *, wanted: bool) -> Row:
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    each = ratios([one.run.rate for one in ours], [one.run.rate for one in theirs])
    return Row(
        part=PART,
        work=work.name,
        on=server.name,
        unit=TIMES,
        value=median(each),
        least=work.least if wanted else None,
        aim=work.aim if wanted else None,
        beside={
            "worst": min(each),
            "mails/s": median(one.run.rate for one in ours),
            "Postfix mails/s": median(one.run.rate for one in theirs),
            "CPU ms a mail": median(one.each for one in ours),
            "Postfix CPU ms": median(one.each for one in theirs),
            "generator CPU ms": median(one.run.own / one.run.mails * 1000 for one in ours),
            "generator's share of all CPU": median(one.run.share for one in ours),
        },
    )


def _of_generator(work: Work, alone: dict[str, float], pairs: Sequence[tuple[Timed, Timed]]) -> Iterator[Row]:
    fastest = max(one.run.rate for pair in pairs for one in pair)
    yield Row(
        part="generator",
        work=work.name,
        on="with a server that looks at nothing",
        unit="x the fastest server",
        value=max(alone.values()) / fastest,
        least=FASTER,
        beside={f"{name} mails/s": rate for name, rate in alone.items()} | {"fastest server mails/s": fastest},
    )
    yield Row(
        part="generator",
        work=work.name,
        on="all runs of this row, the largest",
        unit="of all CPU",
        value=max(one.run.share for pair in pairs for one in pair),
        most=SHARE,
    )


if __name__ == "__main__":
    for measured in rows(*sys.argv[1:]):
        print(measured.line(), flush=True)
