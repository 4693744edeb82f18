"""A better reader over kept mails: what is read follows, what was sent and whatever else stays."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, event, insert, select, text, update

from mailgate.domain.activity import Activity
from mailgate.domain.listing import Wish
from mailgate.domain.mail import Document, Mail, Note, Party
from mailgate.domain.record import RecordRef
from mailgate.domain.rereading import Reread, RereadWish
from mailgate.errors import BadInput, NotFound
from mailgate.mime import READER_VERSION
from mailgate.store import tables, triggers
from mailgate.store.database import Database, open_database
from mailgate.store.migrations import migrate
from mailgate.store.rereading import REST, Rereading
from tests.postgres_server import TEMPLATE, PostgresServer
from tests.store.admin import ANNA, CLIENT, DOMAIN, LUCA, Admin, a_mail, administering
from tests.store.multitude import fill
from tests.store.rereader import BETTER, Better, again, all_better, grow_old
from tests.store.seeding import count, rows

ROOT = Path(__file__).parents[2]
CAMPAIGN = RecordRef.parse("campaign:4711")
OTHER = RecordRef.parse("campaign:4712")
SENT = datetime(2026, 11, 2, 10, tzinfo=UTC)  # what a_mail says

READING = ("reading", "reading_body", "reading_party", "document", "link", "reading_note")
# what may be another afterwards, and where only rows come and go
FOLLOWS: dict[str, set[str]] = {
    "mail": {"reading_id"},
    "activity": {"occurred_at", "message_id"},
    "participation": {"occurred_at"},
}
COME_AND_GO = ("participation", "activity_note")

Row = dict[str, Any]


@pytest.fixture
def admin(database: Database) -> Iterator[Admin]:
    with administering(database) as one:
        one.user(ANNA)
        one.user(LUCA)
        one.record("customer:1")
        one.record("contact:12", email=[CLIENT])
        one.record(str(CAMPAIGN), contact=["main=contact:12"])
        one.record(str(OTHER), contact=["main=contact:12"])
        yield one


def everything(database: Database) -> dict[str, list[Row]]:
    """All rows of all tables, as they are at one moment."""
    with database.read() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]
            for table in tables.metadata.sorted_tables
        }


def the_rest(database: Database) -> dict[str, list[Row]]:
    """All that reading again must leave as it is."""
    return {
        name: [{key: value for key, value in row.items() if key not in FOLLOWS.get(name, ())} for row in there]
        for name, there in everything(database).items()
        if name not in READING and name not in COME_AND_GO
    }


def people(activity: Activity) -> list[tuple[str, str, str, str | None]]:
    return [
        (one.header, one.email, one.side.value, str(one.record) if one.record else None)
        for one in activity.participants
    ]


def codes(activity: Activity) -> list[str]:
    return [note.code for note in activity.notes]


def check_whole(database: Database) -> None:
    """Each mail has one reading, which counts, and nothing hangs on any other; times stand everywhere alike."""
    there = everything(database)
    current = {row["reading_id"] for row in there["mail"]}
    assert {row["id"] for row in there["reading"]} == current
    assert len(there["reading"]) == len(there["mail"]) == len(there["reading_body"])
    for name in READING[1:]:
        assert {row["reading_id"] for row in there[name]} <= current
    times = {row["id"]: row["occurred_at"] for row in there["activity"]}
    assert all(row["occurred_at"] == times[row["activity_id"]] for row in there["participation"])


# -- what follows ---------------------------------------------------------------------------------------------------


def test_what_is_read_follows_and_nothing_else(admin: Admin) -> None:
    ids = admin.log(a_mail(), CAMPAIGN, OTHER) + admin.log(a_mail(2), CAMPAIGN)
    with admin.database.write() as connection:
        topic = {"topic": "offer", "topic_at": datetime.now(UTC)}
        connection.execute(update(tables.activity).where(tables.activity.c.id == ids[0]).values(topic))
    grow_old(admin.database)
    before = the_rest(admin.database)
    versions = {row["mail_sha256"]: row["version"] for row in rows(admin.database, tables.reading)}
    raw = admin.activities.raw(ids[0])
    assert [one.became for one in again(admin.database, all_better)] == [Reread.CHANGED] * 2
    assert the_rest(admin.database) == before
    check_whole(admin.database)
    for row in rows(admin.database, tables.reading):
        assert (row["version"], row["reader"]) == (versions[row["mail_sha256"]] + 1, READER_VERSION)
    assert admin.activities.raw(ids[0]) == raw == a_mail()
    for number in ids:
        shown = admin.activities.show(number)
        assert shown.subject.startswith(f"{BETTER}Offer ")
        assert (shown.text or "").startswith(BETTER)
        assert shown.html == f"<p>{BETTER}</p>"
        assert shown.sent_at == shown.occurred_at == SENT - timedelta(days=1)
        assert (shown.message_id or "").startswith("<b.")
        assert people(shown) == [("from", ANNA, "internal", None), ("to", "new@optik.example", "external", None)]
        assert (shown.documents, shown.links, codes(shown)) == ((), ("https://better.example/",), ["charset_guessed"])
    assert admin.activities.show(ids[0]).topic == "offer"


def test_what_reads_the_same_is_left_as_it_is(admin: Admin) -> None:
    admin.log(a_mail(), CAMPAIGN)
    grow_old(admin.database)
    before = everything(admin.database)
    assert [one.became for one in again(admin.database)] == [Reread.UNCHANGED]
    before["reading"][0]["reader"] = READER_VERSION
    assert everything(admin.database) == before


CHANGES: list[tuple[str, Callable[[Mail], Mail]]] = [
    ("subject", lambda mail: replace(mail, subject="x")),
    ("text", lambda mail: replace(mail, text="x")),
    ("html", lambda mail: replace(mail, html="x")),
    ("sent_at", lambda mail: replace(mail, sent_at=None)),
    ("message_id", lambda mail: replace(mail, message_id="")),
    ("parties", lambda mail: replace(mail, parties=mail.parties[::-1])),
    ("a name", lambda mail: replace(mail, parties=tuple(replace(one, name="x") for one in mail.parties))),
    ("documents", lambda mail: replace(mail, documents=(Document(n=1, name="x", type="x/y", size=1, sha256="0"),))),
    ("inline", lambda mail: replace(mail, documents=tuple(replace(one, inline=True) for one in mail.documents))),
    ("links", lambda mail: replace(mail, links=(*mail.links, "https://x.example/"))),
    ("notes", lambda mail: replace(mail, notes=(Note("signed", "x"),))),
]


@pytest.mark.parametrize(("name", "make"), CHANGES, ids=[name for name, _ in CHANGES])
def test_any_difference_is_a_change(admin: Admin, name: str, make: Callable[[Mail], Mail]) -> None:
    admin.log(a_mail(), CAMPAIGN)
    grow_old(admin.database)
    assert [one.became for one in again(admin.database, make)] == [Reread.CHANGED], name
    assert [one.became for one in again(admin.database, make, again=True)] == [Reread.UNCHANGED], name
    check_whole(admin.database)


def test_a_second_run_has_nothing_to_do(admin: Admin) -> None:
    for number in range(3):
        admin.log(a_mail(number), CAMPAIGN)
    assert again(admin.database) == []
    grow_old(admin.database)
    rereading = Rereading(admin.database, DOMAIN, Better(all_better))
    assert rereading.count(RereadWish()) == 3
    assert [one.walked for one in rereading.run(RereadWish())] == [1, 2, 3]
    assert rereading.count(RereadWish()) == 0
    assert list(rereading.run(RereadWish())) == []


# -- who took part --------------------------------------------------------------------------------------------------


def _names(*parties: tuple[str, str]) -> Callable[[Mail], Mail]:
    return lambda mail: replace(mail, parties=tuple(Party(header, email, "") for header, email in parties))


def test_who_is_new_is_whom_the_register_knows_by_now(admin: Admin) -> None:
    (number,) = admin.log(a_mail(), CAMPAIGN)
    admin.record("contact:13", email=["two@optik.example", "shared@optik.example"])
    admin.record("contact:14", email=["shared@optik.example"])
    grow_old(admin.database)
    named = ("two@optik.example", "shared@optik.example", "nobody@else.example", LUCA, "")
    again(admin.database, _names(("from", ANNA), ("to", CLIENT), *(("cc", email) for email in named)))
    shown = admin.activities.show(number)
    assert people(shown) == [
        ("from", ANNA, "internal", None),
        ("to", CLIENT, "external", "contact:12"),
        ("cc", "two@optik.example", "external", "contact:13"),
        ("cc", "shared@optik.example", "external", None),
        ("cc", "nobody@else.example", "external", None),
        ("cc", LUCA, "internal", None),
        ("cc", "", "external", None),
    ]
    assert codes(shown) == ["contact_ambiguous"]
    check_whole(admin.database)


def test_several_owners_are_seen_from_the_record_of_the_activity(admin: Admin) -> None:
    near = admin.record("contact:13", email=["shared@optik.example"])
    admin.record("contact:14", email=["shared@optik.example"])
    admin.record("campaign:1", contact=[f"main={near}"])
    here, there = admin.log(a_mail(), RecordRef.parse("campaign:1"), OTHER)
    grow_old(admin.database)
    again(admin.database, _names(("from", ANNA), ("to", "shared@optik.example")))
    assert people(admin.activities.show(here))[1:] == [("to", "shared@optik.example", "external", "contact:13")]
    assert people(admin.activities.show(there))[1:] == [("to", "shared@optik.example", "external", None)]


def test_who_is_named_still_stays_linked_as_they_were(admin: Admin) -> None:
    (number,) = admin.log(a_mail(), CAMPAIGN)
    with admin.database.write() as connection:  # the address changes hands
        connection.execute(text("UPDATE record_email SET record_id = (SELECT id FROM record WHERE ref = '4712')"))
    grow_old(admin.database)
    again(admin.database, _names(("from", ANNA), ("cc", CLIENT)))
    assert people(admin.activities.show(number)) == [
        ("from", ANNA, "internal", None),
        ("cc", CLIENT, "external", "contact:12"),
    ]


def test_record_addresses_are_nobody_who_took_part(admin: Admin) -> None:
    (number,) = admin.log(a_mail(), CAMPAIGN)
    local = admin.address(CAMPAIGN).partition("@")[0]
    grow_old(admin.database)
    before = the_rest(admin.database)
    secret = (f"{local}@{DOMAIN}", f"{local}@log.former.example", f"else@{DOMAIN}")
    again(admin.database, _names(("from", ANNA), ("to", CLIENT), *(("bcc", email) for email in secret)))
    shown = admin.activities.show(number)
    assert [one.email for one in shown.participants] == [ANNA, CLIENT]
    assert codes(shown) == []
    assert the_rest(admin.database) == before


def test_an_address_that_everybody_is_seen_to_have_seen_is_marked(admin: Admin) -> None:
    (number,) = admin.log(a_mail(), CAMPAIGN)
    own, others = admin.address(CAMPAIGN), admin.address(OTHER)
    for version in (1, 1):  # twice, and it is noted once
        grow_old(admin.database, version)
        again(admin.database, _names(("from", ANNA), ("to", own), ("cc", others)))
    shown = admin.activities.show(number)
    assert codes(shown) == ["address_exposed"]
    (marked,) = [one.address for one in admin.addresses.list() if one.exposed_at]
    assert marked == own


# -- dates ----------------------------------------------------------------------------------------------------------

ABSURD, WORSE = datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("path", [(SENT, ABSURD), (ABSURD, SENT), (ABSURD, WORSE), (ABSURD, WORSE, ABSURD),
                                  (ABSURD, None), (None, SENT), (ABSURD, ABSURD), (None, WORSE, SENT)])  # fmt: skip
def test_a_note_on_the_date_tells_of_the_date_that_is_read(admin: Admin, path: tuple[datetime | None, ...]) -> None:
    (number,) = admin.log(a_mail(), CAMPAIGN)
    for sent in path:
        again(admin.database, lambda mail, at=sent: replace(mail, sent_at=at), again=True)  # type: ignore[misc]  # mypy can't infer a lambda with a default
        shown = admin.activities.show(number)
        absurd = sent in {ABSURD, WORSE}
        assert shown.sent_at == sent
        assert shown.occurred_at == (sent if sent == SENT else shown.recorded_at)
        assert [note.text for note in shown.notes] == (
            [f"The mail says it was sent at {sent.isoformat()}."] if absurd and sent else []
        )
        check_whole(admin.database)


def test_listings_go_by_the_time_that_is_read(admin: Admin) -> None:
    ids = [admin.log(a_mail(number), CAMPAIGN)[0] for number in range(5)]
    grow_old(admin.database)
    days = {f"Offer {number}": day for number, day in enumerate((3, 1, 4, 0, 2))}
    again(admin.database, lambda mail: replace(mail, sent_at=SENT - timedelta(days=days[mail.subject])))
    wanted = [ids[number] for number in (3, 1, 4, 0, 2)]
    for wish in ({}, {"external": CLIENT}, {"internal": ANNA}, {"type": "email", "external": "contact:12"}):
        assert [one.id for one in admin.activities.list(CAMPAIGN, Wish.read(**wish))] == wanted  # type: ignore[arg-type]  # tests hand over any field


# -- which ones -----------------------------------------------------------------------------------------------------


def _sha256(database: Database, activity: str) -> str:
    (row,) = [row for row in rows(database, tables.activity) if row["id"] == activity]
    return str(row["mail_sha256"].hex())


def test_only_mails_since_a_moment(admin: Admin) -> None:
    admin.log(a_mail(1), CAMPAIGN)
    since = datetime.now(UTC)
    (late,) = admin.log(a_mail(2), CAMPAIGN)
    grow_old(admin.database)
    assert [one.sha256 for one in again(admin.database, since=since)] == [_sha256(admin.database, late)]
    assert len(again(admin.database)) == 1


def test_only_mails_with_a_note_whichever_reader_read_them(admin: Admin) -> None:
    admin.log(a_mail(1), CAMPAIGN)
    (absurd,) = admin.log(a_mail(2, sent="Mon, 02 Nov 1970 10:00:00 +0000"), CAMPAIGN)
    (guessed,) = admin.log(a_mail(3).replace(b"utf-8", b"x-unknown").replace(b"Here", b"H\xe4re"), CAMPAIGN)
    for reader in (READER_VERSION, 1):
        grow_old(admin.database, reader)
        for note, activity in (("date_absurd", absurd), ("charset_guessed", guessed)):
            assert [one.sha256 for one in again(admin.database, note=note)] == [_sha256(admin.database, activity)]
    assert again(admin.database, note="too_many_links") == []


def test_a_note_that_neither_this_version_nor_the_store_knows_is_refused(admin: Admin) -> None:
    (activity,) = admin.log(a_mail(1), CAMPAIGN)
    with pytest.raises(BadInput, match=r"'of_tomorrow' is no note .* known are address_exposed, .*unreadable"):
        again(admin.database, note="of_tomorrow")
    again(admin.database, lambda mail: replace(mail, notes=(Note("of_tomorrow", "Seen."),)), again=True)
    assert [one.sha256 for one in again(admin.database, note="of_tomorrow")] == [_sha256(admin.database, activity)]


@pytest.mark.parametrize("note", ["", "Charset", "a b", "x" * 41, "'--", "ünlesbar"])
def test_what_is_no_code_of_a_note_is_refused(note: str) -> None:
    with pytest.raises(BadInput, match="no code of a note"):
        RereadWish(note=note)


def test_again_means_all_each_once(admin: Admin) -> None:
    for number in range(4):
        admin.log(a_mail(number), CAMPAIGN)
        if number == 1:
            grow_old(admin.database)
    calls = iter(range(100))
    done = again(admin.database, lambda mail: replace(mail, subject=str(next(calls))), again=True)
    assert len({one.sha256 for one in done}) == len(done) == 4
    assert {one.became for one in done} == {Reread.CHANGED}


def test_what_a_newer_reader_read_is_left_alone(admin: Admin) -> None:
    admin.log(a_mail(), CAMPAIGN)
    grow_old(admin.database, READER_VERSION + 1)
    assert again(admin.database, all_better, again=True) == []


# -- what can't be read ---------------------------------------------------------------------------------------------


def _unreadable(mail: Mail) -> Mail:
    return replace(mail, text="", html="", documents=(), links=(), notes=(Note("unreadable", "It killed the reader."),))


def test_what_was_read_is_not_given_up_for_nothing(admin: Admin) -> None:
    admin.log(a_mail(), CAMPAIGN)
    grow_old(admin.database)
    before = everything(admin.database)
    assert [one.became for one in again(admin.database, _unreadable)] == [Reread.UNREADABLE]
    assert everything(admin.database) == before
    assert [one.became for one in again(admin.database)] == [Reread.UNCHANGED]


def test_a_mail_that_could_not_be_read_is_read_again_by_its_note(admin: Admin) -> None:
    (number,) = admin.log(a_mail(), CAMPAIGN)
    (reading,) = rows(admin.database, tables.reading)
    with admin.database.write() as connection:
        note = {"reading_id": reading["id"], "n": 1, "code": "unreadable", "text": "x"}
        connection.execute(insert(tables.reading_note), note)
    assert again(admin.database) == []
    assert [one.became for one in again(admin.database, _unreadable, note="unreadable")] == [Reread.UNREADABLE]
    assert codes(admin.activities.show(number)) == ["unreadable"]
    assert [one.became for one in again(admin.database, note="unreadable")] == [Reread.CHANGED]
    shown = admin.activities.show(number)
    assert (codes(shown), len(shown.documents)) == ([], 1)
    assert again(admin.database, note="unreadable") == []


def test_damaged_bytes_are_told_of_and_stop_nothing(admin: Admin) -> None:
    (number,) = admin.log(a_mail(), CAMPAIGN)
    admin.log(a_mail(2), CAMPAIGN)
    grow_old(admin.database)
    damaged = _sha256(admin.database, number)
    (mine,) = [row["upload"] for row in rows(admin.database, tables.mail) if row["sha256"].hex() == damaged]
    with admin.database.write() as connection:
        triggers.drop(connection)
        connection.execute(update(tables.piece).where(tables.piece.c.upload == mine).values(bytes=b"x"))
        triggers.create(connection)
    done = {one.sha256: one.became for one in again(admin.database, all_better)}
    assert done.pop(damaged) is Reread.DAMAGED
    assert list(done.values()) == [Reread.CHANGED]
    check_whole(admin.database)


# -- meanwhile ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["delete", "erase"])
def test_of_a_mail_that_goes_meanwhile_nothing_is_left(admin: Admin, how: str) -> None:
    (number,) = admin.log(a_mail(), CAMPAIGN)
    grow_old(admin.database)

    def take_away(mail: Mail) -> Mail:
        if how == "delete":
            admin.activities.delete(number, as_email=ANNA)
        else:
            admin.activities.erase(number, reason="asked for", actor="root")
        return all_better(mail)

    assert [one.became for one in again(admin.database, take_away)] == [Reread.SKIPPED]
    assert {table.name for table in triggers.CONTENT if count(admin.database, table)} == {"receipt"}


def test_of_a_mail_that_goes_afterwards_nothing_is_left(admin: Admin) -> None:
    (number,) = admin.log(a_mail(), CAMPAIGN)
    for _ in range(3):
        grow_old(admin.database)
        again(admin.database, all_better)
        again(admin.database, again=True)
    admin.activities.erase(number, reason="asked for", actor="root")
    assert {table.name for table in triggers.CONTENT if count(admin.database, table)} == {"receipt"}


def test_an_activity_that_comes_meanwhile_follows_too(admin: Admin) -> None:
    admin.log(a_mail(), CAMPAIGN)
    grow_old(admin.database)
    came: list[str] = []

    def arrive(mail: Mail) -> Mail:
        came.extend(admin.log(a_mail(), OTHER))
        return all_better(mail)

    assert [one.became for one in again(admin.database, arrive)] == [Reread.CHANGED]
    shown = admin.activities.show(came[0])
    assert people(shown)[1:] == [("to", "new@optik.example", "external", None)]
    assert shown.occurred_at == SENT - timedelta(days=1)
    check_whole(admin.database)


def test_another_run_that_is_quicker_is_left_its_work(admin: Admin) -> None:
    for number in range(3):
        admin.log(a_mail(number), CAMPAIGN)
    grow_old(admin.database)

    def be_late(mail: Mail) -> Mail:
        again(admin.database, all_better)
        return replace(mail, subject="late")

    assert [one.became for one in again(admin.database, be_late)] == [Reread.SKIPPED] * 3
    assert {row["subject"][: len(BETTER)] for row in rows(admin.database, tables.reading)} == {BETTER}
    check_whole(admin.database)


def test_several_at_once_registrations_and_merges_do_no_harm(admin: Admin) -> None:
    for number in range(60):
        admin.log(a_mail(number), *((CAMPAIGN, OTHER) if number % 3 else (CAMPAIGN,)))
    grow_old(admin.database)
    raised: list[Exception] = []

    def run() -> None:
        try:
            again(admin.database, all_better, again=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, it fails the test below
            raised.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(10):
        admin.record(f"contact:new{number}", email=["new@optik.example"] if not number else [])
        admin.log(a_mail(1000 + number), CAMPAIGN)
    admin.records.merge(OTHER, CAMPAIGN, actor="root")
    for thread in threads:
        thread.join()
    assert raised == []
    again(admin.database, all_better)
    check_whole(admin.database)
    subjects = {row["subject"] for row in rows(admin.database, tables.reading)}
    assert all(subject.startswith((BETTER, "Offer 10")) for subject in subjects)
    newcomers = [row for row in rows(admin.database, tables.participation) if row["email"] == "new@optik.example"]
    (contact,) = [row["id"] for row in rows(admin.database, tables.record) if row["ref"] == "new0"]
    assert {row["record_id"] for row in newcomers} == {contact}


def test_no_attachment_is_taken_for_another(admin: Admin) -> None:
    (number,) = admin.log(a_mail(), CAMPAIGN)
    other = Document(n=1, name="first.txt", type="text/plain", size=1, sha256="0" * 64)
    again(admin.database, lambda mail: replace(mail, documents=(other, replace(mail.documents[0], n=2))), again=True)
    with pytest.raises(NotFound, match="run mailgate reread"):
        admin.activities.attachment(number, 1)
    again(admin.database, again=True)
    assert admin.activities.attachment(number, 1)[1] == b"%PDF-1.4"


# -- mails of the system --------------------------------------------------------------------------------------------


def test_a_mail_of_the_system_is_read_again_and_stays_sealed(admin: Admin) -> None:
    logged = admin.outbound.log_mail(a_mail(), kind="mail", record=str(CAMPAIGN), triggered_by=ANNA, languages=["de"])
    grow_old(admin.database)
    before = everything(admin.database)
    assert [one.became for one in again(admin.database, all_better)] == [Reread.CHANGED]
    after = everything(admin.database)
    for name in set(before) - set(READING) - {"mail"}:
        assert after[name] == before[name], name
    shown = admin.activities.show(logged.id)
    assert shown.subject.startswith(BETTER)
    assert shown.content["de"].text.startswith(BETTER)
    assert {one.email for one in shown.participants} <= {one.email for one in logged.participants}


KILLS = int(os.environ.get("REREAD_KILLS", "5"))  # 20 is the long form


# -- killed ---------------------------------------------------------------------------------------------------------


def test_it_may_be_killed_at_any_moment_and_goes_on(admin: Admin, database_url: str) -> None:
    for number in range(14 * KILLS):
        admin.log(a_mail(number), CAMPAIGN)
    grow_old(admin.database)
    before = the_rest(admin.database)
    chance = random.Random(4711)
    told, kills = 0, 0
    while kills < KILLS:
        command = [sys.executable, "-m", "tests.store.rereader", database_url]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 12)):
                told += process.stdout.readline() == "changed\n"
            threading.Event().wait(chance.random() / 100)
            process.send_signal(signal.SIGKILL)
            told += sum(line == "changed\n" for line in process.stdout)
        assert process.returncode == -signal.SIGKILL
        kills += 1
        check_whole(admin.database)
        assert the_rest(admin.database) == before
    read = [row["reader"] for row in rows(admin.database, tables.reading)]
    assert KILLS <= told <= read.count(READER_VERSION) <= told + kills
    assert read.count(1) > 0
    left = again(admin.database, all_better)
    assert {one.became for one in left} == {Reread.CHANGED}
    assert len(left) == read.count(1)
    assert {row["subject"][: len(BETTER)] for row in rows(admin.database, tables.reading)} == {BETTER}
    assert not any(row["subject"].startswith(BETTER * 2) for row in rows(admin.database, tables.reading))
    check_whole(admin.database)


# -- the pace of the store ------------------------------------------------------------------------------------------


def test_it_rests_behind_each_write(admin: Admin) -> None:
    for number in range(3):
        admin.log(a_mail(number), CAMPAIGN)
    grow_old(admin.database)
    rests: list[float] = []
    list(Rereading(admin.database, DOMAIN, Better(all_better), rest=rests.append).run(RereadWish()))
    assert len(rests) == 3
    assert all(REST <= rest <= 1 for rest in rests)


def test_what_is_read_again_stands_in_the_file_once(admin: Admin) -> None:
    admin.log(a_mail(), CAMPAIGN)
    sizes = []
    for _ in range(3):
        again(admin.database, all_better, again=True)
        sizes.append({name: count(admin.database, CONTENT[name]) for name in READING})
    assert sizes[0] == sizes[1] == sizes[2]


CONTENT: dict[str, Table] = {table.name: table for table in triggers.CONTENT}


# -- an older database ----------------------------------------------------------------------------------------------


def test_what_an_older_version_kept_is_read_again_after_migrating(empty_database_url: str) -> None:
    database = open_database(empty_database_url, create=True, allow_unsafe=True)
    migrate(database)
    with administering(database) as admin:
        admin.user(ANNA)
        (number,) = admin.log(a_mail(), admin.record(str(CAMPAIGN)))
    assert migrate(database, "0003")
    assert migrate(database)
    with database.read() as connection:
        assert triggers.complete(connection)
    assert [row["reader"] for row in rows(database, tables.reading)] == [1]
    assert [one.became for one in again(database, all_better)] == [Reread.CHANGED]
    with administering(database) as admin:
        assert admin.activities.show(number).subject.startswith(BETTER)
    database.close()


# -- found by indexes -----------------------------------------------------------------------------------------------

WISHES = [
    RereadWish(),
    RereadWish(again=True),
    RereadWish(since=datetime(2020, 1, 3, tzinfo=UTC)),
    RereadWish(note="remote_images"),
]


def _sent(database: Database, wish: RereadWish) -> list[tuple[str, Any]]:
    """Collect what is asked to find the mails of some pages, and what reading one of them again asks and does."""
    sent: list[tuple[str, Any]] = []
    with database.read() as connection, database.write() as writing:
        engines = (connection.engine, writing.engine)

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        sent.append((statement, parameters))

    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    rereading = Rereading(database, DOMAIN, Better(lambda mail: mail))
    for stretch in rereading._stretches(wish):
        for n, page in enumerate(rereading._pages(stretch)):
            rereading._wanted(page, wish)
            assert rereading._replace(page[0], Mail(subject="x", parties=(Party("to", "a@b.example", ""),)), same=False)
            if n > 2:
                break
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)
    return [one for one in sent if re.match(r"SELECT|UPDATE|DELETE", one[0])]


@pytest.fixture(scope="module")
def some(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("multitude") / "mailgate.db"
    path.write_bytes(sqlite_template.read_bytes())
    opened = open_database(f"sqlite:///{path}", create=False)
    fill(opened, 10_000)
    yield opened
    opened.close()


@pytest.mark.parametrize("wish", WISHES, ids=str)
def test_sqlite_finds_them_by_indexes(some: Database, wish: RereadWish) -> None:
    sent = _sent(some, wish)
    assert any("FROM reading" in statement for statement, _ in sent)
    with some.read() as connection:
        cursor = connection.connection.cursor()
        for statement, parameters in sent:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row[3] for row in cursor.fetchall()]
            assert not [step for step in steps if step.startswith("SCAN")], (statement, steps)
            assert "USE TEMP B-TREE" not in " ".join(steps) or "LIMIT" not in statement, (statement, steps)


@pytest.fixture(scope="module")
def many(postgres_server: PostgresServer) -> Iterator[Database]:
    name = postgres_server.new(TEMPLATE)
    opened = open_database(postgres_server.url(name), create=False, allow_unsafe=True)
    fill(opened, 200_000)
    yield opened
    opened.close()
    postgres_server.drop(name)


@pytest.mark.parametrize("wish", WISHES, ids=str)
def test_postgresql_finds_them_by_indexes(many: Database, wish: RereadWish) -> None:
    sent = _sent(many, wish)
    assert any("FROM reading" in statement for statement, _ in sent)
    with many.read() as connection:
        cursor = connection.connection.cursor()
        for statement, parameters in sent:
            if "advisory" in statement:
                continue
            cursor.execute(f"EXPLAIN {statement.replace(' FOR UPDATE', '').replace(' FOR KEY SHARE', '')}", parameters)
            read_whole = set(re.findall(r"Seq Scan on (\w+)", "\n".join(row[0] for row in cursor.fetchall())))
            assert read_whole <= {"user_address"}, statement  # small in every instance


def test_the_count_is_of_what_is_looked_at(some: Database) -> None:
    rereading = Rereading(some, DOMAIN, Better(lambda mail: mail))
    with some.read() as connection:
        old = len(connection.execute(select(tables.reading.c.id).where(tables.reading.c.reader == 1)).all())
    assert rereading.count(RereadWish()) == old
    assert rereading.count(RereadWish(again=True)) == count(some, tables.reading)
