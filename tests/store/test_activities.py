from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from sqlalchemy import event, select, text

from mailgate.domain.activity import Activity, Side
from mailgate.domain.entry import UserEntry
from mailgate.domain.listing import Wish
from mailgate.domain.mail import Addressee
from mailgate.domain.record import RecordRef
from mailgate.errors import BadInput, NotFound
from mailgate.store import merging, register
from mailgate.store.acting import hold
from mailgate.store.database import Database
from mailgate.store.tables import audit, mail, removal
from tests.store.admin import ACTOR, ANNA, CLIENT, LUCA, RELAY, Admin, a_mail, administering

CAMPAIGN = RecordRef.parse("campaign:4711")
OTHER = RecordRef.parse("campaign:4712")
NOBODY = "01234567-89ab-7def-8123-456789abcdef"


@pytest.fixture
def admin(database: Database) -> Iterator[Admin]:
    with administering(database) as one:
        one.user(ANNA, aliases=["a.muster@muster.example"])
        one.user(LUCA, give=["administer"])
        one.user("crm@muster.example", kind="system", give=["record_activities"])
        one.record("contact:1", email=[CLIENT])
        one.record(str(CAMPAIGN), contact=["main=contact:1"])
        one.record(str(OTHER))
        yield one


def _days(listed: Iterator[Activity]) -> list[int]:
    return [one.occurred_at.day for one in listed]


def test_an_activity_is_shown_with_everything(admin: Admin) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    shown = admin.activities.show(activity)
    assert (shown.record, shown.type, shown.topic, shown.origin) == (CAMPAIGN, "email", "other", "bcc")
    assert shown.read_only
    assert (shown.subject, shown.recorder, shown.trust) == ("Offer 1", ANNA, "vouched")
    assert shown.text is not None
    assert "https://muster.example/1" in shown.text
    assert shown.html is not None
    assert shown.links == ("https://muster.example/1",)
    assert [(one.n, one.name, one.type, one.size) for one in shown.documents] == [
        (1, "offer.pdf", "application/pdf", 8)
    ]
    assert [(one.email, one.header, one.side, one.record) for one in shown.participants] == [
        (ANNA, "from", Side.INTERNAL, None),
        (CLIENT, "to", Side.EXTERNAL, RecordRef.parse("contact:1")),
    ]
    assert (shown.message_id, shown.raw_size) == ("<1@muster.example>", len(a_mail()))


def test_the_raw_mail_and_its_attachment_are_handed_out(admin: Admin) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    assert admin.activities.raw(activity) == a_mail()
    found, content = admin.activities.attachment(activity, 1)
    assert (found.name, content) == ("offer.pdf", b"%PDF-1.4")


def test_the_records_own_address_is_no_participant(admin: Admin) -> None:
    bcc = admin.address(CAMPAIGN)
    (activity,) = admin.log(a_mail().replace(b"To: ", f"To: {bcc}, ".encode()), CAMPAIGN)
    shown = admin.activities.show(activity)
    assert [one.email for one in shown.participants] == [ANNA, CLIENT]
    assert [note.code for note in shown.notes] == ["address_exposed"]


def test_a_listing_is_newest_first_by_when_it_happened(admin: Admin) -> None:
    for number, day in enumerate((3, 1, 2, 2), start=1):
        admin.log(a_mail(number, sent=f"Mon, 0{day} Nov 2026 10:00:00 +0000"), CAMPAIGN)
    listed = list(admin.activities.list(CAMPAIGN))
    assert [one.occurred_at.day for one in listed] == [3, 2, 2, 1]
    assert listed[1].id > listed[2].id
    assert list(admin.activities.list(OTHER)) == []


def test_a_cursor_goes_on_where_the_page_ended_whatever_comes_meanwhile(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgate.store.activities.PAGE", 2)
    for day in range(1, 8):
        admin.log(a_mail(day, sent=f"Mon, 0{day} Nov 2026 10:00:00 +0000"), CAMPAIGN)
    assert _days(admin.activities.list(CAMPAIGN)) == [7, 6, 5, 4, 3, 2, 1]
    page = list(admin.activities.list(CAMPAIGN, limit=3))
    assert [one.occurred_at.day for one in page] == [7, 6, 5]
    admin.log(a_mail(8, sent="Mon, 08 Nov 2026 10:00:00 +0000"), CAMPAIGN)
    admin.activities.delete(page[0].id, as_email=ANNA)
    assert _days(admin.activities.list(CAMPAIGN, limit=3, after=page[-1].id)) == [4, 3, 2]


def test_fifty_are_listed_unless_told(admin: Admin) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    columns = "record_id, type, topic, origin, occurred_at, recorded_at, recorder_id, mail_sha256, trust"
    with admin.database.write() as connection:
        for number in range(60):
            made = f"{number:032x}"
            statement = text(
                f"INSERT INTO activity (id, {columns}) SELECT :made, {columns} FROM activity WHERE id = :one"
            )
            one = activity.replace("-", "") if admin.database.kind == "sqlite" else activity
            connection.execute(statement, {"made": made, "one": one})
    assert len(list(admin.activities.list(CAMPAIGN))) == 50
    assert len(list(admin.activities.list(CAMPAIGN, limit=1000))) == 61


def test_a_listing_reads_no_body(admin: Admin) -> None:
    admin.log(a_mail(), CAMPAIGN)
    statements: list[str] = []
    with admin.database.read() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    (listed,) = admin.activities.list(CAMPAIGN)
    assert (listed.text, listed.html) == (None, None)
    assert not any("reading_body" in one or "piece" in one for one in statements)
    assert 1 < len(statements) < 20


@pytest.mark.parametrize(
    "what",
    [
        lambda admin, known: admin.activities.show(known),
        lambda admin, known: admin.activities.raw(known),
        lambda admin, known: admin.activities.attachment(known, 1),
        lambda admin, known: admin.activities.delete(known, as_email=ANNA),
        lambda admin, known: admin.activities.erase(known, reason="r", actor=ACTOR),
        lambda admin, known: admin.activities.forget_deletion(known, reason="r", actor=ACTOR),
        lambda admin, known: list(admin.activities.list(CAMPAIGN, after=known)),
    ],
)
@pytest.mark.parametrize("unknown", [NOBODY, "4711", "", "../x"])
def test_an_unknown_activity_is_named(admin: Admin, what: Callable[[Admin, str], object], unknown: str) -> None:
    with pytest.raises(NotFound, match=f"no activity .?{unknown}"):
        what(admin, unknown)


def test_other_unknown_things_are_named(admin: Admin) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    with pytest.raises(NotFound, match="no attachment 2 in"):
        admin.activities.attachment(activity, 2)
    with pytest.raises(NotFound, match="no record lead:1"):
        admin.activities.list(RecordRef.parse("lead:1"))
    with pytest.raises(NotFound, match=r"no user nobody@muster\.example"):
        admin.activities.delete(activity, as_email="nobody@muster.example")


# -- deletion -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recorder", [ANNA, "A.Muster@muster.example"])
def test_the_recorder_deletes_wholly(admin: Admin, recorder: str) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    gone = admin.activities.delete(activity, as_email=recorder)
    assert (gone.activity, gone.record, gone.state, gone.actor, gone.reason) == (
        activity,
        CAMPAIGN,
        "deleted",
        ANNA,
        None,
    )
    for kind in ("text", "1 document", "raw bytes"):
        assert kind in gone.kinds
    with pytest.raises(NotFound, match=f"no activity {activity}: it was deleted by {ANNA} at 20[-0-9]+T[:0-9]+Z$"):
        admin.activities.show(activity)
    with admin.database.read() as connection:
        assert connection.execute(select(mail.c.sha256)).all() == []
    assert [outcome.reason for outcome in admin.deliver(a_mail(), CAMPAIGN)] == ["deleted"]


def test_a_shared_mail_stays_for_the_other_record(admin: Admin) -> None:
    first, second = admin.log(a_mail(), CAMPAIGN, OTHER)
    assert "raw bytes" not in admin.activities.delete(first, as_email=ANNA).kinds
    assert admin.activities.raw(second) == a_mail()


@pytest.mark.parametrize(
    ("as_email", "sender", "says"),
    [
        (LUCA, ANNA, f"was recorded by {ANNA}: {LUCA} can't delete it"),
        ("crm@muster.example", "crm@muster.example", "a system user: only mailgate activity erase removes it"),
        (LUCA, "crm@muster.example", "a system user"),
    ],
)
def test_nobody_else_deletes(admin: Admin, as_email: str, sender: str, says: str) -> None:
    (activity,) = admin.log(a_mail(sender=sender), CAMPAIGN, sender=sender)
    with pytest.raises(BadInput, match=says):
        admin.activities.delete(activity, as_email=as_email)
    assert admin.activities.raw(activity) == a_mail(sender=sender)


def test_a_disabled_user_changes_nothing(admin: Admin) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    admin.users.disable(ANNA, actor=ACTOR)
    admin.users.disable(LUCA, actor=ACTOR)
    with pytest.raises(BadInput, match=f"{ANNA} is disabled and changes nothing"):
        admin.activities.delete(activity, as_email="a.muster@muster.example")
    with pytest.raises(BadInput, match=f"{LUCA} is disabled and changes nothing"):
        admin.activities.erase(activity, reason="r", actor=ACTOR, as_email=LUCA)
    assert admin.activities.show(activity).id == activity


@pytest.mark.parametrize(("as_email", "actor"), [(None, ACTOR), (LUCA, LUCA)])
def test_an_erasure_leaves_who_when_why_and_what(admin: Admin, as_email: str | None, actor: str) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    gone = admin.activities.erase(activity, reason=" court order 7 ", actor=ACTOR, as_email=as_email)
    assert (gone.state, gone.actor, gone.reason) == ("erased", actor, "court order 7")
    with admin.database.read() as connection:
        row = connection.execute(select(removal)).one()
    assert (row.actor, row.reason, row.kinds) == (actor, "court order 7", gone.kinds)
    assert "Offer" not in str(row)


@pytest.mark.parametrize(
    ("reason", "as_email", "says"),
    [
        ("", None, "reason '' is not taken"),
        ("  ", None, "is not taken"),
        ("a\nb", None, "is not taken"),
        ("r", ANNA, f"{ANNA} lacks the role administer"),
    ],
)
def test_what_an_erasure_needs(admin: Admin, reason: str, as_email: str | None, says: str) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    with pytest.raises(BadInput, match=says):
        admin.activities.erase(activity, reason=reason, actor=ACTOR, as_email=as_email)
    assert admin.activities.show(activity).id == activity


def test_a_forgotten_deletion_lets_the_mail_be_logged_again(admin: Admin) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    with pytest.raises(BadInput, match="is kept, not deleted"):
        admin.activities.forget_deletion(activity, reason="mistake", actor="operator")
    admin.activities.delete(activity, as_email=ANNA)
    admin.activities.forget_deletion(activity, reason="mistake", actor="operator")
    with admin.database.read() as connection:
        row = connection.execute(select(audit).where(audit.c.actor == "operator")).one()
    assert (row.action, row.subject, row.detail) == ("deletion forgotten", str(CAMPAIGN), f"{activity}: mistake")
    (again,) = admin.log(a_mail(), CAMPAIGN)
    assert again != activity


def test_an_erasure_is_never_forgotten(admin: Admin) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    admin.activities.erase(activity, reason="court order", actor=ACTOR)
    with pytest.raises(BadInput, match="is erased, not deleted"):
        admin.activities.forget_deletion(activity, reason="mistake", actor=ACTOR)
    assert [outcome.reason for outcome in admin.deliver(a_mail(), CAMPAIGN)] == ["deleted"]


def test_whose_role_was_taken_still_deletes_what_they_recorded(admin: Admin) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    admin.users.set(UserEntry.read(ANNA, take=["record_activities"]), actor=ACTOR)
    assert admin.activities.delete(activity, as_email=ANNA).state == "deleted"


def _delete(admin: Admin, activity: str, _other: Addressee) -> object:
    return admin.activities.delete(activity, as_email=ANNA).record


def _erase(admin: Admin, activity: str, _other: Addressee) -> object:
    return admin.activities.erase(activity, reason="court order", actor=ACTOR).record


def _topic(admin: Admin, activity: str, _other: Addressee) -> object:
    return admin.handmade.topic(activity, "offer", as_email=ANNA).record


def _same_mail(admin: Admin, activity: str, other: Addressee) -> object:
    (outcome,) = admin.receive(a_mail(), other)
    return OTHER if (outcome.verdict.value, outcome.activity) == ("duplicate", activity) else outcome


@pytest.mark.parametrize("work", [_delete, _erase, _topic, _same_mail])
def test_who_waits_for_a_merge_holds_nothing_that_it_moves(
    admin: Admin, work: Callable[[Admin, str, Addressee], object]
) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    addressee = admin.intake.check_recipient(RELAY, admin.address(OTHER))
    with ThreadPoolExecutor(1) as other:
        with admin.database.write() as connection:
            keys = register.hold(connection, [CAMPAIGN, OTHER])
            doing = other.submit(work, admin, activity, addressee)
            wait([doing], timeout=0.3)  # on SQLite it waits to begin at all
            assert not doing.done()
            if admin.database.kind == "postgresql":
                connection.execute(text("SET LOCAL lock_timeout = '1ms'"))
            merging.merge(connection, (CAMPAIGN, keys[CAMPAIGN]), (OTHER, keys[OTHER]))
        assert doing.result(30) == OTHER


def test_an_activity_is_read_again_once_its_record_was_merged(admin: Admin) -> None:
    (activity,) = admin.log(a_mail(), CAMPAIGN)
    admin.records.merge(CAMPAIGN, OTHER, actor=ACTOR)
    with admin.database.write() as connection:
        assert hold(connection, activity) == register.keys(connection, [OTHER])[OTHER]


# -- long listings --------------------------------------------------------------------------------------------------


def _merge(admin: Admin) -> None:
    admin.records.merge(CAMPAIGN, OTHER, actor=ACTOR)


def _merge_and_add(admin: Admin) -> None:
    _merge(admin)
    admin.record(str(CAMPAIGN))


def _remove(admin: Admin) -> None:
    for one in list(admin.activities.list(CAMPAIGN)):
        admin.activities.delete(one.id, as_email=ANNA)
    admin.records.remove(CAMPAIGN, actor=ACTOR)


@pytest.mark.parametrize("change", [_merge, _merge_and_add, _remove])
def test_a_listing_whose_record_goes_in_its_midst_says_so(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, change: Callable[[Admin], None]
) -> None:
    monkeypatch.setattr("mailgate.store.activities.PAGE", 2)
    for number in range(3):
        admin.log(a_mail(number), CAMPAIGN)
    listed = admin.activities.list(CAMPAIGN)
    next(listed)
    change(admin)
    next(listed)
    with pytest.raises(NotFound, match=str(CAMPAIGN)):
        next(listed)


def test_a_listing_goes_on_with_the_record_that_an_affiliation_was_merged_into(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgate.store.activities.PAGE", 2)
    customer = admin.record("customer:1", relate=["runs=campaign:4711"])
    logged = [admin.log(a_mail(number), CAMPAIGN)[0] for number in range(3)]
    listed = admin.activities.list(customer, Wish.read(affiliation=["campaign"]))
    found = [next(listed).id]
    _merge(admin)
    assert sorted([*found, *(one.id for one in listed)]) == sorted(logged)
