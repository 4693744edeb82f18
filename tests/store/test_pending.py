"""The list of those who wait, as admins see it: bounded, aged out, released."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailgate.domain.pending import WaitingMail
from mailgate.domain.record import RecordRef
from mailgate.store import pending as module
from mailgate.store.database import Database, open_database
from mailgate.store.pending import PendingSenders
from mailgate.store.tables import pending_sender
from tests.store.admin import ACTOR, ANNA, Admin, administering
from tests.store.seeding import count

NEW = "new@muster.example"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CAMPAIGN = RecordRef.parse("campaign:1")


@pytest.fixture
def admin(database: Database) -> Iterator[Admin]:
    with administering(database) as one:
        one.user(ANNA)
        one.record(str(CAMPAIGN))
        yield one


@pytest.fixture
def pending(database: Database) -> PendingSenders:
    return PendingSenders(database, keep=30 * DAY, queue_days={"office": 5})


@pytest.fixture
def mail(admin: Admin) -> WaitingMail:
    return WaitingMail(
        author=NEW, relay="office", sender=NEW, address=admin.address(CAMPAIGN), at=NOON, queue_id="4bKxyz"
    )


def listed(pending: PendingSenders, at: datetime = NOON) -> list[str]:
    return [entry.email for entry in pending.list(at)]


def test_whoever_waits_longest_is_listed_first_with_the_end_of_its_waiting(
    pending: PendingSenders, mail: WaitingMail
) -> None:
    pending.wait([replace(mail, author="later@muster.example", at=NOON + DAY, relay="other")])
    pending.wait([mail])
    first, later = pending.list(NOON + DAY)
    assert (first.email, first.until) == (NEW, NOON + 5 * DAY)
    assert (later.email, later.until) == ("later@muster.example", None)  # a relay that the settings don't name


def test_what_is_not_touched_ages_out_by_listing_and_by_writing(
    pending: PendingSenders, mail: WaitingMail, database: Database
) -> None:
    pending.wait([mail])
    pending.wait([replace(mail, author="kept@muster.example")])
    pending.wait([replace(mail, author="kept@muster.example", at=NOON + DAY)])
    assert listed(pending, NOON + 30 * DAY) == ["kept@muster.example", NEW]
    after = NOON + 30 * DAY + timedelta(seconds=1)
    assert listed(pending, after) == ["kept@muster.example"]
    assert count(database, pending_sender) == 1
    pending.wait([replace(mail, at=after + DAY)])
    assert count(database, pending_sender) == 1
    (again,) = pending.list(after + DAY)
    assert (again.email, again.tries, again.first_at) == (NEW, 1, after + DAY)


def test_what_aged_out_answers_nobody_at_rcpt(pending: PendingSenders, mail: WaitingMail) -> None:
    pending.wait([mail])
    for days, found in ((30, 1), (31, 0)):
        asked = pending.waiting(relay=mail.relay, sender=mail.sender, address=mail.address, at=NOON + days * DAY)
        assert len(asked) == found


def test_the_list_is_bounded_and_what_was_untouched_for_longest_goes(
    pending: PendingSenders, mail: WaitingMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ENTRIES", 3)
    for n in range(3):
        pending.wait([replace(mail, author=f"{n}@muster.example", at=NOON + n * DAY)])
    pending.wait([replace(mail, author="0@muster.example", at=NOON + 3 * DAY)])
    pending.wait([replace(mail, author="3@muster.example", at=NOON + 4 * DAY)])
    assert listed(pending, NOON + 4 * DAY) == ["0@muster.example", "2@muster.example", "3@muster.example"]


def test_one_author_cannot_fill_the_list(
    admin: Admin, pending: PendingSenders, mail: WaitingMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OF_AUTHOR", 2)
    pending.wait([replace(mail, author="quiet@muster.example")])
    for n in range(5):
        pending.wait([replace(mail, sender=f"{n}@muster.example", at=NOON + n * DAY)])
    pending.wait([replace(mail, relay="other")])
    found = [(entry.email, entry.relay, entry.envelope_from) for entry in pending.list(NOON + 5 * DAY)]
    assert found == [
        ("quiet@muster.example", "office", NEW),
        (NEW, "other", NEW),
        (NEW, "office", "3@muster.example"),
        (NEW, "office", "4@muster.example"),
    ]


def test_whoever_is_registered_is_listed_no_more_and_released_once(
    admin: Admin, pending: PendingSenders, mail: WaitingMail, database: Database
) -> None:
    pending.wait([mail, replace(mail, author="other@muster.example")])
    assert pending.release([NEW]) == []
    admin.user("someone@muster.example", aliases=[NEW])
    assert listed(pending) == ["other@muster.example"]
    assert pending.release(["other@muster.example"]) == []
    (released,) = pending.release(["someone@muster.example", NEW])
    assert (released.email, released.hurry) == (NEW, "postqueue -i 4bKxyz")
    assert pending.release() == []
    assert count(database, pending_sender) == 1


def test_all_who_are_registered_by_now_are_released_at_once(
    admin: Admin, pending: PendingSenders, mail: WaitingMail
) -> None:
    pending.wait([replace(mail, author=f"{n}@muster.example") for n in range(4)])
    for n in range(3):
        admin.user(f"{n}@muster.example")
    assert {entry.email for entry in pending.release()} == {f"{n}@muster.example" for n in range(3)}
    assert listed(pending) == ["3@muster.example"]


def test_entries_follow_a_record_that_is_renamed_or_merged_and_go_with_one_that_is_removed(
    admin: Admin, pending: PendingSenders, mail: WaitingMail
) -> None:
    def on() -> list[str]:
        return [str(entry.record) for entry in pending.list(NOON)]

    other = admin.record("campaign:2")
    pending.wait([mail])
    new = RecordRef.parse("campaign:3")
    admin.records.rename(CAMPAIGN, new, actor=ACTOR)
    assert on() == [str(new)]
    admin.records.merge(new, other, actor=ACTOR)
    assert on() == [str(other)]
    admin.records.remove(other, actor=ACTOR)
    assert on() == []


def test_two_daemons_at_once_make_one_entry(database_url: str, admin: Admin, mail: WaitingMail) -> None:
    databases = [open_database(database_url, create=False, allow_unsafe=True) for _ in range(2)]

    def tried(own: Database) -> None:
        one = PendingSenders(own, keep=30 * DAY, queue_days={})
        for _ in range(10):
            one.wait([mail])

    threads = [threading.Thread(target=tried, args=(own,)) for own in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (entry,) = PendingSenders(databases[0], keep=30 * DAY, queue_days={}).list(NOON)
    assert entry.tries == 20
    for own in databases:
        own.close()


def test_a_record_may_be_removed_while_mails_wait_on_it(
    admin: Admin, pending: PendingSenders, mail: WaitingMail
) -> None:
    failed: list[Exception] = []

    def tried(n: int) -> None:
        try:
            for _ in range(10):
                pending.wait([replace(mail, author=f"{n}@muster.example")])
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not be
            failed.append(error)

    threads = [threading.Thread(target=tried, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    admin.records.remove(CAMPAIGN, actor=ACTOR)
    for thread in threads:
        thread.join()
    assert failed == []
    assert listed(pending) == []


@pytest.mark.parametrize(
    "queue_id", [None, "", "-f", "4bK;reboot", "$(reboot)", "4bK xyz", "1abcde-000000001-2AbC", "a" * 65, "4bKxyz\n"]
)
def test_only_what_postfix_calls_a_mail_becomes_a_line_for_a_shell(
    pending: PendingSenders, mail: WaitingMail, queue_id: str | None
) -> None:
    pending.wait([replace(mail, queue_id=queue_id)])
    (entry,) = pending.list(NOON)
    assert entry.hurry is None
