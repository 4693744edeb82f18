"""Mails that come with others attached, under trouble: two relays at once, bytes written ahead, a failing store."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from mailgate.domain.activity import NewMail
from mailgate.domain.ledger import Verdict
from mailgate.errors import Deferred, Reason
from mailgate.store import keeping, tables, uploads
from mailgate.store.archive import Archive, raw_bytes
from mailgate.store.database import Database, open_database
from mailgate.store.orders import Order
from tests.contract.test_forwards import attached, forward
from tests.store.forwarder import IN_EACH, forward_of
from tests.store.seeding import count, rows, seed
from tests.worlds import CAMPAIGN, CUSTOMER, WORLD, new_mail, ref

MIB = 1 << 20
ROOT = Path(__file__).parents[2]


@pytest.fixture
def archives(database: Database, database_url: str) -> Iterator[list[Archive]]:
    """Two processes on one store."""
    seed(database, WORLD)
    other = open_database(database_url, create=False, allow_unsafe=True)
    made = [Archive(database), Archive(other)]
    yield made
    for archive in made:
        archive.close()
    other.close()


def test_the_same_forward_by_two_relays_at_once_is_kept_once(database: Database, archives: list[Archive]) -> None:
    mails = [attached(number) for number in range(20)]
    both = (forward(*mails, says=False), forward(*reversed(mails), says=False, number=1001))
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(archives[n % 2].keep, both[n // 2 % 2]) for n in range(16)]
        answers = [kept for each in asked for kept in each.result()]
    assert [each.verdict for each in answers].count(Verdict.KEPT) == 1
    for table in (tables.activity, tables.receipt, tables.mail, tables.reading):
        assert count(database, table) == 20
    assert count(database, tables.ledger) == 16 * 21


def test_forwards_and_the_mails_in_them_pass_each_other(database: Database, archives: list[Archive]) -> None:
    alone = [new_mail(attached(number).raw, to=[CUSTOMER, CAMPAIGN]) for number in range(20)]
    forwards = [forward(*(attached(m) for m in range(n, n + 10)), number=1000 + n) for n in range(10)]
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(archives[n % 2].keep, mail) for n, mail in enumerate(alone)]
        asked += [pool.submit(archives[n % 2].keep, mail) for n, mail in enumerate(forwards)]
        for each in asked:
            each.result()
    # whatever came by itself is there; what was handed on earlier, or at the same moment, is there too, once each
    made = Counter((row["trust"], row["record_id"], row["mail_sha256"]) for row in rows(database, tables.activity))
    assert set(made.values()) == {1}
    trusted = [key for key in made if key[0] == "vouched"]
    assert len(trusted) == 2 * 20 + 10
    assert len(made) - len(trusted) <= 19
    assert count(database, tables.mail) == 20 + 10
    assert count(database, tables.receipt) == len(made)
    for mail in (*alone, *forwards):
        assert {kept.verdict for kept in archives[0].keep(mail)} == {Verdict.DUPLICATE}
    assert count(database, tables.activity) == len(made)


@pytest.mark.parametrize("by_bcc_first", [True, False])
def test_in_one_transaction_too_what_came_first_counts(
    database: Database, archives: list[Archive], by_bcc_first: bool
) -> None:
    by_bcc = Order.of(new_mail(attached(1).raw))
    handed_on = Order.of(forward(attached(1), says=False))
    with database.write() as connection:
        kept = keeping.keep(connection, [by_bcc, handed_on] if by_bcc_first else [handed_on, by_bcc])
    verdicts = [each.verdict for (each,) in kept]
    assert verdicts == [Verdict.KEPT, Verdict.DUPLICATE if by_bcc_first else Verdict.KEPT]
    assert count(database, tables.activity) == count(database, tables.receipt) == verdicts.count(Verdict.KEPT)
    assert count(database, tables.mail) == 1


def test_what_was_written_ahead_is_claimed_or_gone(database: Database, archives: list[Archive]) -> None:
    big = [attached(number, body="x" * 2 * MIB) for number in (1, 1, 2)]
    for says in (False, True, True):
        archives[0].keep(forward(*big, says=says, size=7 * MIB))
        assert count(database, tables.upload) == 0
        claimed = {row["upload"] for row in rows(database, tables.mail)}
        assert {row["upload"] for row in rows(database, tables.piece)} == claimed


def test_what_would_fill_a_transaction_is_written_ahead_though_it_is_small(
    archives: list[Archive], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    ahead = uploads.write_ahead

    def counted(database: Database, raw: bytes) -> str:
        written.append(len(raw))
        return ahead(database, raw)

    monkeypatch.setattr(uploads, "write_ahead", counted)
    archives[0].keep(forward(*(attached(number, body="x" * 100_000) for number in range(20)), says=False))
    assert written == []
    archives[0].keep(forward(*(attached(number, body="y" * 300_000) for number in range(20)), says=False))
    assert len(written) == 20


def test_nothing_is_kept_of_a_forward_where_a_part_of_it_can_not_be(
    database: Database, archives: list[Archive]
) -> None:
    gone = replace(attached(2), activities=(replace(attached(2).activities[0], record=ref("campaign:gone")),))
    with pytest.raises(Deferred):
        archives[0].keep(forward(attached(1, body="x" * 2 * MIB), gone))
    tables_of_it = (tables.activity, tables.mail, tables.receipt, tables.ledger, tables.piece, tables.upload)
    assert [count(database, table) for table in tables_of_it] == [0] * 6


def test_a_forward_whose_commit_was_not_heard_of_is_known_again(
    database: Database, archives: list[Archive], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = database.write
    broken = [Deferred(Reason.STORE_DOWN)]

    @contextmanager
    def deaf() -> Iterator[Connection]:
        with write() as connection:
            yield connection
        if broken:
            raise broken.pop()

    monkeypatch.setattr(database, "write", deaf)
    (kept,) = archives[0].keep(forward(attached(1), attached(2), says=False))
    assert kept.verdict is Verdict.KEPT
    assert count(database, tables.activity) == 2
    assert count(database, tables.ledger) == 3


def test_of_a_forward_that_was_under_way_when_the_process_was_killed_all_is_there_or_nothing(
    database: Database, database_url: str
) -> None:
    seed(database, WORLD)
    told: list[int] = []
    for turn, wanted in enumerate((1, 13, 31)):
        command = [sys.executable, "-m", "tests.store.forwarder", database_url, str(1_000_000 * (turn + 1))]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told += [int(line) for line in islice(process.stdout, wanted)]
            process.send_signal(signal.SIGKILL)
            told += [int(line) for line in process.stdout if line.endswith("\n")]
        assert process.returncode == -signal.SIGKILL
    with database.read() as connection:
        kept = {raw_bytes(connection, sha256) for sha256 in connection.scalars(select(tables.mail.c.sha256))}
    lost = [number for number in told if not {each.raw for each in _in(forward_of(number))} <= kept]
    assert lost == []
    forwards = len(kept) // IN_EACH
    assert len(kept) == forwards * IN_EACH
    for table in (tables.activity, tables.receipt):
        assert count(database, table) == len(kept)
    assert count(database, tables.ledger) == len(kept) + forwards


def _in(cover: NewMail) -> Sequence[NewMail]:
    return cover.activities[0].attached
