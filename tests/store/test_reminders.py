"""Which reminders are due, and that each is claimed once, whoever else is at it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import event, insert, select, update

from mailgate.domain.notice import NewNotice
from mailgate.domain.record import Edition, Record, RecordRef
from mailgate.domain.reminder import Claim, Reminder, ReminderKey, ReminderState
from mailgate.domain.user import Language
from mailgate.errors import NotFound
from mailgate.store import reminders as reminders_module
from mailgate.store import tables
from mailgate.store.activities import Activities
from mailgate.store.database import Database, open_database
from mailgate.store.handmade import Handmade
from mailgate.store.identifiers import new_id
from mailgate.store.notices import keep_notice
from mailgate.store.records import Records
from mailgate.store.reminders import Reminders
from tests.store.admin import ACTOR, DOMAIN
from tests.store.seeding import rows, seed
from tests.worlds import ANNA, CAMPAIGN, WORLD, World, ref

TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
CONTRACT = ref("publisher_contract:9")
LEA = replace(ANNA, email="lea@firma.example", name="Lea", language=None, aliases=("lea@mobil.example",))
LUCA = replace(ANNA, email="luca@firma.example", name="Luca", language=Language.IT, aliases=())
GONE = replace(ANNA, email="gone@firma.example", name="Gone", enabled=False, aliases=())
OFFICE = World(
    users=(*WORLD.users, LEA, LUCA, GONE),
    records=(*WORLD.records, Record(record=CONTRACT, name="Vertrag", language="fr")),
)


@pytest.fixture
def office(database: Database) -> Database:
    seed(database, OFFICE)
    return database


def no_log(_connection: object, _notice: NewNotice) -> str:
    return "logged"


def reminders(database: Database, edition: Edition = Edition.MARKETER) -> Reminders:
    return Reminders(database, edition, no_log)


def task(
    database: Database,
    *participants: str,
    record: RecordRef = CAMPAIGN,
    recorder: str = ANNA.email,
    remind_on: date | None = TODAY,
    side: str = "internal",
    **given: Any,
) -> str:
    """Write a task by plain statements."""
    users = {row["email"]: row["id"] for row in rows(database, tables.user_account)}
    records = {f"{row['kind']}:{row['ref']}": row["id"] for row in rows(database, tables.record)}
    activity_id = new_id()
    values: dict[str, Any] = {"id": activity_id, "record_id": records[str(record)], "type": "task", "topic": "offer"}
    values |= {"origin": "manual", "occurred_at": NOW, "recorded_at": NOW, "recorder_id": users[recorder]}
    values |= {"trust": "none", "subject": "Offerte nachfassen", "due_on": None, "remind_on": remind_on}
    place = {"activity_id": activity_id, "activity_record_id": records[str(record)], "occurred_at": NOW}
    with database.write() as connection:
        connection.execute(insert(tables.activity), {**values, **given})
        for n, email in enumerate(participants, start=1):
            connection.execute(insert(tables.participation), {**place, "n": n, "email": email, "side": side})
    return activity_id


def claimed(key: ReminderKey, at: datetime = NOW) -> Claim:
    return Claim(key=key, message_id="<1@firma.example>", at=at)


def to(found: Sequence[Reminder]) -> list[str]:
    return [one.key.email for one in found]


def states(database: Database) -> list[str]:
    return [row["state"] for row in rows(database, tables.reminder)]


# -- who is reminded, of what and when --------------------------------------------------------------------------------

YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)

WHO: list[tuple[str, tuple[str, ...], dict[str, Any], list[str]]] = [
    ("the internal participant", (LUCA.email,), {}, [LUCA.email]),
    ("each of several", (LUCA.email, LEA.email), {}, [LEA.email, LUCA.email]),
    ("the recorder where nobody takes part", (), {}, [ANNA.email]),
    ("the recorder once who takes part herself", (ANNA.email,), {}, [ANNA.email]),
    ("a user once, under the main address, who takes part by two", (LEA.email, LEA.aliases[0]), {}, [LEA.email]),
    ("the recorder where who takes part is disabled", (GONE.email,), {}, [ANNA.email]),
    ("the others where one is disabled", (GONE.email, LUCA.email), {}, [LUCA.email]),
    ("nobody where the recorder is disabled too", (GONE.email,), {"recorder": GONE.email}, []),
    ("the recorder where only strangers take part", ("one@kunde.example",), {"side": "external"}, [ANNA.email]),
    ("of a day before", (), {"remind_on": YESTERDAY}, [ANNA.email]),
    ("nobody before the day", (), {"remind_on": TOMORROW}, []),
    ("nobody without a day", (), {"remind_on": None}, []),
    ("nobody of what is done", (), {"done_at": NOW}, []),
    ("nobody of a call", (), {"type": "call"}, []),
    ("nobody of what isn't made by hand", (), {"origin": "system"}, []),
    ("on a closed record too", (), {"record": ref("campaign:4712")}, [ANNA.email]),
    ("on a contract where there are any", (), {"record": CONTRACT}, [ANNA.email]),
]


@pytest.mark.parametrize(("participants", "given", "reminded"), [row[1:] for row in WHO], ids=[row[0] for row in WHO])
def test_reminded_is(
    office: Database, participants: tuple[str, ...], given: dict[str, Any], reminded: list[str]
) -> None:
    task(office, *participants, **given)
    assert to(reminders(office).due(TODAY)) == reminded


def test_there_are_no_contracts_in_the_edition_publisher(office: Database) -> None:
    task(office, record=CONTRACT)
    assert reminders(office, Edition.PUBLISHER).due(TODAY) == []


def test_a_reminder_holds_what_the_mail_tells(office: Database) -> None:
    number = task(office, LUCA.email, due_on=date(2026, 12, 4))
    assert reminders(office).due(TODAY) == [
        Reminder(
            key=ReminderKey(TODAY, number, LUCA.email),
            record=CAMPAIGN,
            record_name="Frühling",
            topic="offer",
            subject="Offerte nachfassen",
            due_on=date(2026, 12, 4),
            recorder=ANNA.email,
            recorder_name=ANNA.name,
            user_name=LUCA.name,
            language=Language.IT,
        )
    ]


def test_the_oldest_day_comes_first(office: Database) -> None:
    new, old = task(office), task(office, remind_on=YESTERDAY)
    assert [one.key.task for one in reminders(office).due(TODAY)] == [old, new]


# -- claims -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def key(office: Database) -> ReminderKey:
    return ReminderKey(TODAY, task(office, LUCA.email), LUCA.email)


def test_a_claim_is_had_once(office: Database, key: ReminderKey) -> None:
    store = reminders(office)
    assert store.claim(claimed(key), TODAY) is not None
    assert store.claim(claimed(key), TODAY) is None
    assert store.due(TODAY) == []
    assert states(office) == ["claimed"]


def test_a_claim_given_back_is_due_again(office: Database, key: ReminderKey) -> None:
    store = reminders(office)
    store.claim(claimed(key), TODAY)
    store.release(claimed(key))
    assert to(store.due(TODAY)) == [LUCA.email]
    assert store.claim(claimed(key), TODAY) is not None


def notice(key: ReminderKey) -> NewNotice:
    return NewNotice(
        kind="task_reminder",
        record=CAMPAIGN,
        topic="offer",
        triggered_by=ANNA.email,
        participants=(),
        occurred_at=NOW,
        recorded_at=NOW + timedelta(seconds=1),
        message_id="<1@firma.example>",
        content={},
        identity="i" * 64,
        fingerprint=key.task,
    )


SETTLED: list[tuple[str, Callable[[Reminders, Claim], object]]] = [
    ("sent", lambda store, claim: store.settle_sent(claim, notice(claim.key))),
    ("refused", lambda store, claim: store.settle(claim, ReminderState.REFUSED, NOW)),
    ("unknown", lambda store, claim: store.settle(claim, ReminderState.UNKNOWN, NOW)),
]


@pytest.mark.parametrize(("state", "settle"), SETTLED, ids=[row[0] for row in SETTLED])
def test_what_was_settled_is_never_due_again(
    office: Database, key: ReminderKey, state: str, settle: Callable[[Reminders, Claim], object]
) -> None:
    store = reminders(office)
    store.claim(claimed(key), TODAY)
    settle(store, claimed(key))
    assert states(office) == [state]
    for day in (TODAY, TOMORROW):
        assert store.due(day) == []
        assert store.claim(claimed(key), day) is None


def test_a_task_that_was_moved_is_a_new_reminder(office: Database, key: ReminderKey) -> None:
    store = reminders(office)
    store.claim(claimed(key), TODAY)
    store.settle_sent(claimed(key), notice(key))
    with office.write() as connection:
        connection.execute(update(tables.activity).values(remind_on=TOMORROW).where(tables.activity.c.id == key.task))
    assert store.due(TODAY) == []
    assert [one.key for one in store.due(TOMORROW)] == [replace(key, remind_on=TOMORROW)]


def test_the_recorder_does_not_step_in_for_who_was_reminded_and_then_left(office: Database, key: ReminderKey) -> None:
    store = reminders(office)
    store.claim(claimed(key), TODAY)
    store.settle_sent(claimed(key), notice(key))
    with office.write() as connection:
        account = tables.user_account
        connection.execute(update(account).values(enabled=False).where(account.c.email == LUCA.email))
    assert store.due(TOMORROW) == []


CHANGES: list[tuple[str, dict[str, Any]]] = [("done", {"done_at": NOW}), ("moved", {"remind_on": TOMORROW})]


@pytest.mark.parametrize("changes", [row[1] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_a_task_that_changed_since_it_was_listed_is_not_claimed(
    office: Database, key: ReminderKey, changes: dict[str, Any]
) -> None:
    with office.write() as connection:
        connection.execute(update(tables.activity).values(**changes).where(tables.activity.c.id == key.task))
    assert reminders(office).claim(claimed(key), TODAY) is None
    assert states(office) == []


def test_what_can_not_be_logged_is_not_written_down_as_sent(office: Database, key: ReminderKey) -> None:
    def fail(_connection: object, _notice: NewNotice) -> str:
        raise RuntimeError

    store = Reminders(office, Edition.MARKETER, fail)
    store.claim(claimed(key), TODAY)
    with pytest.raises(RuntimeError):
        store.settle_sent(claimed(key), notice(key))
    assert states(office) == ["claimed"]


# -- meanwhile --------------------------------------------------------------------------------------------------------

OTHER, RENAMED = ref("campaign:4712"), ref("campaign:4713")


def rename(database: Database, _task: str) -> None:
    Records(database, Edition.MARKETER, DOMAIN).rename(CAMPAIGN, RENAMED, actor=ACTOR)


def merge(database: Database, _task: str) -> None:
    Records(database, Edition.MARKETER, DOMAIN).merge(CAMPAIGN, OTHER, actor=ACTOR)


def mark_done(database: Database, number: str) -> None:
    Handmade(database, Edition.MARKETER, 0).done(number, as_email=ANNA.email)


def delete_task(database: Database, number: str) -> None:
    Activities(database, Edition.MARKETER).delete(number, as_email=ANNA.email)


def delete_and_rename(database: Database, number: str) -> None:
    delete_task(database, number)
    rename(database, number)


def delete_with_record(database: Database, number: str) -> None:
    delete_task(database, number)
    Records(database, Edition.MARKETER, DOMAIN).remove(CAMPAIGN, actor=ACTOR)


Change = Callable[[Database, str], None]
MEANWHILE: list[tuple[Change, RecordRef, list[str]]] = [
    (rename, RENAMED, ["sent"]),
    (merge, OTHER, ["sent"]),
    (mark_done, CAMPAIGN, ["sent"]),
    (delete_task, CAMPAIGN, []),
    (delete_and_rename, RENAMED, []),
]


@pytest.mark.parametrize(("change", "record", "kept"), MEANWHILE, ids=[row[0].__name__ for row in MEANWHILE])
def test_what_was_sent_is_logged_where_the_task_is_by_then_or_was(
    office: Database, key: ReminderKey, change: Change, record: RecordRef, kept: list[str]
) -> None:
    store = Reminders(office, Edition.MARKETER, keep_notice)
    store.claim(claimed(key), TODAY)
    change(office, key.task)
    logged = store.settle_sent(claimed(key), notice(key))
    shown = Activities(office, Edition.MARKETER).show(logged)
    assert (shown.record, shown.origin.value) == (record, "system")
    assert states(office) == kept


def test_what_was_sent_for_a_task_that_is_gone_with_its_record_is_not_logged(
    office: Database, key: ReminderKey
) -> None:
    store = Reminders(office, Edition.MARKETER, keep_notice)
    store.claim(claimed(key), TODAY)
    delete_with_record(office, key.task)
    with pytest.raises(NotFound, match="and its record is gone too"):
        store.settle_sent(claimed(key), notice(key))
    store.settle(claimed(key), ReminderState.SENT, NOW)
    assert states(office) == []


AHEAD: list[tuple[str, Change, RecordRef]] = [
    ("UPDATE record", rename, RENAMED),
    ("DELETE FROM record ", merge, OTHER),
]


@pytest.mark.parametrize("ahead", AHEAD, ids=[row[1].__name__ for row in AHEAD])
def test_what_was_sent_is_logged_while_its_record_is_being_changed(
    office: Database, database_url: str, key: ReminderKey, ahead: tuple[str, Change, RecordRef]
) -> None:
    statement, change, record = ahead
    Reminders(office, Edition.MARKETER, keep_notice).claim(claimed(key), TODAY)
    with other_database(database_url) as other:
        store = Reminders(other, Edition.MARKETER, keep_notice)
        logged = in_the_middle(
            office, statement, lambda: change(office, key.task), lambda: store.settle_sent(claimed(key), notice(key))
        )
        assert Activities(other, Edition.MARKETER).show(logged).record == record
    assert states(office) == ["sent"]


@pytest.mark.parametrize("change", [mark_done, delete_task])
def test_a_task_that_is_just_being_changed_is_judged_afterwards(
    office: Database, database_url: str, key: ReminderKey, change: Change
) -> None:
    with other_database(database_url) as other:
        claim = in_the_middle(
            office,
            "INSERT INTO audit" if change is mark_done else "INSERT INTO removal",
            lambda: change(office, key.task),
            lambda: reminders(other).claim(claimed(key), TODAY),
        )
    assert claim is None
    assert states(office) == []


@contextmanager
def other_database(url: str) -> Iterator[Database]:
    opened = open_database(url, create=False, allow_unsafe=True)
    try:
        yield opened
    finally:
        opened.close()


Result = TypeVar("Result")


def in_the_middle(
    database: Database, statement: str, change: Callable[[], object], meanwhile: Callable[[], Result]
) -> Result:
    """Hold a change after one of its statements, begin the other thing, let the change commit, and give its result."""
    reached, go_on = threading.Event(), threading.Event()

    def hold(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        if sql.startswith(statement):
            reached.set()
            assert go_on.wait(30)

    event.listen(database._writers, "after_cursor_execute", hold)
    with ThreadPoolExecutor(2) as pool:
        changing = pool.submit(change)
        assert reached.wait(30)
        doing = pool.submit(meanwhile)
        wait([doing], timeout=0.5)  # on SQLite it can't even begin
        assert not doing.done()
        go_on.set()
        changing.result(30)
        return doing.result(30)


# -- claims that were left --------------------------------------------------------------------------------------------


def test_an_old_claim_is_given_up_once_and_listed(office: Database, key: ReminderKey) -> None:
    store = reminders(office)
    store.claim(claimed(key, NOW - timedelta(minutes=20)), TODAY)
    assert store.give_up(NOW - timedelta(minutes=30), NOW) == ()
    assert store.give_up(NOW - timedelta(minutes=15), NOW) == [(key, CAMPAIGN)]
    assert store.give_up(NOW - timedelta(minutes=15), NOW) == ()
    assert states(office) == ["unknown"]
    assert store.due(TODAY) == []


def test_who_was_given_up_and_lives_still_says_what_became_of_it(office: Database, key: ReminderKey) -> None:
    store = reminders(office)
    store.claim(claimed(key, NOW - timedelta(minutes=20)), TODAY)
    store.give_up(NOW, NOW)
    store.settle_sent(claimed(key), notice(key))
    assert states(office) == ["sent"]
    assert store.give_up(NOW + timedelta(days=1), NOW) == ()
    store.release(claimed(key))  # too late: it was sent
    assert states(office) == ["sent"]


# -- at once ----------------------------------------------------------------------------------------------------------


def test_of_many_claims_at_once_one_is_had(office: Database, database_url: str, key: ReminderKey) -> None:
    together = threading.Barrier(4)
    had: list[Reminder | None] = []

    def claim() -> None:
        other = open_database(database_url, create=False, allow_unsafe=True)
        together.wait()
        had.append(reminders(other).claim(claimed(key), TODAY))
        other.close()

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(had) == 4
    assert sum(one is not None for one in had) == 1


def test_an_old_claim_is_listed_by_one_of_two_runs(office: Database, database_url: str, key: ReminderKey) -> None:
    reminders(office).claim(claimed(key), TODAY)
    together = threading.Barrier(2)
    listed: list[tuple[ReminderKey, RecordRef]] = []

    def give_up() -> None:
        other = open_database(database_url, create=False, allow_unsafe=True)
        together.wait()
        listed.extend(reminders(other).give_up(NOW + timedelta(hours=1), NOW))
        other.close()

    threads = [threading.Thread(target=give_up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert listed == [(key, CAMPAIGN)]


def test_looking_for_what_is_due_reads_no_other_activities(office: Database) -> None:
    number = task(office)
    with office.read() as connection:
        copied = dict(connection.execute(select(tables.activity)).mappings().one())
    others = [{**copied, "type": kind, "remind_on": None} for kind in ("email", "task")]
    tasks = reminders_module._tasks().where(tables.activity.c.remind_on <= TODAY)
    with office.write() as connection:
        connection.execute(insert(tables.activity), [{**one, "id": new_id()} for one in others for _ in range(5_000)])
        if office.kind == "postgresql":  # as it does by itself before long
            connection.exec_driver_sql("ANALYZE activity")
        for statement in (reminders_module._participants(tasks), reminders_module._recorders(tasks)):
            sql = statement.compile(connection, compile_kwargs={"literal_binds": True})
            explain = "EXPLAIN QUERY PLAN" if office.kind == "sqlite" else "EXPLAIN"
            plan = "\n".join(str(row) for row in connection.exec_driver_sql(f"{explain} {sql}"))
            assert "ix_activity_to_remind" in plan, plan
    assert [one.key.task for one in reminders(office).due(TODAY)] == [number]
