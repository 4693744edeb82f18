"""The keys of the contract's section 2, and how values are written in them."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from mailgate import wire
from mailgate.domain.activity import Activity, ActivityType, Origin, Participant, Side
from mailgate.domain.content import Content
from mailgate.domain.entry import Done, RowOutcome
from mailgate.domain.ledger import LedgerEntry, Outcome, Verdict
from mailgate.domain.mail import Appointment, Document, Fold, FoldKind, Note
from mailgate.domain.pending import PendingSender
from mailgate.domain.record import AddressState, Record, RecordAddress, RecordRef, RoledRecord, RoledUser
from mailgate.domain.removal import ReceiptState, Removed
from mailgate.domain.user import Language, User
from mailgate.errors import BadInput, Reason

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
CAMPAIGN = RecordRef.parse("campaign:4711")
CONTACT = RecordRef.parse("contact:12")

BARE = Activity(
    id="1",
    record=CAMPAIGN,
    type=ActivityType.EMAIL,
    topic="other",
    origin=Origin.BCC,
    read_only=True,
    subject="",
    occurred_at=NOON,
    recorded_at=NOON,
    recorder="anna@a.example",
)
MEETING = Appointment(
    method="request",
    title="Kick-off",
    starts="2026-11-25T10:00:00",
    ends="",
    zone="Europe/Zurich",
    place="",
    organiser="anna@a.example",
)
FULL = Activity(
    id="1",
    record=CAMPAIGN,
    type=ActivityType.TASK,
    topic="billing",
    origin=Origin.SYSTEM,
    read_only=True,
    subject="Rechnung / Invoice",
    text="t",
    html="<p>t</p>",
    languages=("de", "en"),
    content={"de": Content("Rechnung", "t", "<p>t</p>")},
    sent_languages={"k@k.example": ("de", "en")},
    occurred_at=NOON.astimezone(timezone(timedelta(hours=2))),
    recorded_at=NOON + timedelta(microseconds=5),
    recorder="anna@a.example",
    envelope_from="anna@a.example",
    place="Bern",
    due_on=date(2026, 12, 1),
    remind_on=date(2026, 11, 30),
    done=True,
    done_at=NOON,
    participants=(
        Participant(email="k@k.example", name="K", header="to", side=Side.EXTERNAL, record=CONTACT),
        Participant(email="anna@a.example", name="", header="from", side=Side.INTERNAL),
    ),
    documents=(
        Document(1, "a.png", "image/png", 8, "ff", inline=True, content_id="logo@a.example"),
        Document(2, "a.ics", "text/calendar", 9, "fe", appointment=MEETING),
    ),
    links=("https://a.example/",),
    message_id="<1@a.example>",
    raw_sha256="ff",
    raw_size=9,
    trust="vouched",
    notes=(Note("signed", "It is signed."),),
    sent_at=NOON,
    folds=(Fold(FoldKind.SIGNATURE, 0, 1),),
)

WAITS = PendingSender(
    email="new@a.example",
    relay="office",
    envelope_from="new@a.example",
    record=CAMPAIGN,
    queue_id="4bKxyz",
    tries=2,
    first_at=NOON,
    last_at=NOON,
)

ACTIVITY_KEYS = """id record type topic origin read_only subject text html languages content sent_languages occurred_at
    recorded_at recorder envelope_from place due_on remind_on done done_at participants documents links message_id
    raw_sha256 raw_size trust notes sent_at folds"""

SHAPES: list[tuple[dict[str, Any], str]] = [
    (wire.activity(BARE), ACTIVITY_KEYS),
    (wire.activity(FULL), ACTIVITY_KEYS),
    (wire.record(Record(record=CAMPAIGN, name="H")),
     "record name language state email address last_activity relations contacts users"),
    (wire.user(User(email="a@a.example", name="A")), "email name kind language enabled roles aliases accept_automatic"),
    (
        wire.registered(User(email="a@a.example", name="A"), ()),
        "email name kind language enabled roles aliases accept_automatic waiting",
    ),
    (wire.pending(WAITS), "email relay envelope_from record queue_id tries first_at last_at until"),
    (wire.address(RecordAddress(address="x@y.example", record=CAMPAIGN, state=AddressState.OPEN, created_at=NOON)),
     "address record state created_at expires_at exposed_at last_used_at"),
    (wire.ledger(LedgerEntry(at=NOON, verdict=Verdict.KEPT)),
     "id at verdict reason record relay queue_id author message_id activity count"),
    (wire.ingested(Outcome(recipient="x@y.example", verdict=Verdict.KEPT), 250, "2.0.0"),
     "to verdict reason code text activity"),
    (wire.row_outcome(RowOutcome(row=2, key="k", outcome=Done.ADDED)), "row key outcome error"),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "keys"), SHAPES)
def test_all_keys_are_there_in_the_order_of_the_contract(shape: dict[str, Any], keys: str) -> None:
    assert list(shape) == keys.split()
    assert json.loads(json.dumps(shape)) == shape


def test_a_listing_leaves_out_the_bodies_and_nothing_else() -> None:
    assert set(wire.activity(FULL)) - set(wire.activity_line(FULL)) == {"text", "html", "content"}


def test_an_activity_in_full() -> None:
    shown = wire.activity(FULL)
    assert shown["occurred_at"] == "2026-11-02T12:00:00Z"
    assert shown["recorded_at"] == "2026-11-02T12:00:00.000005Z"
    assert (shown["due_on"], shown["remind_on"], shown["done"]) == ("2026-12-01", "2026-11-30", True)
    assert shown["content"] == {"de": {"subject": "Rechnung", "text": "t", "html": "<p>t</p>"}}
    assert shown["sent_languages"] == {"k@k.example": ["de", "en"]}
    assert shown["participants"] == [
        {"email": "k@k.example", "name": "K", "header": "to", "side": "external", "record": "contact:12"},
        {"email": "anna@a.example", "name": None, "header": "from", "side": "internal", "record": None},
    ]
    assert shown["documents"] == [
        {
            "n": 1,
            "name": "a.png",
            "type": "image/png",
            "size": 8,
            "sha256": "ff",
            "inline": True,
            "content_id": "logo@a.example",
            "appointment": None,
        },
        {
            "n": 2,
            "name": "a.ics",
            "type": "text/calendar",
            "size": 9,
            "sha256": "fe",
            "inline": False,
            "content_id": None,
            "appointment": {
                "method": "request",
                "title": "Kick-off",
                "starts": "2026-11-25T10:00:00",
                "ends": None,
                "zone": "Europe/Zurich",
                "place": None,
                "organiser": "anna@a.example",
            },
        },
    ]
    assert shown["folds"] == [{"kind": "signature", "start": 0, "end": 1}]
    assert shown["sent_at"] == "2026-11-02T12:00:00Z"
    assert shown["notes"] == [{"code": "signed", "text": "It is signed."}]


@pytest.mark.parametrize("bare", [BARE, replace(BARE, text="", html="", message_id="")])
def test_a_bare_activity_has_null_or_nothing_where_it_is_empty(bare: Activity) -> None:
    shown = wire.activity(bare)
    empty: Iterable[str] = (key for key in shown if shown[key] in (None, [], {}))
    filled = "id record type topic origin read_only occurred_at recorded_at recorder trust"
    assert set(empty) == {*ACTIVITY_KEYS.split()} - {*filled.split()}


def test_a_record_in_full() -> None:
    record = Record(
        record=CAMPAIGN,
        name="H",
        relations=(RoledRecord("customer", RecordRef.parse("customer:1")),),
        contacts=(RoledRecord("main", CONTACT),),
        users=(RoledUser("sales", "anna@a.example"),),
        last_activity=NOON,
    )
    shown = wire.record(record)
    assert shown["relations"] == [{"role": "customer", "record": "customer:1"}]
    assert shown["contacts"] == [{"role": "main", "record": "contact:12"}]
    assert shown["users"] == [{"role": "sales", "email": "anna@a.example"}]
    assert (shown["state"], shown["last_activity"]) == ("open", "2026-11-02T12:00:00Z")


def test_a_user_and_an_entry_of_the_ledger() -> None:
    assert wire.user(User(email="a@a.example", name="A", language=Language.FR))["language"] == "fr"
    entry = wire.ledger(LedgerEntry(at=NOON, verdict=Verdict.REFUSED, reason=Reason.BOUNCE, record=CAMPAIGN))
    assert (entry["verdict"], entry["reason"], entry["record"], entry["count"]) == (
        "refused",
        "bounce",
        "campaign:4711",
        1,
    )


FATES = [
    (None, "is taken and not logged"),
    (Origin.BCC, "is taken and not logged"),
    (Origin.SYSTEM, "if the CRM logs it again, that is refused"),
    (Origin.MANUAL, "No mail had brought it"),
]


@pytest.mark.parametrize(("origin", "said"), FATES)
def test_a_receipt_says_that_the_mail_cant_come_back(origin: Origin | None, said: str) -> None:
    gone = Removed(
        activity="1",
        record=CAMPAIGN,
        state=ReceiptState.DELETED,
        at=NOON,
        actor="a",
        reason=None,
        kinds="text, raw bytes",
        origin=origin,
    )
    assert wire.removed(gone)["removed"] == "text, raw bytes"
    assert "can't come back" in wire.removed(gone)["note"]
    assert said in wire.removed(gone)["note"]
    assert "can be logged again" in wire.removed(gone, forgotten=True)["note"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-02", datetime(2026, 11, 2, tzinfo=UTC)),
        ("2026-11-02T12:00:00Z", NOON),
        ("2026-11-02T12:00", NOON),
        (" 2026-11-02 14:00:00+02:00 ", NOON),
    ],
)
def test_moments_that_are_read(text: str, moment: datetime) -> None:
    assert wire.read_moment(text, "--since") == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "02.11.2026", "0001-01-01T00:00:00+14:00", "\x1b[1m"])
def test_moments_that_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"^--since .* is no time: write 2026-11-22"):
        wire.read_moment(text, "--since")


@pytest.mark.parametrize("read", [wire.record_ref, wire.record_entry])
def test_names_of_records_are_checked(read: Callable[[str], object]) -> None:
    with pytest.raises(BadInput, match="KIND:REF"):
        read("campaign")


def test_each_mail_that_waited_is_hurried_once_and_only_by_what_postfix_calls_it() -> None:
    on_another_record = replace(WAITS, record=CONTACT)
    elsewhere = replace(WAITS, relay="exchange", queue_id="4bK;reboot")
    nameless = replace(WAITS, relay="exchange", queue_id=None)
    shown = wire.registered(User(email="a@a.example", name="A"), [WAITS, on_another_record, elsewhere, nameless])
    assert shown["waiting"] == [
        {"relay": "office", "queue_id": "4bKxyz", "hurry": "postqueue -i 4bKxyz"},
        {"relay": "exchange", "queue_id": "4bK;reboot", "hurry": None},
        {"relay": "exchange", "queue_id": None, "hurry": None},
    ]
