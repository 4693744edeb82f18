"""The first page of listings at 10,000, 100,000 and 1,000,000 activities, on both engines.

What is looked at keeps its width (one record, a customer with 2,000 campaigns), its depth grows with the store: the
record with a tenth of all activities, the user in a quarter. Flat means that no larger store takes more than 1.5 times
as long as the smallest. In a turn every listing is taken at each size, one right after the other; the first turn counts
nothing. The figures are medians of the turns, and so is the ratio: of what was measured together, for machines differ
by the minute. ``BENCH_SIZES`` and ``BENCH_TURNS`` (11) make it shorter.

    python -m tests.benchmarks listings
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mailgate.domain.listing import Wish
from mailgate.domain.record import Edition, RecordRef
from mailgate.store.activities import Activities
from mailgate.store.database import Database, open_database
from mailgate.store.migrations import migrate
from tests.benchmarks.figures import Row, Unmeasurable
from tests.benchmarks.scale import ENGINES, scaled
from tests.postgres_server import running
from tests.store.multitude import FILTERS, PLACES, fill

SMALLEST = 10_000  # what stands out in a store needs room
ASKED = [int(size) for size in os.environ.get("BENCH_SIZES", "10000 100000 1000000").split()]
SIZES = tuple(sorted({scaled(size, min(size, SMALLEST)) for size in ASKED}))
TURNS = int(os.environ.get("BENCH_TURNS", "11"))
FLAT = 1.5

Listing = tuple[str, str]
LISTINGS: tuple[Listing, ...] = tuple(
    # of tasks wanted for everything there are less than a page in the smallest store
    (place, narrowed)
    for place in PLACES
    for narrowed in FILTERS
    if narrowed != "everything of tasks"
)
Turns = Mapping[Listing, list[tuple[float, ...]]]  # seconds at each size


def rows() -> Iterator[Row]:
    """Time the listings on both engines: what took longest in a larger store, as a multiple of the smallest."""
    if not SIZES:
        raise Unmeasurable("BENCH_SIZES is empty")
    for engine in ENGINES:
        with _stores(engine) as stores:
            yield _row(engine, _times(stores))


@contextmanager
def _stores(engine: str) -> Iterator[dict[int, Database]]:
    """Make a store of each size."""
    with tempfile.TemporaryDirectory(prefix="mailgate-bench-") as folder, running(durable=False) as server:
        stores: dict[int, Database] = {}
        try:
            for size in SIZES:
                url = f"sqlite:///{Path(folder) / str(size)}.db" if engine == "sqlite" else server.url(server.new())
                stores[size] = open_database(url, create=True, allow_unsafe=True)
                migrate(stores[size])
                start = time.perf_counter()
                fill(stores[size], size)
                print(f"{engine}: {size} activities made in {time.perf_counter() - start:.0f} s")
            yield stores
        finally:
            for store in stores.values():
                store.close()


def _times(stores: Mapping[int, Database]) -> Turns:
    took: dict[Listing, list[tuple[float, ...]]] = {one: [] for one in LISTINGS}
    for _ in range(TURNS + 1):
        for one in LISTINGS:
            took[one].append(tuple(_first_page(store, one) for store in stores.values()))
    return {one: turns[1:] for one, turns in took.items()}


def _first_page(store: Database, listing: Listing) -> float:
    place, narrowed = listing
    ref, widened = PLACES[place]
    wish = Wish.read(**widened, **FILTERS[narrowed])
    start = time.perf_counter()
    for _ in Activities(store, Edition.MARKETER).list(RecordRef.parse(ref), wish):
        pass
    return time.perf_counter() - start


def _row(engine: str, times: Turns) -> Row:
    ratios = {one: max(_ratio(larger, turns[0]) for larger in turns[1:]) for one, turns in _at_sizes(times)}
    worst = max(ratios, key=ratios.__getitem__)
    largest = {one: statistics.median(turns[-1]) * 1000 for one, turns in _at_sizes(times)}
    return Row(
        part="listings",
        work=f"first page at {SIZES[-1]:,} activities",
        on=f"mailgate on {engine}",
        unit=f"x that at {SIZES[0]:,}",
        value=ratios[worst],
        most=FLAT,
        beside={
            "listing": ", ".join(worst),
            "its ms": largest[worst],
            "slowest ms": max(largest.values()),
            "median of all ms": statistics.median(largest.values()),
            "listings": f"{len(times)}",
        },
    )


def _at_sizes(times: Turns) -> Iterator[tuple[Listing, list[tuple[float, ...]]]]:
    for one, turns in times.items():
        yield one, list(zip(*turns, strict=True))


def _ratio(larger: tuple[float, ...], smallest: tuple[float, ...]) -> float:
    return statistics.median(one / other for one, other in zip(larger, smallest, strict=True))
