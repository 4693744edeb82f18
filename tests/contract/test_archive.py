import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from mailgate.domain.ledger import LedgerEntry, Verdict
from mailgate.domain.mail import Note
from mailgate.errors import Reason
from mailgate.ports import Kept
from tests.contract.conftest import Backend, Maker
from tests.worlds import ANNA, CAMPAIGN, CUSTOMER, DEAL_GROUP, DOMAIN, NOW, WORLD, new_mail, raw_mail

HOP = "from mx.firma.example by mx2.firma.example (Postfix) with ESMTP id 4XyZ1; Sun, 22 Nov 2026 12:00:01 +0000"
NEXT_HOP = "from mx2.firma.example by gate.firma.example (Postfix) with LMTP id 4XyZ2; Sun, 22 Nov 2026 12:00:02 +0000"


@pytest.fixture
def backend(make_backend: Maker) -> Backend:
    return make_backend(WORLD)


def _verdicts(kept: Sequence[Kept]) -> list[tuple[Verdict, Reason | None]]:
    return [(each.verdict, each.reason) for each in kept]


KEPT = (Verdict.KEPT, None)
DUPLICATE = (Verdict.DUPLICATE, Reason.DUPLICATE)
DELETED = (Verdict.DUPLICATE, Reason.DELETED)


def test_a_mail_is_kept_with_its_bytes_as_they_came(backend: Backend) -> None:
    raw = raw_mail(body="Grüezi \0 \r \n ende")
    (kept,) = backend.archive.keep(new_mail(raw))
    (seen,) = backend.activities()
    assert _verdicts([kept]) == [KEPT]
    assert (seen.id, seen.record, seen.raw) == (kept.activity, CAMPAIGN, raw)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_bytes_of_any_size_come_back(backend: Backend, size: int) -> None:
    raw = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert len(raw) == size
    backend.archive.keep(new_mail(raw))
    backend.archive.keep(new_mail(raw, to=[CUSTOMER]))
    assert [seen.raw for seen in backend.activities()] == [raw, raw]
    assert backend.mails() == 1


def test_a_mail_to_three_records_is_one_stored_mail_and_three_activities(backend: Backend) -> None:
    kept = backend.archive.keep(new_mail(to=[DEAL_GROUP, CAMPAIGN, CUSTOMER]))
    assert _verdicts(kept) == [KEPT] * 3
    assert backend.mails() == 1
    by_id = {seen.id: seen.record for seen in backend.activities()}
    assert [by_id[each.activity or ""] for each in kept] == [DEAL_GROUP, CAMPAIGN, CUSTOMER]


def test_the_same_mail_again_changes_nothing(backend: Backend) -> None:
    (first,) = backend.archive.keep(new_mail())
    (again,) = backend.archive.keep(new_mail())
    assert _verdicts([again]) == [DUPLICATE]
    assert again.activity == first.activity
    assert again.ledger_id != first.ledger_id
    assert len(backend.activities()) == backend.mails() == 1


def test_the_same_mail_over_another_hop_is_the_same(backend: Backend) -> None:
    hops: list[list[str]] = [[], [HOP], [NEXT_HOP, HOP]]
    kept = [backend.archive.keep(new_mail(raw_mail(received=each)))[0] for each in hops]
    assert _verdicts(kept) == [KEPT, DUPLICATE, DUPLICATE]
    assert {each.activity for each in kept} == {kept[0].activity}
    assert backend.mails() == 1


def test_the_same_mail_to_another_record_is_another_activity(backend: Backend) -> None:
    backend.archive.keep(new_mail())
    kept = backend.archive.keep(new_mail(to=[CAMPAIGN, CUSTOMER]))
    assert _verdicts(kept) == [DUPLICATE, KEPT]
    assert len(backend.activities()) == 2
    assert backend.mails() == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(raw_mail(body="Anderer Text"), id="body"),
        pytest.param(raw_mail("Andere Offerte"), id="subject"),
    ],
)
def test_another_mail_of_the_same_message_id_and_author_is_kept_with_a_note(backend: Backend, other: bytes) -> None:
    backend.archive.keep(new_mail())
    (kept,) = backend.archive.keep(new_mail(other))
    assert _verdicts([kept]) == [KEPT]
    assert [seen.notes for seen in backend.activities()] == [("defects",), ("defects", "same_message_id")]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(new_mail(raw_mail(body="Anderer Text"), to=[CUSTOMER]), id="on another record"),
        pytest.param(replace(new_mail(raw_mail(body="Anderer Text")), author="x@else.example"), id="of another author"),
        pytest.param(new_mail(raw_mail(body="Anderer Text", number=2)), id="of another Message-ID"),
    ],
)
def test_no_such_note_where_the_mail(backend: Backend, other: object) -> None:
    backend.archive.keep(new_mail())
    assert isinstance(other, type(new_mail()))
    backend.archive.keep(other)
    assert [seen.notes for seen in backend.activities()] == [("defects",), ("defects",)]


def test_mails_without_a_message_id_are_not_noted_as_the_same(backend: Backend) -> None:
    for body in (b"one", b"two"):
        backend.archive.keep(new_mail(b"From: anna@firma.example\r\nDate: x\r\n\r\n" + body))
    assert [seen.notes for seen in backend.activities()] == [("defects",), ("defects",)]


def test_notes_of_the_path_stand_behind_those_of_the_mail(backend: Backend) -> None:
    backend.archive.keep(new_mail(notes=(Note("date_absurd", "x"), Note("address_exposed", "y"))))
    (seen,) = backend.activities()
    assert seen.notes == ("defects", "date_absurd", "address_exposed")


def test_a_deleted_mail_stays_away_when_it_comes_again(backend: Backend) -> None:
    (first,) = backend.archive.keep(new_mail())
    backend.delete(first.activity or "")
    (again,) = backend.archive.keep(new_mail())
    assert _verdicts([again]) == [DELETED]
    assert again.activity is None
    assert backend.activities() == []
    assert backend.mails() == 0


def test_a_mail_is_known_to_have_come_before_on_its_own_record(backend: Backend) -> None:
    new = new_mail()
    assert backend.archive.met(CAMPAIGN, new.identity) is None
    (kept,) = backend.archive.keep(new)
    assert backend.archive.met(CAMPAIGN, new.identity) is Reason.DUPLICATE
    assert backend.archive.met(CUSTOMER, new.identity) is None
    backend.delete(kept.activity or "")
    assert backend.archive.met(CAMPAIGN, new.identity) is Reason.DELETED


def test_a_mail_deleted_on_one_record_stays_on_the_other(backend: Backend) -> None:
    first, second = backend.archive.keep(new_mail(to=[CAMPAIGN, CUSTOMER]))
    backend.delete(first.activity or "")
    assert [seen.id for seen in backend.activities()] == [second.activity]
    assert [seen.raw for seen in backend.activities()] == [raw_mail()]
    assert _verdicts(backend.archive.keep(new_mail(to=[CAMPAIGN, CUSTOMER, DEAL_GROUP]))) == [DELETED, DUPLICATE, KEPT]


def test_an_address_remembers_its_last_use_and_its_first_exposure(backend: Backend) -> None:
    whole = f"aaaa@{DOMAIN}"
    hour = timedelta(hours=1)
    backend.archive.keep(new_mail(raw_mail(number=1), at=NOW))
    assert (backend.used(whole), backend.exposed(whole)) == (NOW, None)
    backend.archive.keep(new_mail(raw_mail(number=2), at=NOW + hour, exposed=True))
    backend.archive.keep(new_mail(raw_mail(number=3), at=NOW + 2 * hour, exposed=True))
    backend.archive.keep(new_mail(raw_mail(number=4), at=NOW - hour))
    assert (backend.used(whole), backend.exposed(whole)) == (NOW + 2 * hour, NOW + hour)


def test_a_duplicate_is_no_use_of_an_address(backend: Backend) -> None:
    backend.archive.keep(new_mail(at=NOW))
    backend.archive.keep(new_mail(at=NOW + timedelta(hours=1), exposed=True))
    assert (backend.used(f"aaaa@{DOMAIN}"), backend.exposed(f"aaaa@{DOMAIN}")) == (NOW, None)


def test_the_ledger_tells_each_verdict(backend: Backend) -> None:
    raw = raw_mail(received=[HOP])
    (first,) = backend.archive.keep(new_mail(raw))
    again = backend.archive.keep(new_mail(raw, to=[CAMPAIGN, CUSTOMER], at=NOW + timedelta(minutes=1)))
    backend.delete(first.activity or "")
    (deleted,) = backend.archive.keep(new_mail(raw))
    found = {entry.id: entry for entry in backend.ledger()}
    assert len(found) == 4
    assert found[first.ledger_id] == LedgerEntry(
        id=first.ledger_id,
        at=NOW,
        verdict=Verdict.KEPT,
        record=CAMPAIGN,
        relay="office",
        queue_id="4XyZ1",
        author=ANNA.email,
        message_id="<1@firma.example>",
        activity=first.activity,
    )
    assert [(found[each.ledger_id].verdict, found[each.ledger_id].activity) for each in again] == [
        (Verdict.DUPLICATE, first.activity),
        (Verdict.KEPT, again[1].activity),
    ]
    assert (found[deleted.ledger_id].reason, found[deleted.ledger_id].activity) == (Reason.DELETED, None)


def test_what_was_not_kept_is_entered_and_its_ids_returned_in_order(backend: Backend) -> None:
    entry = LedgerEntry(at=NOW, verdict=Verdict.REFUSED, reason=Reason.UNKNOWN_SENDER, record=CAMPAIGN, relay="office")
    entries = [entry, replace(entry, record=CUSTOMER, author="x@else.example", message_id="<a@b>", queue_id="Q1")]
    ids = backend.archive.enter(entries)
    found = {each.id: each for each in backend.ledger()}
    assert [found[number] for number in ids] == [
        replace(each, id=number) for each, number in zip(entries, ids, strict=True)
    ]
    assert backend.archive.enter([]) == []


def test_strangers_are_counted_by_relay_reason_verdict_and_minute(backend: Backend) -> None:
    for seconds, relay, reason in [
        (0, "office", Reason.UNKNOWN_ADDRESS),
        (5, "office", Reason.UNKNOWN_ADDRESS),
        (59, "office", Reason.UNKNOWN_ADDRESS),
        (60, "office", Reason.UNKNOWN_ADDRESS),
        (0, "-", Reason.BAD_RELAY),
        (0, "office", Reason.CLOSED_ADDRESS),
    ]:
        at = NOW.replace(second=0) + timedelta(seconds=seconds)
        backend.archive.count(relay=relay, reason=reason, verdict=Verdict.REFUSED, at=at)
    assert _counts(backend, 6) == {
        ("office", Reason.UNKNOWN_ADDRESS, NOW.replace(second=0, microsecond=0)): 3,
        ("office", Reason.UNKNOWN_ADDRESS, NOW.replace(minute=1, second=0, microsecond=0)): 1,
        ("-", Reason.BAD_RELAY, NOW.replace(second=0, microsecond=0)): 1,
        ("office", Reason.CLOSED_ADDRESS, NOW.replace(second=0, microsecond=0)): 1,
    }
    # a second flush adds to the same row
    backend.archive.count(relay="-", reason=Reason.BAD_RELAY, verdict=Verdict.REFUSED, at=NOW)
    assert _counts(backend, 7)[("-", Reason.BAD_RELAY, NOW.replace(second=0, microsecond=0))] == 2


def _counts(backend: Backend, wanted: int) -> dict[tuple[str | None, Reason | None, datetime], int]:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = {(entry.relay, entry.reason, entry.at): entry.count for entry in backend.ledger()}
        if sum(found.values()) == wanted:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{wanted} were never counted: {backend.ledger()}")
