"""A process killed at any moment: whatever it acknowledged is there, once; whatever it did not is there once or not."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import select

from mailgate.domain.ledger import Verdict
from mailgate.store import tables, uploads
from mailgate.store.archive import Archive, raw_bytes
from mailgate.store.database import Database
from tests.store.seeding import count, rows, seed
from tests.store.sender import raw_of
from tests.worlds import CAMPAIGN, CUSTOMER, WORLD, new_mail

ROOT = Path(__file__).parents[2]


def _send_until_killed(url: str, start: int, wanted: int) -> list[int]:
    """Return the numbers that were acknowledged; the process is killed after ``wanted`` of them."""
    command = [sys.executable, "-m", "tests.store.sender", url, str(start)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [int(line) for line in islice(process.stdout, wanted)]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout if line.endswith("\n")]
    assert process.returncode == -signal.SIGKILL
    return told


@pytest.fixture
def killed(database: Database, database_url: str) -> set[int]:
    seed(database, WORLD)
    told: set[int] = set()
    for turn, wanted in enumerate((1, 60, 137)):
        more = _send_until_killed(database_url, 1_000_000 * (turn + 1), wanted)
        assert len(more) >= wanted
        told |= set(more)
    return told


def test_each_acknowledged_mail_is_there_once_and_whole(database: Database, killed: set[int]) -> None:
    with database.read() as connection:
        kept = {raw_bytes(connection, sha256) for sha256 in connection.scalars(select(tables.mail.c.sha256))}
        if database.kind == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    lost = [number for number in killed if raw_of(number) not in kept]
    assert lost == []
    # both activities of a mail or none, never one without its mail, its receipt or its row in the ledger
    assert count(database, tables.mail) == len(kept)
    for table in (tables.activity, tables.receipt, tables.ledger):
        assert count(database, table) == 2 * len(kept)
    for table in (tables.reading, tables.reading_body):
        assert count(database, table) == len(kept)


def test_each_acknowledged_mail_is_met_as_a_duplicate(database: Database, killed: set[int]) -> None:
    before = count(database, tables.activity)
    archive = Archive(database)
    again = [archive.keep(new_mail(raw_of(number), to=[CAMPAIGN, CUSTOMER])) for number in sorted(killed)]
    archive.close()
    assert {each.verdict for pair in again for each in pair} == {Verdict.DUPLICATE}
    assert count(database, tables.activity) == before


def test_what_was_left_half_written_is_swept_later(database: Database, killed: set[int]) -> None:
    uploads.sweep(database, datetime.now(UTC) + timedelta(hours=2))
    assert count(database, tables.upload) == 0
    claimed = {row["upload"] for row in rows(database, tables.mail)}
    assert {row["upload"] for row in rows(database, tables.piece)} == claimed
