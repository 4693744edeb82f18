"""Mails handed to a record as attachments: which mails are such, what is logged of them, and what of the cover."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from mailgate import mime
from mailgate.domain.activity import Side
from mailgate.domain.ledger import Verdict
from mailgate.domain.mail import Envelope, Mail
from mailgate.domain.record import AddressState
from mailgate.errors import Reason
from tests.desk import ADDRESS, RELAY, Desk
from tests.fakes import FakeActivity
from tests.forwards import attached, cover, file, in_base64, original
from tests.worlds import ANNA, CAMPAIGN, CUSTOMER, DOMAIN, SUPPORT, WORLD, address, ref

TO = f"To: {ADDRESS}"
OTHER = f"eeee@{DOMAIN}"
ANTWORT = attached(original())
KEPT, DUPLICATE = Verdict.KEPT, Verdict.DUPLICATE


def logged(desk: Desk) -> list[FakeActivity]:
    """What is kept, in the order of its coming."""
    return list(desk.archive.activities.values())


def subjects(desk: Desk) -> list[str]:
    return [each.new.mail.subject for each in logged(desk)]


def codes(activity: FakeActivity) -> list[str]:
    return [note.code for note in activity.notes]


# -- when it is one -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        f"To: {ADDRESS}",
        f"Cc: {ADDRESS}",
        f"To: Record <{ADDRESS.upper()}>",
        f"To: {ADDRESS}\nCc: {ADDRESS}",
        f"To: {ADDRESS}\nReply-To: one@kunde.example\nSender: {ANNA.email}",
        f"To: undisclosed-recipients:;\nCc: {ADDRESS}",
        f"To: {ADDRESS}\nBcc: {OTHER}",
    ],
)
def test_a_mail_to_the_record_alone_hands_over_what_is_attached(fields: str) -> None:
    desk = Desk()
    (outcome,) = desk.send(cover(ANTWORT, fields=fields))
    assert outcome.verdict is KEPT
    assert subjects(desk) == ["Antwort 1"]


@pytest.mark.parametrize(
    "fields",
    [
        "To: one@kunde.example",  # by BCC, the main job
        "To: one@kunde.example\nBcc: " + ADDRESS,
        f"To: {ADDRESS}\nCc: one@kunde.example",
        f"To: {ADDRESS}, one@kunde.example",
        f"To: {ADDRESS}\nCc: support@firma.example",
        f"To: {ADDRESS}\nCc: {ANNA.email}",
        f"To: {ADDRESS}, {OTHER}",
        f"To: {OTHER}",  # another record's, and it came by ours
        f"To: {ADDRESS}, somebody whose address can't be read",
        f"To: {ADDRESS}\nBcc: one@kunde.example",
        "To: undisclosed-recipients:;",
        "Subject: nobody is named",
    ],
)
def test_any_other_mail_stays_one_activity_with_all_that_is_attached(fields: str) -> None:
    desk = Desk()
    desk.send(cover(ANTWORT, fields=fields))
    (one,) = logged(desk)
    assert one.new.author == ANNA.email
    assert [each.type for each in one.new.mail.documents] == ["message/rfc822"]
    assert "forwarded_by" not in codes(one)


def test_what_goes_to_another_record_by_bcc_is_one_activity_there() -> None:
    desk = Desk()
    outcomes = desk.send(cover(ANTWORT, fields=TO), to=(OTHER, ADDRESS))
    assert [outcome.verdict for outcome in outcomes] == [KEPT, KEPT]
    assert [(each.record, each.new.mail.subject) for each in logged(desk)] == [
        (CUSTOMER, "WG: Antwort 1"),
        (CAMPAIGN, "Antwort 1"),
    ]
    assert [outcome.activity for outcome in outcomes] == [each.id for each in logged(desk)]


def test_the_record_s_address_that_was_written_to_counts_though_it_came_by_two_of_them() -> None:
    second = replace(WORLD, addresses=(*WORLD.addresses, address("gggg", CAMPAIGN, AddressState.OPEN)))
    desk = Desk(second)
    outcomes = desk.send(cover(ANTWORT, fields=TO), to=(f"gggg@{DOMAIN}", ADDRESS))
    assert subjects(desk) == ["Antwort 1"]
    assert len({outcome.activity for outcome in outcomes}) == 1


# -- what is logged -------------------------------------------------------------------------------------------------


def test_an_attached_mail_is_logged_as_itself() -> None:
    desk = Desk()
    (outcome,) = desk.send(cover(ANTWORT, fields=TO))
    (one,) = logged(desk)
    raw = original()
    assert (one.id, one.record) == (outcome.activity, CAMPAIGN)
    assert (one.new.raw, one.new.raw_sha256) == (raw, sha256(raw).hexdigest())
    assert one.new.occurred_at == datetime(2026, 11, 2, 9, 1, tzinfo=UTC)
    assert (one.new.author, one.new.recorder, one.new.trust) == ("one@kunde.example", ANNA.email, "none")
    assert (one.new.envelope_from, one.new.relay, one.new.queue_id) == (ANNA.email, "office", "4bK1")
    assert one.new.received_at == desk.now
    assert [(each.email, each.side, each.record) for each in one.new.activities[0].participants] == [
        ("one@kunde.example", Side.EXTERNAL, ref("contact:1")),
        (ANNA.email, Side.INTERNAL, None),
    ]
    assert [(note.code, note.text) for note in one.notes] == [
        (
            "forwarded_by",
            'Forwarded by anna@firma.example with <f1@firma.example>, "WG: Antwort 1", sent 2026-11-22T11:00:00Z.',
        )
    ]


def test_a_cover_without_date_subject_and_message_id_is_named_by_when_it_came() -> None:
    desk = Desk()
    bare = "\r\n".join(
        line
        for line in cover(ANTWORT, fields=TO).split("\r\n")
        if not line.startswith(("Subject: WG", "Date: Sun", "Message-ID: <f1"))
    )
    desk.send(bare)
    (one,) = logged(desk)
    assert [note.text for note in one.notes] == [
        "Forwarded by anna@firma.example with a mail, received 2026-11-22T12:00:00Z."
    ]


def test_an_alias_forwards_for_its_user() -> None:
    desk = Desk()
    desk.send(cover(ANTWORT, fields=TO, author="anna@mobil.example"), sender="anna@mobil.example")
    (one,) = logged(desk)
    assert one.new.recorder == ANNA.email
    assert one.notes[0].text.startswith("Forwarded by anna@mobil.example with ")


def test_a_record_s_address_in_an_attached_mail_is_nobody_and_no_secret_gets_out() -> None:
    desk = Desk()
    desk.send(cover(attached(original(author=ADDRESS, to=ADDRESS)), fields=TO))
    (one,) = logged(desk)
    assert one.new.activities[0].participants == ()
    assert codes(one) == ["forwarded_by", "address_exposed"]
    assert {entry.author for entry in desk.archive.ledger} == {ANNA.email, None}


def test_nobody_of_an_attached_mail_is_known_here() -> None:
    desk = Desk()
    desk.send(cover(attached(original(author="x@else.example")), fields=TO))
    assert codes(logged(desk)[0]) == ["forwarded_by", "no_known_participant"]


@pytest.mark.parametrize(
    "field",
    ["Auto-Submitted: auto-replied", "Content-Type: multipart/report; report-type=delivery-status; boundary=x"],
)
def test_rules_for_machines_judge_the_cover_alone(field: str) -> None:
    desk = Desk()
    (outcome,) = desk.send(cover(attached(field.encode() + b"\r\n" + original()), fields=TO))
    assert outcome.verdict is KEPT
    assert subjects(desk) == ["Antwort 1"]


def test_a_mail_within_an_attached_mail_stays_its_document() -> None:
    inner = cover(attached(original(2)), fields="To: x@else.example", number=7).replace("boundary-of", "inner-of")
    desk = Desk()
    desk.send(cover(attached(inner.encode("latin-1")), fields=TO))
    (one,) = logged(desk)
    assert one.new.mail.subject == "WG: Antwort 7"
    assert [each.type for each in one.new.mail.documents] == ["message/rfc822"]


def test_a_mail_with_lf_alone_is_kept_so_and_known_by_what_it_was() -> None:
    desk = Desk()
    raw = original(body="Ja.\r\nNein.\r\n").replace(b"\r\n", b"\n")
    desk.send(cover(in_base64(raw), fields=TO))
    (again,) = desk.send(cover(attached(original(body="Ja.\r\nNein.")), fields=TO, number=2))
    (one,) = logged(desk)
    assert one.new.raw == raw
    assert codes(one) == ["bare_newlines", "forwarded_by"]
    assert (again.verdict, again.activity) == (DUPLICATE, one.id)


# -- the covering mail ----------------------------------------------------------------------------------------------

QUOTE = "Am 2. Nov. 2026 um 09:01 schrieb One <one@kunde.example>:\r\n\r\n> Ja.\r\n"
SIGNATURE = "-- \r\nAnna Muster\r\nMuster AG, 3000 Bern\r\n"
SEAL = file("application/pkcs7-signature", "smime.p7s")


@pytest.mark.parametrize(
    ("text", "parts", "kept"),
    [
        ("", (), False),
        (" \r\n\r\n", (), False),
        ("-----\r\n", (), False),
        ("\N{OBJECT REPLACEMENT CHARACTER}\r\n", (), False),  # Apple Mail, in the place of an attachment
        (SIGNATURE, (), False),
        (QUOTE, (), False),
        (QUOTE + "\r\n" + SIGNATURE, (), False),
        ("Zur Ablage", (), True),
        ("1", (), True),
        ("\N{THUMBS UP SIGN}", (), True),
        ("Zur Ablage\r\n" + SIGNATURE, (), True),
        ("", (file(),), True),
        ("", (SEAL,), False),
        ("", (file("application/pgp-signature", "signature.asc"),), False),
        ("", (file("text/calendar", "termin.ics"),), True),
    ],
)
def test_the_cover_is_kept_when_it_says_anything(text: str, parts: Sequence[bytes], kept: bool) -> None:
    desk = Desk()
    (outcome,) = desk.send(cover(ANTWORT, *parts, fields=TO, text=text))
    assert subjects(desk) == (["WG: Antwort 1", "Antwort 1"] if kept else ["Antwort 1"])
    assert outcome.activity == logged(desk)[0].id  # the cover's own, else the first attached one's


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        ("<p>&nbsp;</p><div><br></div>", False),
        ("<p>Zur&nbsp;Ablage</p>", True),
        ("<title>Zur Ablage</title><p></p>", False),
    ],
)
def test_a_cover_in_html_alone_says_what_its_words_say(html: str, kept: bool) -> None:
    desk = Desk()
    desk.send(cover(ANTWORT, fields=TO, text=html, media="text/html; charset=utf-8"))
    assert len(logged(desk)) == 1 + kept


def test_a_kept_cover_is_the_mail_as_it_came() -> None:
    desk = Desk()
    mail = cover(ANTWORT, fields=TO, text="Zur Ablage")
    desk.send(mail)
    first, _ = logged(desk)
    assert first.new.raw == mail.encode("latin-1")
    assert (first.new.trust, codes(first)) == ("vouched", ["address_exposed"])


@pytest.mark.parametrize(
    "part",
    [
        attached(b""),
        attached(b"Das ist kein Mail.\r\n"),
        attached(b"X-Mailer: none\r\nTo: x@else.example\r\n\r\nHallo"),
        attached(b"a:\r\n" * (5 << 20) + b"From: x@else.example\r\n\r\n"),
        attached(original().replace(b"\r\n\r\n", b"\r\n" + b'Content-Type: multipart/mixed; boundary="y"\r\n\r\n')
                 + b"".join(b"\r\n--y\r\n\r\n" for _ in range(2500))),
    ],
    ids=["empty", "text", "no field of a mail", "too large a header", "unreadable"],
)  # fmt: skip
def test_what_is_no_mail_stays_a_document_of_the_cover(part: bytes) -> None:
    desk = Desk()
    desk.send(cover(part, fields=TO))
    (one,) = logged(desk)
    assert one.new.mail.subject == "WG: Antwort 1"
    assert len(one.new.mail.documents) == 1
    desk = Desk()
    desk.send(cover(part, ANTWORT, fields=TO))
    assert subjects(desk) == ["WG: Antwort 1", "Antwort 1"]


# -- many, and again ------------------------------------------------------------------------------------------------


def test_thirty_at_once_are_thirty() -> None:
    desk = Desk()
    desk.send(cover(*(attached(original(n)) for n in range(30)), fields=TO))
    assert subjects(desk) == [f"Antwort {n}" for n in range(30)]
    assert len({each.new.occurred_at for each in logged(desk)}) == 30


def test_a_hundred_are_logged_and_more_stay_together() -> None:
    desk = Desk()
    desk.send(cover(*(attached(original(n)) for n in range(100)), fields=TO))
    assert len(logged(desk)) == 100
    desk = Desk()
    desk.send(cover(*(attached(original(n)) for n in range(101)), fields=TO))
    (one,) = logged(desk)
    assert codes(one) == ["address_exposed", "too_many_attached"]
    assert len(one.new.mail.documents) == 101


def test_a_forward_repeated_changes_nothing() -> None:
    desk = Desk()
    mail = cover(ANTWORT, attached(original(2)), fields=TO)
    (first,) = desk.send(mail)
    for again in (mail, cover(attached(original(2)), ANTWORT, fields=TO, number=2)):
        (outcome,) = desk.send(again)
        assert (outcome.verdict, outcome.reason) == (DUPLICATE, Reason.DUPLICATE)
    assert (first.verdict, len(logged(desk))) == (KEPT, 2)


def test_a_mail_that_came_by_bcc_is_met_and_the_rest_is_new() -> None:
    desk = Desk()
    sent = original(author=ANNA.email, to="one@kunde.example")
    (by_bcc,) = desk.send("X-Hop: x\r\n" + sent.decode() + "\r\n")
    (outcome,) = desk.send(cover(attached(sent), attached(original(2)), fields=TO))
    assert subjects(desk) == ["Antwort 1", "Antwort 2"]
    assert (outcome.verdict, outcome.activity) == (KEPT, by_bcc.activity)
    assert [codes(each) for each in logged(desk)] == [[], ["forwarded_by"]]


SENT = original(author=ANNA.email, to="one@kunde.example")
BY_BCC = SENT.decode() + "\r\n"


@pytest.mark.parametrize("deleted", [False, True])
def test_a_colleague_who_hands_on_a_user_s_mail_does_not_keep_the_user_s_own_copy_out(deleted: bool) -> None:
    desk = Desk()
    mail = cover(attached(SENT), fields=TO, author=SUPPORT.email)
    (handed_on,) = desk.send(mail, sender=SUPPORT.email)
    if deleted:
        desk.archive.delete(handed_on.activity or "")
    (by_bcc,) = desk.send(BY_BCC)
    assert (by_bcc.verdict, by_bcc.reason) == (KEPT, None)
    own = desk.archive.activities[by_bcc.activity or ""]
    assert (own.new.author, own.new.recorder, own.new.trust) == (ANNA.email, ANNA.email, "vouched")
    assert codes(own) == ([] if deleted else ["same_message_id"])
    assert [each.new.recorder for each in logged(desk)] == [SUPPORT.email, ANNA.email][deleted:]
    for again in (BY_BCC, mail):
        (outcome,) = desk.send(again, sender=ANNA.email if again is BY_BCC else SUPPORT.email)
        assert (outcome.verdict, outcome.reason) == (DUPLICATE, Reason.DUPLICATE)


def test_a_mail_that_came_by_bcc_and_was_deleted_can_not_be_handed_on() -> None:
    desk = Desk()
    (by_bcc,) = desk.send(BY_BCC)
    desk.archive.delete(by_bcc.activity or "")
    (outcome,) = desk.send(cover(attached(SENT), fields=TO))
    assert (outcome.verdict, outcome.reason, outcome.activity) == (DUPLICATE, Reason.DELETED, None)


def test_a_covering_mail_that_was_handed_on_itself_is_kept() -> None:
    desk = Desk()
    first = cover(ANTWORT, fields=TO, text="Zur Ablage")
    within = first.replace("boundary-of", "inner-of")
    desk.send(cover(attached(within.encode("latin-1")), fields=TO, number=2))
    (outcome,) = desk.send(within)
    assert outcome.verdict is KEPT
    assert subjects(desk) == ["WG: Antwort 1", "WG: Antwort 1", "Antwort 1"]


def test_one_that_is_attached_twice_is_one() -> None:
    desk = Desk()
    desk.send(cover(ANTWORT, ANTWORT, fields=TO))
    assert subjects(desk) == ["Antwort 1"]


def test_what_its_recorder_deleted_stays_deleted() -> None:
    desk = Desk()
    both = cover(ANTWORT, attached(original(2)), fields=TO)
    desk.send(both)
    first, second = logged(desk)
    desk.archive.delete(first.id)
    (outcome,) = desk.send(both)
    assert (outcome.verdict, outcome.reason, outcome.activity) == (DUPLICATE, Reason.DUPLICATE, second.id)
    desk.archive.delete(second.id)
    (outcome,) = desk.send(both)
    assert (outcome.verdict, outcome.reason, outcome.activity) == (DUPLICATE, Reason.DELETED, None)
    assert logged(desk) == []


def test_the_ledger_has_a_row_for_the_recipient_and_one_for_each_mail() -> None:
    desk = Desk()
    (outcome,) = desk.send(cover(ANTWORT, attached(original(2)), fields=TO))
    first, second = logged(desk)
    rows = [(each.id, each.message_id, each.author, each.activity, each.queue_id) for each in desk.archive.ledger]
    ids = [row[0] for row in rows]
    assert len(set(ids)) == 3
    assert rows == [
        (outcome.ledger_id, "<f1@firma.example>", ANNA.email, first.id, "4bK1"),
        (ids[1], "<o1@kunde.example>", "one@kunde.example", first.id, "4bK1"),
        (ids[2], "<o2@kunde.example>", "one@kunde.example", second.id, "4bK1"),
    ]
    assert {each.verdict for each in desk.archive.ledger} == {KEPT}


# -- trouble --------------------------------------------------------------------------------------------------------


@dataclass
class Dying:
    """A reader that can read nothing that begins like this; ``deaths`` are counted."""

    words: bytes
    deaths: int = 0

    def read(self, raw: bytes) -> Mail:
        if not raw.startswith(self.words):
            return mime.read(raw)
        self.deaths += 1
        return mime.header_only(raw, "reading it failed")

    def read_soon(self, raw: bytes, done: Callable[[Mail], None]) -> None:
        done(self.read(raw))

    def attached(self, raw: bytes) -> Sequence[tuple[int, bytes]]:
        return () if raw.startswith(self.words) else mime.attached(raw)


def test_a_forward_that_could_not_be_read_is_one_activity() -> None:
    desk = Desk(reader=Dying(b"Received: from pc by mta"))
    (outcome,) = desk.send(cover(ANTWORT, fields=TO))
    (one,) = logged(desk)
    assert (outcome.activity, codes(one)) == (one.id, ["unreadable", "address_exposed"])


def test_nobody_waits_for_many_attached_mails_that_can_not_be_read() -> None:
    reader = Dying(b"X-Killer")
    desk = Desk(reader=reader)
    killers = [attached(b"X-Killer: x\r\n" + original(n)) for n in range(10)]
    desk.send(cover(attached(original(77)), *killers, attached(original(78)), fields=TO))
    assert subjects(desk) == ["WG: Antwort 1", "Antwort 77"]
    assert reader.deaths == 3


@pytest.mark.parametrize("reason", [Reason.STORE_DOWN, Reason.DISK_FULL])
def test_when_storing_fails_nothing_of_it_is_kept(reason: Reason) -> None:
    desk = Desk()
    desk.archive.failing = reason
    (outcome,) = desk.send(cover(ANTWORT, fields=TO))
    assert (outcome.verdict, outcome.reason) == (Verdict.DEFERRED, reason)
    assert logged(desk) == []


# -- explain --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "text", "said"),
    [
        (3, "", "attached mails that would be logged as themselves: 3; not the covering mail, which says nothing"),
        (1, "Zur Ablage", "attached mails that would be logged as themselves: 1; and the covering mail too"),
        (101, "", "101 attached mails are too many: none would be logged as itself"),
    ],
)
def test_explain_tells_what_becomes_of_a_forward(number: int, text: str, said: str) -> None:
    desk = Desk()
    told, met = _explained(desk, cover(*(attached(original(n)) for n in range(number)), fields=TO, text=text))
    assert ("forward", said) in told
    activities = 1 if number == 101 else number + bool(text)
    assert [rule for rule, _ in told].count("activity") == activities
    assert met == (None,) * activities
    assert logged(desk) == []


def test_explain_tells_what_of_a_forward_is_there() -> None:
    desk = Desk()
    desk.send(cover(ANTWORT, fields=TO))
    _, met = _explained(desk, cover(ANTWORT, attached(original(2)), fields=TO))
    assert met == (Reason.DUPLICATE, None)


@pytest.mark.parametrize("explained", ["by BCC", "handed on"])
@pytest.mark.parametrize("came", [(), ("by BCC",), ("handed on",), ("handed on", "by BCC")])
@pytest.mark.parametrize("deleted", [False, True])
def test_explain_says_of_a_mail_and_of_one_handed_on_what_would_become_of_it(
    explained: str, came: Sequence[str], deleted: bool
) -> None:
    ways = {"by BCC": BY_BCC, "handed on": cover(attached(SENT), fields=TO)}
    desk = Desk()
    for way in came:
        desk.send(ways[way])
    for activity in logged(desk) if deleted else ():
        desk.archive.delete(activity.id)
    _, (met,) = _explained(desk, ways[explained])
    (outcome,) = desk.send(ways[explained])
    assert outcome.reason is met
    known = came if explained == "handed on" else [way for way in came if way == explained]
    assert met is (None if not known else Reason.DELETED if deleted else Reason.DUPLICATE)


def _explained(desk: Desk, mail: str) -> tuple[list[tuple[str, str]], tuple[Reason | None, ...]]:
    told: list[tuple[str, str]] = []
    came = Envelope(relay=RELAY, sender=ANNA.email, addressees=())
    raw = mail.encode("latin-1")
    return told, desk.intake.explain(came, [ADDRESS], raw, lambda rule, said: told.append((rule, said)))
