from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from mailgate.domain.ledger import LedgerEntry, Verdict
from mailgate.domain.record import RecordRef
from mailgate.errors import BadInput, NotFound, Reason
from mailgate.store.database import Database
from tests.store.admin import ANNA, Admin, administering

CAMPAIGN = RecordRef.parse("campaign:1")
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)

ENTRIES = [
    LedgerEntry(at=NOON, verdict=Verdict.KEPT, record=CAMPAIGN, message_id="<1@a.example>", author=ANNA, relay="mx"),
    LedgerEntry(at=NOON + timedelta(hours=1), verdict=Verdict.REFUSED, reason=Reason.UNKNOWN_SENDER, record=CAMPAIGN),
    LedgerEntry(at=NOON + timedelta(hours=2), verdict=Verdict.REFUSED, reason=Reason.BOUNCE, message_id="2@a.example"),
    LedgerEntry(at=NOON + timedelta(hours=3), verdict=Verdict.DEFERRED, reason=Reason.UNKNOWN_SENDER, queue_id="4bX"),
]


@pytest.fixture
def admin(database: Database) -> Iterator[Admin]:
    with administering(database) as one:
        one.record(str(CAMPAIGN))
        one.record("campaign:2")
        one.archive.enter(ENTRIES)
        yield one


@pytest.mark.parametrize(
    ("given", "hours"),
    [
        ({}, [3, 2, 1, 0]),
        ({"message_id": "<1@a.example>"}, [0]),
        ({"message_id": "1@a.example"}, [0]),
        ({"message_id": "<2@a.example>"}, [2]),
        ({"message_id": "other"}, []),
        ({"record": CAMPAIGN}, [1, 0]),
        ({"record": RecordRef.parse("campaign:2")}, []),
        ({"since": NOON + timedelta(hours=2)}, [3, 2]),
        ({"verdict": "refused"}, [2, 1]),
        ({"reason": "unknown_sender"}, [3, 1]),
        ({"reason": "unknown_sender", "verdict": "refused", "record": CAMPAIGN}, [1]),
    ],
)
def test_filters_and_newest_first(
    admin: Admin, given: dict[str, object], hours: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgate.store.ledger.PAGE", 2)
    found = list(admin.ledger.list(**given))  # type: ignore[arg-type]  # the table holds any filter
    assert [(entry.at - NOON) // timedelta(hours=1) for entry in found] == hours


def test_an_entry_is_shown_by_its_id(admin: Admin) -> None:
    for entry in admin.ledger.list():
        assert admin.ledger.show(entry.id) == entry
    kept = next(iter(admin.ledger.list(verdict="kept")))
    assert (kept.record, kept.author, kept.relay, kept.count) == (CAMPAIGN, ANNA, "mx", 1)


def test_counts_of_strangers_are_one_row(admin: Admin) -> None:
    for _ in range(3):
        admin.archive.count(relay="mx", reason=Reason.UNKNOWN_ADDRESS, verdict=Verdict.REFUSED, at=NOON)
    admin.archive.close()
    (row,) = admin.ledger.list(reason="unknown_address")
    assert row.count == 3


def test_a_record_that_is_gone_is_found_by_its_rows(admin: Admin) -> None:
    admin.records.remove(CAMPAIGN, actor="root")
    assert len(list(admin.ledger.list(record=CAMPAIGN))) == 2
    with pytest.raises(NotFound, match="no record campaign:3"):
        admin.ledger.list(record=RecordRef.parse("campaign:3"))


def test_unknown_words_and_ids_are_named(admin: Admin) -> None:
    with pytest.raises(BadInput, match="'lost' is no verdict: choose one of kept, duplicate, refused, deferred"):
        admin.ledger.list(verdict="lost")
    with pytest.raises(BadInput, match="'x' is no reason: choose one of "):
        admin.ledger.list(reason="x")
    for unknown in ("4711", "01234567-89ab-7def-8123-456789abcdef"):
        with pytest.raises(NotFound, match=f"no ledger entry '{unknown}'"):
            admin.ledger.show(unknown)
