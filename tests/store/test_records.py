import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, text

from mailgate.domain.entry import RecordEntry
from mailgate.domain.record import Edition, Record, RecordRef, RecordState, RoledRecord, RoledUser
from mailgate.errors import BadInput, NotFound, Refused
from mailgate.store import merging, register
from mailgate.store.database import Database
from mailgate.store.tables import address, audit, receipt
from tests.store.admin import ACTOR, ANNA, LUCA, RELAY, Admin, a_mail, administering

CUSTOMER = RecordRef.parse("customer:1")
CONTACT = RecordRef.parse("contact:1")
CAMPAIGN = RecordRef.parse("campaign:4711")
OTHER = RecordRef.parse("campaign:4712")


@pytest.fixture
def admin(database: Database) -> Iterator[Admin]:
    with administering(database) as one:
        one.user(ANNA, aliases=["a.muster@muster.example"])
        one.user(LUCA)
        one.record(str(CUSTOMER), name="Optik Beispiel AG", language="de")
        one.record(str(CONTACT), name="Nora Keller", email=["Nora@Optik.example"], relate=["customer=customer:1"])
        one.record(
            str(CAMPAIGN),
            name="Herbst",
            relate=["Customer=customer:1"],
            contact=["main=contact:1"],
            user=["sales=a.muster@muster.example"],
        )
        one.record(str(OTHER), name="Winter", relate=["agency=customer:1"])
        yield one


def _set(admin: Admin, ref: RecordRef, **given: object) -> Record:
    return admin.records.set(RecordEntry.read(str(ref), **given), actor=ACTOR)  # type: ignore[arg-type]  # tests hand over any field


def test_a_record_is_shown_with_all_that_stands_on_it(admin: Admin) -> None:
    assert admin.records.show(CAMPAIGN) == Record(
        record=CAMPAIGN,
        name="Herbst",
        relations=(RoledRecord("customer", CUSTOMER),),
        contacts=(RoledRecord("main", CONTACT),),
        users=(RoledUser("sales", ANNA),),
    )
    assert admin.records.show(CONTACT).email == ("nora@optik.example",)


def test_set_replaces_the_lists_that_are_given(admin: Admin) -> None:
    changed = _set(admin, CAMPAIGN, language="fr", relate=["agency=customer:1"], user=[f"lead={LUCA}", f"sales={LUCA}"])
    assert changed == admin.records.show(CAMPAIGN)
    assert changed.name == "Herbst"
    assert changed.language == "fr"
    assert changed.relations == (RoledRecord("agency", CUSTOMER),)
    assert changed.contacts == (RoledRecord("main", CONTACT),)
    assert changed.users == (RoledUser("lead", LUCA), RoledUser("sales", LUCA))
    emptied = _set(admin, CAMPAIGN, language="", relate=[], contact=[], user=[])
    assert (emptied.language, emptied.relations, emptied.contacts, emptied.users) == (None, (), (), ())


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (lambda admin: admin.record("campaign:4711"), "campaign:4711 exists"),
        (lambda admin: admin.record("campaign:5", relate=["customer:1"]), "'customer:1' has no role"),
        (lambda admin: admin.record("campaign:5", relate=["a b=customer:1"]), "has no role"),
        (lambda admin: admin.record("campaign:5", relate=["x=campaign:5"]), "to itself"),
        (lambda admin: admin.record("campaign:5", contact=["x=customer:1"]), "names no contact"),
        (lambda admin: admin.record("campaign:5", name="a\nb"), "control character"),
        (lambda admin: admin.record("publisher_contract:1"), "needs a language"),
        (lambda admin: admin.record("campaign:5", language="xx"), "'xx' is no language"),
        (lambda admin: admin.record("bicycle:5"), "KIND one of customer"),
        (lambda admin: admin.records.rename(CAMPAIGN, OTHER, actor=ACTOR), "campaign:4712 exists"),
        (lambda admin: admin.records.rename(CAMPAIGN, CUSTOMER, actor=ACTOR), "can't become customer:1"),
        (lambda admin: admin.records.merge(CAMPAIGN, CAMPAIGN, actor=ACTOR), "named twice"),
        (lambda admin: admin.records.merge(CONTACT, CUSTOMER, actor=ACTOR), "can't become customer:1"),
    ],
)
def test_what_is_refused(admin: Admin, what: Callable[[Admin], object], says: str) -> None:
    before = list(admin.records.list())
    with pytest.raises(BadInput, match=says.replace("'", ".")):
        what(admin)
    assert list(admin.records.list()) == before


NOWHERE = RecordRef.parse("campaign:0815")


@pytest.mark.parametrize(
    ("what", "name"),
    [
        (lambda admin: admin.records.show(NOWHERE), "campaign:0815"),
        (lambda admin: _set(admin, NOWHERE, name="x"), "campaign:0815"),
        (lambda admin: admin.records.close(NOWHERE, actor=ACTOR), "campaign:0815"),
        (lambda admin: admin.records.rename(NOWHERE, RecordRef.parse("campaign:1"), actor=ACTOR), "campaign:0815"),
        (lambda admin: admin.records.merge(NOWHERE, CAMPAIGN, actor=ACTOR), "campaign:0815"),
        (lambda admin: admin.records.merge(CAMPAIGN, NOWHERE, actor=ACTOR), "campaign:0815"),
        (lambda admin: admin.records.remove(NOWHERE, actor=ACTOR), "campaign:0815"),
        (lambda admin: admin.record("campaign:5", relate=["customer=customer:99"]), "customer:99"),
        (lambda admin: admin.record("campaign:5", user=["sales=nobody@muster.example"]), "nobody@muster.example"),
    ],
)
def test_what_is_not_there_is_named(admin: Admin, what: Callable[[Admin], object], name: str) -> None:
    with pytest.raises(NotFound, match=name):
        what(admin)


def test_a_closed_record_takes_no_mail_until_it_is_reopened(admin: Admin) -> None:
    assert admin.records.close(CAMPAIGN, actor=ACTOR).state is RecordState.CLOSED
    bcc = admin.address(CAMPAIGN)
    with pytest.raises(Refused, match="closed_record"):
        admin.intake.check_recipient(RELAY, bcc)
    assert admin.records.reopen(CAMPAIGN, actor=ACTOR).state is RecordState.OPEN
    admin.log(a_mail(), CAMPAIGN)


def test_the_last_activity_and_the_address_are_shown(admin: Admin) -> None:
    assert admin.records.show(CAMPAIGN).address is None
    admin.log(a_mail(1, sent="Mon, 02 Nov 2026 10:00:00 +0000"), CAMPAIGN)
    admin.log(a_mail(2, sent="Sun, 01 Nov 2026 10:00:00 +0000"), CAMPAIGN)
    shown = admin.records.show(CAMPAIGN)
    assert shown.last_activity is not None
    assert shown.last_activity.isoformat() == "2026-11-02T10:00:00+00:00"
    assert shown.address == admin.address(CAMPAIGN)
    assert shown in list(admin.records.list())


def test_the_last_activity_comes_from_an_index(admin: Admin) -> None:
    statement = "SELECT (SELECT max(occurred_at) FROM activity WHERE record_id = record.id) FROM record WHERE id = 1"
    sqlite = admin.database.kind == "sqlite"
    with admin.database.write() as connection:
        if not sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # with so few rows it would read them all
        plan = connection.execute(text(f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}{statement}")).all()
    assert "ix_activity_listing" in str(plan)


# -- rename and merge -----------------------------------------------------------------------------------------------


def test_a_renamed_record_keeps_everything(admin: Admin) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    bcc = admin.address(CAMPAIGN)
    new = RecordRef.parse("campaign:9000")
    before = admin.records.show(CAMPAIGN)
    assert admin.records.rename(CAMPAIGN, new, actor=ACTOR) == replace(before, record=new)
    assert admin.activities.show(activity).record == new
    assert [entry.activity for entry in admin.ledger.list(record=new)] == [activity]
    assert admin.intake.check_recipient(RELAY, bcc).record == new
    with pytest.raises(NotFound):
        admin.records.show(CAMPAIGN)


def test_a_lead_that_was_won_becomes_a_contact(admin: Admin) -> None:
    lead = admin.record("lead:1", email=["paolo@bianchi.example"])
    (activity,) = admin.log(a_mail(), lead)
    admin.records.merge(lead, CONTACT, actor=ACTOR)
    assert admin.activities.show(activity).record == CONTACT
    assert admin.records.show(CONTACT).email == ("nora@optik.example", "paolo@bianchi.example")


def test_all_of_a_merged_record_follows(admin: Admin) -> None:
    (moved,) = admin.log(a_mail(1), CAMPAIGN)
    (stayed,) = admin.log(a_mail(2), OTHER)
    old_address, new_address = admin.address(CAMPAIGN), admin.address(OTHER)
    admin.record("opportunity:1", relate=["won=campaign:4711", "also=campaign:4712"])
    merged = admin.records.merge(CAMPAIGN, OTHER, actor=ACTOR)
    assert merged.name == "Winter"
    assert merged.relations == (RoledRecord("agency", CUSTOMER), RoledRecord("customer", CUSTOMER))
    assert merged.contacts == (RoledRecord("main", CONTACT),)
    assert merged.users == (RoledUser("sales", ANNA),)
    assert {activity.id for activity in admin.activities.list(OTHER)} == {moved, stayed}
    for bcc in (old_address, new_address):
        assert admin.intake.check_recipient(RELAY, bcc).record == OTHER
    assert {entry.activity for entry in admin.ledger.list(record=OTHER)} == {moved, stayed}
    assert admin.records.show(RecordRef.parse("opportunity:1")).relations == (
        RoledRecord("also", OTHER),
        RoledRecord("won", OTHER),
    )
    with pytest.raises(NotFound):
        admin.records.show(CAMPAIGN)


def test_relations_between_the_two_and_those_that_both_have_end_up_once(admin: Admin) -> None:
    _set(admin, CAMPAIGN, relate=["follows=campaign:4712", "agency=customer:1"])
    _set(admin, CUSTOMER, relate=["first=campaign:4711", "best=campaign:4711", "best=campaign:4712"])
    merged = admin.records.merge(CAMPAIGN, OTHER, actor=ACTOR)
    assert merged.relations == (RoledRecord("agency", CUSTOMER),)
    assert admin.records.show(CUSTOMER).relations == (RoledRecord("best", OTHER), RoledRecord("first", OTHER))


def test_a_mail_that_both_records_had_stays_twice_comes_no_more_and_can_be_deleted_twice(admin: Admin) -> None:
    first, second = admin.log(a_mail(), CAMPAIGN, OTHER)
    admin.records.merge(CAMPAIGN, OTHER, actor=ACTOR)
    assert {activity.id for activity in admin.activities.list(OTHER)} == {first, second}
    assert [outcome.verdict.value for outcome in admin.deliver(a_mail(), OTHER)] == ["duplicate"]
    admin.activities.delete(first, as_email=ANNA)
    assert admin.activities.raw(second) == a_mail()
    admin.activities.delete(second, as_email=ANNA)
    assert list(admin.activities.list(OTHER)) == []
    assert [outcome.reason for outcome in admin.deliver(a_mail(), OTHER)] == ["deleted"]
    with admin.database.read() as connection:
        assert len(set(connection.scalars(select(receipt.c.identity)))) == 2


def test_a_mail_deleted_on_one_of_the_two_stays_deleted_there(admin: Admin) -> None:
    first, second = admin.log(a_mail(), CAMPAIGN, OTHER)
    admin.activities.delete(second, as_email=ANNA)
    admin.records.merge(CAMPAIGN, OTHER, actor=ACTOR)
    assert [activity.id for activity in admin.activities.list(OTHER)] == [first]
    assert [outcome.verdict.value for outcome in admin.deliver(a_mail(), OTHER)] == ["duplicate"]


def test_merging_reads_no_table_whole_that_grows_with_the_mails(admin: Admin) -> None:
    admin.log(a_mail(), CAMPAIGN, OTHER)
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            sent.append((statement, parameters))

    with admin.database.write() as connection:
        keys = register.hold(connection, [CAMPAIGN, OTHER])
        event.listen(connection, "before_cursor_execute", note)
        merging.merge(connection, (CAMPAIGN, keys[CAMPAIGN]), (OTHER, keys[OTHER]))
        event.remove(connection, "before_cursor_execute", note)
        if admin.database.kind == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # with so few rows it would read them all
        plans = [str(_explained(connection, *one)) for one in sent]
    assert any("participation" in plan for plan in plans)
    for plan in plans:
        assert not re.search(r"(Seq Scan on|SCAN) (participation|activity|receipt|ledger|record)\b", plan), plan


def _explained(connection: Connection, statement: str, parameters: Any) -> list[Any]:
    cursor = connection.connection.cursor()
    cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.dialect.name == 'sqlite' else ''}{statement}", parameters)
    return list(cursor.fetchall())


def test_mails_that_come_while_records_are_merged_are_not_lost(admin: Admin) -> None:
    bcc = admin.address(CAMPAIGN)
    outcomes: list[str] = []

    def deliver() -> None:
        for number in range(20):
            try:
                addressee = admin.intake.check_recipient(RELAY, bcc)
            except Refused:
                outcomes.append("refused")
                continue
            outcomes.append(admin.receive(a_mail(number), addressee)[0].verdict.value)

    sender = threading.Thread(target=deliver)
    sender.start()
    admin.records.merge(CAMPAIGN, OTHER, actor=ACTOR)
    sender.join()
    # a mail whose record went between RCPT and DATA is deferred: the relay tries it again
    assert set(outcomes) <= {"kept", "deferred"}
    assert len(list(admin.activities.list(OTHER))) == outcomes.count("kept")


# -- remove, list, edition ------------------------------------------------------------------------------------------


def test_a_record_is_removed_only_while_it_has_no_activities(admin: Admin) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    with pytest.raises(BadInput, match="campaign:4711 has activities"):
        admin.records.remove(CAMPAIGN, actor=ACTOR)
    admin.activities.erase(activity, reason="court order", actor=ACTOR)
    bcc = admin.address(CAMPAIGN)
    admin.records.remove(CAMPAIGN, actor=ACTOR)
    with pytest.raises(NotFound):
        admin.records.show(CAMPAIGN)
    admin.address(OTHER)  # an instance without any address defers
    with pytest.raises(Refused, match="unknown_address"):
        admin.intake.check_recipient(RELAY, bcc)


def test_what_was_erased_on_a_removed_record_stays_in_the_audit(admin: Admin) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    admin.activities.erase(activity, reason="court order", actor=ACTOR)
    admin.records.remove(CAMPAIGN, actor="operator")
    with admin.database.read() as connection:
        rows = connection.execute(select(audit).where(audit.c.actor == "operator").order_by(audit.c.id)).all()
    assert [(row.action, row.subject) for row in rows] == [
        ("activity erased", "campaign:4711"),
        ("record removed", "campaign:4711"),
    ]
    trace = json.loads(rows[0].detail)
    assert (trace["activity_id"], trace["actor"], trace["reason"]) == (activity, ACTOR, "court order")


def test_a_removed_record_leaves_those_that_named_it(admin: Admin) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    nora = [one for one in admin.activities.show(activity).participants if one.header == "to"]
    assert nora[0].record == CONTACT
    admin.records.remove(CONTACT, actor=ACTOR)
    assert admin.records.show(CAMPAIGN).contacts == ()
    nora = [one for one in admin.activities.show(activity).participants if one.header == "to"]
    assert nora[0].record is None


def test_all_are_listed_by_kind_and_reference_however_many(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailgate.store.records.PAGE", 2)
    listed = [str(record.record) for record in admin.records.list()]
    assert listed == ["campaign:4711", "campaign:4712", "contact:1", "customer:1"]


def test_in_the_edition_publisher_there_are_no_publisher_contracts(database: Database) -> None:
    contract = RecordRef.parse("publisher_contract:1")
    with administering(database, Edition.MARKETER_LIGHT) as earlier:
        earlier.user(ANNA)
        earlier.record(str(contract), language="fr")
        (activity,) = earlier.log(a_mail(), contract)
    with administering(database, Edition.PUBLISHER) as admin:
        for what in (
            lambda: admin.record("publisher_contract:2", language="fr"),
            lambda: admin.records.show(contract),
            lambda: admin.records.close(contract, actor=ACTOR),
            lambda: admin.record("campaign:1", relate=["x=publisher_contract:1"]),
            lambda: admin.address(contract),
            lambda: admin.activities.list(contract),
        ):
            with pytest.raises(BadInput, match="edition publisher"):
                what()
        assert list(admin.records.list()) == []
        assert list(admin.addresses.list()) == []
    with administering(database, Edition.MARKETER) as later:
        assert [one.id for one in later.activities.list(contract)] == [activity]


def test_changes_are_audited_and_addresses_follow_no_further(admin: Admin) -> None:
    admin.records.rename(CAMPAIGN, NOWHERE, actor="operator")
    admin.records.merge(NOWHERE, OTHER, actor="operator")
    with admin.database.read() as connection:
        rows = connection.execute(select(audit).where(audit.c.actor == "operator").order_by(audit.c.id)).all()
        assert connection.execute(select(address)).all() == []
    assert [(row.action, row.subject, row.detail) for row in rows] == [
        ("record renamed", "campaign:0815", "from campaign:4711"),
        ("record merged", "campaign:4712", "campaign:0815 into campaign:4712: 0 activities, 0 addresses, 0 removals"),
    ]
