from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import insert, text

from mailgate.domain.activity import NewMail
from mailgate.domain.mail import Document
from mailgate.domain.removal import ReceiptState
from mailgate.errors import NotFound
from mailgate.store import tables
from mailgate.store.archive import Archive, raw_bytes
from mailgate.store.database import Database, open_database
from mailgate.store.identifiers import new_id
from mailgate.store.removal import delete_content
from tests.store.seeding import count, rows, seed
from tests.worlds import CAMPAIGN, CUSTOMER, NOW, WORLD, new_mail, raw_mail

CONTENT = (
    tables.mail,
    tables.piece,
    tables.reading,
    tables.reading_body,
    tables.reading_party,
    tables.reading_note,
    tables.document,
    tables.link,
    tables.activity,
    tables.activity_note,
    tables.participation,
)


@pytest.fixture
def archive(database: Database) -> Iterator[Archive]:
    seed(database, WORLD)
    made = Archive(database)
    yield made
    made.close()


def _remove(
    database: Database, activity: str | None, state: ReceiptState = ReceiptState.DELETED, reason: str | None = None
) -> tuple[str, ...]:
    with database.write() as connection:
        return delete_content(connection, activity or "", state, "anna@firma.example", reason)


def _with(**changes: object) -> NewMail:
    new = new_mail()
    return replace(new, mail=replace(new.mail, **changes))  # type: ignore[arg-type] # named in the tables below


TWO = (
    Document(n=1, name="a", type="t", size=1, sha256="0" * 64),
    Document(n=2, name="b", type="t", size=1, sha256="0"),
)


@pytest.mark.parametrize(
    ("new", "kinds"),
    [
        (new_mail(), "participants, subject, text, html, 1 document, 1 link, raw bytes"),
        (_with(text="", documents=TWO, links=()), "participants, subject, html, 2 documents, raw bytes"),
        (_with(html="", documents=(), links=("a", "b", "c")), "participants, subject, text, 3 links, raw bytes"),
    ],
)
def test_all_content_goes_and_a_trace_says_what_kinds(
    database: Database, archive: Archive, new: NewMail, kinds: str
) -> None:
    (kept,) = archive.keep(new)
    assert ", ".join(_remove(database, kept.activity, ReceiptState.ERASED, "law")) == kinds
    assert {count(database, table) for table in CONTENT} == {0}
    (trace,) = rows(database, tables.removal)
    assert (trace["activity_id"], trace["state"], trace["actor"], trace["reason"], trace["kinds"]) == (
        kept.activity,
        "erased",
        "anna@firma.example",
        "law",
        kinds,
    )
    (receipt,) = rows(database, tables.receipt)
    assert (receipt["state"], receipt["activity_id"], receipt["at"]) == ("erased", kept.activity, trace["at"])


def test_nothing_of_the_content_is_left_in_the_trace_or_receipt(database: Database, archive: Archive) -> None:
    (kept,) = archive.keep(new_mail())
    _remove(database, kept.activity)
    told = str([rows(database, table) for table in (tables.removal, tables.receipt)])
    for secret in ("Offerte", "Guten Tag", "kunde.example", "offerte.pdf"):
        assert secret not in told


def test_what_another_activity_shares_stays(database: Database, archive: Archive) -> None:
    first, second = archive.keep(new_mail(to=[CAMPAIGN, CUSTOMER]))
    assert _remove(database, first.activity) == ("participants",)
    with database.read() as connection:
        assert raw_bytes(connection, rows(database, tables.mail)[0]["sha256"]) == raw_mail()
    assert count(database, tables.document) == 1
    assert "raw bytes" in _remove(database, second.activity)
    assert {count(database, table) for table in CONTENT} == {0}


def test_all_readings_of_a_mail_go(database: Database, archive: Archive) -> None:
    (kept,) = archive.keep(new_mail())
    with database.write() as connection:
        sha256 = connection.scalar(text("SELECT sha256 FROM mail"))
        row = {"id": new_id(), "mail_sha256": sha256, "version": 2, "subject": "besser", "message_id": ""}
        connection.execute(insert(tables.reading), row)
        connection.execute(insert(tables.link), {"reading_id": row["id"], "n": 1, "url": "https://x.example"})
        connection.execute(tables.mail.update().values(reading_id=row["id"]))
    _remove(database, kept.activity)
    assert {count(database, table) for table in CONTENT} == {0}


@pytest.mark.parametrize("activity", ["00000000-0000-7000-8000-000000000000", None])
def test_what_is_not_there_is_not_found(database: Database, archive: Archive, activity: str | None) -> None:
    (kept,) = archive.keep(new_mail())
    _remove(database, kept.activity)
    with pytest.raises(NotFound):
        _remove(database, activity or kept.activity)
    assert count(database, tables.removal) == 1


def test_two_at_once_take_it_away_once(database: Database, database_url: str, archive: Archive) -> None:
    kept = [archive.keep(new_mail(raw_mail(number=number)))[0] for number in range(20)]
    others = [open_database(database_url, create=False, allow_unsafe=True) for _ in range(2)]

    def take(each: Database, activity: str | None) -> bool:
        try:
            _remove(each, activity)
        except NotFound:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        futures = [[pool.submit(take, each, one.activity) for each in others] for one in kept]
        outcomes = [sorted(future.result() for future in pair) for pair in futures]
    assert outcomes == [[False, True]] * 20
    assert count(database, tables.removal) == 20
    for each in others:
        each.close()


def test_a_failure_after_it_leaves_all_as_it_was(database: Database, archive: Archive) -> None:
    (kept,) = archive.keep(new_mail())
    with pytest.raises(ZeroDivisionError):
        _remove_and_fail(database, kept.activity or "")
    (receipt,) = rows(database, tables.receipt)
    assert (receipt["state"], count(database, tables.activity), count(database, tables.piece)) == ("kept", 1, 1)


def _remove_and_fail(database: Database, activity: str) -> None:
    with database.write() as connection:
        delete_content(connection, activity, ReceiptState.DELETED, "anna", None)
        raise ZeroDivisionError


def test_a_hand_made_activity_goes_too(database: Database, archive: Archive) -> None:
    archive.keep(new_mail())
    number = new_id()
    with database.write() as connection:
        record = connection.scalar(text("SELECT record_id FROM activity"))
        user = connection.scalar(text("SELECT recorder_id FROM activity"))
        row = {"id": number, "record_id": record, "type": "note", "topic": "other", "origin": "manual"}
        row |= {"occurred_at": NOW, "recorded_at": NOW, "recorder_id": user, "trust": "none"}
        connection.execute(insert(tables.activity), row)
    assert _remove(database, number) == ("activity",)
    assert count(database, tables.activity) == 1
