"""``make bench``: everything that is measured, side by side, and written to ``tests/benchmarks/results``.

    python -m tests.benchmarks [PART ...]

Parts: ``start``, ``throughput``, ``latency``, ``mixed``, ``memory``, ``lookup``, ``roundup``, ``stages``, ``disk``,
``verification``, ``listings``; and ``growth``, which takes long, needs 40 GB of disk, and is only run when it is named.

A full run of all parts writes ``results/bench.*``, a full run of growth ``results/growth.*``; whatever is shorter, or
not the whole, is ``*.local.*`` and says so. An interrupted run writes nothing. A part that fails, or can't be run here,
has a row that says why. Ends with 1 where a figure is missed. ``tests.benchmarks.scale`` says how to make it shorter.
"""

import os
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

Part = Callable[[], Iterator[Row]]

USUAL: Mapping[str, Part] = {
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
LONG: Mapping[str, Part] = {"growth": growth.rows}


def main(*words: str) -> int:
    """Run parts, print and write what they find."""
    parts = {**USUAL, **LONG}
    if unknown := [word for word in words if word not in parts]:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(parts)}", file=sys.stderr)
        return 2
    chosen = words or tuple(USUAL)
    try:
        results = run({name: parts[name] for name in chosen})
    except KeyboardInterrupt:
        print("\ninterrupted: nothing is written", file=sys.stderr)
        return 130
    name = "growth" if chosen == ("growth",) else "bench"
    written = report.write(results, f"{name}.local" if results.short else name)
    print("\n" + report.markdown(results, name))
    print("written:", *(os.path.relpath(path) for path in written))
    return 1 if results.missed else 0


def run(parts: Mapping[str, Part]) -> report.Results:
    """Run parts one after the other, each row printed as soon as it is there."""
    described = machine.described()
    rows: list[Row] = []
    seconds = {}
    for name, part in parts.items():
        print(f"\n{name}", flush=True)
        start = time.monotonic()
        for row in _carefully(name, part):
            rows.append(row)
            print(row.line(), flush=True)
        seconds[name] = time.monotonic() - start
    return report.Results(
        machine=described,
        pairs=scale.PAIRS,
        scale=scale.SCALE,
        short=_short(parts),
        rows=rows,
        seconds=seconds,
    )


def _carefully(name: str, part: Part) -> Iterator[Row]:
    try:
        yield from part()
    except Unmeasurable as lacking:
        yield _absent(name, str(lacking))
    except Exception as error:  # noqa: BLE001 - what other parts found in an hour must not go with this one
        traceback.print_exc()
        yield _absent(name, f"{type(error).__name__}: {error}")


def _absent(name: str, why: str) -> Row:
    return Row(part=name, work="this part, or the rest of it", on="-", unit="", value=None, why=why)


def _short(parts: Mapping[str, Part]) -> str:
    if scale.SHORT:
        return "A short run: its figures are for who works on the benchmark."
    whole = set(parts) in (set(USUAL), set(LONG))
    return "" if whole else "Some parts only."


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
