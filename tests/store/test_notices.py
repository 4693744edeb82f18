import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from mailgate.domain.activity import Activity, Participant, Side
from mailgate.domain.content import Content
from mailgate.domain.dispatch import MAX_RECIPIENTS
from mailgate.domain.document import NewDocument
from mailgate.domain.entry import UserEntry
from mailgate.domain.notice import NewNotice
from mailgate.domain.record import Edition, RecordRef
from mailgate.domain.user import Language
from mailgate.errors import BadInput, NotFound
from mailgate.outbound import Instance, Outbound
from mailgate.store import tables, uploads
from mailgate.store.database import Database, open_database
from mailgate.store.directory import Directory
from mailgate.store.notices import Notices, keep_notice
from mailgate.store.speakers import Speakers
from tests.contract.test_notices import notice
from tests.store.admin import ACTOR, ANNA, CLIENT, DOMAIN, LUCA, Admin, a_mail, administering
from tests.store.seeding import count, rows
from tests.worlds import ANNA as ANNA_OF_WORLD

CAMPAIGN = RecordRef.parse("campaign:4711")
OTHER = RecordRef.parse("campaign:4712")
CRM = "crm@muster.example"
DE, EN, FR, IT = Language
SENT_AT = datetime(2026, 11, 2, 10, tzinfo=UTC)
PDF = NewDocument("r.pdf", "application/pdf", b"%PDF-1.4")
BIG = bytes(range(256)) * (3 << 12)  # 3 MiB
AT_ONCE = 6


@pytest.fixture
def admin(database: Database) -> Iterator[Admin]:
    with administering(database) as one:
        one.user(ANNA, language="de")
        one.user(LUCA, give=["administer"])
        one.user(CRM, kind="system")
        one.record("contact:1", email=[CLIENT])
        one.record(str(CAMPAIGN), contact=["main=contact:1"])
        one.record(str(OTHER))
        yield one


def outbound(database: Database) -> Outbound:
    instance = Instance(
        domain=DOMAIN, edition=Edition.MARKETER, language=EN, max_size=50 << 20, max_header_size=4 << 20
    )
    return Outbound(Directory(database, DOMAIN), Speakers(database), Notices(database), instance)


def log(database: Database, **changes: Any) -> Activity:
    given: dict[str, Any] = {
        "kind": "mail",
        "record": str(CAMPAIGN),
        "triggered_by": ANNA,
        "recipients": [CLIENT],
        "sent_at": SENT_AT,
        "message_id": "<1@muster.example>",
        "content": {DE: Content("Rechnung", "Guten Tag"), FR: Content("Facture", "Bonjour", "<p>Bonjour</p>")},
        "documents": [PDF],
        **changes,
    }
    return outbound(database).log(**given)


def log_mail(database: Database, raw: bytes, **changes: Any) -> Activity:
    given: dict[str, Any] = {
        "kind": "mail",
        "record": str(CAMPAIGN),
        "triggered_by": ANNA,
        "languages": ["de"],
        **changes,
    }
    return outbound(database).log_mail(raw, **given)


def _ids(admin: Admin, ref: RecordRef = CAMPAIGN) -> set[str]:
    return {one.id for one in admin.activities.list(ref)}


# -- read-only ------------------------------------------------------------------------------------------------------

FORBIDDEN = [
    "UPDATE activity SET subject = 'forged' WHERE origin = 'system'",
    "UPDATE activity SET origin = 'manual'",
    "UPDATE activity SET origin = 'bcc'",
    "UPDATE activity SET fingerprint = 'forged'",
    "UPDATE activity SET fingerprint = NULL",
    "UPDATE activity SET topic = 'offer'",
    "UPDATE activity SET topic_by = recorder_id, topic_at = recorded_at",
    "UPDATE activity_content SET text = 'forged'",
    "UPDATE activity_sent SET language = 'it'",
    "UPDATE activity_document SET name = 'forged'",
    "UPDATE participation SET email = 'forged@firma.example'",
    "DELETE FROM activity",
    "DELETE FROM activity_content",
    "DELETE FROM activity_document",
    "DELETE FROM piece",
    "DELETE FROM receipt",
    "INSERT INTO activity_content SELECT id, 'en', 'forged', 'forged', NULL FROM activity",
    "INSERT INTO activity_sent SELECT id, 'forged@firma.example', 'de' FROM activity",
    "INSERT INTO activity_link SELECT id, 9, 'https://firma.example/' FROM activity",
    "INSERT INTO activity_note SELECT id, 9, 'forged', 'forged' FROM activity",
    "INSERT INTO activity_document SELECT activity_id, 9, name, type, size, sha256, upload FROM activity_document",
    (
        "INSERT INTO participation (activity_id, n, email, side, activity_record_id, occurred_at)"
        " SELECT activity_id, 9, 'forged@firma.example', side, activity_record_id, occurred_at FROM participation"
    ),
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_no_client_changes_what_was_sent(admin: Admin, statement: str) -> None:
    made = log(admin.database)
    with pytest.raises(IntegrityError, match="read-only"), admin.database.write() as connection:
        connection.execute(text(statement))
    assert admin.activities.show(made.id) == made


def test_only_the_recorder_deletes_it_wholly(admin: Admin) -> None:
    made = log(admin.database)
    with pytest.raises(BadInput, match=f"recorded by {ANNA}"):
        admin.activities.delete(made.id, as_email=LUCA)
    gone = admin.activities.delete(made.id, as_email=ANNA)
    assert gone.kinds == "participants, subject, text, html, 1 document"
    for table in (
        tables.activity,
        tables.activity_content,
        tables.activity_sent,
        tables.activity_document,
        tables.participation,
        tables.piece,
    ):
        assert count(admin.database, table) == 0
    with pytest.raises(NotFound, match=f"deleted by {ANNA}"):
        admin.activities.show(made.id)


def test_what_was_deleted_comes_back_only_when_that_is_forgotten(admin: Admin) -> None:
    made = log(admin.database)
    admin.activities.delete(made.id, as_email=ANNA)
    for _ in range(2):
        with pytest.raises(BadInput, match="deleted by its recorder: it is not logged again"):
            log(admin.database)
    assert count(admin.database, tables.activity) == count(admin.database, tables.piece) == 0
    admin.activities.forget_deletion(made.id, reason="by mistake", actor=ACTOR)
    assert log(admin.database).id != made.id


def test_what_a_system_user_recorded_only_erasure_removes(admin: Admin) -> None:
    made = log(admin.database, triggered_by=CRM)
    for who in (CRM, ANNA, LUCA):
        with pytest.raises(BadInput, match="system user"):
            admin.activities.delete(made.id, as_email=who)
    admin.activities.erase(made.id, reason="by law", actor=ACTOR, as_email=LUCA)
    with pytest.raises(BadInput, match="erased by an administrator"):
        log(admin.database, triggered_by=CRM)


@pytest.mark.parametrize(("email", "kind"), [(CRM, "person"), (CRM, "shared"), (ANNA, "system")])
def test_who_has_activities_becomes_no_system_user_and_stays_one(admin: Admin, email: str, kind: str) -> None:
    made = log(admin.database, triggered_by=email)
    before = admin.users.show(email)
    says = f"{email} has activities and stays of kind {before.kind.value}: make a user of its own of kind {kind}"
    with pytest.raises(BadInput, match=re.escape(says)):
        admin.users.set(UserEntry.read(email, kind=kind, language="fr"), actor=ACTOR)
    assert admin.users.show(email) == before
    for dry_run in (True, False):
        file = BytesIO(f"email,name,kind\n{email},,{kind}\nx{dry_run}@muster.example,X,{kind}\n".encode())
        failed, added = admin.imports.users(file, actor=ACTOR, dry_run=dry_run)
        assert (failed.outcome.value, failed.error, added.outcome.value) == (
            "failed",
            f"{says} (mailgate user add)",
            "added",
        )
    assert admin.users.show(email) == before
    assert admin.activities.show(made.id) == made


@pytest.mark.parametrize("kinds", [("person", "system"), ("system", "shared"), ("person", "shared")])
def test_who_has_none_and_whoever_is_no_system_user_becomes_what_you_say(admin: Admin, kinds: tuple[str, str]) -> None:
    email = "new@muster.example"
    admin.user(email, kind=kinds[0])
    if "system" not in kinds:
        log(admin.database, triggered_by=email)
    assert admin.users.set(UserEntry.read(email, kind=kinds[1], name="N"), actor=ACTOR).kind.value == kinds[1]
    assert admin.users.set(UserEntry.read(email, kind=kinds[1], name="M"), actor=ACTOR).name == "M"


def test_logging_can_not_be_switched_off(admin: Admin) -> None:
    admin.users.disable(ANNA, actor=ACTOR)
    admin.records.close(CAMPAIGN, actor=ACTOR)
    assert log(admin.database).recorder == ANNA


# -- two jobs at once -----------------------------------------------------------------------------------------------


def _at_once(url: str, work: Callable[[Database, int], object]) -> list[object]:
    """Do the same in threads that share nothing but the database, as processes do; give results or refusals."""
    start = threading.Barrier(AT_ONCE)

    def run(n: int) -> object:
        database = open_database(url, create=False, allow_unsafe=True)
        try:
            start.wait()
            return work(database, n)
        except BadInput as no:
            return no
        finally:
            database.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, range(AT_ONCE)))


@pytest.mark.parametrize("content", [b"%PDF-1.4", BIG], ids=["small", "big"])
def test_jobs_that_log_the_same_at_once_get_one_activity(admin: Admin, database_url: str, content: bytes) -> None:
    documents = [replace(PDF, content=content)]
    found = _at_once(database_url, lambda database, _: log(database, documents=documents))
    assert {one.id for one in found if isinstance(one, Activity)} == _ids(admin)
    assert (len(found), count(admin.database, tables.activity)) == (AT_ONCE, 1)
    assert count(admin.database, tables.activity_content) == 2
    assert count(admin.database, tables.upload) == 0
    assert {row["upload"] for row in rows(admin.database, tables.piece)} == {
        row["upload"] for row in rows(admin.database, tables.activity_document)
    }


@pytest.mark.parametrize("more", [b"", BIG], ids=["small", "big"])
def test_jobs_that_log_the_same_finished_mail_at_once_get_one_activity(
    admin: Admin, database_url: str, more: bytes
) -> None:
    raw = a_mail() + more.hex().encode()
    found = _at_once(database_url, lambda database, _: log_mail(database, raw))
    assert {one.id for one in found if isinstance(one, Activity)} == _ids(admin)
    assert (count(admin.database, tables.activity), count(admin.database, tables.mail)) == (1, 1)
    assert count(admin.database, tables.upload) == 0
    (made,) = _ids(admin)
    assert admin.activities.raw(made) == raw


def test_of_jobs_that_log_other_content_at_once_one_wins(admin: Admin, database_url: str) -> None:
    found = _at_once(database_url, lambda database, n: log(database, content={DE: Content("Rechnung", str(n))}))
    assert sum(isinstance(one, Activity) for one in found) == 1
    assert all("other content" in str(one) for one in found if not isinstance(one, Activity))
    assert count(admin.database, tables.activity) == 1


def test_processes_that_log_the_same_at_once_all_get_it(admin: Admin, database_url: str) -> None:
    said = {
        "kind": "mail",
        "record": str(CAMPAIGN),
        "triggered_by": ANNA,
        "recipients": [CLIENT],
        "sent_at": SENT_AT.isoformat(),
        "message_id": "<1@muster.example>",
        "content": {"de": {"subject": "Rechnung", "text": "Guten Tag"}},
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAILGATE_")}
    environment |= {"MAILGATE_STORE__URL": database_url, "MAILGATE_STORE__ALLOW_UNSAFE": "true"}
    environment |= {"MAILGATE_ADDRESSES__DOMAIN": DOMAIN, "MAILGATE_CONFIG": os.devnull}
    command = [sys.executable, "-m", "mailgate", "outbound", "log", "-", "--json"]
    jobs = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
        for _ in range(3)
    ]
    answers = [job.communicate(json.dumps(said).encode(), timeout=100) for job in jobs]
    assert [job.returncode for job in jobs] == [0] * len(jobs), answers
    assert {json.loads(out)["id"] for out, _ in answers} == _ids(admin)


# -- what follows a record ------------------------------------------------------------------------------------------


def test_the_same_again_is_met_under_the_new_name(admin: Admin) -> None:
    made = log(admin.database)
    admin.records.rename(CAMPAIGN, RecordRef.parse("campaign:5000"), actor=ACTOR)
    assert log(admin.database, record="campaign:5000").id == made.id
    with pytest.raises(NotFound, match="campaign:4711"):
        log(admin.database)


def test_the_same_again_is_met_on_the_record_merged_into(admin: Admin) -> None:
    made = log(admin.database)
    admin.records.merge(CAMPAIGN, OTHER, actor=ACTOR)
    again = log(admin.database, record=str(OTHER))
    assert (again.id, again.record) == (made.id, OTHER)


def test_it_is_met_there_too_after_a_language_was_changed(admin: Admin) -> None:
    birthday: dict[str, Any] = {"kind": "birthday_reminder", "record": "contact:1", "recipients": [LUCA]}
    birthday |= {"content": {FR: Content("Anniversaire", "Demain")}, "sent_languages": {LUCA: [FR]}}
    made = log(admin.database, **birthday)
    assert made.languages == ("fr",)
    admin.record("contact:2")
    admin.records.merge(RecordRef.parse("contact:1"), RecordRef.parse("contact:2"), actor=ACTOR)
    again = {**birthday, "record": "contact:2", "sent_languages": None}
    assert log(admin.database, **again).id == made.id
    admin.activities.delete(made.id, as_email=ANNA)
    with pytest.raises(BadInput, match="missing: en"):
        log(admin.database, **again)


@pytest.mark.parametrize("texts", [("Guten Tag", "Guten Tag"), ("Guten Tag", "Guten Abend")])
def test_records_that_both_had_it_keep_both(admin: Admin, texts: tuple[str, str]) -> None:
    contents = [{DE: Content("Rechnung", one)} for one in texts]
    here = log(admin.database, content=contents[0])
    there = log(admin.database, record=str(OTHER), content=contents[1])
    admin.records.merge(CAMPAIGN, OTHER, actor=ACTOR)
    assert _ids(admin, OTHER) == {here.id, there.id}
    for content in contents:
        again = log(admin.database, record=str(OTHER), content=content)
        assert again.text == content[DE].text
    assert _ids(admin, OTHER) == {here.id, there.id}
    for made in (here, there):
        admin.activities.delete(made.id, as_email=ANNA)
    assert _ids(admin, OTHER) == set()


# -- bytes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, len(BIG)])
def test_documents_of_any_size_come_back(admin: Admin, size: int) -> None:
    contents = [BIG[:size], BIG[:size], b"other"]
    documents = [NewDocument(f"{n}.bin", "application/octet-stream", one) for n, one in enumerate(contents)]
    made = log(admin.database, documents=documents)
    assert [one.size for one in made.documents] == [len(one) for one in contents]
    assert [admin.activities.attachment(made.id, n + 1)[1] for n in range(3)] == contents


def test_as_much_as_is_taken_is_kept(admin: Admin) -> None:
    recipients = [f"{n}@kunde.example" for n in range(MAX_RECIPIENTS)]
    made = log(admin.database, recipients=recipients, message_id="<" + "\u00e9" * 498 + ">")
    assert [one.email for one in made.participants] == recipients
    assert made.sent_languages == dict.fromkeys(sorted(recipients), ("de", "fr"))
    assert log(admin.database, recipients=recipients, message_id=made.message_id) == made


def test_the_same_again_leaves_no_bytes_behind(admin: Admin) -> None:
    log(admin.database, documents=[replace(PDF, content=BIG)])
    pieces = count(admin.database, tables.piece)
    log(admin.database, documents=[replace(PDF, content=BIG)])
    assert (count(admin.database, tables.piece), count(admin.database, tables.upload)) == (pieces, 0)


def test_what_is_refused_leaves_no_bytes_behind(admin: Admin) -> None:
    log(admin.database)
    before = {table.name: count(admin.database, table) for table in tables.metadata.sorted_tables}
    other = {DE: Content("Rechnung", "Guten Tag"), FR: Content("Facture", "Bonsoir")}
    for wrong in ({"content": other}, {"record": "campaign:1"}, {"triggered_by": "x@muster.example"}):
        with pytest.raises((BadInput, NotFound)):
            log(admin.database, documents=[replace(PDF, content=BIG)], **wrong)
    assert {table.name: count(admin.database, table) for table in tables.metadata.sorted_tables} == before


def test_a_finished_mail_and_its_bcc_copy_share_their_bytes(admin: Admin) -> None:
    (copy,) = admin.log(a_mail(), CAMPAIGN)
    made = log_mail(admin.database, a_mail())
    assert made.id != copy
    assert [admin.activities.show(one).origin for one in (copy, made.id)] == ["bcc", "system"]
    assert (count(admin.database, tables.mail), made.notes) == (1, ())
    assert admin.activities.attachment(made.id, 1)[1] == b"%PDF-1.4"
    admin.activities.delete(copy, as_email=ANNA)
    assert admin.activities.raw(made.id) == a_mail()
    admin.activities.delete(made.id, as_email=ANNA)
    assert count(admin.database, tables.mail) == count(admin.database, tables.piece) == 0


def test_a_big_finished_mail_is_written_again_after_it_was_deleted(admin: Admin) -> None:
    raw = a_mail() + b"x" * (uploads.PIECE + 1)
    first = log_mail(admin.database, raw)
    second = log_mail(admin.database, raw, record=str(OTHER))
    admin.activities.delete(first.id, as_email=ANNA)
    admin.activities.delete(second.id, as_email=ANNA)
    admin.activities.forget_deletion(first.id, reason="by mistake", actor=ACTOR)
    assert admin.activities.raw(log_mail(admin.database, raw).id) == raw


# -- in the transaction of somebody else ----------------------------------------------------------------------------


def _keep_both(connection: Connection, *notices: NewNotice) -> None:
    for one in notices:
        keep_notice(connection, one)


def test_it_is_undone_with_the_transaction_that_it_stands_in(admin: Admin) -> None:
    admin.user(ANNA_OF_WORLD.email)
    with pytest.raises(NotFound, match="no user"), admin.database.write() as connection:
        _keep_both(connection, notice(participants=()), notice(identity="2" * 64, triggered_by="x@muster.example"))
    assert count(admin.database, tables.activity) == count(admin.database, tables.receipt) == 0
    with admin.database.write() as connection:
        made = keep_notice(connection, notice(participants=()))
        assert keep_notice(connection, notice(participants=())) == made
    assert admin.activities.show(made).languages == ("de", "en")
    assert admin.activities.attachment(made, 1)[1] == b"%PDF-1.4"


def test_who_was_registered_since_somebody_looked_is_known(admin: Admin) -> None:
    admin.user(ANNA_OF_WORLD.email)
    nobodys = [
        Participant(email=email, name="", header="to", side=Side.EXTERNAL)
        for email in (LUCA, CLIENT, "unknown@else.example")
    ]
    with admin.database.write() as connection:
        made = keep_notice(connection, notice(participants=tuple(nobodys)))
    assert [(one.side, one.record) for one in admin.activities.show(made).participants] == [
        (Side.INTERNAL, None),
        (Side.EXTERNAL, RecordRef.parse("contact:1")),
        (Side.EXTERNAL, None),
    ]


@pytest.mark.parametrize("become", ["contact:11", "contact:2"])
def test_who_was_renamed_or_merged_since_somebody_looked_is_linked(admin: Admin, become: str) -> None:
    admin.user(ANNA_OF_WORLD.email)
    looked_up, now = RecordRef.parse("contact:1"), RecordRef.parse(become)
    client = Participant(email=CLIENT, name="", header="to", side=Side.EXTERNAL, record=looked_up)
    if become == "contact:2":
        admin.record(become)
        admin.records.merge(looked_up, now, actor=ACTOR)
    else:
        admin.records.rename(looked_up, now, actor=ACTOR)
    with admin.database.write() as connection:
        made = keep_notice(connection, notice(participants=(client,)))
    assert [one.record for one in admin.activities.show(made).participants] == [now]
