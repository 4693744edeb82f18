"""The first page of listings at 10,000, 100,000 and 1,000,000 activities, on both engines.

What is looked at keeps its width (one record, a customer with 2,000 campaigns), its depth grows with the store: the
record with a tenth of all activities, the user in a quarter. Flat means that no larger store takes more than 1.5 times
as long as the smallest. In a turn every listing is taken at each size, one right after the other; the first turn counts
nothing. The figures are medians of the turns, and so is the ratio: of what was measured together, for machines differ
by the minute.
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
from tests.postgres_server import running
from tests.store.multitude import FILTERS, PLACES, fill

SIZES = tuple(int(size) for size in os.environ.get("BENCH_SIZES", "10000 100000 1000000").split())
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


def run() -> None:
    """Time the listings on both engines and print a table for each."""
    for engine in ("sqlite", "postgresql"):
        with _stores(engine) as stores:
            _print(engine, _times(stores))


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


def _print(engine: str, times: Turns) -> None:
    print(f"\nfirst page on {engine}, milliseconds" + "".join(f"{size:>11}" for size in SIZES) + "   ratio")
    worst = 0.0
    for (place, narrowed), turns in times.items():
        at_sizes = zip(*turns, strict=True)
        smallest = next(at_sizes)
        ratio = max(_ratio(larger, smallest) for larger in at_sizes)
        worst = max(worst, ratio)
        row = "".join(f"{statistics.median(at_size) * 1000:11.1f}" for at_size in zip(*turns, strict=True))
        print(f"{place + ', ' + narrowed:38}{row}{ratio:8.2f}{'' if ratio <= FLAT else '  not flat'}")
    print(f"worst ratio {worst:.2f}, flat is at most {FLAT}\n")


def _ratio(larger: tuple[float, ...], smallest: tuple[float, ...]) -> float:
    return statistics.median(one / other for one, other in zip(larger, smallest, strict=True))


if __name__ == "__main__":
    run()
