"""The look-up of a recipient among 1,000,000 records: at the SMTP dialogue, and inside the store.

    python -m tests.benchmarks lookup

The records and their addresses are written to the tables by COPY (PostgreSQL) or in bulk (SQLite). Addresses are then
asked for at random, each once: over one connection, from RCPT to its reply, 100 to a mail (``smtp.max_recipients``);
and by ``store.directory``, in this process. The same with one record in the store stands beside.
"""

import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from mailgate.domain.routing import TOKEN_BYTES, new_token
from mailgate.store.database import open_database
from mailgate.store.directory import Directory
from tests.acceptance.program import DOMAIN
from tests.benchmarks.bulk import Columns, written
from tests.benchmarks.figures import Row, median, percentile
from tests.benchmarks.mails import AUTHOR
from tests.benchmarks.scale import ENGINES, scaled
from tests.benchmarks.servers import Server, Settled, mailgate

PART = "look-up"
RECORDS = 1_000_000
ASKED = 5_000
TOGETHER = 100  # recipients of a mail
FIRST = 1_000  # id of the first record; those below were made by hand
_MADE = datetime(2026, 1, 1, tzinfo=UTC)


def rows() -> Iterator[Row]:
    """Measure both rows on each engine."""
    for engine in ENGINES:
        with mailgate(engine) as server:
            few = _timed(server, [server.recipient] * scaled(ASKED, TOGETHER))
        with mailgate(engine, prepare=_fill) as server:
            chance = random.Random(1)
            asked = [address(chance.randrange(_records())) for _ in range(2 * scaled(ASKED, TOGETHER))]
            spoken = _timed(server, asked[::2])
            inside = _inside(server, asked[1::2])
        work = f"RCPT with {_records():,} records"
        beside = {
            "p99 ms": percentile(spoken, 0.99),
            "with one record median ms": median(few),
            "with one record p99 ms": percentile(few, 0.99),
        }
        yield Row(part=PART, work=work, on=server.name, unit="ms", value=median(spoken), most=1.0, beside=beside)
        beside = {"p99 ms": percentile(inside, 0.99)}
        yield Row(
            part=PART, work=f"{work}, inside the store", on=server.name, unit="ms", value=median(inside), beside=beside
        )


def _records() -> int:
    return scaled(RECORDS)


def address(number: int) -> str:
    """Name the address of a record."""
    return f"{_local(number)}@{DOMAIN}"


def _local(number: int) -> str:
    return new_token(random.Random(number).randbytes(TOKEN_BYTES))


def _fill(ready: Settled) -> None:
    numbers = range(_records())
    with written(ready.url) as write:
        write(
            "record",
            Columns("id", "kind", "ref", "name", "state", "created_at"),
            ((FIRST + n, "campaign", f"made-{n}", f"Campaign {n}", "open", _MADE) for n in numbers),
        )
        write(
            "address",
            Columns("local", "record_id", "state", "created_at"),
            ((_local(n), FIRST + n, "open", _MADE) for n in numbers),
        )


def _timed(server: Server, addresses: Sequence[str]) -> list[float]:
    """Ask over SMTP, in milliseconds each."""
    with socket.create_connection(("127.0.0.1", server.port)) as link, link.makefile("rb") as replies:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def ask(command: str) -> float:
            start = time.perf_counter()
            link.sendall(command.encode() + b"\r\n")
            while (line := replies.readline())[3:4] == b"-":
                pass
            took = time.perf_counter() - start
            if line[:1] != b"2":
                raise RuntimeError(f"{command[:4]} is answered by {line.decode(errors='replace')}")
            return took * 1000

        replies.readline()
        ask("EHLO bench.example")
        return list(_in_mails(ask, addresses))[TOGETHER:]  # the first mail's load what it takes


def _in_mails(ask: Callable[[str], float], addresses: Sequence[str]) -> Iterator[float]:
    for n, each in enumerate((*addresses[:TOGETHER], *addresses)):
        if n % TOGETHER == 0:
            ask("RSET")
            ask(f"MAIL FROM:<{AUTHOR}>")
        yield ask(f"RCPT TO:<{each}>")


def _inside(server: Server, addresses: Sequence[str]) -> list[float]:
    assert server.settings is not None
    database = open_database(server.settings.store.url, create=False)
    try:
        directory = Directory(database, DOMAIN)
        took = []
        for each in (*addresses[:TOGETHER], *addresses):
            start = time.perf_counter()
            found = directory.find_address(each)
            took.append((time.perf_counter() - start) * 1000)
            assert found is not None
    finally:
        database.close()
    return took[TOGETHER:]
