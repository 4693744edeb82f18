from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from mailgate.domain.activity import Activity, ActivityType, Participant, Side
from mailgate.domain.document import NewDocument
from mailgate.domain.entry import RecordEntry, UserEntry
from mailgate.domain.handmade import HandmadeEntry, new_document
from mailgate.domain.record import Edition, RecordRef
from mailgate.errors import BadInput, MailgateError, NotFound
from mailgate.store import parts, tables
from mailgate.store.activities import Activities
from mailgate.store.database import Database, open_database
from mailgate.store.handmade import Handmade
from tests.store.admin import ACTOR, ANNA, LUCA, Admin, a_mail, administering
from tests.store.seeding import count, rows

ALIAS = "a.muster@muster.example"
REMO = "remo@muster.example"  # on the campaign
MIA = "mia@muster.example"  # on the campaign, without the right to record
DORA = "dora@muster.example"  # on the campaign, disabled
JOB = "crm@muster.example"
NOBODY = "01234567-89ab-7def-8123-456789abcdef"
LIMIT = 4 << 20
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

CAMPAIGN = RecordRef.parse("campaign:4711")
CONTRACT = RecordRef.parse("publisher_contract:6")


def _populate(admin: Admin) -> None:
    admin.user(ANNA, name="Anna Muster", aliases=[ALIAS])
    for email in (LUCA, REMO):
        admin.user(email, name="Somebody")
    admin.user(MIA, take=["record_activities"])
    admin.user(DORA)
    admin.users.disable(DORA, actor=ACTOR)
    admin.user(JOB, kind="system", give=["record_activities"])
    for number in (1, 2, 3, 8):
        admin.record(f"customer:{number}")
    admin.record("contact:11", name="Nora Keller", email=["nora@optik.example", "b@b.example"])
    admin.record("contact:12", relate=["customer=customer:1"])
    admin.record("contact:21")
    admin.record("contact:31", relate=["customer=customer:3"])
    admin.record("contact:81", relate=["customer=customer:8"], email=["else@where.example"])
    admin.record("lead:7", email=["paolo@bianchi.example"])
    admin.records.set(RecordEntry.read("customer:2", contact=["main=contact:21"]), actor=ACTOR)
    admin.record(
        str(CAMPAIGN),
        relate=["customer=customer:1", "intermediary=customer:2", "agency=customer:3", "other=customer:8"],
        contact=["main=contact:11"],
        user=[f"sales={ANNA}", f"care={REMO}", f"care={MIA}", f"former={DORA}"],
    )
    admin.record(str(CONTRACT), language="fr")


@pytest.fixture
def admin(database: Database) -> Iterator[Admin]:
    with administering(database) as one:
        _populate(one)
        yield one


class Desk:
    """What a test works at; ``add`` makes a note on the campaign unless told otherwise."""

    def __init__(self, database: Database, edition: Edition = Edition.MARKETER) -> None:
        self.database = database
        self.handmade = Handmade(database, edition, LIMIT)
        self.activities = Activities(database, edition)

    def add(self, ref: RecordRef = CAMPAIGN, *, as_email: str = ANNA, **typed: Any) -> Activity:
        typed = {"type_": "note", "topic": "other", "subject": "Call them back", **typed}
        return self.handmade.add(ref, HandmadeEntry.read(**typed), as_email=as_email)

    def set(self, activity: Activity, *, as_email: str = ANNA, **typed: Any) -> Activity:
        return self.handmade.set(activity.id, HandmadeEntry.read(**typed), as_email=as_email)

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """Give every row of every table."""
        return {table.name: rows(self.database, table) for table in tables.metadata.sorted_tables}

    def no_bytes_are_anybodys(self) -> bool:
        """Say whether all bytes belong to a document, and none were written ahead and left."""
        owned = select(tables.activity_document.c.upload)
        stray = select(func.count()).select_from(tables.piece).where(tables.piece.c.upload.not_in(owned))
        with self.database.read() as connection:
            return connection.scalar(stray) == 0 and count(self.database, tables.upload) == 0


@pytest.fixture
def desk(admin: Admin) -> Desk:
    return Desk(admin.database)


def _document(name: str = "offer.pdf", content: bytes = b"%PDF") -> NewDocument:
    return new_document(1, name, content, LIMIT)


# -- adding ---------------------------------------------------------------------------------------------------------

TYPES: list[tuple[str, dict[str, str]]] = [
    ("task", {"due": "2026-12-24", "remind": "2026-12-20"}),
    ("email", {}),
    ("lunch", {"place": "Bern"}),
    ("meeting", {"place": "Bern"}),
    ("call", {}),
    ("video_call", {}),
    ("note", {}),
]


@pytest.mark.parametrize(("type_", "extras"), TYPES)
def test_an_activity_of_each_type_is_kept_with_all_it_holds(desk: Desk, type_: str, extras: dict[str, Any]) -> None:
    made = desk.add(
        as_email=ALIAS,
        type_=type_,
        topic="offer",
        text="Two\nlines",
        at=NOW,
        contacts=["contact:11"],
        users=["REMO@muster.example"],
        documents=[_document(), _document("b.txt", b"")],
        links=["https://muster.example/1", "mailto:nora@optik.example"],
        **extras,
    )
    assert desk.activities.show(made.id) == made
    assert (made.record, made.type, made.topic, made.origin, made.read_only) == (
        CAMPAIGN,
        type_,
        "offer",
        "manual",
        False,
    )
    assert (made.subject, made.text, made.html, made.content) == ("Call them back", "Two\nlines", "", {})
    assert (made.occurred_at, made.recorder, made.trust, made.languages) == (NOW, ANNA, "none", ())
    assert abs(made.recorded_at - datetime.now(UTC)) < timedelta(minutes=10)
    assert made.participants == (
        Participant(
            email="b@b.example",
            name="Nora Keller",
            header="",
            side=Side.EXTERNAL,
            record=RecordRef.parse("contact:11"),
        ),
        Participant(email=REMO, name="Somebody", header="", side=Side.INTERNAL),
    )
    assert [(one.n, one.name, one.type, one.size, one.inline) for one in made.documents] == [
        (1, "offer.pdf", "application/pdf", 4, False),
        (2, "b.txt", "text/plain", 0, False),
    ]
    assert made.links == ("https://muster.example/1", "mailto:nora@optik.example")
    assert made.place == extras.get("place")
    assert [day and day.isoformat() for day in (made.due_on, made.remind_on)] == [
        extras.get("due"),
        extras.get("remind"),
    ]
    assert (made.done, made.done_at) == (False if type_ == "task" else None, None)
    assert (made.message_id, made.raw_sha256, made.raw_size, made.notes) == (None, None, None, ())


def test_it_happened_now_unless_told(desk: Desk) -> None:
    made = desk.add()
    assert made.occurred_at == made.recorded_at


def test_it_is_listed_among_the_mails_and_is_the_records_last_activity(admin: Admin, desk: Desk) -> None:
    (mail,) = admin.log(a_mail(sent="Mon, 02 Nov 2026 10:00:00 +0000"), CAMPAIGN)
    older = desk.add(at=datetime(2026, 11, 1, tzinfo=UTC))
    newer = desk.add(at=datetime(2026, 11, 3, tzinfo=UTC))
    assert [one.id for one in admin.activities.list(CAMPAIGN)] == [newer.id, mail, older.id]
    assert admin.records.show(CAMPAIGN).last_activity == newer.occurred_at


def test_on_a_closed_record_all_works(admin: Admin, desk: Desk) -> None:
    admin.records.close(CAMPAIGN, actor=ACTOR)
    made = desk.add(type_="task")
    assert desk.set(made, subject="Write").subject == "Write"
    assert desk.handmade.done(made.id, as_email=ANNA).done


# -- participants ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "contact", "where"),
    [
        ("campaign:4711", "contact:11", "on the record"),
        ("campaign:4711", "contact:12", "names its customer as theirs"),
        ("campaign:4711", "contact:21", "on its intermediary"),
        ("campaign:4711", "contact:31", "names its agency as theirs"),
        ("campaign:4711", "contact:81", None),  # of a customer that is related otherwise
        ("campaign:4711", "contact:404", None),
        ("campaign:4711", "customer:1", None),
        ("campaign:4711", "campaign:4711", None),
        ("campaign:4711", "lead:7", None),
        ("customer:1", "contact:12", "names it as theirs"),
        ("customer:2", "contact:21", "on the record"),
        ("customer:1", "customer:1", None),
        ("contact:12", "contact:12", "itself"),
        ("contact:31", "contact:12", None),
        ("lead:7", "lead:7", "itself"),
        ("lead:7", "contact:12", None),
    ],
)
def test_contacts_are_chosen_among_those_of_the_record_and_its_clients(
    desk: Desk, record: str, contact: str, where: str | None
) -> None:
    before = desk.everything()
    if where:
        (shown,) = desk.add(RecordRef.parse(record), contacts=[contact, contact]).participants
        assert (shown.side, str(shown.record)) == (Side.EXTERNAL, contact)
    else:
        with pytest.raises(BadInput, match=f"^contact: {contact} is no contact of {record} or its customer"):
            desk.add(RecordRef.parse(record), contacts=[contact])
        assert desk.everything() == before


@pytest.mark.parametrize(
    ("email", "main"),
    [
        (ANNA, ANNA),
        (ALIAS, ANNA),
        ("A.Muster@MUSTER.example", ANNA),
        (DORA, DORA),
        (LUCA, None),
        ("nora@optik.example", None),
        ("nobody@muster.example", None),
    ],
)
def test_users_are_chosen_among_those_on_the_record(desk: Desk, email: str, main: str | None) -> None:
    before = desk.everything()
    if main:
        assert [(one.email, one.side, one.record) for one in desk.add(users=[email, main]).participants] == [
            (main, Side.INTERNAL, None)
        ]
    else:
        with pytest.raises(BadInput, match=f"^user: {email} is not on campaign:4711: choose among {ANNA}, "):
            desk.add(users=[email])
        assert desk.everything() == before


def test_a_refusal_names_a_handful_to_choose_from(admin: Admin, desk: Desk) -> None:
    for number in range(100, 120):
        admin.record(f"contact:{number}", relate=["customer=customer:8"])
    with pytest.raises(BadInput, match=r"choose among contact:\d+(, contact:\d+){4} and others$"):
        desk.add(RecordRef.parse("customer:8"), contacts=["contact:12"])
    with pytest.raises(BadInput, match=r"choose among contact:11, contact:12, contact:21, contact:31$"):
        desk.add(contacts=["contact:81"])
    with pytest.raises(BadInput, match=r"on lead:7: there is none to choose from$"):
        desk.add(RecordRef.parse("lead:7"), users=[ANNA])


def test_a_contact_without_address_is_shown_by_record_and_name(desk: Desk) -> None:
    (shown,) = desk.add(contacts=["contact:12"]).participants
    assert (shown.email, shown.name, str(shown.record)) == ("", "contact:12", "contact:12")


def test_who_left_the_record_since_stays(admin: Admin, desk: Desk) -> None:
    made = desk.add(contacts=["contact:11"], users=[REMO])
    admin.records.set(RecordEntry.read(str(CAMPAIGN), contact=(), user=()), actor=ACTOR)
    after = desk.set(made, subject="Write", at=NOW)
    assert after.participants == made.participants
    with pytest.raises(BadInput, match=r"^contact: contact:11 is no contact"):
        desk.set(made, contacts=["contact:11"])


# -- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_email", "error", "says"),
    [
        ("nobody@muster.example", NotFound, r"no user nobody@muster\.example"),
        (DORA, BadInput, f"{DORA} is disabled and changes nothing"),
        (MIA, BadInput, f"{MIA} lacks the role record_activities"),
    ],
)
def test_who_may_not_record_adds_changes_and_sets_no_topic(
    admin: Admin, desk: Desk, as_email: str, error: type[MailgateError], says: str
) -> None:
    made = desk.add()
    (mail,) = admin.log(a_mail(), CAMPAIGN)
    before = desk.everything()
    with pytest.raises(error, match=says):
        desk.add(as_email=as_email, documents=[_document(content=b"x" * (2 << 20))])
    with pytest.raises(error, match=says):
        desk.set(made, as_email=as_email, subject="Write")
    with pytest.raises(error, match=says):
        desk.handmade.topic(mail, "offer", as_email=as_email)
    assert desk.everything() == before


def test_a_job_with_the_role_records(desk: Desk) -> None:
    made = desk.add(as_email=JOB)
    assert made.recorder == JOB
    with pytest.raises(BadInput, match="a system user: only mailgate activity erase"):
        desk.activities.delete(made.id, as_email=JOB)
    assert desk.set(made, as_email=JOB, subject="Again").subject == "Again"


@pytest.mark.parametrize(
    ("what", "error", "says"),
    [
        (lambda desk: desk.add(RecordRef.parse("campaign:1")), NotFound, "no record campaign:1"),
        (lambda desk: desk.add(topic="payout"), BadInput, "topic 'payout'"),
        (lambda desk: desk.add(place="Bern"), BadInput, "^place: "),
        (lambda desk: desk.add(type_="task", due="2026-12-24", remind="2026-12-25"), BadInput, "^remind: "),
        (lambda desk: desk.add(documents=[_document()], contacts=["contact:81"]), BadInput, "^contact: "),
        (lambda desk: desk.add(documents=[_document(content=b"x" * (3 << 20))], users=[LUCA]), BadInput, "^user: "),
    ],
)
def test_a_refused_activity_leaves_nothing(
    desk: Desk, what: Callable[[Desk], object], error: type[MailgateError], says: str
) -> None:
    before = desk.everything()
    with pytest.raises(error, match=says):
        what(desk)
    assert desk.everything() == before


@pytest.mark.parametrize("typed", [{"documents": [_document()]}, {"documents": [_document(content=b"x" * (3 << 20))]}])
def test_a_failure_halfway_leaves_all_as_it_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, typed: dict[str, Any]
) -> None:
    made = desk.add(documents=[_document()], links=["https://muster.example/1"], users=[ANNA])
    before = desk.everything()

    def trip(*_given: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("mailgate.store.handmade.parts.write_links", trip)
    new = {**typed, "links": ["https://muster.example/2"], "subject": "Other", "users": [REMO]}
    with pytest.raises(ZeroDivisionError):
        desk.set(made, **new)
    with pytest.raises(ZeroDivisionError):
        desk.add(**new)
    assert desk.everything() == before


@pytest.mark.parametrize("unknown", [NOBODY, "4711", ""])
@pytest.mark.parametrize(
    "what",
    [
        lambda desk, known: desk.handmade.set(known, HandmadeEntry.read(), as_email=ANNA),
        lambda desk, known: desk.handmade.done(known, as_email=ANNA),
        lambda desk, known: desk.handmade.undone(known, as_email=ANNA),
        lambda desk, known: desk.handmade.topic(known, "other", as_email=ANNA),
    ],
)
def test_an_unknown_activity_is_named(desk: Desk, what: Callable[[Desk, str], object], unknown: str) -> None:
    with pytest.raises(NotFound, match=f"no activity .?{unknown}"):
        what(desk, unknown)


def test_the_edition_publisher_has_no_publisher_contracts(desk: Desk) -> None:
    made = desk.add(CONTRACT, type_="task", topic="payout")
    publisher = Desk(desk.database, Edition.PUBLISHER)
    before = desk.everything()
    commands: list[Callable[[], object]] = [
        lambda: publisher.add(CONTRACT),
        lambda: publisher.set(made, subject="Write"),
        lambda: publisher.handmade.done(made.id, as_email=ANNA),
        lambda: publisher.handmade.undone(made.id, as_email=ANNA),
        lambda: publisher.handmade.topic(made.id, "other", as_email=ANNA),
    ]
    for what in commands:
        with pytest.raises(BadInput, match="no publisher contracts in the edition publisher"):
            what()
    assert desk.everything() == before


# -- changing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ({"type_": "lunch"}, {"type": ActivityType.LUNCH}),
        ({"topic": "offer"}, {"topic": "offer"}),
        ({"subject": "Write"}, {"subject": "Write"}),
        ({"text": "New"}, {"text": "New"}),
        ({"text": ""}, {"text": ""}),
        ({"at": NOW}, {"occurred_at": NOW}),
        ({"place": "Chur"}, {"place": "Chur"}),
        ({"place": ""}, {"place": None}),
        ({"type_": "task", "place": "", "due": "2026-12-24"}, {"type": "task", "due_on": date(2026, 12, 24)}),
        ({"links": ["https://muster.example/2"]}, {"links": ("https://muster.example/2",)}),
        ({"links": [""]}, {"links": ()}),
        ({"documents": []}, {"documents": ()}),
    ],
)
def test_what_is_given_changes_and_nothing_else(desk: Desk, typed: dict[str, Any], shown: dict[str, Any]) -> None:
    made = desk.add(
        type_="meeting",
        text="Text",
        place="Bern",
        contacts=["contact:11"],
        users=[ANNA],
        documents=[_document()],
        links=["https://muster.example/1"],
    )
    after = desk.set(made, as_email=ALIAS, **typed)
    assert desk.activities.show(made.id) == after
    differing = {name for name in Activity.__slots__ if getattr(after, name) != getattr(made, name)}
    assert {name: getattr(after, name) for name in shown} == shown
    assert differing <= {*shown, "place", "done"}
    assert [one.id for one in desk.activities.list(CAMPAIGN)] == [made.id]
    (listed,) = desk.activities.list(CAMPAIGN)
    assert listed.subject == after.subject


@pytest.mark.parametrize(
    ("typed", "who"),
    [
        ({"contacts": ["contact:12"]}, ["contact:12", REMO]),
        ({"contacts": ["contact:12", "contact:11"]}, ["contact:12", "contact:11", REMO]),
        ({"contacts": [""]}, [REMO]),
        ({"users": [ANNA, REMO]}, ["contact:11", ANNA, REMO]),
        ({"users": [""]}, ["contact:11"]),
        ({"users": [""], "contacts": [""]}, []),
        ({"subject": "Other"}, ["contact:11", REMO]),
    ],
)
def test_a_list_that_is_given_replaces_the_whole_list(desk: Desk, typed: dict[str, Any], who: list[str]) -> None:
    made = desk.add(contacts=["contact:11"], users=[REMO])
    assert [str(one.record or one.email) for one in desk.set(made, **typed).participants] == who


def test_who_took_part_follows_the_time_of_the_activity(desk: Desk) -> None:
    made = desk.add(contacts=["contact:11"], users=[ANNA])
    desk.set(made, at=NOW)
    found = rows(desk.database, tables.participation)
    assert [row["occurred_at"] for row in found] == [NOW, NOW]
    assert {row["activity_record_id"] for row in found} == {
        row["record_id"] for row in rows(desk.database, tables.activity)
    }


def test_the_result_is_judged_as_a_whole(desk: Desk) -> None:
    made = desk.add(type_="meeting", place="Bern")
    before = desk.everything()
    with pytest.raises(BadInput, match=r"^place: an activity of type call has none"):
        desk.set(made, type_="call", subject="Other")
    assert desk.everything() == before


@pytest.mark.parametrize("what", ["set", "done"])
def test_nobody_else_changes_it(desk: Desk, what: str) -> None:
    made = desk.add(type_="task", users=[REMO])
    before = desk.everything()
    with pytest.raises(BadInput, match=f"was recorded by {ANNA}: {LUCA} (is none|can't change it)"):
        desk.set(made, as_email=LUCA, subject="x") if what == "set" else desk.handmade.done(made.id, as_email=LUCA)
    assert desk.everything() == before


def test_an_internal_participant_cant_change_it(desk: Desk) -> None:
    made = desk.add(users=[REMO])
    with pytest.raises(BadInput, match=f"{REMO} can't change it, only its recorder"):
        desk.set(made, as_email=REMO, subject="x")


def test_a_logged_mail_is_read_only(admin: Admin, desk: Desk) -> None:
    (mail,) = admin.log(a_mail(), CAMPAIGN)
    before = desk.everything()
    with pytest.raises(BadInput, match=r"^read-only: "):
        desk.handmade.set(mail, HandmadeEntry.read(subject="Other"), as_email=ANNA)
    with pytest.raises(BadInput, match="is of type email: only a task"):
        desk.handmade.done(mail, as_email=ANNA)
    assert desk.everything() == before


def test_the_audit_names_what_changed_and_never_what_it_held(desk: Desk) -> None:
    made = desk.add(type_="task", text="Geheim 1", documents=[_document()], contacts=["contact:11"])
    start = count(desk.database, tables.audit)
    desk.set(made, as_email=ALIAS, text="Geheim 2", due="2026-12-24", links=["https://geheim.example"], users=[ANNA])
    desk.set(made, documents=[], contacts=[""])
    desk.set(made, text="Geheim 2", links=["https://geheim.example"])  # as it is already
    desk.set(made)
    desk.handmade.done(made.id, as_email=ANNA)
    desk.handmade.undone(made.id, as_email=ANNA)
    entered = rows(desk.database, tables.audit)[start:]
    assert [(row["actor"], row["action"], row["subject"], row["detail"]) for row in entered] == [
        (ANNA, "activity changed", "campaign:4711", f"{made.id}: text, due, user, link"),
        (ANNA, "activity changed", "campaign:4711", f"{made.id}: contact, document"),
        (ANNA, "task done", "campaign:4711", made.id),
        (ANNA, "task undone", "campaign:4711", made.id),
    ]


def _fields(database_url: str, activity_id: str, typed: dict[str, Any]) -> None:
    other = open_database(database_url, create=False, allow_unsafe=True)
    try:
        Desk(other).handmade.set(activity_id, HandmadeEntry.read(**typed), as_email=ANNA)
    finally:
        other.close()


def test_two_changes_at_once_are_both_there(desk: Desk, database_url: str) -> None:
    made = desk.add(type_="task", documents=[_document()], users=[ANNA])
    changes: list[dict[str, Any]] = [
        {"subject": "Write"},
        {"text": "New"},
        {"due": "2026-12-24"},
        {"at": NOW},
        {"contacts": ["contact:11"]},
        {"users": [REMO]},
        {"links": ["https://muster.example/1"]},
        {"documents": [_document("new.pdf", b"y" * (2 << 20))]},
    ]
    with ThreadPoolExecutor(len(changes)) as pool:
        for done in [pool.submit(_fields, database_url, made.id, typed) for typed in changes]:
            done.result()
    after = desk.activities.show(made.id)
    assert (after.subject, after.text, after.due_on, after.occurred_at) == ("Write", "New", date(2026, 12, 24), NOW)
    assert [str(one.record or one.email) for one in after.participants] == ["contact:11", REMO]
    assert (after.links, [one.name for one in after.documents]) == (("https://muster.example/1",), ["new.pdf"])
    assert {row["occurred_at"] for row in rows(desk.database, tables.participation)} == {NOW}
    assert desk.no_bytes_are_anybodys()


# -- documents ------------------------------------------------------------------------------------------------------

SIZES = [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, LIMIT]


@pytest.mark.parametrize("size", SIZES)
def test_documents_come_out_as_they_went_in(desk: Desk, size: int) -> None:
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    made = desk.add(documents=[_document("a.bin", b"a"), _document("b.bin", content), _document("c.bin", b"c")])
    for n, expected in enumerate((b"a", content, b"c"), start=1):
        found, given = desk.activities.attachment(made.id, n)
        assert (found.n, given == expected, found.size) == (n, True, len(expected))
    with pytest.raises(NotFound, match="no attachment 4"):
        desk.activities.attachment(made.id, 4)
    with pytest.raises(NotFound, match="no mail"):
        desk.activities.raw(made.id)
    assert desk.no_bytes_are_anybodys()


def test_the_bytes_of_replaced_documents_go(desk: Desk) -> None:
    made = desk.add(documents=[_document("a", b"a" * (2 << 20)), _document("b", b"b")])
    assert count(desk.database, tables.piece) == 3
    desk.set(made, documents=[_document("c", b"c")])
    assert desk.activities.attachment(made.id, 1)[1] == b"c"
    assert count(desk.database, tables.piece) == 1
    desk.set(made, documents=[])
    assert (count(desk.database, tables.piece), desk.no_bytes_are_anybodys()) == (0, True)


def test_damaged_bytes_are_not_handed_out(desk: Desk) -> None:
    made = desk.add(documents=[_document()])
    (shown,) = made.documents
    with desk.database.read() as connection, pytest.raises(NotFound, match="is damaged"):
        parts.document_bytes(connection, NOBODY, shown)


@pytest.mark.parametrize(
    ("extras", "kinds"),
    [
        ({"type_": "task", "due": "2026-12-24", "remind": "2026-12-20"}, "subject, due date, reminder"),
        ({"type_": "task", "due": "2026-12-24"}, "subject, due date"),
        ({"type_": "task", "remind": "2026-12-20"}, "subject, reminder"),
        ({"type_": "meeting", "place": "Bern"}, "subject, place"),
        ({}, "subject"),
    ],
)
def test_place_and_days_that_went_are_named(desk: Desk, extras: dict[str, Any], kinds: str) -> None:
    assert desk.activities.delete(desk.add(**extras).id, as_email=ANNA).kinds == kinds


@pytest.mark.parametrize("how", ["delete", "erase"])
def test_taken_away_it_leaves_a_trace_and_no_bytes(desk: Desk, how: str) -> None:
    made = desk.add(
        text="Geheim",
        documents=[_document("geheim.pdf", b"x" * (2 << 20)), _document()],
        links=["https://geheim.example"],
        contacts=["contact:11"],
    )
    if how == "delete":
        with pytest.raises(BadInput, match=f"recorded by {ANNA}: {REMO} can't delete it"):
            desk.activities.delete(made.id, as_email=REMO)
        gone = desk.activities.delete(made.id, as_email=ALIAS)
    else:
        gone = desk.activities.erase(made.id, reason="court order", actor=ACTOR)
    assert gone.kinds == "participants, subject, text, 2 documents, 1 link"
    of_activities = ("activity", "participation", "activity_content", "activity_document", "activity_link", "piece")
    everything = desk.everything()
    assert {name: everything[name] for name in of_activities} == {name: [] for name in of_activities}
    assert len(everything["removal"]) == 1
    assert "eheim" not in str(everything["removal"] + everything["audit"])
    with pytest.raises(NotFound, match=f"no activity {made.id}: it was (deleted|erased) by"):
        desk.set(made, subject="x")


# -- tasks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_email", [ANNA, ALIAS, REMO, MIA])
def test_recorder_and_internal_participants_mark_a_task(desk: Desk, as_email: str) -> None:
    made = desk.add(type_="task", users=[REMO, MIA])
    first = desk.handmade.done(made.id, as_email=as_email)
    assert (first.done, first.done_at is not None) == (True, True)
    assert desk.handmade.done(made.id, as_email=ANNA).done_at == first.done_at
    assert desk.set(made, subject="Write").done_at == first.done_at
    assert [desk.handmade.undone(made.id, as_email=as_email).done_at for _ in range(2)] == [None, None]
    assert desk.activities.show(made.id).done is False


def test_any_address_of_a_participant_counts(admin: Admin, desk: Desk) -> None:
    made = desk.add(type_="task", as_email=LUCA, users=[REMO])
    admin.users.set(UserEntry.read(REMO, aliases=["r@muster.example"]), actor=ACTOR)
    assert desk.handmade.done(made.id, as_email="R@muster.example").done


@pytest.mark.parametrize("as_email", [LUCA, DORA, "nobody@muster.example"])
def test_nobody_else_marks_it(desk: Desk, as_email: str) -> None:
    made = desk.add(type_="task", users=[DORA])
    before = desk.everything()
    for mark in (desk.handmade.done, desk.handmade.undone):
        with pytest.raises((BadInput, NotFound), match=r"none of its internal participants|is disabled|no user"):
            mark(made.id, as_email=as_email)
    assert desk.everything() == before


@pytest.mark.parametrize("type_", [word for word, _ in TYPES if word != "task"])
def test_only_tasks_are_done(desk: Desk, type_: str) -> None:
    made = desk.add(type_=type_)
    for mark in (desk.handmade.done, desk.handmade.undone):
        with pytest.raises(BadInput, match=f"is of type {type_}: only a task is done or undone"):
            mark(made.id, as_email=ANNA)


def test_what_is_done_stays_a_task(desk: Desk) -> None:
    made = desk.add(type_="task")
    desk.handmade.done(made.id, as_email=ANNA)
    with pytest.raises(BadInput, match=r"^done: an activity of type call has none"):
        desk.set(made, type_="call")


# -- topics of mails ------------------------------------------------------------------------------------------------


def test_any_recording_user_sets_the_topic_of_a_mail_by_bcc(admin: Admin, desk: Desk) -> None:
    (mail,) = admin.log(a_mail(), CAMPAIGN)
    assert desk.handmade.topic(mail, " Offer ", as_email=LUCA).topic == "offer"
    (first,) = rows(desk.database, tables.activity)
    assert desk.handmade.topic(mail, "offer", as_email=ANNA).topic == "offer"
    assert rows(desk.database, tables.activity) == [first]  # it was that already
    assert desk.handmade.topic(mail, "billing", as_email=ALIAS).topic == "billing"
    (second,) = rows(desk.database, tables.activity)
    ids = {row["email"]: row["id"] for row in rows(desk.database, tables.user_account)}
    assert [row["topic_by"] for row in (first, second)] == [ids[LUCA], ids[ANNA]]
    assert second["topic_at"] > first["topic_at"]
    assert [
        (row["actor"], row["detail"]) for row in rows(desk.database, tables.audit) if row["action"] == "topic set"
    ] == [
        (LUCA, f"{mail}: other to offer"),
        (ANNA, f"{mail}: offer to billing"),
    ]


def test_a_topic_of_another_kind_is_refused(admin: Admin, desk: Desk) -> None:
    (mail,) = admin.log(a_mail(), CAMPAIGN)
    before = desk.everything()
    for topic in ("payout", "", "nonsense"):
        with pytest.raises(BadInput, match=f"topic '{topic}'"):
            desk.handmade.topic(mail, topic, as_email=ANNA)
    assert desk.everything() == before


@pytest.mark.parametrize(
    ("origin", "says"),
    [("manual", "use.* mailgate activity set --topic"), ("system", "keeps the topic"), ("group", "keeps the topic")],
)
def test_other_activities_take_no_topic_this_way(desk: Desk, origin: str, says: str) -> None:
    made = desk.add()
    if origin != "manual":
        (row,) = rows(desk.database, tables.activity)
        with desk.database.write() as connection:
            connection.execute(tables.activity.insert(), {**row, "id": NOBODY, "origin": origin})
    before = desk.everything()
    with pytest.raises(BadInput, match=says):
        desk.handmade.topic(made.id if origin == "manual" else NOBODY, "offer", as_email=ANNA)
    assert desk.everything() == before


# -- with the rest --------------------------------------------------------------------------------------------------


def test_it_follows_its_record(admin: Admin, desk: Desk) -> None:
    made = desk.add(contacts=["contact:11"], documents=[_document()])
    admin.record("campaign:4712")
    admin.records.merge(CAMPAIGN, RecordRef.parse("campaign:4712"), actor=ACTOR)
    after = desk.set(made, at=NOW)
    assert (str(after.record), after.documents, after.participants) == (
        "campaign:4712",
        made.documents,
        made.participants,
    )
    (row,) = rows(desk.database, tables.participation)
    (owner,) = rows(desk.database, tables.activity)
    assert row["activity_record_id"] == owner["record_id"]


def test_a_record_with_hand_made_activities_stays(admin: Admin, desk: Desk) -> None:
    desk.add(RecordRef.parse("lead:7"))
    with pytest.raises(BadInput, match="lead:7"):
        admin.records.remove(RecordRef.parse("lead:7"), actor=ACTOR)
    with pytest.raises(BadInput, match=f"{ANNA} has activities"):
        admin.users.remove(ANNA, actor=ACTOR)
