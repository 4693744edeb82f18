"""In the edition publisher there are no publisher contracts: every command says so, and what was there comes back."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest

from mailgate.domain.content import Content
from mailgate.domain.entry import RecordEntry
from mailgate.domain.handmade import HandmadeEntry
from mailgate.domain.listing import Wish
from mailgate.domain.record import Edition, RecordKind, RecordRef, RoledRecord
from mailgate.domain.topic import check_topic
from mailgate.domain.user import Language
from mailgate.errors import BadInput, Refused
from mailgate.store import tables
from mailgate.store.database import Database
from mailgate.store.notices import keep_notice
from mailgate.store.reminders import Reminders
from tests.store.admin import ACTOR, ANNA, RELAY, Admin, a_mail, administering
from tests.store.seeding import rows

CONTRACT = RecordRef.parse("publisher_contract:1")
SECOND = RecordRef.parse("publisher_contract:2")
THIRD = RecordRef.parse("publisher_contract:3")
CUSTOMER = RecordRef.parse("customer:7")
CAMPAIGN = RecordRef.parse("campaign:4711")
OTHER_CUSTOMER = RecordRef.parse("customer:8")


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was made on a publisher contract in another edition, by the names that commands take."""

    bcc: str  # its address
    logged: str
    task: str
    system: str
    deleted: str
    ledger: str


@pytest.fixture
def earlier(database: Database) -> Earlier:
    with administering(database, Edition.MARKETER) as admin:
        admin.user(ANNA)
        admin.record(str(CUSTOMER))
        admin.record(str(OTHER_CUSTOMER))
        for ref in (CONTRACT, SECOND):
            admin.record(str(ref), language="fr", relate=["customer=customer:7"])
        admin.record(str(CAMPAIGN), relate=["customer=customer:7", "paid=publisher_contract:1"])
        admin.log(a_mail(9), CUSTOMER)
        (logged,) = admin.log(a_mail(1), CONTRACT)
        (deleted,) = admin.log(a_mail(2), CONTRACT)
        admin.activities.delete(deleted, as_email=ANNA)
        task = admin.handmade.add(CONTRACT, _task(), as_email=ANNA)
        newest = next(iter(admin.ledger.list(record=CONTRACT)))
        return Earlier(admin.address(CONTRACT), logged, task.id, _log(admin, CONTRACT), deleted, newest.id)


@pytest.fixture
def publisher(database: Database, earlier: Earlier) -> Iterator[Admin]:
    with administering(database, Edition.PUBLISHER) as admin:
        yield admin


def _task(topic: str = "payout") -> HandmadeEntry:
    return HandmadeEntry.read(type_="task", topic=topic, subject="Pay", due="2026-12-01", remind="2026-11-30")


def _log(admin: Admin, record: RecordRef, kind: str = "payout_statement", number: int = 1) -> str:
    return admin.outbound.log(
        kind=kind,
        record=str(record),
        triggered_by=ANNA,
        recipients=["pay@verlag.example"],
        sent_at=datetime(2026, 11, 2, tzinfo=UTC),
        message_id=f"<payout{number}@muster.example>",
        content={Language.FR: Content(subject="Relevé", text="Bonjour")},
    ).id


def _set(admin: Admin, ref: RecordRef, **given: object) -> object:
    return admin.records.set(RecordEntry.read(str(ref), **given), actor=ACTOR)  # type: ignore[arg-type]  # tests hand over any field


def _imported(admin: Admin, *lines: str) -> list[tuple[str, str]]:
    file = io.BytesIO("\n".join(["record,name,language,relate", *lines]).encode())
    outcomes = sorted(admin.imports.records(file, actor=ACTOR), key=lambda one: one.row)
    return [(one.outcome.value, one.error or "") for one in outcomes]


def _everything(database: Database) -> dict[str, list[dict[str, object]]]:
    return {name: rows(database, table) for name, table in tables.metadata.tables.items()}


COMMANDS: dict[str, Callable[[Admin, Earlier], object]] = {
    "record add": lambda admin, _: admin.record(str(THIRD), language="fr"),
    "record add, of one that is there": lambda admin, _: admin.record(str(THIRD), language="fr"),
    "record add --relate": lambda admin, _: admin.record("campaign:1", relate=[f"x={CONTRACT}"]),
    "record show": lambda admin, _: admin.records.show(CONTRACT),
    "record set": lambda admin, _: _set(admin, CONTRACT, name="New"),
    "record set --relate": lambda admin, _: _set(admin, CAMPAIGN, relate=[f"x={CONTRACT}"]),
    "record close": lambda admin, _: admin.records.close(CONTRACT, actor=ACTOR),
    "record reopen": lambda admin, _: admin.records.reopen(CONTRACT, actor=ACTOR),
    "record rename": lambda admin, _: admin.records.rename(CONTRACT, THIRD, actor=ACTOR),
    "record merge": lambda admin, _: admin.records.merge(CONTRACT, SECOND, actor=ACTOR),
    "record remove": lambda admin, _: admin.records.remove(SECOND, actor=ACTOR),
    "address show": lambda admin, _: admin.addresses.show(CONTRACT, actor=ACTOR),
    "address show, of one without": lambda admin, _: admin.addresses.show(SECOND, actor=ACTOR),
    "address rotate": lambda admin, _: admin.addresses.rotate(CONTRACT, grace_days=None, actor=ACTOR),
    "address close": lambda admin, _: admin.addresses.close(CONTRACT, actor=ACTOR),
    "address reopen": lambda admin, _: admin.addresses.reopen(CONTRACT, actor=ACTOR),
    "address revoke": lambda admin, _: admin.addresses.revoke(CONTRACT, actor=ACTOR),
    "address list": lambda admin, _: list(admin.addresses.list(CONTRACT)),
    "activity list": lambda admin, _: list(admin.activities.list(CONTRACT)),
    "activity list --affiliation": lambda admin, _: list(
        admin.activities.list(CUSTOMER, Wish(affiliations=(RecordKind.PUBLISHER_CONTRACT,)))
    ),
    "activity show": lambda admin, there: admin.activities.show(there.logged),
    "activity show, by hand": lambda admin, there: admin.activities.show(there.task),
    "activity show, system": lambda admin, there: admin.activities.show(there.system),
    "activity raw": lambda admin, there: admin.activities.raw(there.logged),
    "activity raw, without a mail": lambda admin, there: admin.activities.raw(there.task),
    "activity attachment": lambda admin, there: admin.activities.attachment(there.logged, 1),
    "activity attachment, none": lambda admin, there: admin.activities.attachment(there.task, 1),
    "activity add": lambda admin, _: admin.handmade.add(CONTRACT, _task(), as_email=ANNA),
    "activity set": lambda admin, there: admin.handmade.set(there.task, HandmadeEntry.read(subject="x"), as_email=ANNA),
    "activity done": lambda admin, there: admin.handmade.done(there.task, as_email=ANNA),
    "activity undone": lambda admin, there: admin.handmade.undone(there.task, as_email=ANNA),
    "activity topic": lambda admin, there: admin.handmade.topic(there.logged, "payout", as_email=ANNA),
    "activity delete": lambda admin, there: admin.activities.delete(there.logged, as_email=ANNA),
    "activity delete, by nobody": lambda admin, there: admin.activities.delete(there.logged, as_email="x@y.example"),
    "activity delete, by hand": lambda admin, there: admin.activities.delete(there.task, as_email=ANNA),
    "activity delete, system": lambda admin, there: admin.activities.delete(there.system, as_email=ANNA),
    "activity erase": lambda admin, there: admin.activities.erase(there.logged, reason="law", actor=ACTOR),
    "activity forget-deletion": lambda admin, there: admin.activities.forget_deletion(
        there.deleted, reason="mistake", actor=ACTOR
    ),
    "activity forget-deletion, of one that is there": lambda admin, there: admin.activities.forget_deletion(
        there.logged, reason="mistake", actor=ACTOR
    ),
    "outbound languages": lambda admin, _: admin.outbound.languages("payout_statement", record=str(CONTRACT)),
    "outbound languages, any mail": lambda admin, _: admin.outbound.languages("mail", record=str(CONTRACT)),
    "outbound log": lambda admin, _: _log(admin, CONTRACT, number=2),
    "outbound log, the same again": lambda admin, _: _log(admin, CONTRACT),
    "outbound log, any mail": lambda admin, _: _log(admin, CONTRACT, "mail"),
    "ledger --record": lambda admin, _: list(admin.ledger.list(record=CONTRACT)),
    "a topic of theirs": lambda admin, _: check_topic(RecordKind.PUBLISHER_CONTRACT, "payout", admin.edition),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_names_the_edition_and_changes_nothing(
    publisher: Admin, earlier: Earlier, command: Callable[[Admin, Earlier], object]
) -> None:
    before = _everything(publisher.database)
    with pytest.raises(BadInput, match=r"no publisher contracts in the edition publisher \(instance.edition\)"):
        command(publisher, earlier)
    assert _everything(publisher.database) == before


@pytest.mark.parametrize("command", ["record add", "record merge", "activity topic", "activity forget-deletion"])
def test_another_edition_has_them(database: Database, earlier: Earlier, command: str) -> None:
    with administering(database, Edition.MARKETER_LIGHT) as admin:
        COMMANDS[command](admin, earlier)


def test_imports_fail_row_by_row(publisher: Admin) -> None:
    outcomes = _imported(
        publisher,
        f"{THIRD},N,fr,",
        f"{CONTRACT},New,,",
        f"campaign:1,N,,x={CONTRACT}",
        f"campaign:2,N,,x={THIRD}",
        "campaign:3,N,,",
    )
    assert [outcome for outcome, _ in outcomes] == ["failed"] * 4 + ["added"]
    assert all("edition publisher" in error for _, error in outcomes[:4])


def test_their_addresses_are_unknown(publisher: Admin, earlier: Earlier) -> None:
    with pytest.raises(Refused, match="unknown_address"):
        publisher.intake.check_recipient(RELAY, earlier.bcc)


def test_lists_leave_them_out(publisher: Admin) -> None:
    assert [str(one.record) for one in publisher.records.list()] == ["campaign:4711", "customer:7", "customer:8"]
    assert {one.record for one in publisher.addresses.list()} == {CUSTOMER}
    assert [str(one.record) for one in publisher.activities.list(CUSTOMER)] == [str(CUSTOMER)]
    by_name = {one.record: one for one in publisher.records.list()}
    assert by_name[CAMPAIGN] == publisher.records.show(CAMPAIGN)
    assert by_name[CAMPAIGN].relations == (RoledRecord("customer", CUSTOMER),)


def test_nobody_is_reminded_of_their_tasks(database: Database, publisher: Admin) -> None:
    day = date(2026, 11, 30)

    def due(edition: Edition) -> int:
        return len(Reminders(database, edition, keep_notice).due(day))

    assert (due(publisher.edition), due(Edition.MARKETER)) == (0, 1)


def test_the_ledger_stays(publisher: Admin, earlier: Earlier) -> None:
    assert publisher.ledger.show(earlier.ledger).record == CONTRACT
    assert {entry.record for entry in publisher.ledger.list()} == {CONTRACT, CUSTOMER}


def test_relations_to_them_outlast_a_change_in_an_edition_without_them(database: Database, publisher: Admin) -> None:
    shown = _set(publisher, CAMPAIGN, relate=["agency=customer:8"])
    assert shown == publisher.records.show(CAMPAIGN)
    assert _imported(publisher, "campaign:4711,Renamed,,agency=customer:7") == [("changed", "")]
    assert _imported(publisher, "campaign:4711,Renamed,,agency=customer:7") == [("unchanged", "")]
    _set(publisher, CAMPAIGN, relate=[])
    assert publisher.records.show(CAMPAIGN).relations == ()
    publisher.records.rename(CAMPAIGN, RecordRef.parse("campaign:1"), actor=ACTOR)
    with administering(database, Edition.MARKETER) as later:
        assert later.records.show(RecordRef.parse("campaign:1")).relations == (RoledRecord("paid", CONTRACT),)


def test_all_of_it_comes_back_with_the_edition(database: Database, earlier: Earlier) -> None:
    with administering(database, Edition.MARKETER) as admin:
        before = [admin.records.show(CONTRACT), *admin.activities.list(CONTRACT)]
    with administering(database, Edition.PUBLISHER):
        pass
    with administering(database, Edition.MARKETER_LIGHT) as later:
        assert [later.records.show(CONTRACT), *later.activities.list(CONTRACT)] == before
        assert {one.id for one in later.activities.list(CONTRACT)} == {earlier.logged, earlier.task, earlier.system}
        assert later.address(CONTRACT) == earlier.bcc
        assert later.intake.check_recipient(RELAY, earlier.bcc).record == CONTRACT
        assert later.activities.raw(earlier.logged) == a_mail(1)
        later.handmade.done(earlier.task, as_email=ANNA)
        assert later.activities.delete(earlier.system, as_email=ANNA).state == "deleted"
