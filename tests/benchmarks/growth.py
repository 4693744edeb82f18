"""Throughput as the store grows: 5 kB, connections reused, at 0, 1,000,000 and 5,000,000 stored activities.

    python -m tests.benchmarks growth

The long form: it makes the stores first (COPY on PostgreSQL; in bulk on SQLite, which goes to 1,000,000), takes about
half an hour and 35 GB in the folder for temporary files, which are gone afterwards. ``BENCH_SCALE`` makes the stores
smaller too, ``BENCH_ENGINES`` leaves an engine out.

What is stored is one mail that the program kept itself, again and again, in all tables where it left rows: with keys,
moments, message-ids and records of its own for each, its bytes and body cut to ``BODY`` so that the disk holds them. A
thousandth of all is on the record that the benchmark writes to, the rest is spread over a hundredth as many records.
All stores of an engine are served at once and take turns, one run each; what counts is the ratio of the fastest to the
slowest in a turn, its median over the turns. The triggers that keep mails as they are must refuse a change before a
store is served.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError

from mailgate.store.database import open_database
from mailgate.store.tables import metadata, piece
from tests.acceptance.program import daemon
from tests.benchmarks.bulk import Columns, progress, written
from tests.benchmarks.figures import Row, Unmeasurable, median
from tests.benchmarks.generator import Load
from tests.benchmarks.latency import BUSY
from tests.benchmarks.scale import ENGINES, PAIRS, scaled
from tests.benchmarks.servers import Server, Settled, mailgate
from tests.benchmarks.throughput import send

SIZES = {"sqlite": (0, 1_000_000), "postgresql": (0, 1_000_000, 5_000_000)}
ASKED = os.environ.get("BENCH_ENGINES", " ".join(ENGINES)).split()
FLAT = 1.5
BODY = 300  # octets
EACH = 6_000  # octets on disk that a stored mail may take, with room to build its indexes
HOT = 1_000  # every so many goes to the record that is written to
FIRST = 1_000  # id of the first other record
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
_APART = timedelta(seconds=10)
# the tables where a mail leaves rows, parents first
TABLES = (
    *("mail", "piece", "reading", "reading_body", "reading_party", "document", "link", "reading_note"),
    *("activity", "activity_note", "participation", "receipt", "ledger"),
)
KEYS = frozenset({"upload", "reading_id", "activity_id", "id"})  # columns of UUIDs


def rows() -> Iterator[Row]:
    """Measure the row on each engine."""
    for engine in ASKED:
        _check_room(engine)
        with ExitStack() as stack:
            servers = [stack.enter_context(_grown(engine, scaled(size, 0))) for size in SIZES[engine]]
            yield _row(engine, servers)


def _check_room(engine: str) -> None:
    wanted = sum(scaled(size, 0) for size in SIZES[engine]) * EACH
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < wanted:
        raise Unmeasurable(f"growth takes {wanted / 1e9:.0f} GB of disk here, {free / 1e9:.0f} GB are free")


def _grown(engine: str, size: int) -> AbstractContextManager[Server]:
    return mailgate(engine, prepare=lambda ready: fill(ready, size), name=f"{size:,}")


def _row(engine: str, servers: Sequence[Server]) -> Row:
    rates: dict[str, list[float]] = {server.name: [] for server in servers}
    for server in servers:
        send(server, BUSY)
    for turn in range(PAIRS):
        at = turn % len(servers)
        for server in (*servers[at:], *servers[:at]):
            rates[server.name].append(send(server, BUSY).run.rate)
    turns = list(zip(*rates.values(), strict=True))
    return Row(
        part="growth",
        work="5 kB, connections reused, as the store grows",
        on=f"mailgate on {engine}",
        unit="x slower at most",
        value=median(max(turn) / min(turn) for turn in turns),
        most=FLAT,
        beside={
            "worst": max(max(turn) / min(turn) for turn in turns),
            **{f"mails/s at {name}": median(each) for name, each in rates.items()},
        },
    )


# -- a store full of mails ------------------------------------------------------------------------------------------


def fill(ready: Settled, size: int) -> None:
    """Put so many activities into a store that has none yet."""
    if not size:
        return
    kept = _one_kept(ready)
    records = max(size // 100, 1)
    start = time.monotonic()
    with written(ready.url) as write:
        write(
            "record",
            Columns("id", "kind", "ref", "name", "state", "created_at"),
            ((FIRST + n, "campaign", f"made-{n}", f"Campaign {n}", "open", _BEGIN) for n in range(records)),
        )
        done = 0
        of = size * sum(map(len, kept.values()))
        for table, patterns in kept.items():
            for pattern in patterns:
                made = _Copies(table, pattern, records)
                watched = _watched(made.rows(size), f"{size:,} activities: {table}", done, of, start)
                write(table, Columns(*pattern), watched)
                done += size
        progress(f"{size:,} activities: indexes", done, of, start)
    _check_triggers(ready)


def _one_kept(ready: Settled) -> dict[str, list[dict[str, Any]]]:
    """Have the program keep a mail, and give the rows that it left."""
    with daemon(ready.program, ready.folder / "log"):
        Load(ready.program.smtp_port, ready.recipient, 1, clients=1).run()
    database = open_database(ready.url, create=False)
    try:
        with database.read() as connection:
            found = {
                name: [dict(row) for row in connection.execute(metadata.tables[name].select()).mappings()]
                for name in TABLES
            }
    finally:
        database.close()
    return {name: rows for name, rows in found.items() if rows}


def _watched(rows: Iterable[Any], what: str, done: int, of: int, start: float) -> Iterator[Any]:
    for n, row in enumerate(rows):
        if n % 50_000 == 0:
            progress(what, done + n, of, start)
        yield row


class _Copies:
    """Copies of one row, of as many mails as one likes: what belongs together has the same keys in all tables."""

    def __init__(self, table: str, pattern: Mapping[str, Any], records: int) -> None:
        self._records = records
        self._columns = [self._column(table, name, value) for name, value in pattern.items()]

    def rows(self, size: int) -> Iterator[list[Any]]:
        """Give the copies in order."""
        columns = self._columns
        for n in range(1, size + 1):
            yield [column(n) for column in columns]

    def _column(self, table: str, name: str, value: Any) -> Callable[[int], Any]:
        if value is None:
            return lambda _: None
        if name in KEYS:
            kind = table if name == "id" else name.removesuffix("_id")
            return lambda n: key(kind, n)
        made: dict[str, Callable[[int], Any]] = {
            "mail_sha256": lambda n: hashlib.sha256(b"%d" % n).digest(),
            "identity": lambda n: hashlib.sha256(b"of %d" % n).hexdigest(),
            "message_id": lambda n: f"<{n}.made@muster.example>",
            "queue_id": lambda n: f"4bM{n:08d}",
            "record": lambda n: f"campaign:made-{n % self._records}" if n % HOT else value,
        }
        if name == "sha256" and table == "mail":
            return made["mail_sha256"]
        if name in {"record_id", "activity_record_id"}:
            return lambda n: FIRST + n % self._records if n % HOT else value
        if isinstance(value, datetime):
            return lambda n: _BEGIN + n * _APART
        if name in {"bytes", "text", "html"}:
            value = value[:BODY]
        return made.get(name, lambda _: value)


_KINDS = {"mail": 1, "upload": 2, "reading": 3, "activity": 4, "ledger": 5}


def key(kind: str, number: int) -> str:
    """Make a UUID of version 7: as old as its number says, and the same whenever it is asked for."""
    moment = int((_BEGIN + number * _APART).timestamp() * 1000)
    rest = (number * 0x9E3779B97F4A7C15) & 0x3FFFFFFFFFFFFFFF | 0x8000000000000000
    whole = f"{moment:012x}7{_KINDS[kind]:03x}{rest:016x}"
    return f"{whole[:8]}-{whole[8:12]}-{whole[12:16]}-{whole[16:20]}-{whole[20:]}"


def _check_triggers(ready: Settled) -> None:
    database = open_database(ready.url, create=False)
    try:
        with database.write() as connection:
            connection.execute(piece.update().where(piece.c.upload == key("upload", 1)).values(bytes=b"changed"))
    except IntegrityError:
        return
    finally:
        database.close()
    raise RuntimeError("a stored mail can be changed: the triggers are not in force")
