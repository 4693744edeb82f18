from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import pytest

from mailgate import events
from mailgate.domain.activity import Activity
from mailgate.domain.content import Content
from mailgate.domain.document import NewDocument
from mailgate.domain.language import Chosen, Notification
from mailgate.domain.record import Edition, Record, RecordKind, RecordRef, RoledRecord
from mailgate.domain.user import Language, User
from mailgate.errors import BadInput, NotFound
from mailgate.outbound import Instance, Outbound
from mailgate.store.identifiers import new_id
from tests.fakes import FakeDirectory, FakeNotices, FakeSpeakers
from tests.worlds import ANNA, BEAT, CAMPAIGN, DOMAIN, JOB, NOW, World, address, person, ref

DE, EN, FR, IT = Language
ALL = (DE, EN, FR, IT)
CLIENT = "nora@kunde.example"
FRENCH = "luc@kunde.example"
STRANGER = "else@else.example"
LUCA = User(email="luca@firma.example", name="Luca", language=IT)
CONTRACT = ref("publisher_contract:1")
INSTANCE = Instance(domain=DOMAIN, edition=Edition.MARKETER, language=EN, max_size=20_000, max_header_size=2_000)

OUTBOUND_WORLD = World(
    users=(ANNA, BEAT, JOB, LUCA),
    records=(
        person("contact:1", CLIENT, "pair@kunde.example", customer="customer:7"),
        replace(person("contact:2", FRENCH, "pair@kunde.example", customer="customer:7"), language="fr"),
        person("lead:5", "lead@kunde.example"),
        Record(record=ref("customer:7"), name="Kunde AG", language="it"),
        Record(
            record=CAMPAIGN,
            name="Herbst",
            relations=(RoledRecord("customer", ref("customer:7")),),
        ),
        Record(record=CONTRACT, name="Verlag", language="fr"),
        Record(record=ref("publisher_contract:2"), name="Alter Verlag"),
        Record(record=ref("opportunity:1"), name="Chance"),
        Record(record=ref("deal_group:1"), name="Deals"),
    ),
    addresses=(address("aaaa", CAMPAIGN), address("bbbb", ref("customer:7"))),
)


@dataclass
class Office:
    """The outbound module over the fakes."""

    instance: Instance = INSTANCE
    notices: FakeNotices = field(default_factory=lambda: FakeNotices(OUTBOUND_WORLD))

    def __post_init__(self) -> None:
        self.enter(OUTBOUND_WORLD)

    def enter(self, world: World) -> None:
        """Go on in another world, with what was logged."""
        self.outbound = Outbound(FakeDirectory(world), FakeSpeakers(world), self.notices, self.instance, lambda: NOW)

    def speak(self, language: Language | None, instance: Language = EN) -> None:
        """Set this language on everybody and everything by now."""
        users = tuple(replace(user, language=language) for user in OUTBOUND_WORLD.users)
        records = tuple(replace(record, language=language) for record in OUTBOUND_WORLD.records)
        self.instance = replace(self.instance, language=instance)
        self.enter(replace(OUTBOUND_WORLD, users=users, records=records))

    def log(self, kind: str = "mail", **changes: Any) -> Activity:
        given: dict[str, Any] = {
            "record": "campaign:4711",
            "triggered_by": ANNA.email,
            "recipients": [CLIENT],
            "sent_at": NOW,
            "message_id": "<1@firma.example>",
            "content": words(*ALL),
            **changes,
        }
        return self.outbound.log(kind=kind, **given)

    def log_mail(self, raw: bytes, kind: str = "mail", **changes: Any) -> Activity:
        given: dict[str, Any] = {
            "record": "campaign:4711",
            "triggered_by": ANNA.email,
            "languages": ["de"],
            **changes,
        }
        return self.outbound.log_mail(raw, kind=kind, **given)


@pytest.fixture
def office() -> Office:
    return Office()


def words(*languages: Language) -> dict[Language, Content]:
    return {one: Content(f"Subject {one.value}", f"Text {one.value}") for one in languages}


def a_mail(*more: str, to: str = CLIENT, cc: str = "", number: int = 1, body: str = "Guten Tag") -> bytes:
    lines = [
        "From: CRM <crm@firma.example>",
        f"To: {to}",
        *([f"Cc: {cc}"] if cc else []),
        "Subject: Rechnung",
        "Date: Fri, 20 Nov 2026 12:00:00 +0100",
        f"Message-ID: <{number}@firma.example>",
        *more,
        "",
        body,
        "",
    ]
    return "\r\n".join(lines).encode()


# -- which languages --------------------------------------------------------------------------------------------------

ASKED: list[tuple[str, str, list[str], Mapping[str, tuple[Language, ...]], tuple[Language, ...]]] = [
    ("birthday_reminder", "contact:1", [ANNA.email], {ANNA.email: (DE,)}, (DE,)),
    ("birthday_reminder", "contact:1", ["ANNA@mobil.example"], {"anna@mobil.example": (DE,)}, (DE,)),
    ("birthday_reminder", "contact:1", [BEAT.email], {BEAT.email: (EN,)}, (EN,)),
    ("screenshots", "campaign:4711", [CLIENT, STRANGER], {CLIENT: ALL, STRANGER: ALL}, ALL),
    ("reporting", "campaign:4711", [], {}, ALL),
    (
        "creative_request",
        "campaign:4711",
        [CLIENT, FRENCH, STRANGER, ANNA.email, FRENCH],
        {CLIENT: (IT,), FRENCH: (FR,), STRANGER: (EN,), ANNA.email: (EN,)},
        (EN,),
    ),
    ("creative_request", "campaign:4711", ["pair@kunde.example"], {"pair@kunde.example": (FR,)}, (EN,)),
    ("invoice", "customer:7", [CLIENT], {CLIENT: ALL}, ALL),
    ("payout_statement", "publisher_contract:1", [STRANGER], {STRANGER: (FR,)}, (FR,)),
    ("task_reminder", "deal_group:1", [LUCA.email], {LUCA.email: (IT,)}, (IT,)),
    ("mail", "opportunity:1", [CLIENT], {CLIENT: ()}, ()),
]


@pytest.mark.parametrize(("kind", "record", "recipients", "send", "log"), ASKED)
def test_each_kind_says_its_languages_before_it_is_sent(
    *,
    office: Office,
    kind: str,
    record: str,
    recipients: list[str],
    send: Mapping[str, tuple[Language, ...]],
    log: tuple[Language, ...],
) -> None:
    asked = office.outbound.languages(kind, record=record, triggered_by=JOB.email, recipients=recipients)
    assert asked == Chosen(send, log)
    assert not office.notices.kept


NOT_ASKED: list[tuple[str, str, str | None, list[str], type[Exception], str]] = [
    ("newsletter", "campaign:4711", None, [], BadInput, "newsletter"),
    ("screenshots", "campaign", None, [], BadInput, "record: 'campaign'"),
    ("screenshots", "customer:7", None, [], BadInput, "record: screenshots stands on campaign, not on customer"),
    ("screenshots", "campaign:1", None, [], NotFound, "campaign:1"),
    ("screenshots", "campaign:4711", "nobody@firma.example", [], NotFound, "nobody@firma.example"),
    ("screenshots", "campaign:4711", None, ["kunde"], BadInput, "recipients[0]: 'kunde'"),
    ("screenshots", "campaign:4711", None, [f"aaaa@{DOMAIN}"], BadInput, "recipients[0]: a record address"),
    ("birthday_reminder", "contact:1", None, [CLIENT], BadInput, CLIENT),
    ("birthday_reminder", "contact:1", None, [ANNA.email, LUCA.email], BadInput, "one language"),
    ("task_reminder", "campaign:4711", None, [], BadInput, "recipients"),
    ("payout_statement", "publisher_contract:2", None, [], BadInput, "set it"),
]


@pytest.mark.parametrize(("kind", "record", "by", "recipients", "error", "named"), NOT_ASKED)
def test_what_can_not_be_asked_is_named(
    *, office: Office, kind: str, record: str, by: str | None, recipients: list[str], error: type[Exception], named: str
) -> None:
    with pytest.raises(error) as caught:
        office.outbound.languages(kind, record=record, triggered_by=by, recipients=recipients)
    assert named in str(caught.value)


# -- the log ----------------------------------------------------------------------------------------------------------

LOGGED: list[tuple[str, str, list[str], tuple[Language, ...], str]] = [
    ("birthday_reminder", "contact:1", [ANNA.email], (DE,), "customer_care"),
    ("screenshots", "campaign:4711", [CLIENT], ALL, "screenshots"),
    ("reporting", "campaign:4711", [CLIENT], ALL, "reporting"),
    ("creative_request", "campaign:4711", [FRENCH], (EN,), "creatives"),
    ("invoice", "campaign:4711", [CLIENT], ALL, "billing"),
    ("invoice", "customer:7", [CLIENT], ALL, "other"),
    ("payout_statement", "publisher_contract:1", [STRANGER], (FR,), "payout"),
    ("task_reminder", "deal_group:1", [LUCA.email], (IT,), "other"),
    ("mail", "lead:5", ["lead@kunde.example"], ALL, "other"),
]


@pytest.mark.parametrize(("kind", "record", "recipients", "logged", "topic"), LOGGED)
def test_each_kind_is_logged_in_its_languages_under_its_topic(
    *, office: Office, kind: str, record: str, recipients: list[str], logged: tuple[Language, ...], topic: str
) -> None:
    made = office.log(kind, record=record, recipients=recipients)
    assert made.languages == tuple(logged)
    assert (str(made.record), made.topic, made.origin, made.trust) == (record, topic, "system", "none")
    unneeded = [one.value for one in ALL if one not in logged]
    ignored = [note.text for note in made.notes if note.code == "language_ignored"]
    assert len(ignored) == bool(unneeded)
    assert all(code in ignored[0] for code in unneeded)


@pytest.mark.parametrize(("kind", "record", "recipients", "logged", "topic"), LOGGED)
def test_each_language_that_is_missing_is_named(
    *, office: Office, kind: str, record: str, recipients: list[str], logged: tuple[Language, ...], topic: str
) -> None:
    given = {} if kind == "mail" else words(*(one for one in ALL if one not in logged))
    with pytest.raises(BadInput) as caught:
        office.log(kind, record=record, recipients=recipients, content=given)
    assert all(one.value in str(caught.value) for one in logged)
    assert not office.notices.kept


def test_a_mail_of_any_other_kind_is_logged_as_given(office: Office) -> None:
    made = office.log("mail", content=words(IT, DE))
    assert made.languages == ("de", "it")
    assert made.subject == "Subject de / Subject it"
    assert made.sent_languages == {CLIENT: ("de", "it")}


NOT_LOGGED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"kind": "newsletter"}, BadInput, "newsletter"),
    ({"kind": "reporting", "record": "contact:1"}, BadInput, "record: reporting stands on campaign"),
    ({"record": "campaign:1"}, NotFound, "campaign:1"),
    ({"triggered_by": "nobody@firma.example"}, NotFound, "triggered_by: no user nobody@firma.example"),
    ({"triggered_by": CLIENT}, NotFound, CLIENT),
    ({"recipients": []}, BadInput, "recipients"),
    ({"kind": "birthday_reminder", "record": "contact:1"}, BadInput, CLIENT),
    (
        {"kind": "birthday_reminder", "record": "contact:1", "recipients": [ANNA.email, LUCA.email]},
        BadInput,
        f"{ANNA.email} (de), {LUCA.email} (it)",
    ),
    ({"kind": "payout_statement", "record": "publisher_contract:2"}, BadInput, "set it"),
    ({"sent_at": datetime(2026, 11, 22)}, BadInput, "sent_at"),  # noqa: DTZ001 - that is what is refused
    ({"message_id": "1@firma.example"}, BadInput, "message_id"),
    ({"content": {"de": Content("a\nb")}}, BadInput, "content.de.subject"),
    ({"content": {"es": Content("a")}}, BadInput, "content: 'es'"),
    ({"documents": [NewDocument("../../x", "a/b", b"")]}, BadInput, "documents[0].name"),
    ({"documents": [NewDocument("x", "", b"")]}, BadInput, "documents[0].type"),
    ({"documents": [NewDocument("x", "a/b", b"x" * 40_000)]}, BadInput, "40000 bytes, twice smtp.max_size"),
    ({"kind": "task_reminder", "recipients": [LUCA.email], "task": new_id()}, NotFound, "no activity"),
]


@pytest.mark.parametrize(("changes", "error", "named"), NOT_LOGGED, ids=[row[2][:40] for row in NOT_LOGGED])
def test_what_can_not_be_logged_is_named_and_nothing_is_written(
    office: Office, changes: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error) as caught:
        office.log(**changes)
    assert named in str(caught.value)
    assert not office.notices.kept


@pytest.mark.parametrize("record", ["publisher_contract:1", "publisher_contract:999"])
def test_the_edition_that_has_no_publisher_contracts_is_named(record: str) -> None:
    office = Office(replace(INSTANCE, edition=Edition.PUBLISHER))
    for kind in ("payout_statement", "mail"):
        with pytest.raises(BadInput, match="edition publisher"):
            office.log(kind, record=record)
        with pytest.raises(BadInput, match="edition publisher"):
            office.outbound.languages(kind, record=record)


@pytest.mark.parametrize(
    ("by", "recorder"),
    [
        (ANNA.email, ANNA.email),
        ("A" + ANNA.aliases[0][1:], ANNA.email),
        (BEAT.email, BEAT.email),  # is disabled
        (JOB.email, JOB.email),  # has no role
    ],
)
def test_who_triggered_it_is_the_recorder(office: Office, by: str, recorder: str) -> None:
    assert office.log(triggered_by=by).recorder == recorder


def test_recipients_take_part(office: Office) -> None:
    made = office.log(recipients=[CLIENT, "Anna@mobil.example", STRANGER, "pair@kunde.example", CLIENT])
    assert [(one.email, one.header, one.side, one.record) for one in made.participants] == [
        (CLIENT, "to", "external", ref("contact:1")),
        ("anna@mobil.example", "to", "internal", None),
        (STRANGER, "to", "external", None),
        ("pair@kunde.example", "to", "external", None),
    ]
    assert [note.code for note in made.notes] == ["contact_ambiguous"]


def test_a_reminder_has_the_topic_of_its_task(office: Office) -> None:
    there, gone = new_id(), new_id()
    office.notices.tasks = {there: (CAMPAIGN, "offer"), gone: (CAMPAIGN, None)}
    for n, (task, topic) in enumerate([(there, "offer"), (gone, "other"), (None, "other")]):
        made = office.log("task_reminder", recipients=[LUCA.email], task=task, message_id=f"<{n}@firma.example>")
        assert made.topic == topic


@pytest.mark.parametrize(
    ("sent_at", "occurred_at", "notes"),
    [
        (datetime(2026, 11, 20, 9, tzinfo=timezone(timedelta(hours=1))), datetime(2026, 11, 20, 8, tzinfo=UTC), []),
        (NOW + timedelta(minutes=59), NOW + timedelta(minutes=59), []),
        (NOW + timedelta(minutes=61), NOW, ["date_absurd"]),
        (datetime(1989, 12, 31, tzinfo=UTC), NOW, ["date_absurd"]),
    ],
)
def test_it_happened_when_it_was_sent(
    office: Office, sent_at: datetime, occurred_at: datetime, notes: list[str]
) -> None:
    made = office.log(sent_at=sent_at)
    assert (made.occurred_at, made.recorded_at) == (occurred_at, NOW)
    assert [note.code for note in made.notes] == notes


def test_html_is_made_safe_like_that_of_a_mail(office: Office) -> None:
    html = '<p onclick="x()">Hallo<script>x()</script> <img src="https://spy.example/1.gif">'
    html += '<a href="https://kunde.example/a">da</a> <a href="javascript:x()">dort</a></p>'
    made = office.log(content={"de": Content("Hallo", "Siehe https://kunde.example/b", html)})
    assert made.html is not None
    assert "Hallo" in made.html
    assert "https://kunde.example/a" in made.html
    assert not any(bad in made.html for bad in ("script", "onclick", "spy.example"))
    assert made.text == "Siehe https://kunde.example/b"
    assert made.links == ("https://kunde.example/b", "https://kunde.example/a")
    assert [note.code for note in made.notes] == ["remote_images"]


def test_words_are_not_lost_with_html_that_is_too_much() -> None:
    office = Office(replace(INSTANCE, max_size=10_000_000))
    made = office.log(content={"de": Content("Hallo", "", "<p>Hallo</p>" + "<b>" * 300_001)})
    assert (made.text, made.html) == ("Hallo", "")
    assert [note.code for note in made.notes] == ["defects"]


def test_in_which_languages_each_got_it_is_kept_as_the_job_says(office: Office) -> None:
    sent = {FRENCH.upper(): ["fr", "it"], CLIENT: [DE]}
    made = office.log("creative_request", recipients=[CLIENT, FRENCH, STRANGER], sent_languages=sent)
    assert made.sent_languages == {CLIENT: ("de",), FRENCH: ("fr", "it")}
    assert made.languages == ("en",)


def test_else_it_is_kept_as_the_rule_says(office: Office) -> None:
    made = office.log("creative_request", recipients=[CLIENT, FRENCH])
    assert made.sent_languages == {CLIENT: ("it",), FRENCH: ("fr",)}


# -- again ------------------------------------------------------------------------------------------------------------

SAME: list[dict[str, Any]] = [
    {},
    {"sent_at": NOW - timedelta(days=1)},
    {"recipients": [STRANGER, CLIENT, CLIENT]},
    {"triggered_by": ANNA.aliases[0]},
    {"content": {**words(*ALL), DE: Content("Subject de", "Text de", "")}},
]
OTHER: list[dict[str, Any]] = [
    {"kind": "reporting"},
    {"triggered_by": LUCA.email},
    {"recipients": [CLIENT]},
    {"recipients": [CLIENT, FRENCH]},
    {"content": {**words(*ALL), IT: Content("Subject it", "Testo")}},
    {"content": {**words(*ALL), IT: Content("Oggetto", "Text it")}},
    {"content": {**words(*ALL), IT: Content("Subject it", "Text it", "<p>x</p>")}},
    {"sent_languages": {CLIENT: ["de"]}},
    {"documents": [NewDocument("a.pdf", "a/b", b"1")]},
]


@pytest.mark.parametrize("changes", SAME)
def test_the_same_again_is_the_first_activity(office: Office, changes: dict[str, Any]) -> None:
    first = office.log("screenshots", recipients=[CLIENT, STRANGER])
    assert office.log("screenshots", **{"recipients": [CLIENT, STRANGER], **changes}) == first
    assert len(office.notices.kept) == 1


@pytest.mark.parametrize("changes", OTHER, ids=[next(iter(row)) for row in OTHER])
def test_other_content_under_the_same_key_is_refused(office: Office, changes: dict[str, Any]) -> None:
    office.log("screenshots", recipients=[CLIENT, STRANGER])
    with pytest.raises(BadInput, match=r"<1@firma.example> is logged with other content"):
        office.log(**{"kind": "screenshots", "recipients": [CLIENT, STRANGER], **changes})
    assert len(office.notices.kept) == 1


@pytest.mark.parametrize("change", [("name", "b.pdf"), ("type", "a/c"), ("content", b"2")])
def test_another_document_is_other_content(office: Office, change: tuple[str, Any]) -> None:
    document = NewDocument("a.pdf", "a/b", b"1")
    office.log(documents=[document])
    with pytest.raises(BadInput, match="other content"):
        office.log(documents=[replace(document, **dict([change]))])
    assert office.log(documents=[document]).documents


@pytest.mark.parametrize("kind", ["screenshots", "mail"])
def test_saying_what_the_rule_says_is_the_same(office: Office, kind: str) -> None:
    recipients = [CLIENT, STRANGER]
    said = {STRANGER: ["it", "fr", "en", "de"], CLIENT: list(ALL)}
    first = office.log(kind, recipients=recipients)
    assert office.log(kind, recipients=recipients, sent_languages=said) == first
    with pytest.raises(BadInput, match="other content"):
        office.log(kind, recipients=recipients, sent_languages={CLIENT: list(ALL)})
    second = office.log(kind, recipients=recipients, sent_languages=said, message_id="<2@firma.example>")
    assert office.log(kind, recipients=recipients, message_id="<2@firma.example>") == second
    assert len(office.notices.kept) == 2


def test_saying_to_each_contact_what_the_rule_says_is_the_same(office: Office) -> None:
    first = office.log("creative_request", recipients=[CLIENT, FRENCH])
    said: dict[str, Any] = {CLIENT: ["it"], FRENCH: ["fr"]}
    assert office.log("creative_request", recipients=[CLIENT, FRENCH], sent_languages=said) == first
    with pytest.raises(BadInput, match="other content"):
        office.log("creative_request", recipients=[CLIENT, FRENCH], sent_languages={**said, FRENCH: ["it"]})


CHANGED: list[tuple[str, str, list[str], Mapping[Language, Content]]] = [
    ("birthday_reminder", "contact:1", [LUCA.email], words(IT)),
    ("birthday_reminder", "contact:1", [LUCA.email], words(DE, IT)),
    ("task_reminder", "campaign:4711", [LUCA.email], words(IT)),
    ("payout_statement", "publisher_contract:1", [CLIENT], words(FR)),
    ("creative_request", "campaign:4711", [CLIENT, FRENCH], words(EN)),
    ("creative_request", "campaign:4711", [CLIENT, FRENCH], words(DE, EN)),
    ("invoice", "campaign:4711", [CLIENT], words(*ALL)),
    ("mail", "campaign:4711", [CLIENT], words(DE, FR)),
]


@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize(("kind", "record", "recipients", "content"), CHANGED)
def test_the_same_again_is_the_first_activity_whatever_language_was_set_since(
    *, office: Office, kind: str, record: str, recipients: list[str], content: Mapping[Language, Content], said: bool
) -> None:
    first = office.log(kind, record=record, recipients=recipients, content=content)
    again: dict[str, Any] = {"record": record, "recipients": recipients, "content": content}
    again |= {"sent_languages": first.sent_languages} if said else {}
    for now in (DE, None):
        office.speak(now, instance=DE)
        assert office.log(kind, **again) == first
    assert len(office.notices.kept) == 1


def test_the_same_finished_mail_again_is_the_first_activity_whatever_language_was_set_since(office: Office) -> None:
    raw = a_mail(to=LUCA.email)
    given: dict[str, Any] = {"record": "contact:1", "languages": ["it"]}
    first = office.log_mail(raw, "birthday_reminder", **given)
    nameless = raw.replace(b"Message-ID", b"X-Message-ID")
    second = office.log_mail(nameless, "birthday_reminder", **given)
    office.speak(DE)
    assert office.log_mail(raw, "birthday_reminder", **given) == first
    assert office.log_mail(nameless, "birthday_reminder", **given) == second
    with pytest.raises(BadInput, match=r"^language: .*missing: de"):
        office.log_mail(a_mail(to=LUCA.email, number=2), "birthday_reminder", **given)
    with pytest.raises(BadInput, match=r"^language: .*missing: de"):
        office.log_mail(raw, "birthday_reminder", **{**given, "triggered_by": LUCA.email})


def test_a_finished_mail_in_another_language_is_other_content(office: Office) -> None:
    raw = a_mail(number=3)
    office.log(content=words(DE), message_id="<3@firma.example>")
    in_english = office.log_mail(raw, languages=["en"])
    assert in_english.message_id == "<3@firma.example>"
    with pytest.raises(BadInput, match="other content"):
        office.log_mail(raw, languages=["de"])


def test_more_languages_of_any_other_mail_make_another_activity(office: Office) -> None:
    first = office.log(content=words(DE))
    assert office.log(content=words(DE, FR)).languages == ("de", "fr")
    assert office.log(content=words(DE)) == first
    mail = office.log_mail(a_mail(number=2), languages=["de"])
    assert office.log_mail(a_mail(number=2), languages=["de", "it"]).languages == ("de", "it")
    assert office.log_mail(a_mail(number=2), languages=["de"]) == mail


@pytest.mark.parametrize("said", [None, {LUCA.email: ["it"]}])
def test_other_content_is_no_first_activity_whatever_language_was_set_since(office: Office, said: Any) -> None:
    birthday: dict[str, Any] = {"record": "contact:1", "recipients": [LUCA.email], "sent_languages": said}
    office.log("birthday_reminder", content=words(IT), **birthday)
    office.speak(DE)
    for other in ({"content": {IT: Content("Auguri", "Ciao")}}, {"content": words(IT), "triggered_by": LUCA.email}):
        with pytest.raises(BadInput, match=r"missing: de|other content"):
            office.log("birthday_reminder", **{**birthday, **other})
    assert len(office.notices.kept) == 1


def test_what_was_deleted_stays_so_whatever_language_was_set_since(office: Office) -> None:
    birthday: dict[str, Any] = {"record": "contact:1", "recipients": [LUCA.email], "content": words(IT)}
    office.notices.delete(office.log("birthday_reminder", **birthday).id)
    with pytest.raises(BadInput, match="deleted"):
        office.log("birthday_reminder", **birthday)
    office.speak(DE)
    with pytest.raises(BadInput, match="missing: de"):
        office.log("birthday_reminder", **birthday)
    with pytest.raises(BadInput, match="deleted"):
        office.log("birthday_reminder", **birthday, sent_languages={LUCA.email: ["it"]})
    assert len(office.notices.kept) == 1


@pytest.mark.parametrize(
    ("kind", "record", "recipients"),
    [
        ("birthday_reminder", "contact:1", [LUCA.email, ANNA.email]),
        ("task_reminder", "campaign:4711", [LUCA.email]),
        ("payout_statement", "publisher_contract:1", [CLIENT, STRANGER]),
        ("payout_statement", "publisher_contract:2", [CLIENT]),
    ],
)
def test_what_readers_of_one_language_got_is_logged(
    office: Office, kind: str, record: str, recipients: list[str]
) -> None:
    given: dict[str, Any] = {"record": record, "recipients": recipients, "content": words(EN)}
    made = office.log(kind, **given, sent_languages={one: ["en"] for one in recipients})
    assert made.languages == ("en",)
    assert made.sent_languages == dict.fromkeys(sorted(recipients), ("en",))


@pytest.mark.parametrize(
    "said",
    [
        {},
        {LUCA.email: ["fr"]},
        {LUCA.email: ["fr"], "anna@mobil.example": ["it"]},
        {LUCA.email: ["fr", "it"], "anna@mobil.example": ["fr", "it"]},
        {LUCA.email: [], "anna@mobil.example": []},
    ],
)
def test_else_the_rule_decides(office: Office, said: Mapping[str, list[str]]) -> None:
    recipients = [LUCA.email, "anna@mobil.example"]
    with pytest.raises(BadInput, match="one language"):
        office.log("birthday_reminder", record="contact:1", recipients=recipients, sent_languages=said)


def test_who_got_it_in_one_language_is_a_registered_user_still(office: Office) -> None:
    said = {CLIENT: ["fr"]}
    with pytest.raises(BadInput, match="registered users only"):
        office.log("birthday_reminder", record="contact:1", recipients=[CLIENT], sent_languages=said)


@pytest.mark.parametrize("empty", [Content(), Content("", " \n", "\t")])
def test_a_language_that_is_logged_says_something(office: Office, empty: Content) -> None:
    for kind, content in (
        ("invoice", {**words(*ALL), EN: empty}),
        ("mail", {EN: empty}),
        ("mail", {DE: Content("x"), EN: empty}),
    ):
        with pytest.raises(BadInput, match=r"^content\.en: "):
            office.log(kind, content=content)
    assert not office.notices.kept
    assert office.log("creative_request", content={**words(EN), DE: empty}).languages == ("en",)


@pytest.mark.parametrize("content", [Content("x"), Content("", "x"), Content("", "", "<p>x</p>")])
def test_one_of_its_texts_is_enough(office: Office, content: Content) -> None:
    assert office.log(content={DE: content}).languages == ("de",)


def test_a_mail_that_is_met_again_is_told(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, object]] = []
    monkeypatch.setattr(events, "notice_logged", lambda **fields: told.append(fields))
    made = office.log("creative_request", content=words(EN))
    office.speak(DE, instance=DE)
    office.log("creative_request", content=words(EN))
    first = {"kind": "creative_request", "record": "campaign:4711", "activity": made.id, "languages": "en"}
    assert told == [{**first, "again": False}, {**first, "again": True}]


def test_a_contact_who_is_a_user_too_is_asked_for_creatives_as_a_contact(office: Office) -> None:
    contact = replace(person("contact:9", ANNA.email), language="fr")
    office.enter(replace(OUTBOUND_WORLD, records=(*OUTBOUND_WORLD.records, contact)))
    made = office.log("creative_request", recipients=[ANNA.email])
    assert made.sent_languages == {ANNA.email: ("fr",)}
    assert [(one.side, one.record) for one in made.participants] == [("internal", None)]


def test_words_that_are_not_logged_are_not_looked_at_again(office: Office) -> None:
    first = office.log("creative_request", content=words(EN))
    second = office.log("creative_request", content={**words(EN), IT: Content("x", "y")})
    assert second == first


def test_other_languages_make_another_activity(office: Office) -> None:
    first = office.log("birthday_reminder", record="contact:1", recipients=[ANNA.email])
    second = office.log("birthday_reminder", record="contact:1", recipients=[LUCA.email])
    assert (first.languages, second.languages) == (("de",), ("it",))
    assert first.id != second.id


def test_the_key_is_written_down(office: Office) -> None:
    office.log(content=words(IT, DE))
    expected = sha256(b"mailgate-notice-1\0<1@firma.example>\0de\0it").hexdigest()
    assert [new.identity for new in office.notices.kept] == [expected]


# -- a finished mail --------------------------------------------------------------------------------------------------


def test_a_finished_mail_is_kept_as_it_is(office: Office) -> None:
    raw = a_mail(cc=f"Anna <ANNA@firma.example>, aaaa@{DOMAIN}, {STRANGER}")
    made = office.log_mail(raw, "invoice", languages=ALL)
    (kept,) = office.notices.kept
    assert kept.finished is not None
    assert (kept.finished.raw, made.raw_sha256) == (raw, sha256(raw).hexdigest())
    assert (made.subject, made.text, made.languages) == ("Rechnung", "Guten Tag\n", ("de", "en", "fr", "it"))
    assert (made.topic, made.recorder, made.trust) == ("billing", ANNA.email, "none")
    assert made.occurred_at == datetime(2026, 11, 20, 11, tzinfo=UTC)
    assert [(one.email, one.header, one.side, one.record) for one in made.participants] == [
        ("crm@firma.example", "from", "external", None),
        (CLIENT, "to", "external", ref("contact:1")),
        (ANNA.email, "cc", "internal", None),
        (STRANGER, "cc", "external", None),
    ]
    assert made.sent_languages == dict.fromkeys(sorted((CLIENT, ANNA.email, STRANGER)), ("de", "en", "fr", "it"))
    assert [note.code for note in made.notes] == ["address_exposed"]


@pytest.mark.parametrize("cc", [f"bbbb@{DOMAIN}", f"zzzz@{DOMAIN}"])
def test_only_the_records_own_address_is_exposed(office: Office, cc: str) -> None:
    made = office.log_mail(a_mail(cc=cc))
    assert [one.email for one in made.participants] == ["crm@firma.example", CLIENT]
    assert made.notes == ()


def test_lf_becomes_crlf(office: Office) -> None:
    raw = a_mail()
    made = office.log_mail(raw.replace(b"\r\n", b"\n"))
    assert made.raw_sha256 == sha256(raw).hexdigest()
    assert office.log_mail(raw) == made


ODD_MAILS: list[tuple[bytes, str]] = [
    (a_mail().replace(b"\r\n", b"\n", 1), "line ends"),
    (a_mail(body="a\rb"), "line ends"),
    (a_mail(body="a\0b"), "NUL"),
    (a_mail(body="x" * 20_000), "20000 bytes"),
    (a_mail("X-Long: " + "x" * 2_000), "2000 bytes"),
    (a_mail(body="x\n" * 9_900).replace(b"\r\n", b"\n"), "20000 bytes"),
]


@pytest.mark.parametrize(("raw", "named"), ODD_MAILS, ids=[row[1] for row in ODD_MAILS])
def test_a_mail_that_would_not_be_taken_by_smtp_is_refused(office: Office, raw: bytes, named: str) -> None:
    with pytest.raises(BadInput, match=named):
        office.log_mail(raw)
    assert not office.notices.kept


@pytest.mark.parametrize(
    ("changes", "error", "named"),
    [
        ({"kind": "invoice", "languages": ["de", "it"]}, BadInput, "^language: .*missing: en, fr"),
        ({"kind": "invoice", "languages": []}, BadInput, "^language: .*missing: de, en, fr, it"),
        ({"languages": []}, BadInput, "^language: .*at least one language"),
        ({"languages": ["de", "es"]}, BadInput, r"language\[1\]: 'es'"),
        ({"kind": "birthday_reminder", "record": "contact:1"}, BadInput, CLIENT),
        ({"kind": "payout_statement"}, BadInput, "record: payout_statement stands on publisher_contract"),
        ({"kind": "newsletter"}, BadInput, "newsletter"),
        ({"record": "campaign:1"}, NotFound, "campaign:1"),
        ({"triggered_by": STRANGER}, NotFound, STRANGER),
        ({"task": "4711"}, BadInput, "task: mail is about no task"),
    ],
)
def test_what_is_wrong_with_a_finished_mail_is_named(
    office: Office, changes: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        office.log_mail(a_mail(), **changes)
    assert not office.notices.kept


def test_a_language_that_is_not_needed_is_ignored(office: Office) -> None:
    made = office.log_mail(a_mail(), "creative_request", languages=["fr", "en", "it"])
    assert made.languages == ("en",)
    assert [note.code for note in made.notes] == ["language_ignored"]
    for told in ("written in fr, it too", "kept whole, so it may hold that"):
        assert told in made.notes[0].text


def test_another_mail_under_the_same_message_id_is_refused(office: Office) -> None:
    first = office.log_mail(a_mail())
    assert office.log_mail(a_mail()) == first
    with pytest.raises(BadInput, match="other content"):
        office.log_mail(a_mail(body="Guten Abend"))
    with pytest.raises(BadInput, match="other content"):
        office.log_mail(a_mail(), triggered_by=LUCA.email)
    with pytest.raises(BadInput, match="other content"):
        office.log("mail", content=words(DE))


def test_a_mail_without_message_id_is_met_by_its_bytes(office: Office) -> None:
    raw = a_mail().replace(b"Message-ID: <1@firma.example>\r\n", b"")
    first = office.log_mail(raw)
    assert office.log_mail(raw) == first
    assert office.log_mail(raw.replace(b"Guten Tag", b"Guten Abend")).id != first.id


@pytest.mark.parametrize("raw", [b"\xff\xfe odd\r\nX-Odd: \xff\r\n", b"X-Odd:", b"From anna\r\nTo :\r\n\r\n\xff"])
def test_odd_bytes_with_a_header_field_are_kept_too(office: Office, raw: bytes) -> None:
    made = office.log_mail(raw)
    assert made.participants == ()
    assert made.occurred_at == NOW
    assert made.raw_sha256 == sha256(raw).hexdigest()


@pytest.mark.parametrize(
    "raw",
    [b"", b"\n", b"\xff\xfe no mail at all", b"\r\nSubject: in the body\r\n", b"From anna Mon\n\nHallo\n", b" a: b"],
)
def test_what_holds_no_header_field_is_no_mail(office: Office, raw: bytes) -> None:
    with pytest.raises(BadInput, match=r"^eml: this holds no mail"):
        office.log_mail(raw)
    assert not office.notices.kept


@pytest.mark.parametrize("kind", list(Notification))
@pytest.mark.parametrize("record", list(RecordKind))
def test_no_kind_on_any_record_ends_but_in_an_activity_or_a_refusal(kind: Notification, record: RecordKind) -> None:
    office = Office()
    on = next((one.record for one in OUTBOUND_WORLD.records if one.record.kind is record), RecordRef(record, "1"))
    try:
        made: object = office.log(kind.value, record=str(on), recipients=[ANNA.email])
    except BadInput as no:
        made = str(no)
    assert (made in office.notices.activities.values()) != (f"not on {record.value}" in str(made))
