"""mailgate on both engines beside Postfix: mails per second, in interleaved pairs, on this machine, now.

    python -m tests.benchmarks.throughput [ROW ...]

A pair is one run against each, one right after the other; the median of the pairs' ratios counts and the worst is
printed beside it, with the processor's time that server and generator took for a mail. A run that isn't counted comes
first. The generator shares the machine with the servers; how fast it is with a server that does nothing is printed
too. ``BENCH_PAIRS`` (5) and ``BENCH_SCALE`` (1: how many mails) make it longer or shorter.
"""

import os
import platform
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count

from tests.benchmarks.generator import Load, Run
from tests.benchmarks.servers import Server, mailgate, plain_aiosmtpd, plain_postfix, sink

PAIRS = int(os.environ.get("BENCH_PAIRS", "5"))
SCALE = float(os.environ.get("BENCH_SCALE", "1"))
ENGINES = ("sqlite", "postgresql")
_numbers = count(1_000_000, 1_000_000)  # of the first mails of runs


@dataclass(frozen=True)
class Work:
    """One row: what is sent, and how much of Postfix's rate is wanted."""

    name: str
    size: int
    mails: int
    reused: bool
    least: float
    clients: int = 20


WORKS = (
    Work("5 kB, a connection each", 5_000, 1500, reused=False, least=1.0),
    Work("5 kB, connections reused", 5_000, 1500, reused=True, least=1.0),
    Work("100 kB with a PDF", 100_000, 600, reused=True, least=1.0),
    Work("5 MB with a PDF", 5_000_000, 40, reused=True, least=0.7, clients=4),
)


def send(server: Server, work: Work) -> tuple[Run, float]:
    """Make one run; gives the processor's time of the server, too, in seconds."""
    mails = max(work.clients, int(work.mails * SCALE))
    load = Load(
        server.port,
        server.recipient,
        mails,
        size=work.size,
        clients=work.clients,
        reused=work.reused,
        first=next(_numbers),
    )
    before = server.cpu()
    run = load.run()
    return run, server.cpu() - before


def run(*words: str) -> None:
    """Print the rows whose names have one of these words in them."""
    works = [work for work in WORKS if any(word in work.name for word in words or ("",))]
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}; {PAIRS} pairs")
    with ExitStack() as stack:
        postfix = stack.enter_context(plain_postfix())
        nothing = stack.enter_context(sink())
        ours = [stack.enter_context(mailgate(engine)) for engine in ENGINES]
        others = [stack.enter_context(plain_aiosmtpd())]
        for work in works:
            most, _ = send(nothing, work)
            share = most.own / most.seconds
            print(f"\n{work.name}: the generator alone {most.rate:.0f}/s at {share:.2f} of a core", flush=True)
            for server in (*ours, *others):
                print(_row(server, postfix, work), flush=True)


def _row(server: Server, postfix: Server, work: Work) -> str:
    runs = list(_pairs(server, postfix, work))
    ratios = [ours[0].rate / theirs[0].rate for ours, theirs in runs]
    ours_rate, theirs_rate = (statistics.median(pair[side][0].rate for pair in runs) for side in (0, 1))
    cpu = [statistics.median(pair[side][1] / pair[side][0].mails * 1000 for pair in runs) for side in (0, 1)]
    own = statistics.median(pair[0][0].own / pair[0][0].mails * 1000 for pair in runs)
    wanted = f"wanted {work.least:.1f}" if server.name.startswith("mailgate") else ""
    return (
        f"  {server.name:24} {ours_rate:7.1f}/s   Postfix {theirs_rate:7.1f}/s   {statistics.median(ratios):5.2f} x"
        f" (worst {min(ratios):.2f}) {wanted:10}   CPU a mail {cpu[0]:6.2f} ms, Postfix {cpu[1]:5.2f} ms,"
        f" generator {own:4.2f} ms"
    )


def _pairs(server: Server, postfix: Server, work: Work) -> Iterator[tuple[tuple[Run, float], tuple[Run, float]]]:
    send(server, work)
    for _ in range(PAIRS):
        yield send(server, work), send(postfix, work)


if __name__ == "__main__":
    run(*sys.argv[1:])
