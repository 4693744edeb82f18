"""Disk that mails take in the store, with all indexes, per million mails: 5 kB and 100 kB, on both engines.

    python -m tests.benchmarks disk

Some thousands of mails are sent to the program, and what the database grew by from the first quarter to the last is
counted: on SQLite the pages in use, on PostgreSQL the size of the database. Beside it stand the empty database, the WAL
files, which don't grow with it, and on PostgreSQL what a mail writes to the WAL: what a standby is sent.

Limits: the PDF of a mail of 100 kB is random, as compressed files are, and the same in all mails but for its first
line; nothing is shared between mails, so that this costs what others would.
"""

from collections.abc import Iterator
from pathlib import Path

from mailgate.store.database import open_database
from tests.benchmarks.figures import Row
from tests.benchmarks.generator import Load
from tests.benchmarks.scale import ENGINES, numbers, scaled
from tests.benchmarks.servers import Server, mailgate

MAILS = {5_000: 6_000, 100_000: 2_000}
NAMES = {5_000: "5 kB", 100_000: "100 kB with a PDF"}
CLIENTS = 20


def rows() -> Iterator[Row]:
    """Measure a row for each size on each engine."""
    for engine in ENGINES:
        for size, usual in MAILS.items():
            with mailgate(engine) as server:
                yield _row(server, size, scaled(usual, 4 * CLIENTS))


def _row(server: Server, size: int, mails: int) -> Row:
    empty = used(server)
    first = mails // 4
    _send(server, size, first)
    before, logged = used(server), _logged(server)
    _send(server, size, mails - first)
    each = (used(server) - before) / (mails - first)
    beside: dict[str, float | str] = {
        "bytes a mail": each,
        "x its size": each / size,
        "mails sent": str(mails),
        "empty store MB": empty / 1e6,
        "WAL files MB": _wal(server) / 1e6,
    }
    if server.database is not None:
        beside["bytes of WAL a mail"] = (_logged(server) - logged) / (mails - first)
    return Row(
        part="disk",
        work=f"{NAMES[size]}, a million mails",
        on=server.name,
        unit="GB",
        value=each * 1e6 / 1e9,
        beside=beside,
    )


def _send(server: Server, size: int, mails: int) -> None:
    Load(server.port, server.recipient, mails, size=size, clients=CLIENTS, first=next(numbers)).run()


def used(server: Server) -> int:
    """Give the octets that the database takes, without what is free in it."""
    return _asked(
        server,
        sqlite="SELECT (page_count - freelist_count) * page_size"
        " FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        postgresql="SELECT pg_database_size(current_database())",
    )


def _wal(server: Server) -> int:
    assert server.settings is not None
    if server.database is None:
        path = Path(server.settings.store.url.removeprefix("sqlite:///"))
        beside = path.with_name(path.name + "-wal")
        return beside.stat().st_size if beside.exists() else 0
    return _asked(server, sqlite="", postgresql="SELECT sum(size)::bigint FROM pg_ls_waldir()")


def _logged(server: Server) -> int:
    return _asked(server, sqlite="SELECT 0", postgresql="SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")


def _asked(server: Server, *, sqlite: str, postgresql: str) -> int:
    assert server.settings is not None
    database = open_database(server.settings.store.url, create=False)
    try:
        with database.read() as connection:
            statement = postgresql if connection.dialect.name == "postgresql" else sqlite
            return int(connection.exec_driver_sql(statement).scalar_one())
    finally:
        database.close()
