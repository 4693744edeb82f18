"""The archive under trouble: many at once, failing, waiting, racing with deletes. What it keeps is tests/contract's."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from queue import SimpleQueue
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import OperationalError

from mailgate import events, mime
from mailgate.domain.activity import NewMail
from mailgate.domain.ledger import LedgerEntry, Verdict
from mailgate.domain.record import RecordRef
from mailgate.domain.removal import ReceiptState
from mailgate.errors import Deferred, Reason
from mailgate.ports import Kept
from mailgate.store import archive as module
from mailgate.store import keeping, tables, uploads
from mailgate.store.archive import Archive, raw_bytes
from mailgate.store.database import Database, is_transient, open_database
from mailgate.store.orders import Order
from mailgate.store.removal import delete_content
from tests.store.seeding import count, rows, seed
from tests.worlds import CAMPAIGN, CUSTOMER, DEAL_GROUP, NOW, WORLD, new_mail, raw_mail

MIB = 1 << 20
BIG = raw_mail(body="x" * (2 * MIB))


@pytest.fixture
def world(database: Database) -> Database:
    seed(database, WORLD)
    return database


@pytest.fixture
def make(world: Database) -> Iterator[Callable[..., Archive]]:
    made: list[Archive] = []

    def one(database: Database = world, patience: float = 30.0) -> Archive:
        made.append(Archive(database, patience=patience))
        return made[-1]

    yield one
    for archive in made:
        archive.close()


@pytest.fixture
def other(world: Database, database_url: str) -> Iterator[Database]:
    """The same database, as another process sees it."""
    opened = open_database(database_url, create=False, allow_unsafe=True)
    yield opened
    opened.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as threads:
        yield threads


class Gate:
    """Stands before every write of a database: lets through, holds up, or breaks it before or after the commit."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.open.set()
        self.reached = threading.Event()
        self.before: list[Exception] = []  # each breaks one write
        self.after: list[Exception] = []
        self._write = database.write
        monkeypatch.setattr(database, "write", self.write)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self.reached.set()
        assert self.open.wait(60)
        if self.before:
            raise self.before.pop(0)
        with self._write() as connection:
            yield connection
        if self.after:
            raise self.after.pop(0)


@pytest.fixture
def gate(world: Database, monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(world, monkeypatch)


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    seen: list[int] = []
    monkeypatch.setattr(events, "committed", seen.append)
    return seen


def _numbered(number: int, *, to: Sequence[RecordRef] = (CAMPAIGN,)) -> NewMail:
    return new_mail(raw_mail(number=number), to=to)


def _queued(archive: Archive, number: int) -> bool:
    return len(archive._errands) == number


def _raw_of(database: Database) -> list[bytes]:
    with database.read() as connection:
        return [raw_bytes(connection, sha256) for sha256 in connection.scalars(select(tables.mail.c.sha256))]


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.01)


def _stays(future: "Future[Any]") -> None:
    """Give a thread the time to be where it waits; that it waits is shown, that it always would is not."""
    time.sleep(0.3)
    assert not future.done()


# -- many in a commit -----------------------------------------------------------------------------------------------


def test_mails_that_queue_up_during_a_commit_share_the_next_one(
    make: Callable[..., Archive], gate: Gate, pool: ThreadPoolExecutor, commits: list[int]
) -> None:
    archive = make()
    gate.open.clear()
    first = pool.submit(archive.keep, _numbered(0))
    _until(lambda: not archive._errands and gate.reached.is_set())
    later = [pool.submit(archive.keep, _numbered(number)) for number in range(1, 21)]
    _until(lambda: len(archive._errands) == 20)
    gate.open.set()
    assert {future.result()[0].verdict for future in [first, *later]} == {Verdict.KEPT}
    assert commits == [1, 20]


def test_a_commit_has_a_limit(
    make: Callable[..., Archive],
    gate: Gate,
    pool: ThreadPoolExecutor,
    commits: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_MAILS", 4)
    monkeypatch.setattr(module, "MAX_BYTES", 300_000)
    archive = make()
    gate.open.clear()
    small = [pool.submit(archive.keep, _numbered(0))]
    _until(lambda: not archive._errands and gate.reached.is_set())
    for number in range(1, 10):
        small.append(pool.submit(archive.keep, _numbered(number)))
        _until(partial(_queued, archive, number))
    for number in range(10, 14):
        small.append(pool.submit(archive.keep, new_mail(raw_mail(number=number, body="x" * 200_000))))
        _until(partial(_queued, archive, number))
    gate.open.set()
    assert {future.result()[0].verdict for future in small} == {Verdict.KEPT}
    assert commits == [1, 4, 4, 3, 2]


def test_a_mail_with_the_longest_message_id_is_kept(make: Callable[..., Archive], world: Database) -> None:
    letters = random.Random(1)  # letters of four bytes that no index can compress
    long = "".join(chr(letters.randrange(0x20000, 0x2A000)) for _ in range(2000))
    mail = mime.read(raw_mail().replace(b"<1@firma.example>", f"<{long}>".encode()))
    kept = make().keep(replace(new_mail(), mail=mail))
    assert [each.verdict for each in kept] == [Verdict.KEPT]
    assert rows(world, tables.activity)[0]["message_id"] == rows(world, tables.ledger)[0]["message_id"]


def test_all_that_queued_is_kept_though_it_came_from_many_threads(
    make: Callable[..., Archive], world: Database, pool: ThreadPoolExecutor
) -> None:
    archive = make()
    kept = list(pool.map(lambda number: archive.keep(_numbered(number, to=[CAMPAIGN, CUSTOMER])), range(300)))
    assert {each.verdict for pair in kept for each in pair} == {Verdict.KEPT}
    assert len({each.activity for pair in kept for each in pair}) == 600
    assert count(world, tables.mail) == 300
    assert count(world, tables.ledger) == count(world, tables.activity) == count(world, tables.receipt) == 600


def test_twins_in_one_commit_make_one_activity(
    make: Callable[..., Archive], world: Database, gate: Gate, pool: ThreadPoolExecutor, commits: list[int]
) -> None:
    archive = make()
    gate.open.clear()
    futures = [pool.submit(archive.keep, _numbered(0))]
    _until(lambda: not archive._errands and gate.reached.is_set())
    hop = ["from a by b with ESMTP id Q1; Sun, 22 Nov 2026 12:00:01 +0000"]
    futures += [pool.submit(archive.keep, new_mail(raw_mail(number=1, received=hop * n))) for n in range(3)]
    futures += [pool.submit(archive.keep, new_mail(raw_mail(number=1, body="Anderer Text")))]
    _until(lambda: len(archive._errands) == 4)
    gate.open.set()
    verdicts = sorted(future.result()[0].verdict for future in futures)
    assert verdicts == [Verdict.DUPLICATE, Verdict.DUPLICATE, Verdict.KEPT, Verdict.KEPT, Verdict.KEPT]
    assert commits == [1, 4]
    assert count(world, tables.activity) == count(world, tables.mail) == 3
    notes = [row["code"] for row in rows(world, tables.activity_note)]
    assert notes == ["same_message_id"]


# -- trouble --------------------------------------------------------------------------------------------------------


def test_one_bad_mail_harms_no_other(
    make: Callable[..., Archive], world: Database, gate: Gate, pool: ThreadPoolExecutor
) -> None:
    archive = make()
    gate.open.clear()
    first = pool.submit(archive.keep, _numbered(0))
    _until(lambda: not archive._errands and gate.reached.is_set())
    good = [pool.submit(archive.keep, _numbered(number)) for number in range(1, 6)]
    strange = _numbered(6)
    bad = [
        pool.submit(archive.keep, new)
        for new in (
            replace(strange, recorder="gone@firma.example"),
            replace(strange, mail=replace(strange.mail, subject="\ud800")),
            _numbered(7, to=[CAMPAIGN, replace(CAMPAIGN, ref="gone")]),
        )
    ]
    entered = pool.submit(
        archive.enter, [LedgerEntry(at=NOW, verdict=Verdict.REFUSED, reason=Reason.LOOP, relay="office")]
    )
    _until(lambda: len(archive._errands) == 9)
    gate.open.set()
    assert {future.result()[0].verdict for future in [first, *good]} == {Verdict.KEPT}
    assert len(entered.result()) == 1
    for future in bad:
        with pytest.raises(Deferred) as caught:
            future.result()
        assert caught.value.reason is Reason.STORE_DOWN
    assert count(world, tables.activity) == count(world, tables.mail) == 6
    assert count(world, tables.ledger) == 7


def _lost_to_another() -> Deferred:
    origin = Exception("deadlock detected")
    origin.sqlstate = "40P01"  # type: ignore[attr-defined] # as psycopg's have
    error = Deferred(Reason.STORE_DOWN)
    error.__cause__ = OperationalError("INSERT", {}, origin)
    return error


def test_a_deadlock_never_reaches_the_sender(make: Callable[..., Archive], gate: Gate) -> None:
    archive = make()
    gate.before = [_lost_to_another(), _lost_to_another(), _lost_to_another()]
    assert archive.keep(_numbered(1))[0].verdict is Verdict.KEPT


def test_trouble_is_tried_once_more_and_then_deferred_and_told(
    make: Callable[..., Archive], world: Database, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, type]] = []
    monkeypatch.setattr(events, "store_trouble", lambda store, error: told.append((store, type(error))))
    archive = make()
    gate.before = [Deferred(Reason.DISK_FULL)]
    assert archive.keep(_numbered(1))[0].verdict is Verdict.KEPT
    gate.before = [Deferred(Reason.STORE_DOWN), Deferred(Reason.DISK_FULL)]
    with pytest.raises(Deferred) as caught:
        archive.keep(_numbered(2))
    assert caught.value.reason is Reason.DISK_FULL
    assert told == [(world.kind, Deferred)]
    assert archive.keep(_numbered(2))[0].verdict is Verdict.KEPT


def test_a_commit_whose_answer_was_lost_is_known_again(
    make: Callable[..., Archive], world: Database, gate: Gate
) -> None:
    archive = make()
    gate.after = [Deferred(Reason.STORE_DOWN)]
    (kept,) = archive.keep(_numbered(1))
    assert kept.verdict is Verdict.KEPT
    (row,) = rows(world, tables.ledger)
    assert (row["id"], row["verdict"], row["activity_id"]) == (kept.ledger_id, "kept", kept.activity)
    assert count(world, tables.activity) == 1


def test_who_waited_too_long_is_deferred_and_met_as_a_duplicate(
    make: Callable[..., Archive], world: Database, gate: Gate
) -> None:
    archive = make(patience=0.3)
    gate.open.clear()
    with pytest.raises(Deferred) as caught:
        archive.keep(_numbered(1))
    assert caught.value.reason is Reason.STORE_DOWN
    gate.open.set()
    _until(lambda: count(world, tables.activity) == 1)
    (again,) = make().keep(_numbered(1))
    assert (again.verdict, again.reason) == (Verdict.DUPLICATE, Reason.DUPLICATE)


def test_what_nobody_waits_for_any_more_is_not_begun(
    make: Callable[..., Archive], world: Database, gate: Gate, pool: ThreadPoolExecutor
) -> None:
    archive = make(patience=0.3)
    gate.open.clear()
    futures = [pool.submit(archive.keep, _numbered(0))]
    _until(lambda: not archive._errands and gate.reached.is_set())
    futures += [pool.submit(archive.keep, _numbered(number)) for number in range(1, 4)]
    for future in futures:
        with pytest.raises(Deferred):
            future.result()
    gate.open.set()
    _until(lambda: count(world, tables.activity) == 1)
    archive.close()  # whatever it would still have begun is done now
    assert count(world, tables.activity) == 1


def test_whoever_does_not_wait_is_told_that_it_was_not_begun(
    make: Callable[..., Archive], world: Database, gate: Gate, pool: ThreadPoolExecutor
) -> None:
    archive = make(patience=0.3)
    gate.open.clear()
    first = pool.submit(archive.keep, _numbered(0))
    _until(lambda: not archive._errands and gate.reached.is_set())
    answers: SimpleQueue[object] = SimpleQueue()
    archive.keep_soon(_numbered(1), answers.put)
    archive.enter_soon([LedgerEntry(at=NOW, verdict=Verdict.REFUSED)], answers.put)
    with pytest.raises(Deferred):
        first.result()
    time.sleep(0.2)
    gate.open.set()
    for _ in range(2):
        told = answers.get(timeout=30)
        assert isinstance(told, Deferred)
        assert told.reason is Reason.STORE_DOWN
    archive.close()
    assert (count(world, tables.activity), count(world, tables.ledger)) == (1, 1)
    archive.keep_soon(_numbered(2), answers.put)
    assert isinstance(answers.get(timeout=30), Deferred)


def test_a_fault_of_one_who_is_told_is_no_other_mails_fault(
    make: Callable[..., Archive], world: Database, gate: Gate
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    archive = make()
    gate.open.clear()
    answers: SimpleQueue[object] = SimpleQueue()
    for number in range(3):
        archive.keep_soon(_numbered(number), broken if number == 1 else answers.put)
    gate.open.set()
    assert not any(isinstance(answers.get(timeout=30), Exception) for _ in range(2))
    _until(lambda: count(world, tables.activity) == 3)
    archive.keep(_numbered(3))


def test_counts_wait_until_the_store_takes_them(
    make: Callable[..., Archive], world: Database, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH", 0.01)
    monkeypatch.setattr(module, "TRY_AGAIN", 0.01)
    archive = make()
    gate.before = [Deferred(Reason.STORE_DOWN) for _ in range(5)]
    for _ in range(3):
        archive.count(relay="office", reason=Reason.UNKNOWN_ADDRESS, verdict=Verdict.REFUSED, at=NOW)
    _until(lambda: count(world, tables.ledger) == 1)
    assert rows(world, tables.ledger)[0]["count"] == 3
    assert gate.before == []


def test_counts_are_written_however_often_more_come(make: Callable[..., Archive], world: Database) -> None:
    archive = make()
    until = time.monotonic() + 30
    while count(world, tables.ledger) == 0:
        assert time.monotonic() < until
        archive.count(relay="office", reason=Reason.UNKNOWN_ADDRESS, verdict=Verdict.REFUSED, at=NOW)
        time.sleep(0.01)


def test_counts_of_two_processes_add_up(make: Callable[..., Archive], world: Database, other: Database) -> None:
    for archive in (make(), make(other)):
        for _ in range(50):
            archive.count(relay="office", reason=Reason.UNKNOWN_ADDRESS, verdict=Verdict.REFUSED, at=NOW)
        archive.close()
    (row,) = rows(world, tables.ledger)
    assert (row["count"], row["reason"], row["record"]) == (100, "unknown_address", None)


def test_closing_finishes_what_is_queued_and_takes_no_more(
    make: Callable[..., Archive], world: Database, gate: Gate, pool: ThreadPoolExecutor
) -> None:
    archive = make()
    gate.open.clear()
    futures = [pool.submit(archive.keep, _numbered(0))]
    _until(lambda: not archive._errands and gate.reached.is_set())
    futures += [pool.submit(archive.keep, _numbered(number)) for number in range(1, 5)]
    archive.count(relay="office", reason=Reason.BUSY, verdict=Verdict.DEFERRED, at=NOW)
    _until(lambda: len(archive._errands) == 4)
    closing = pool.submit(archive.close)
    _until(lambda: archive._closed)
    with pytest.raises(Deferred):
        archive.keep(_numbered(9))
    gate.open.set()
    closing.result()
    assert {future.result()[0].verdict for future in futures} == {Verdict.KEPT}
    assert count(world, tables.activity) == 5
    assert count(world, tables.ledger) == 6
    with pytest.raises(Deferred):
        archive.enter([LedgerEntry(at=NOW, verdict=Verdict.REFUSED)])
    archive.close()


def test_a_commit_that_goes_wrong_while_connections_are_cut_loses_and_doubles_nothing(
    postgres_url: str, pool: ThreadPoolExecutor
) -> None:
    database = open_database(postgres_url, create=False, allow_unsafe=True)
    seed(database, WORLD)
    archive = Archive(database)
    stop = threading.Event()

    def cut() -> None:
        with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
            while not stop.wait(0.2):
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    def send(number: int) -> Kept:
        for _ in range(100):  # as a mail server would
            try:
                return archive.keep(_numbered(number))[0]
            except Deferred:
                time.sleep(0.01)
        raise AssertionError("never kept")

    cutting = pool.submit(cut)
    try:
        sent = list(pool.map(send, range(200)))
    finally:
        stop.set()
        cutting.result()
    archive.close()
    assert len({each.activity for each in sent}) == 200
    assert sorted(_raw_of(database)) == sorted(raw_mail(number=number) for number in range(200))
    assert count(database, tables.activity) == 200
    database.close()


# -- twins and deletes ----------------------------------------------------------------------------------------------


def test_twins_in_two_processes_make_one_activity(
    make: Callable[..., Archive], world: Database, other: Database, pool: ThreadPoolExecutor
) -> None:
    archives = [make(), make(other)]
    futures = [
        pool.submit(archive.keep, _numbered(number)) for number in range(100) for archive in (*archives, *archives)
    ]
    kept = [future.result()[0] for future in futures]
    assert sum(each.verdict is Verdict.KEPT for each in kept) == 100
    assert len({each.activity for each in kept}) == count(world, tables.activity) == count(world, tables.mail) == 100


def test_twins_in_opposite_order_never_stop_each_other(
    make: Callable[..., Archive],
    world: Database,
    other: Database,
    pool: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    met: list[Exception] = []

    def noted(error: Deferred) -> bool:
        met.append(error)
        return is_transient(error)

    monkeypatch.setattr(module, "is_transient", noted)
    archives = [make(), make(other)]
    orders = list(permutations([CAMPAIGN, CUSTOMER, DEAL_GROUP]))
    futures = [
        pool.submit(archives[n % 2].keep, _numbered(number, to=list(order)))
        for number in range(40)
        for n, order in enumerate(orders)
    ]
    kept = [each for future in futures for each in future.result()]  # none is deferred
    assert sum(each.verdict is Verdict.KEPT for each in kept) == count(world, tables.activity) == 120
    assert count(world, tables.mail) == 40
    assert met == []  # not even one deadlock that was mended by trying again


def test_opposite_orders_that_meet_in_the_middle_wait_for_each_other_one_way(
    world: Database, other: Database, database_url: str, pool: ThreadPoolExecutor
) -> None:
    third = open_database(database_url, create=False, allow_unsafe=True)
    ascending = [CUSTOMER, CAMPAIGN, DEAL_GROUP]  # as they were registered

    def commit(database: Database, to: list[RecordRef]) -> list[tuple[Kept, ...]]:
        with database.write() as connection:
            return keeping.keep(connection, [Order.of(_numbered(1, to=to), None)])

    with third.write() as connection:
        keeping.keep(connection, [Order.of(_numbered(1, to=[ascending[1]]), None)])
        up, down = pool.submit(commit, world, ascending), pool.submit(commit, other, ascending[::-1])
        _stays(up)
        _stays(down)
        connection.rollback()
    kept = [each.verdict for (triple,) in (up.result(), down.result()) for each in triple]
    assert sorted(kept) == [Verdict.DUPLICATE] * 3 + [Verdict.KEPT] * 3
    third.close()


def test_a_retry_during_an_uncommitted_delete_revives_nothing(
    make: Callable[..., Archive], world: Database, other: Database, pool: ThreadPoolExecutor
) -> None:
    archive = make()
    (kept,) = archive.keep(_numbered(1))
    with other.write() as connection:
        delete_content(connection, kept.activity or "", ReceiptState.DELETED, "anna", None)
        retry = pool.submit(archive.keep, _numbered(1))
        if world.kind == "postgresql":
            # the deletion has not happened yet for anybody else
            assert retry.result()[0].reason is Reason.DUPLICATE
        else:
            _stays(retry)
    assert retry.result()[0].verdict is Verdict.DUPLICATE
    (later,) = archive.keep(_numbered(1))
    assert (later.verdict, later.reason, later.activity) == (Verdict.DUPLICATE, Reason.DELETED, None)
    assert count(world, tables.activity) == count(world, tables.mail) == count(world, tables.piece) == 0


@pytest.mark.parametrize("raw", [pytest.param(raw_mail(), id="small"), pytest.param(BIG, id="big")])
def test_shared_bytes_deleted_while_the_mail_arrives_on_another_record_are_there(
    make: Callable[..., Archive], world: Database, other: Database, pool: ThreadPoolExecutor, raw: bytes
) -> None:
    archive = make()
    (kept,) = archive.keep(new_mail(raw))
    with other.write() as connection:
        delete_content(connection, kept.activity or "", ReceiptState.DELETED, "anna", None)
        arriving = pool.submit(archive.keep, new_mail(raw, to=[CUSTOMER]))
        _stays(arriving)
    assert arriving.result()[0].verdict is Verdict.KEPT
    assert _raw_of(world) == [raw]
    assert count(world, tables.activity) == 1
    assert count(world, tables.upload) == 0


def test_a_mail_that_vanishes_while_it_is_looked_for_is_written_in_the_same_transaction(
    make: Callable[..., Archive], world: Database, other: Database, pool: ThreadPoolExecutor
) -> None:
    (kept,) = make().keep(_numbered(1))

    def arrive() -> list[tuple[Kept, ...]]:
        with world.write() as connection:
            return keeping.keep(connection, [Order.of(_numbered(1, to=[CUSTOMER]), None)])

    with other.write() as connection:
        delete_content(connection, kept.activity or "", ReceiptState.DELETED, "anna", None)
        arriving = pool.submit(arrive)
        _stays(arriving)
    assert arriving.result()[0][0].verdict is Verdict.KEPT
    assert _raw_of(world) == [raw_mail()]


def test_shared_bytes_that_another_process_is_about_to_use_are_not_deleted(
    make: Callable[..., Archive], world: Database, other: Database, pool: ThreadPoolExecutor
) -> None:
    (kept,) = make().keep(_numbered(1))

    def take_away() -> None:
        with other.write() as connection:
            delete_content(connection, kept.activity or "", ReceiptState.DELETED, "anna", None)

    with world.write() as connection:
        keeping.keep(connection, [Order.of(_numbered(1, to=[CUSTOMER]), None)])
        deleting = pool.submit(take_away)
        _stays(deleting)
    deleting.result()
    assert _raw_of(world) == [raw_mail()]
    assert count(world, tables.activity) == count(world, tables.reading) == 1


def test_a_mail_deleted_everywhere_under_load_leaves_nothing_half(
    make: Callable[..., Archive], world: Database, other: Database, pool: ThreadPoolExecutor
) -> None:
    archive = make()
    records = [CAMPAIGN, CUSTOMER, DEAL_GROUP]

    def come_and_go(number: int) -> None:
        (kept,) = archive.keep(_numbered(number // 3, to=[records[number % 3]]))
        with other.write() as connection:
            delete_content(connection, kept.activity or "", ReceiptState.ERASED, "anna", "law")

    list(pool.map(come_and_go, range(90)))
    for table in (
        tables.activity,
        tables.mail,
        tables.reading,
        tables.reading_body,
        tables.piece,
        tables.participation,
    ):
        assert count(world, table) == 0
    assert count(world, tables.removal) == count(world, tables.receipt) == 90


# -- big mails ------------------------------------------------------------------------------------------------------


def _pieces(database: Database) -> list[int]:
    return [len(row["bytes"]) for row in rows(database, tables.piece)]


def test_a_big_mail_lies_in_pieces_of_a_mebibyte_that_it_claimed(make: Callable[..., Archive], world: Database) -> None:
    make().keep(new_mail(BIG))
    assert _pieces(world) == [MIB, MIB, len(BIG) - 2 * MIB]
    assert count(world, tables.upload) == 0


@pytest.mark.parametrize("to", [CAMPAIGN, CUSTOMER], ids=["the same record", "another record"])
def test_a_big_mail_that_is_there_already_leaves_no_second_set_of_pieces(
    make: Callable[..., Archive], world: Database, monkeypatch: pytest.MonkeyPatch, to: object
) -> None:
    archive = make()
    archive.keep(new_mail(BIG))
    records = [CAMPAIGN if to == CAMPAIGN else CUSTOMER]
    archive.keep(new_mail(BIG, to=records))
    # also where it was not there yet when its pieces were begun
    monkeypatch.setattr(uploads, "is_there", lambda *_: False)
    archive.keep(new_mail(BIG, to=records))
    assert len(_pieces(world)) == 3
    assert count(world, tables.upload) == 0


def test_a_big_mail_that_is_not_kept_leaves_no_pieces(make: Callable[..., Archive], world: Database) -> None:
    with pytest.raises(Deferred):
        make().keep(new_mail(BIG, recorder="gone@firma.example"))
    assert _pieces(world) == []
    assert count(world, tables.upload) == 0


def test_a_big_mail_whose_pieces_do_not_fit_leaves_none(
    make: Callable[..., Archive], world: Database, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = make()
    archive.keep(_numbered(1))
    write, calls = gate.write, iter(range(1, 100))

    @contextmanager
    def full_at_the_third() -> Iterator[Connection]:
        if next(calls) == 3:
            raise Deferred(Reason.DISK_FULL)
        with write() as connection:
            yield connection

    monkeypatch.setattr(world, "write", full_at_the_third)
    with pytest.raises(Deferred) as caught:
        archive.keep(new_mail(BIG))
    assert caught.value.reason is Reason.DISK_FULL
    assert len(_pieces(world)) == 1  # the small one's
    assert count(world, tables.upload) == 0


def test_pieces_that_nobody_claimed_for_an_hour_are_swept_at_the_start(
    make: Callable[..., Archive], world: Database
) -> None:
    old, young = uploads.write_ahead(world, BIG), uploads.write_ahead(world, BIG)
    with world.write() as connection:
        moment = datetime.now(UTC) - timedelta(hours=1, minutes=1)
        connection.execute(update(tables.upload).where(tables.upload.c.id == old).values(started_at=moment))
    archive = make()
    archive.keep(new_mail(raw_mail()))
    _until(lambda: [row["id"] for row in rows(world, tables.upload)] == [young])
    with world.read() as connection:
        left = set(connection.scalars(select(tables.piece.c.upload).distinct()))
        mine = set(connection.scalars(select(tables.mail.c.upload)))
    assert left == {young} | mine


def test_pieces_that_were_swept_meanwhile_are_written_again(
    make: Callable[..., Archive], world: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ahead = uploads.write_ahead
    swept: list[str] = []

    def sweep_the_first(database: Database, raw: bytes) -> str:
        number = write_ahead(database, raw)
        if not swept:
            uploads.discard(database, number)
            swept.append(number)
        return number

    monkeypatch.setattr(uploads, "write_ahead", sweep_the_first)
    assert make().keep(new_mail(BIG))[0].verdict is Verdict.KEPT
    assert len(swept) == 1
    assert _raw_of(world) == [BIG]
    assert len(_pieces(world)) == 3


def test_bytes_that_are_there_are_never_swept(make: Callable[..., Archive], world: Database) -> None:
    make().keep(new_mail(BIG))
    assert uploads.sweep(world, datetime.now(UTC) + timedelta(days=400)) == 0
    assert _raw_of(world) == [BIG]


def test_a_small_mail_waits_for_no_big_one(
    make: Callable[..., Archive], world: Database, pool: ThreadPoolExecutor
) -> None:
    archive = make()
    big = pool.submit(archive.keep, new_mail(raw_mail(body="y" * (40 * MIB))))
    kept = 0
    while not big.done():
        archive.keep(_numbered(kept))
        kept += 1
    assert big.result()[0].verdict is Verdict.KEPT
    assert kept >= 3  # 41 transactions are between


# -- others who write -----------------------------------------------------------------------------------------------


def test_a_command_gets_its_turn_while_mails_pour_in(
    make: Callable[..., Archive], world: Database, other: Database, pool: ThreadPoolExecutor
) -> None:
    archive = make()
    stop = threading.Event()

    def pour(start: int) -> None:
        number = start
        while not stop.is_set():
            archive.keep(_numbered(number))
            number += 1

    pouring = [pool.submit(pour, 1_000_000 * n) for n in range(16)]
    waited = []
    try:
        for _ in range(20):
            began = time.monotonic()
            with other.write() as connection:
                entry = {"at": NOW, "actor": "a", "action": "b", "subject": "c", "detail": "d"}
                connection.execute(insert(tables.audit), entry)
            waited.append(time.monotonic() - began)
    finally:
        stop.set()
    for future in pouring:
        future.result()
    assert sorted(waited)[10] < 1.0
    assert count(world, tables.audit) == 20


def test_a_row_of_an_address_is_never_in_the_way_of_look_ups(world: Database, other: Database) -> None:
    with world.write() as connection:
        connection.execute(text("UPDATE address SET exposed_at = created_at"))
        with other.read() as reader:
            assert reader.scalar(text("SELECT count(*) FROM address WHERE exposed_at IS NULL")) == 6
