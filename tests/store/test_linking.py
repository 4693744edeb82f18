"""Whoever is registered later is found in what was logged before, and nothing that was sent changes by it."""

import io
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select, text

from mailgate.domain.activity import Known
from mailgate.domain.entry import RecordEntry, UserEntry
from mailgate.domain.record import RecordRef
from mailgate.intake import Intake
from mailgate.store import keeping, register, tables, triggers
from mailgate.store import users as stored_users
from mailgate.store.database import Database
from mailgate.store.directory import Directory
from tests.fakes import FakeAuthenticator
from tests.store.admin import ACTOR, ANNA, CLIENT, DOMAIN, LUCA, Admin, a_mail, administering
from tests.store.seeding import rows

CAMPAIGN = RecordRef.parse("campaign:4711")
OTHER = RecordRef.parse("campaign:4712")
OURS = {"side", "record_id"}  # what linking may change, and of participation only

Seen = tuple[str, str | None]  # side, record
INTERNAL: Seen = ("internal", None)
NOBODYS: Seen = ("external", None)
SHARED = "office@optik.example"


def linked(ref: str) -> Seen:
    return "external", ref


@pytest.fixture
def admin(database: Database) -> Iterator[Admin]:
    with administering(database) as one:
        one.user(ANNA)
        one.record(str(CAMPAIGN))
        one.record(str(OTHER))
        yield one


def _to(*emails: str, number: int = 1) -> bytes:
    return a_mail(number).replace(CLIENT.encode(), ">, <".join(emails).encode())


def _who(admin: Admin, activity: str) -> dict[str, Seen]:
    shown = admin.activities.show(activity)
    return {
        one.email: (one.side.value, str(one.record) if one.record else None)
        for one in shown.participants
        if one.email != ANNA
    }


def _set(admin: Admin, ref: str, **given: object) -> None:
    admin.records.set(RecordEntry.read(ref, **given), actor=ACTOR)  # type: ignore[arg-type]  # tests hand over any field


def _import_records(admin: Admin, *lines: str) -> None:
    outcomes = list(admin.imports.records(io.BytesIO("\n".join(lines).encode()), actor=ACTOR))
    assert [one.error for one in outcomes] == [None] * (len(lines) - 1)


def _import_users(admin: Admin, *lines: str) -> None:
    outcomes = list(admin.imports.users(io.BytesIO("\n".join(lines).encode()), actor=ACTOR))
    assert [one.error for one in outcomes] == [None] * (len(lines) - 1)


def _content(database: Database) -> dict[str, list[dict[str, object]]]:
    """Every row of what was sent, save for whom a participant is known as."""
    return {
        table.name: [
            {name: value for name, value in row.items() if table is not tables.participation or name not in OURS}
            for row in rows(database, table)
        ]
        for table in triggers.CONTENT
    }


# -- who becomes known ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("registers", "becomes"),
    [
        (lambda admin: admin.user(CLIENT), INTERNAL),
        (lambda admin: admin.user(CLIENT, kind="shared"), INTERNAL),
        (lambda admin: admin.user(CLIENT, kind="system"), INTERNAL),
        (lambda admin: admin.user(LUCA, aliases=[CLIENT]), INTERNAL),
        (lambda admin: admin.users.alias(ANNA, CLIENT, remove=False, actor=ACTOR), INTERNAL),
        (lambda admin: admin.users.set(UserEntry.read(ANNA, aliases=[CLIENT]), actor=ACTOR), INTERNAL),
        (lambda admin: _import_users(admin, "email,name", f"{CLIENT},Nora"), INTERNAL),
        (lambda admin: _import_users(admin, "email,aliases", f"{ANNA},{CLIENT}"), INTERNAL),
        (lambda admin: admin.record("contact:1", email=[CLIENT]), linked("contact:1")),
        (lambda admin: admin.record("contact:1", email=["x@optik.example", CLIENT.upper()]), linked("contact:1")),
        (lambda admin: admin.record("lead:1", email=[CLIENT]), linked("lead:1")),
        (lambda admin: _import_records(admin, "record,name,email", f"contact:1,N,{CLIENT}"), linked("contact:1")),
        (lambda admin: _import_records(admin, "record,name,email", f"lead:1,N,{CLIENT}"), linked("lead:1")),
        # others have addresses too, and are nobody who takes part
        (lambda admin: admin.record("customer:1", email=[CLIENT]), NOBODYS),
        (lambda admin: admin.record("contact:1", email=["other@optik.example"]), NOBODYS),
        (lambda admin: admin.user(LUCA), NOBODYS),
    ],
)
def test_an_address_that_is_registered_later_is_linked(
    admin: Admin, registers: Callable[[Admin], object], becomes: Seen
) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    assert _who(admin, activity) == {CLIENT: NOBODYS}
    registers(admin)
    assert _who(admin, activity) == {CLIENT: becomes}


@pytest.mark.parametrize(
    ("ref", "changes"),
    [
        ("contact:1", lambda admin: _set(admin, "contact:1", email=["x@optik.example", CLIENT])),
        ("lead:1", lambda admin: _set(admin, "lead:1", email=[CLIENT])),
        ("contact:1", lambda admin: _import_records(admin, "record,email", f"contact:1,{CLIENT}")),
    ],
)
def test_a_person_that_gets_an_address_later_is_linked(
    admin: Admin, ref: str, changes: Callable[[Admin], object]
) -> None:
    admin.record("contact:1", email=["x@optik.example"])
    admin.record("lead:1")
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    changes(admin)
    assert _who(admin, activity) == {CLIENT: linked(ref)}


def test_what_was_sent_stays_as_it_was_to_the_last_row(admin: Admin) -> None:
    emails = (CLIENT, "luca@optik.example", "paolo@bianchi.example", SHARED)
    admin.record("contact:8", email=[SHARED])
    admin.record("contact:9", email=[SHARED])
    (activity,) = admin.log(_to(*emails), CAMPAIGN)
    before = _content(admin.database)
    assert {name for name, found in before.items() if found} >= {"mail", "piece", "reading_party", "activity_note"}
    shown = admin.activities.show(activity)
    admin.user("luca@optik.example")
    admin.record("contact:1", email=[CLIENT])
    admin.record("lead:1", email=["paolo@bianchi.example"])
    _set(admin, str(CAMPAIGN), contact=["main=contact:8"])
    assert _who(admin, activity) == {
        CLIENT: linked("contact:1"),
        "luca@optik.example": INTERNAL,
        "paolo@bianchi.example": linked("lead:1"),
        SHARED: linked("contact:8"),
    }
    assert _content(admin.database) == before
    after = admin.activities.show(activity)
    assert [(one.email, one.name, one.header) for one in after.participants] == [
        (one.email, one.name, one.header) for one in shown.participants
    ]
    assert (after.text, after.html, after.subject, after.notes) == (shown.text, shown.html, shown.subject, shown.notes)
    assert admin.activities.raw(activity) == _to(*emails)


def test_a_user_comes_before_a_contact_of_the_same_address(admin: Admin) -> None:
    admin.user(CLIENT)
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    admin.record("contact:1", email=[CLIENT])
    assert _who(admin, activity) == {CLIENT: INTERNAL}


def test_a_link_to_a_contact_stays_when_the_address_becomes_anothers(admin: Admin) -> None:
    (before,) = admin.log(a_mail(1), CAMPAIGN)
    admin.record("contact:1", email=[CLIENT])
    admin.record("contact:2", email=[CLIENT])
    _set(admin, "contact:1", email=[])
    (between,) = admin.log(a_mail(2), CAMPAIGN)
    admin.user(CLIENT)
    (after,) = admin.log(a_mail(3), CAMPAIGN)
    assert [_who(admin, one)[CLIENT] for one in (before, between, after)] == [
        linked("contact:1"),
        linked("contact:2"),
        INTERNAL,
    ]


def test_what_is_taken_away_leaves_its_old_appearances(admin: Admin) -> None:
    (alias, user, contact) = ("alias@optik.example", "user@optik.example", "contact@optik.example")
    admin.user(LUCA, aliases=[alias])
    admin.user(user)
    admin.record("contact:1", email=[contact])
    (activity,) = admin.log(_to(alias, user, contact), CAMPAIGN)
    before = _who(admin, activity)
    admin.users.alias(LUCA, alias, remove=True, actor=ACTOR)
    admin.users.remove(user, actor=ACTOR)
    _set(admin, "contact:1", email=[])
    assert _who(admin, activity) == before == {alias: INTERNAL, user: INTERNAL, contact: linked("contact:1")}
    admin.records.remove(RecordRef.parse("contact:1"), actor=ACTOR)
    assert _who(admin, activity)[contact] == NOBODYS
    admin.record("contact:3", email=[contact])
    assert _who(admin, activity)[contact] == linked("contact:3")


# -- several with one address ---------------------------------------------------------------------------------------


def test_of_several_that_come_one_by_one_the_first_keeps_what_it_got(admin: Admin) -> None:
    (before,) = admin.log(_to(SHARED), CAMPAIGN)
    admin.record("contact:1", email=[SHARED])
    admin.record("contact:2", email=[SHARED])
    _set(admin, str(CAMPAIGN), contact=["main=contact:2"])
    (after,) = admin.log(_to(SHARED, number=2), CAMPAIGN)
    assert _who(admin, before) == {SHARED: linked("contact:1")}
    assert _who(admin, after) == {SHARED: linked("contact:2")}


def test_of_several_that_come_at_once_the_nearest_is_linked(admin: Admin) -> None:
    admin.record("customer:7")
    admin.record("campaign:2", relate=["agency=customer:7"])
    admin.record("contact:1")
    admin.record("contact:2", relate=["customer=customer:7"])
    admin.record("contact:3")
    _set(admin, str(CAMPAIGN), contact=["main=contact:1"])
    refs = (str(CAMPAIGN), str(OTHER), "campaign:2", "customer:7", "contact:3", "contact:2")
    logged = [admin.log(_to(SHARED, number=n), RecordRef.parse(ref))[0] for n, ref in enumerate(refs)]
    lines = [f"contact:{n},{SHARED}" for n in (1, 2, 3)]
    _import_records(admin, "record,email", *lines)
    directory = Directory(admin.database, DOMAIN)
    by_ref = {ref: _who(admin, one)[SHARED] for ref, one in zip(refs, logged, strict=True)}
    assert by_ref == {
        str(CAMPAIGN): linked("contact:1"),
        str(OTHER): NOBODYS,
        "campaign:2": linked("contact:2"),
        "customer:7": linked("contact:2"),
        "contact:3": linked("contact:3"),
        "contact:2": linked("contact:2"),
    }
    # as a mail that comes now would have it
    for ref, (_, record) in by_ref.items():
        known = directory.known(RecordRef.parse(ref), [SHARED])[SHARED]
        assert (str(known.record) if known.record else None, known.ambiguous) == (record, record is None)


@pytest.mark.parametrize(
    "nears",
    [
        lambda admin: _set(admin, "contact:1", relate=["customer=customer:7"]),
        lambda admin: _set(admin, "customer:7", contact=["main=contact:1"]),
        lambda admin: _set(admin, str(CAMPAIGN), contact=["main=contact:1"]),
        lambda admin: _import_records(admin, "record,contact", "customer:7,main=contact:1"),
        lambda admin: admin.records.merge(RecordRef.parse("contact:2"), RecordRef.parse("contact:1"), actor=ACTOR),
    ],
)
def test_who_comes_to_stand_on_a_record_afterwards_is_linked_too(
    admin: Admin, nears: Callable[[Admin], object]
) -> None:
    admin.record("customer:7")
    _set(admin, str(CAMPAIGN), relate=["customer=customer:7"])
    for ref in ("contact:1", "contact:2"):
        admin.record(ref, email=[SHARED])
    (activity,) = admin.log(_to(SHARED), CAMPAIGN)
    assert _who(admin, activity) == {SHARED: NOBODYS}
    nears(admin)
    assert _who(admin, activity) == {SHARED: linked("contact:1")}
    # the notes say how things stood when the mail came
    codes = [note.code for note in admin.activities.show(activity).notes]
    assert codes == ["contact_ambiguous", "no_known_participant"]


# -- renamed, merged ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "moves", "new"),
    [
        ("contact:1", lambda admin, old, new: admin.records.rename(old, new, actor=ACTOR), "contact:100"),
        ("lead:1", lambda admin, old, new: admin.records.rename(old, new, actor=ACTOR), "contact:100"),
        ("contact:1", lambda admin, old, new: admin.records.merge(old, new, actor=ACTOR), "contact:2"),
        ("lead:1", lambda admin, old, new: admin.records.merge(old, new, actor=ACTOR), "contact:2"),
    ],
)
def test_a_link_follows_a_renamed_or_merged_person(
    admin: Admin, old: str, moves: Callable[[Admin, RecordRef, RecordRef], object], new: str
) -> None:
    admin.record("contact:2", email=["two@optik.example"])
    (first,) = admin.log(a_mail(1), CAMPAIGN)
    admin.record(old, email=[CLIENT])
    (second,) = admin.log(a_mail(2), OTHER)
    before = _content(admin.database)
    moves(admin, RecordRef.parse(old), RecordRef.parse(new))
    (third,) = admin.log(a_mail(3), CAMPAIGN)
    assert [_who(admin, one) for one in (first, second, third)] == [{CLIENT: linked(new)}] * 3
    after = _content(admin.database)
    assert [row for row in after["participation"] if row["activity_id"] != third] == before["participation"]


# -- meanwhile ------------------------------------------------------------------------------------------------------

REGISTRATIONS: Mapping[str, tuple[Callable[[Admin], object], Seen]] = {
    "user": (lambda admin: admin.user(CLIENT), INTERNAL),
    "alias": (lambda admin: admin.users.alias(ANNA, CLIENT, remove=False, actor=ACTOR), INTERNAL),
    "contact": (lambda admin: admin.record("contact:1", email=[CLIENT]), linked("contact:1")),
    "lead": (lambda admin: admin.record("lead:1", email=[CLIENT]), linked("lead:1")),
}
each_registration = pytest.mark.parametrize(("registers", "becomes"), REGISTRATIONS.values(), ids=REGISTRATIONS)


class Interrupted(Directory):
    """A directory that lets something happen once it was asked for the participants."""

    def __init__(self, database: Database, then: Callable[[], object]) -> None:
        super().__init__(database, DOMAIN)
        self._then = then

    def known(self, seen_from: RecordRef, emails: Collection[str]) -> Mapping[str, Known]:
        found = super().known(seen_from, emails)
        self._then()
        return found


@each_registration
def test_a_registration_between_look_and_commit_is_met(
    admin: Admin, registers: Callable[[Admin], object], becomes: Seen
) -> None:
    admin.address(CAMPAIGN)
    admin.intake = Intake(
        Interrupted(admin.database, lambda: registers(admin)), admin.archive, FakeAuthenticator(), admin.intake.policy
    )
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    assert _who(admin, activity) == {CLIENT: becomes}


def test_several_that_are_registered_between_look_and_commit_are_told_apart(admin: Admin) -> None:
    def register_two() -> None:
        if not seen:
            seen.append(1)
            for ref in ("contact:1", "contact:2"):
                admin.record(ref, email=[CLIENT])
            _set(admin, str(CAMPAIGN), contact=["main=contact:2"])

    seen: list[int] = []
    admin.intake = Intake(
        Interrupted(admin.database, register_two), admin.archive, FakeAuthenticator(), admin.intake.policy
    )
    on_campaign, on_other = admin.log(a_mail(), CAMPAIGN, OTHER)
    assert (_who(admin, on_campaign), _who(admin, on_other)) == ({CLIENT: linked("contact:2")}, {CLIENT: NOBODYS})


def test_who_is_merged_away_between_look_and_commit_is_found_as_the_other(admin: Admin) -> None:
    def merge() -> None:
        admin.records.merge(RecordRef.parse("contact:1"), RecordRef.parse("contact:2"), actor=ACTOR)

    admin.record("contact:1", email=[CLIENT])
    admin.record("contact:2")
    admin.intake = Intake(Interrupted(admin.database, merge), admin.archive, FakeAuthenticator(), admin.intake.policy)
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    assert _who(admin, activity) == {CLIENT: linked("contact:2")}


def _has_to_wait(future: Future[list[str]] | Future[object]) -> bool:
    try:
        future.result(timeout=0.5)
    except NotYet:
        return True
    return False


@contextmanager
def _paused(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str
) -> Iterator[tuple[threading.Event, Callable[[], None]]]:
    """Hold whoever calls this function until told; say when somebody does."""
    real = getattr(module, name)
    there, go = threading.Event(), threading.Event()

    def stop(*given: object) -> object:
        done = real(*given)
        there.set()
        assert go.wait(30)
        return done

    monkeypatch.setattr(module, name, stop)
    try:
        yield there, go.set
    finally:
        go.set()
        monkeypatch.setattr(module, name, real)


@each_registration
def test_a_mail_waits_for_a_registration_that_is_not_committed(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, registers: Callable[[Admin], object], becomes: Seen
) -> None:
    admin.address(CAMPAIGN)
    module, last = (stored_users, "link_users") if becomes == INTERNAL else (register, "link_persons")
    with ThreadPoolExecutor(2) as pool, _paused(monkeypatch, module, last) as (there, go_on):
        registration = pool.submit(registers, admin)
        assert there.wait(30)
        mail = pool.submit(admin.log, a_mail(), CAMPAIGN)
        assert _has_to_wait(mail)
        go_on()
        registration.result(30)
        (activity,) = mail.result(30)
    assert _who(admin, activity) == {CLIENT: becomes}


@each_registration
def test_a_registration_waits_for_a_mail_that_is_not_committed(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, registers: Callable[[Admin], object], becomes: Seen
) -> None:
    admin.address(CAMPAIGN)
    with ThreadPoolExecutor(2) as pool, _paused(monkeypatch, keeping, "_touch_addresses") as (there, go_on):
        mail = pool.submit(admin.log, a_mail(), CAMPAIGN)
        assert there.wait(30)
        registration = pool.submit(registers, admin)
        assert _has_to_wait(registration)
        go_on()
        registration.result(30)
        (activity,) = mail.result(30)
    assert _who(admin, activity) == {CLIENT: becomes}


def test_mails_and_registrations_at_once_leave_nobody_out(admin: Admin) -> None:
    admin.address(CAMPAIGN)
    emails = [f"person{n}@optik.example" for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        mails = [pool.submit(admin.log, _to(email, SHARED, number=n), CAMPAIGN) for n, email in enumerate(emails)]
        users = [pool.submit(admin.user, email) for email in emails[1::2]]
        contacts = [
            pool.submit(admin.record, f"contact:{n}", email=[email]) for n, email in enumerate(emails) if n % 2 == 0
        ]
        logged = [future.result(60)[0] for future in mails]
        for user in users:
            user.result(60)
        for contact in contacts:
            contact.result(60)
    assert [_who(admin, one)[email] for one, email in zip(logged, emails, strict=True)] == [
        INTERNAL if n % 2 else linked(f"contact:{n}") for n in range(24)
    ]


# -- many -----------------------------------------------------------------------------------------------------------


def _appear(admin: Admin, activity: str, times: int, emails: Collection[str]) -> None:
    """Have these addresses take part many times, by plain SQL."""
    with admin.database.write() as connection:
        row = dict(connection.execute(select(tables.activity).where(tables.activity.c.id == activity)).mappings().one())
        ids = [f"{n:032x}" for n in range(times)]
        connection.execute(insert(tables.activity), [{**row, "id": one} for one in ids])
        of = {"side": "external", "activity_record_id": row["record_id"], "occurred_at": datetime.now(UTC)}
        parties = [{"activity_id": one, "n": n, "email": email, **of} for one in ids for n, email in enumerate(emails)]
        connection.execute(insert(tables.participation), parties)


def _statements(admin: Admin, work: Callable[[], object]) -> list[str]:
    seen: list[str] = []

    def see(*given: object) -> None:
        seen.append(str(given[2]))

    with admin.database.write() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", see)
    work()
    event.remove(engine, "before_cursor_execute", see)
    return seen


def test_thousands_of_appearances_cost_no_more_statements_than_one(admin: Admin) -> None:
    (one,) = admin.log(a_mail(), CAMPAIGN)
    few = _statements(admin, lambda: admin.record("contact:1", email=[CLIENT]))
    _appear(admin, one, 3000, ["often@optik.example"])
    many = _statements(admin, lambda: admin.record("contact:2", email=["often@optik.example"]))
    assert len(many) == len(few)
    with admin.database.read() as connection:
        key = connection.scalar(text("SELECT id FROM record WHERE ref = '2'"))
    linked_to = {row["record_id"] for row in rows(admin.database, tables.participation) if "often" in row["email"]}
    assert linked_to == {key}


def test_a_chunk_of_an_import_is_linked_in_a_few_statements(admin: Admin) -> None:
    (one,) = admin.log(a_mail(), CAMPAIGN)
    emails = [f"p{n}@optik.example" for n in range(400)]
    _appear(admin, one, 3, emails)
    lines = [f"contact:{n},N,{email}" for n, email in enumerate(emails)]
    done = _statements(admin, lambda: _import_records(admin, "record,name,email", *lines))
    assert len([each for each in done if "participation" in each]) == 2
    assert sum(row["record_id"] is not None for row in rows(admin.database, tables.participation)) == 1200


@pytest.mark.parametrize("registers", [REGISTRATIONS["user"][0], REGISTRATIONS["contact"][0]])
def test_appearances_are_found_by_their_index(admin: Admin, registers: Callable[[Admin], object]) -> None:
    admin.log(a_mail(), CAMPAIGN)
    sqlite = admin.database.kind == "sqlite"
    plans: list[str] = []

    def explain(connection: Connection, _: object, statement: str, given: Any, __: object, many: bool) -> None:
        if "participation" not in statement or "EXPLAIN" in statement:
            return
        if not sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # with so few rows it would read them all
        plan = connection.exec_driver_sql(
            f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}{statement}", given[0] if many else given
        )
        plans.append(str(plan.all()))

    with admin.database.write() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", explain)
    registers(admin)
    event.remove(engine, "before_cursor_execute", explain)
    assert plans
    assert all("ix_participation_email" in plan for plan in plans)
