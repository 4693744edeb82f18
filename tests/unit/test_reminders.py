"""The one loop of the reminders, on a store and a mail server in memory."""

import email
import email.policy
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email.header import decode_header, make_header
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mailgate import mailer as mailer_package
from mailgate import mime, reminders
from mailgate.domain.activity import Side
from mailgate.domain.address import fold
from mailgate.domain.content import Content
from mailgate.domain.handmade import HandmadeEntry
from mailgate.domain.notice import NewNotice
from mailgate.domain.record import RecordRef
from mailgate.domain.reminder import Claim, Reminded, Reminder, ReminderKey, ReminderState, day_to_remind
from mailgate.domain.user import Language
from mailgate.errors import BadInput, Deferred, Misconfigured, NotFound, Reason
from mailgate.mime.text import line as displayed
from mailgate.ports import HandedOver, Handing
from mailgate.reminders import Instance, remind

ZURICH = ZoneInfo("Europe/Zurich")
SENDER = "mailgate@firma.example"
HERE = Instance(sender=SENDER, language=Language.EN, zone=ZURICH)
TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def due(number: int = 1, **given: object) -> Reminder:
    one = Reminder(
        key=ReminderKey(TODAY, f"task-{number}", f"user{number}@firma.example"),
        record=RecordRef.parse("campaign:4711"),
        record_name="Herbst",
        topic="offer",
        subject="Offerte nachfassen",
        due_on=date(2026, 12, 4),
        recorder="anna@firma.example",
        recorder_name="Anna Muster",
        user_name="Luca Rossi",
        language=Language.IT,
    )
    return replace(one, **given)  # type: ignore[arg-type]  # tests hand over any field


@dataclass
class FakeReminders:
    waiting: list[Reminder]
    states: dict[ReminderKey, str] = field(default_factory=dict)
    notices: list[NewNotice] = field(default_factory=list)
    left: list[ReminderKey] = field(default_factory=list)
    taken_by_others: set[ReminderKey] = field(default_factory=set)
    asked: list[date] = field(default_factory=list)
    given_up_before: datetime | None = None
    broken: bool = False
    unlogged: dict[ReminderKey, Exception] = field(default_factory=dict)

    def due(self, today: date) -> Sequence[Reminder]:
        self.asked.append(today)
        return [one for one in self.waiting if one.key not in self.states]

    def claim(self, claim: Claim, today: date) -> Reminder | None:
        assert claim.key.remind_on <= today
        if claim.key in self.states or claim.key in self.taken_by_others:
            return None
        self.states[claim.key] = "claimed"
        return next(one for one in self.waiting if one.key == claim.key)

    def release(self, claim: Claim) -> None:
        assert self.states.pop(claim.key) == "claimed"

    def settle(self, claim: Claim, state: ReminderState, at: datetime) -> None:
        assert self.states[claim.key] == "claimed"
        assert at >= claim.at
        self.states[claim.key] = state.value

    def settle_sent(self, claim: Claim, notice: NewNotice) -> str:
        if self.broken:
            raise Deferred(Reason.STORE_DOWN)
        if claim.key in self.unlogged:
            raise self.unlogged[claim.key]
        self.settle(claim, ReminderState.SENT, notice.recorded_at)
        self.notices.append(notice)
        return f"activity-{len(self.notices)}"

    def give_up(self, before: datetime, at: datetime) -> Sequence[tuple[ReminderKey, RecordRef]]:
        assert before < at
        self.given_up_before = before
        return [(key, RecordRef.parse("campaign:4711")) for key in self.left]


@dataclass
class FakeMailer:
    """Answers one after the other; the last one is given on. Checks that a claim stands while it is asked."""

    answers: list[HandedOver | Exception] = field(default_factory=lambda: [HandedOver(Handing.TAKEN, "250 2.0.0 OK")])
    mails: list[tuple[str, str, bytes]] = field(default_factory=list)
    store: FakeReminders | None = None

    def hand_over(self, sender: str, recipient: str, mail: bytes) -> HandedOver:
        assert self.store is None or "claimed" in self.store.states.values()
        self.mails.append((sender, recipient, mail))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def run(store: FakeReminders, mailer: FakeMailer | None = None, at: datetime = NOW) -> list[Reminded]:
    mailer = mailer or FakeMailer()
    mailer.store = store
    return list(remind(store, mailer, HERE, lambda: at))


# -- when -------------------------------------------------------------------------------------------------------------

WHEN = [
    ("2026-11-22T04:59:59Z", None),
    ("2026-11-22T05:00:00Z", date(2026, 11, 22)),  # six in Zurich, in winter
    ("2026-07-01T03:59:59Z", None),
    ("2026-07-01T04:00:00Z", date(2026, 7, 1)),  # and in summer
    ("2026-11-22T22:59:59Z", date(2026, 11, 22)),
    ("2026-11-22T23:00:00Z", None),  # it is the next day there, and night
    ("2026-03-29T04:00:00Z", date(2026, 3, 29)),  # the day that has no two o'clock
    ("2026-10-25T04:59:00Z", None),  # the day that has it twice
    ("2026-10-25T05:00:00Z", date(2026, 10, 25)),
]


@pytest.mark.parametrize(("now", "day"), WHEN)
def test_reminders_go_out_from_six_in_the_time_zone_of_the_instance(now: str, day: date | None) -> None:
    assert day_to_remind(datetime.fromisoformat(now), ZURICH) == day


def test_before_six_nothing_is_asked_for_and_what_was_left_is_listed_all_the_same() -> None:
    store = FakeReminders([due()], left=[due(2).key])
    early = datetime(2026, 11, 22, 4, 59, tzinfo=UTC)
    assert [line.state for line in run(store, at=early)] == ["unknown"]
    assert (store.asked, store.states) == ([], {})


def test_the_day_is_that_of_the_instance() -> None:
    store = FakeReminders([])
    run(store, at=datetime(2026, 11, 22, 22, 30, tzinfo=UTC))
    assert store.asked == [TODAY]


# -- what becomes of it -----------------------------------------------------------------------------------------------

OUTCOMES = [
    (Handing.TAKEN, "sent", "sent", 1),
    (Handing.LATER, "later", None, 0),
    (Handing.REFUSED, "refused", "refused", 0),
    (Handing.UNKNOWN, "unknown", "unknown", 0),
]


@pytest.mark.parametrize(("handed", "told", "kept", "logged"), OUTCOMES)
def test_what_the_server_said_decides(handed: Handing, told: str, kept: str | None, logged: int) -> None:
    store = FakeReminders([due()])
    (line,) = run(store, FakeMailer([HandedOver(handed, "its words")]))
    assert (line.key, line.record, line.state, line.text) == (due().key, due().record, told, "its words")
    assert line.activity == ("activity-1" if logged else None)
    assert store.states.get(due().key) == kept
    assert len(store.notices) == logged


def test_later_means_again_at_the_next_run_and_sent_means_never() -> None:
    store, mailer = FakeReminders([due()]), FakeMailer()
    mailer.answers = [HandedOver(Handing.LATER, "451"), HandedOver(Handing.TAKEN, "250")]
    assert [[line.state for line in run(store, mailer)] for _ in range(3)] == [["later"], ["sent"], []]
    assert len(mailer.mails) == 2


def test_one_no_keeps_nobody_else_from_being_reminded() -> None:
    store = FakeReminders([due(number) for number in (1, 2, 3)])
    answers: list[HandedOver | Exception] = [HandedOver(state, "") for state in (Handing.REFUSED, Handing.LATER)]
    lines = run(store, FakeMailer([*answers, HandedOver(Handing.TAKEN, "")]))
    assert [(line.key.task, line.state) for line in lines] == [
        ("task-1", "refused"),
        ("task-2", "later"),
        ("task-3", "sent"),
    ]


def test_what_another_run_took_is_left_alone() -> None:
    store, mailer = FakeReminders([due(1), due(2)], taken_by_others={due(1).key}), FakeMailer()
    assert [line.key.task for line in run(store, mailer)] == ["task-2"]
    assert [to for _, to, _ in mailer.mails] == [due(2).key.email]


def test_a_fault_of_the_settings_leaves_everything_due() -> None:
    store = FakeReminders([due(1), due(2)])
    with pytest.raises(Misconfigured):
        run(store, FakeMailer([Misconfigured("outbound.smtp.username: ...")]))
    assert store.states == {}


def test_a_surprise_while_handing_over_leaves_the_claim_so_that_it_is_not_sent_again() -> None:
    store = FakeReminders([due()])
    with pytest.raises(RuntimeError):
        run(store, FakeMailer([RuntimeError()]))
    assert store.states == {due().key: "claimed"}


def test_a_store_that_fails_after_the_mail_was_sent_leaves_the_claim() -> None:
    store = FakeReminders([due(1), due(2)], broken=True)
    with pytest.raises(Deferred):
        run(store)
    assert store.states == {due(1).key: "claimed"}


def test_one_that_can_not_be_written_is_told_and_the_others_go_out(monkeypatch: pytest.MonkeyPatch) -> None:
    compose = reminders.compose

    def trip(one: Reminder, language: Language) -> Content:
        if one.key.task == "task-1":
            raise ValueError("a secret of a task")
        return compose(one, language)

    monkeypatch.setattr(reminders, "compose", trip)
    store, mailer = FakeReminders([due(1), due(2)]), FakeMailer()
    assert [(line.state, line.text) for line in run(store, mailer)] == [
        ("refused", "not sent, this is a bug of mailgate, please report it: ValueError"),
        ("sent", "250 2.0.0 OK"),
    ]
    assert store.states == {due(1).key: "refused", due(2).key: "sent"}
    assert [to for _, to, _ in mailer.mails] == [due(2).key.email]


BREAKS = ["x@firma.example\r\nBcc: evil@else.example", "x@firma.example\r\n", "x\n y@firma.example", "a\0b", "a" * 995]


@pytest.mark.parametrize("address", BREAKS)
def test_an_address_that_would_break_the_header_is_refused_and_not_sent(address: str) -> None:
    """No rule lets one in; were there one, nothing would go out."""
    key = ReminderKey(TODAY, "task-1", address)
    store, mailer = FakeReminders([due(key=key), due(2)]), FakeMailer()
    assert [line.state for line in run(store, mailer)] == ["refused", "sent"]
    assert [to for _, to, _ in mailer.mails] == [due(2).key.email]


UNLOGGED = [NotFound("no task 1, and its record is gone too"), BadInput("<1@x> was deleted by its recorder")]


@pytest.mark.parametrize("error", UNLOGGED)
def test_one_that_was_sent_and_can_not_be_logged_is_sent_and_the_others_go_out(error: Exception) -> None:
    store = FakeReminders([due(1), due(2)], unlogged={due(1).key: error})
    assert [(line.state, line.text, line.activity) for line in run(store)] == [
        ("sent", f"250 2.0.0 OK; not logged: {error}", None),
        ("sent", "250 2.0.0 OK", "activity-1"),
    ]
    assert store.states == {due(1).key: "sent", due(2).key: "sent"}


def test_lines_are_told_as_they_are_known() -> None:
    store, mailer = FakeReminders([due(1), due(2)]), FakeMailer()
    told = remind(store, mailer, HERE, lambda: NOW)
    assert next(told).state == "sent"
    assert len(mailer.mails) == 1


def test_what_a_run_left_behind_is_listed_first_and_not_sent() -> None:
    store, mailer = FakeReminders([due(1)], left=[due(2).key]), FakeMailer()
    lines = run(store, mailer)
    assert [(line.key.task, line.state) for line in lines] == [("task-2", "unknown"), ("task-1", "sent")]
    assert "not sent again" in lines[0].text
    assert [to for _, to, _ in mailer.mails] == [due(1).key.email]


def test_only_what_is_older_than_any_hand_over_is_given_up() -> None:
    store = FakeReminders([])
    run(store)
    assert store.given_up_before == NOW - timedelta(minutes=15)
    assert timedelta(seconds=mailer_package.Patience().longest) < reminders.LONGEST


# -- the mail ---------------------------------------------------------------------------------------------------------


def sent(one: Reminder) -> tuple[email.message.EmailMessage, FakeReminders]:
    store, mailer = FakeReminders([one]), FakeMailer()
    run(store, mailer)
    ((sender, recipient, raw),) = mailer.mails
    assert (sender, recipient) == (SENDER, one.key.email)
    assert b"\n" not in raw.replace(b"\r\n", b"")
    return email.message_from_bytes(raw, policy=email.policy.default), store


def test_the_mail_is_whole() -> None:
    mail, _ = sent(due())
    fields = {name: str(value) for name, value in mail.items()}
    assert fields == {
        "From": SENDER,
        "To": "user1@firma.example",
        "Subject": "Promemoria: Offerte nachfassen",
        "Date": "Sun, 22 Nov 2026 09:00:00 +0000",
        "Message-ID": reminders.message_id(due().key, SENDER),
        "Auto-Submitted": "auto-generated",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "quoted-printable",
        "Content-Language": "it",
        "MIME-Version": "1.0",
    }
    assert fields["Message-ID"].endswith("@firma.example>")


LANGUAGES = [
    (Language.DE, "Erinnerung: ", "Fällig am: 4. Dezember 2026", "Thema: Angebot"),
    (Language.EN, "Reminder: ", "Due: 4 December 2026", "Topic: Offer"),
    (Language.FR, "Rappel\u00a0: ", "Échéance\u00a0: 4 décembre 2026", "Thème\u00a0: Offre"),
    (Language.IT, "Promemoria: ", "Scadenza: 4 dicembre 2026", "Tema: Offerta"),
    (None, "Reminder: ", "Due: 4 December 2026", "Topic: Offer"),  # the instance's
]


@pytest.mark.parametrize(("language", "subject", "day", "topic"), LANGUAGES)
def test_each_user_is_reminded_in_their_own_language(
    language: Language | None, subject: str, day: str, topic: str
) -> None:
    mail, store = sent(due(language=language))
    text = mail.get_content().replace("\r\n", "\n")
    assert mail["Subject"] == f"{subject}Offerte nachfassen"
    assert {day, topic} <= set(text.splitlines())
    assert "campaign:4711" in text
    used = language or Language.EN
    assert mail["Content-Language"] == used
    (notice,) = store.notices
    assert notice.content == {used: Content(subject=mail["Subject"], text=text)}
    assert notice.sent_languages == {due().key.email: (used,)}


def test_a_task_without_a_due_date_is_reminded_of() -> None:
    mail, _ = sent(due(due_on=None))
    assert "Scadenza" not in mail.get_content()


def test_a_topic_that_this_version_does_not_know_is_named_by_its_key() -> None:
    mail, _ = sent(due(topic="payout"))
    assert "Tema: payout" in mail.get_content()


def test_what_people_typed_adds_no_field() -> None:
    evil = "x\r\nBcc: evil@else.example\r\n\r\nHello"
    mail, _ = sent(due(subject=evil, record_name=evil, user_name=evil, recorder_name=evil))
    assert "Bcc" not in mail
    assert mail["Subject"] == "Promemoria: x Bcc: evil@else.example Hello"
    assert not any(line.startswith(("Bcc", "Hello")) for line in mail.get_content().splitlines())


@pytest.mark.parametrize("address", ["jürg@firma.example", '"a, b"@firma.example', "o'neil+x@firma.example"])
def test_any_address_is_written_as_it_is(address: str) -> None:
    mailer = FakeMailer()
    run(FakeReminders([due(key=ReminderKey(TODAY, "task-1", address))]), mailer)
    assert f"\r\nTo: {address}\r\n".encode() in mailer.mails[0][2]


INJECTED = (
    "=?utf-8?q?Rechnung=0D=0AReply-To:_evil@else.example=0D=0AContent-Type:_text/html"
    '=0D=0A=0D=0A<a_href=3D"https://else.example">Login</a>?='
)
FRAGMENTS = [
    "=?",
    "?=",
    "=?utf-8?q?=0D=0ABcc=3A_x=40y?=",
    "=?utf-8?b?DQpCY2M6IHg=?=",
    "=?us-ascii?q?",
    "_",
    " ",
    "  ",
    ",",
    ";",
]
WORDS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=40), min_size=1, max_size=8).map("".join)


def taken_subject(text: str) -> str | None:
    """Give a subject as the rules take it."""
    try:
        return HandmadeEntry.read(type_="task", topic="offer", subject=text).subject
    except BadInput:
        return None


def taken_address(local: str, *, quoted: bool) -> str | None:
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    try:
        return fold(f'"{escaped}"@bücher.example' if quoted else f"{local}@firma.example")
    except BadInput:
        return None


SUBJECTS = WORDS.map(taken_subject).filter(bool).map(str)
ADDRESSES = st.builds(taken_address, WORDS.map(lambda text: text[:30]), quoted=st.booleans()).filter(bool).map(str)
NAMES = [
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"),
    *("Content-Transfer-Encoding", "Content-Language"),
]


@example(INJECTED, INJECTED, "=?utf-8?q?=0d=0abcc=3a_e=40x?=@firma.example", SENDER, Language.DE)
@example("Offerte", "ö " * 100, "jürg@firma.example", '"a, =?utf-8?q?=0a?="@firma.example', Language.FR)
@given(SUBJECTS, WORDS, ADDRESSES, ADDRESSES, st.sampled_from(Language))
@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], deadline=None)
def test_whatever_the_rules_take_is_read_as_it_was_typed(
    subject: str, name: str, recipient: str, sender: str, language: Language
) -> None:
    key = ReminderKey(TODAY, "task-1", recipient)
    one = due(key=key, subject=subject, record_name=name, user_name=name, recorder_name=name)
    words = reminders.compose(one, language)
    claim = Claim(key=key, message_id=reminders.message_id(key, SENDER), at=NOW)
    raw = reminders.write(claim, words, language, sender)

    head, _, body = raw.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b" ")]
    assert [line.partition(b": ")[0].decode() for line in lines] == NAMES
    assert lines[:2] == [f"From: {sender}".encode(), f"To: {recipient}".encode()]
    assert body.isascii()
    assert max(map(len, raw.split(b"\r\n"))) < 998
    assert not re.search(rb"[\r\n]", raw.replace(b"\r\n", b""))

    for policy in (email.policy.compat32, email.policy.default, email.policy.SMTPUTF8):
        mail = email.message_from_bytes(raw, policy=policy)
        assert mail.keys() == NAMES
        assert not mail.is_multipart()
        content = mail.get_payload(decode=True)
        assert isinstance(content, bytes)
        assert content.decode().replace("\r\n", "\n") == words.text
    assert email.message_from_bytes(raw, policy=email.policy.default)["Subject"] == words.subject
    coded = str(email.message_from_bytes(raw)["Subject"])
    assert str(make_header(decode_header(coded))) == words.subject

    seen = mime.read(raw)
    shown = (displayed(words.subject), words.text, "", ())  # our own reader leaves out what can't be seen in a line
    assert (seen.subject, seen.text, seen.html, seen.documents) == shown
    # an address with what looks like an encoded word is none to our own reader
    parties = {header: "" if "=?" in one else one for header, one in (("from", sender), ("to", recipient))}
    assert {party.header: party.email for party in seen.parties} == parties


def test_the_message_id_is_the_same_for_the_same_reminder_only() -> None:
    key = due().key
    others = [replace(key, task="x"), replace(key, email="x@firma.example"), replace(key, remind_on=date(2027, 1, 1))]
    ids = {reminders.message_id(one, SENDER) for one in [key, key, *others]}
    assert len(ids) == 4


# -- its activity -----------------------------------------------------------------------------------------------------


def test_what_was_sent_is_logged_as_the_recorders_on_the_tasks_record_under_its_topic() -> None:
    _, store = sent(due())
    (notice,) = store.notices
    assert notice.kind == "task_reminder"
    assert notice.record == RecordRef.parse("campaign:4711")
    assert notice.topic == "offer"
    assert notice.triggered_by == "anna@firma.example"
    assert notice.message_id == reminders.message_id(due().key, SENDER)
    assert (notice.occurred_at, notice.recorded_at) == (NOW, NOW)
    (participant,) = notice.participants
    assert (participant.email, participant.header, participant.side) == (due().key.email, "to", Side.INTERNAL)
