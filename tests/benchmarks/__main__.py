"""``make bench``: everything that is measured, side by side, and written to ``tests/benchmarks/results``.

    python -m tests.benchmarks [PART ...]

Parts: ``start``, ``throughput``, ``latency``, ``mixed``, ``memory``, ``lookup``, ``roundup``, ``stages``, ``disk``,
``verification``, ``listings``; and ``growth``, which takes long, needs 35 GB of disk, and is only run when it is named.

A full run writes ``results/bench.*``, where results of parts that aren't run now stay as they are; a short one writes
``bench.local.*`` and says so. An interrupted run writes nothing. A part that fails, or can't be run here, has a row
that says why. Ends with 1 where a figure is missed. ``tests.benchmarks.scale`` says how to make it shorter.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping

from tests.benchmarks import (
    disk,
    growth,
    latency,
    listings,
    lookup,
    machine,
    memory,
    mixed,
    report,
    roundup,
    scale,
    stages,
    startup,
    throughput,
    verification,
)
from tests.benchmarks.figures import Row, Unmeasurable

Measure = Callable[[], Iterator[Row]]

USUAL: Mapping[str, Measure] = {
    "start": startup.rows,
    "throughput": throughput.rows,
    "latency": latency.rows,
    "mixed": mixed.rows,
    "memory": memory.rows,
    "lookup": lookup.rows,
    "roundup": roundup.rows,
    "stages": stages.rows,
    "disk": disk.rows,
    "verification": verification.rows,
    "listings": listings.rows,
}
LONG: Mapping[str, Measure] = {"growth": growth.rows}


def main(*words: str) -> int:
    """Run parts, print and write what they find."""
    parts = {**USUAL, **LONG}
    if unknown := [word for word in words if word not in parts]:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(parts)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupted)
    described = machine.described()
    print("\n".join(f"{name}: {said}" for name, said in described.items()), flush=True)
    try:
        found = [run(name, parts[name], described) for name in words or tuple(USUAL)]
    except KeyboardInterrupt:
        print("\ninterrupted: nothing is written", file=sys.stderr)
        return 130
    written = report.write(found, short=scale.SHORT, order=tuple(parts))
    print("\nwritten:", *(os.path.relpath(path) for path in written))
    return 1 if report.fallen_short(row for part in found for row in part.rows) else 0


def run(name: str, part: Measure, described: Mapping[str, str]) -> report.Part:
    """Run a part, each row printed as soon as it is there."""
    print(f"\n{name}", flush=True)
    start = time.monotonic()
    rows: list[Row] = []
    for row in _carefully(name, part):
        rows.append(row)
        print(row.line(), flush=True)
    seconds = time.monotonic() - start
    print(f"  {seconds:.0f} s", flush=True)
    return report.Part(name=name, machine=described, pairs=scale.PAIRS, scale=scale.SCALE, seconds=seconds, rows=rows)


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt  # so that servers and stores of gigabytes go with the run


def _carefully(name: str, part: Measure) -> Iterator[Row]:
    try:
        yield from part()
    except Unmeasurable as lacking:
        yield _absent(name, str(lacking))
    except Exception as error:  # noqa: BLE001 - what other parts found in an hour must not go with this one
        traceback.print_exc()
        yield _absent(name, f"{type(error).__name__}: {error}")


def _absent(name: str, why: str) -> Row:
    return Row(part=name, work="this part, or the rest of it", on="-", unit="", value=None, why=why)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
