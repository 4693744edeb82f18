"""Who may take an activity away, and what is left of it then: the same for mail logged by BCC, of the system, by hand.

delete    its recorder alone, by any address; not what a system user recorded
erase     who may administer, or the command line; with a reason
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from mailgate.domain.content import Content
from mailgate.domain.document import NewDocument
from mailgate.domain.entry import UserEntry
from mailgate.domain.handmade import HandmadeEntry, new_document
from mailgate.domain.record import RecordRef
from mailgate.domain.user import Language
from mailgate.errors import BadInput, NotFound
from mailgate.store import tables
from mailgate.store.database import Database
from tests.store.admin import ACTOR, ANNA, LIMIT, LUCA, Admin, administering
from tests.store.seeding import rows

CAMPAIGN = RecordRef.parse("campaign:4711")
OTHER = RecordRef.parse("campaign:4712")
ALIAS = "a.muster@muster.example"
BOSS = "boss@muster.example"  # may administer
COLLEAGUE = "anna@sub.muster.example"  # with an alias of the same domain and nearly the same name
SHARED = "support@muster.example"
JOB = "crm@muster.example"
NOBODY = "nobody@muster.example"
STRANGER = "xaver@verborgen.example"

# words that stand nowhere else
WORDS = ("Zirkonium", "Quarzsand", "Wolfram", "skandium.pdf", "gallium", "xaver", "verborgen", "Indiumstrasse")
KEPT_WORD = "Neodym"  # in what stays


@pytest.fixture
def admin(database: Database) -> Iterator[Admin]:
    with administering(database) as one:
        one.user(ANNA, aliases=[ALIAS])
        one.user(LUCA)
        one.user(BOSS, give=["administer"])
        one.user(COLLEAGUE, aliases=["a.muster2@muster.example"])
        one.user(SHARED, kind="shared")
        one.user(JOB, kind="system", give=["record_activities"])
        for ref in (CAMPAIGN, OTHER):
            one.record(str(ref), user=[f"sales={LUCA}"])
        _by_bcc(one, KEPT_WORD, on=OTHER)
        _by_hand(one, KEPT_WORD, on=OTHER)
        yield one


# -- one activity of each origin, all with the same words in them ---------------------------------------------------


def _mail(sender: str, subject: str = "Zirkonium") -> bytes:
    lines = [
        f"From: {sender}",
        f"To: xaver holmium <{STRANGER}>",
        f"Subject: {subject}",
        "Date: Mon, 02 Nov 2026 10:00:00 +0000",
        f"Message-ID: <{subject}@muster.example>",
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="b1"',
        "",
        "--b1",
        'Content-Type: multipart/alternative; boundary="b2"',
        "",
        "--b2",
        "Content-Type: text/plain; charset=utf-8",
        "",
        "Quarzsand https://verborgen.example/gallium",
        "--b2",
        "Content-Type: text/html; charset=utf-8",
        "",
        '<p>Wolfram <a href="https://verborgen.example/gallium">Indiumstrasse</a></p>',
        "--b2--",
        "--b1",
        "Content-Type: text/plain",
        'Content-Disposition: attachment; filename="skandium.pdf"',
        "",
        "Quarzsand",
        "--b1--",
        "",
    ]
    return "\r\n".join(lines).encode()


def _document() -> NewDocument:
    return new_document(1, "skandium.pdf", b"Quarzsand", LIMIT)


def _by_bcc(admin: Admin, subject: str = "Zirkonium", *, on: RecordRef = CAMPAIGN, sender: str = ANNA) -> str:
    raw = _mail(sender, subject)
    if subject == KEPT_WORD:
        for word in WORDS:
            raw = raw.replace(word.encode(), KEPT_WORD.encode())
    (activity,) = admin.log(raw, on, sender=sender)
    return activity


def _by_system(admin: Admin, *, sender: str = ANNA) -> str:
    words = Content("Zirkonium", "Quarzsand https://verborgen.example/gallium", "<p>Wolfram Indiumstrasse</p>")
    return admin.outbound.log(
        kind="invoice",
        record=str(CAMPAIGN),
        triggered_by=sender,
        recipients=[STRANGER],
        sent_at=datetime(2026, 11, 2, tzinfo=UTC),
        message_id="<Zirkonium@muster.example>",
        content=dict.fromkeys(Language, words),
        documents=[_document()],
    ).id


def _by_system_as_mail(admin: Admin, *, sender: str = ANNA) -> str:
    return admin.outbound.log_mail(
        _mail(sender), kind="mail", record=str(CAMPAIGN), triggered_by=sender, languages=["de"]
    ).id


def _by_hand(admin: Admin, word: str | None = None, *, on: RecordRef = CAMPAIGN, sender: str = ANNA) -> str:
    made = HandmadeEntry.read(
        type_="meeting",
        topic="other",
        subject=word or "Zirkonium",
        text=word or "Quarzsand Wolfram",
        place=word or "Indiumstrasse 7",
        users=[LUCA],
        documents=[new_document(1, f"{word}.pdf", b"x", LIMIT) if word else _document()],
        links=[
            f"https://{word}.example/" if word else "https://verborgen.example/gallium",
            f"mailto:{word}@muster.example" if word else f"mailto:{STRANGER}",
        ],
    )
    return admin.handmade.add(on, made, as_email=sender).id


Maker = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Origin:
    """How an activity comes to be; what is said of it when it goes."""

    make: Maker
    kinds: str
    receipt: bool = True


OF_MAIL = "participants, subject, text, html, 1 document, 1 link, raw bytes"
ORIGINS = {
    "bcc": Origin(_by_bcc, OF_MAIL),
    "system": Origin(_by_system, "participants, subject, text, html, 1 document, 1 link"),
    "system, a finished mail": Origin(_by_system_as_mail, OF_MAIL),
    "by hand": Origin(_by_hand, "participants, subject, text, 1 document, 2 links, place", receipt=False),
}
each_origin = pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS)


def _everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    return {name: rows(database, table) for name, table in tables.metadata.tables.items()}


# -- deleting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_email", "error", "says"),
    [
        (LUCA, BadInput, f"recorded by {ANNA}: {LUCA} can't delete it, only its recorder can"),
        (BOSS, BadInput, f"recorded by {ANNA}: {BOSS} can't delete it, only its recorder can"),
        (SHARED, BadInput, f"{SHARED} can't delete it, only its recorder can"),
        (COLLEAGUE, BadInput, f"{COLLEAGUE} can't delete it, only its recorder can"),
        ("a.muster2@muster.example", BadInput, f"{COLLEAGUE} can't delete it, only its recorder can"),
        (JOB, BadInput, f"{JOB} can't delete it, only its recorder can"),
        (NOBODY, NotFound, f"no user {NOBODY}"),
        (STRANGER, NotFound, f"no user {STRANGER}"),
    ],
)
@each_origin
def test_nobody_but_its_recorder_deletes(
    admin: Admin, origin: Origin, as_email: str, error: type[Exception], says: str
) -> None:
    activity = origin.make(admin)
    before = _everything(admin.database)
    with pytest.raises(error, match=says):
        admin.activities.delete(activity, as_email=as_email)
    assert _everything(admin.database) == before


@each_origin
def test_a_disabled_recorder_deletes_nothing(admin: Admin, origin: Origin) -> None:
    activity = origin.make(admin)
    admin.users.disable(ANNA, actor=ACTOR)
    before = _everything(admin.database)
    for email in (ANNA, ALIAS):
        with pytest.raises(BadInput, match=f"{ANNA} is disabled and changes nothing"):
            admin.activities.delete(activity, as_email=email)
    assert _everything(admin.database) == before
    admin.users.enable(ANNA, actor=ACTOR)
    assert admin.activities.delete(activity, as_email=ANNA).state == "deleted"


@each_origin
def test_what_a_system_user_recorded_nobody_deletes(admin: Admin, origin: Origin) -> None:
    activity = origin.make(admin, sender=JOB)
    before = _everything(admin.database)
    for email in (JOB, ANNA, BOSS):
        with pytest.raises(BadInput, match=f"recorded by {JOB}, a system user: only mailgate activity erase"):
            admin.activities.delete(activity, as_email=email)
    assert _everything(admin.database) == before
    assert admin.activities.erase(activity, reason="law", actor=ACTOR).state == "erased"


@pytest.mark.parametrize("as_email", [ANNA, ALIAS, "A.Muster@MUSTER.example"])
@each_origin
def test_the_recorder_deletes_by_any_address_and_a_tombstone_stays(admin: Admin, origin: Origin, as_email: str) -> None:
    activity = origin.make(admin)
    gone = admin.activities.delete(activity, as_email=as_email)
    assert (gone.activity, gone.record, gone.state, gone.actor, gone.reason, gone.kinds) == (
        activity,
        CAMPAIGN,
        "deleted",
        ANNA,
        None,
        origin.kinds,
    )
    (trace,) = rows(admin.database, tables.removal)
    assert (trace["activity_id"], trace["state"], trace["actor"], trace["kinds"], trace["at"]) == (
        activity,
        "deleted",
        ANNA,
        origin.kinds,
        gone.at,
    )
    receipts = {row["activity_id"]: row["state"] for row in rows(admin.database, tables.receipt)}
    assert receipts.get(activity) == ("deleted" if origin.receipt else None)
    taken = f"no activity {activity}: it was deleted by {ANNA} at {gone.at:%Y-%m-%dT%H:%M:%SZ}"
    for email in (ANNA, LUCA, NOBODY):
        with pytest.raises(NotFound, match=taken):
            admin.activities.delete(activity, as_email=email)
    with pytest.raises(NotFound, match=taken):
        admin.activities.erase(activity, reason="law", actor=ACTOR)


@each_origin
def test_who_lost_the_role_still_deletes(admin: Admin, origin: Origin) -> None:
    activity = origin.make(admin)
    admin.users.set(UserEntry.read(ANNA, take=["record_activities"]), actor=ACTOR)
    assert admin.activities.delete(activity, as_email=ANNA).state == "deleted"


def test_what_was_deleted_is_not_logged_again(admin: Admin) -> None:
    admin.activities.delete(_by_bcc(admin), as_email=ANNA)
    assert [outcome.reason for outcome in admin.deliver(_mail(ANNA), CAMPAIGN)] == ["deleted"]
    admin.activities.delete(_by_system(admin), as_email=ANNA)
    with pytest.raises(BadInput, match="was deleted by its recorder: it is not logged again"):
        _by_system(admin)


# -- erasing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_email", "reason", "error", "says"),
    [
        (ANNA, "law", BadInput, f"{ANNA} lacks the role administer"),  # the recorder
        (ALIAS, "law", BadInput, f"{ANNA} lacks the role administer"),
        (LUCA, "law", BadInput, f"{LUCA} lacks the role administer"),
        (JOB, "law", BadInput, f"{JOB} lacks the role administer"),
        (NOBODY, "law", NotFound, f"no user {NOBODY}"),
        (BOSS, "", BadInput, "reason '' is not taken"),
        (BOSS, " \t", BadInput, "is not taken: 1 to 1000 printable characters in one line"),
        (BOSS, "a\nb", BadInput, "is not taken"),
        (BOSS, "x" * 1001, BadInput, "is not taken"),
        (None, "", BadInput, "reason '' is not taken"),
    ],
)
@each_origin
def test_an_erasure_needs_the_role_or_the_command_line_and_a_reason(
    *, admin: Admin, origin: Origin, as_email: str | None, reason: str, error: type[Exception], says: str
) -> None:
    activity = origin.make(admin)
    before = _everything(admin.database)
    with pytest.raises(error, match=says):
        admin.activities.erase(activity, reason=reason, actor=ACTOR, as_email=as_email)
    assert _everything(admin.database) == before


@each_origin
def test_a_disabled_administrator_erases_nothing(admin: Admin, origin: Origin) -> None:
    activity = origin.make(admin)
    admin.users.disable(BOSS, actor=ACTOR)
    with pytest.raises(BadInput, match=f"{BOSS} is disabled"):
        admin.activities.erase(activity, reason="law", actor=ACTOR, as_email=BOSS)
    assert admin.activities.show(activity).id == activity


@pytest.mark.parametrize(("as_email", "actor"), [(None, ACTOR), (BOSS, BOSS)])
@each_origin
def test_an_erasure_leaves_who_when_why_and_what_kinds(
    admin: Admin, origin: Origin, as_email: str | None, actor: str
) -> None:
    activity = origin.make(admin)
    gone = admin.activities.erase(activity, reason=" court order 7 ", actor=ACTOR, as_email=as_email)
    (trace,) = rows(admin.database, tables.removal)
    left = {name: trace[name] for name in ("activity_id", "state", "actor", "reason", "kinds", "at")}
    assert left == {
        "activity_id": activity,
        "state": "erased",
        "actor": actor,
        "reason": "court order 7",
        "kinds": origin.kinds,
        "at": gone.at,
    }
    with pytest.raises(NotFound, match=f"no activity {activity}: it was erased by {actor} at "):
        admin.activities.show(activity)
    if origin.receipt:
        with pytest.raises(BadInput, match="is erased, not deleted: only a deletion can be forgotten"):
            admin.activities.forget_deletion(activity, reason="mistake", actor=ACTOR)


def _places(database: Database, word: str) -> set[str]:
    """Name every column of every table that holds a word, in whatever case, in text or bytes."""
    return {
        f"{table}.{column}"
        for table, found in _everything(database).items()
        for row in found
        for column, value in row.items()
        if word.lower() in (value.decode("latin-1") if isinstance(value, bytes) else str(value)).lower()
    }


@pytest.mark.parametrize("take", ["delete", "erase"])
@each_origin
def test_no_word_of_it_is_left_in_any_table(admin: Admin, origin: Origin, take: str) -> None:
    activity = origin.make(admin)
    if origin.make is _by_hand:
        admin.handmade.set(activity, HandmadeEntry.read(subject="Zirkonium II", place="Indiumstrasse 8"), as_email=ANNA)
    if origin.make is _by_bcc:
        admin.handmade.topic(activity, "offer", as_email=ANNA)
    assert all(_places(admin.database, word) for word in WORDS), "a word that isn't there would prove nothing"
    if take == "delete":
        admin.activities.delete(activity, as_email=ANNA)
    else:
        admin.activities.erase(activity, reason="court order", actor=ACTOR)
    # the ledger keeps the Message-ID, and the author, of what came by SMTP
    by_smtp = {"Zirkonium": {"ledger.message_id"}} if origin.make is _by_bcc else {}
    assert {word: found for word in WORDS if (found := _places(admin.database, word))} == by_smtp
    assert {"reading.subject", "activity_content.subject", "piece.bytes"} <= _places(admin.database, KEPT_WORD)
