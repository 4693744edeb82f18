from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from mailgate.domain.activity import Activity, ActivityType, Origin
from mailgate.domain.document import NewDocument
from mailgate.domain.handmade import HandmadeActivity, HandmadeEntry, check_documents, new_document, size
from mailgate.domain.record import Edition, RecordKind, RecordRef
from mailgate.domain.topic import topics
from mailgate.errors import BadInput

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LIMIT = 100
NEEDED: dict[str, Any] = {"type_": "note", "topic": "other", "subject": "Call them back"}


def _added(kind: RecordKind = RecordKind.CAMPAIGN, edition: Edition = Edition.MARKETER, **typed: Any) -> Any:
    return HandmadeEntry.read(**{**NEEDED, **typed}).apply(None, kind, edition, NOW)


def _there(**fields: Any) -> Activity:
    given = {"type": ActivityType.NOTE, "topic": "other", "subject": "Call them back", **fields}
    return Activity(
        id="1",
        record=RecordRef.parse("campaign:4711"),
        origin=Origin.MANUAL,
        read_only=False,
        occurred_at=NOW,
        recorded_at=NOW,
        recorder="anna@muster.example",
        **given,
    )


def _changed(before: Activity, **typed: Any) -> HandmadeActivity:
    return HandmadeEntry.read(**typed).apply(before, RecordKind.CAMPAIGN, Edition.MARKETER, NOW)


# -- types and their extra fields -----------------------------------------------------------------------------------

EXTRAS = [
    ("task", {"due", "remind"}),
    ("email", set()),
    ("lunch", {"place"}),
    ("meeting", {"place"}),
    ("call", set()),
    ("video_call", set()),
    ("note", set()),
]
FIELD = {
    "place": ("Bern", "place", "Bern"),
    "due": ("2026-12-24", "due_on", date(2026, 12, 24)),
    "remind": ("2026-12-20", "remind_on", date(2026, 12, 20)),
}


def test_the_table_has_every_type() -> None:
    assert {word for word, _ in EXTRAS} == set(ActivityType)


@pytest.mark.parametrize("field", FIELD)
@pytest.mark.parametrize(("type_", "extras"), EXTRAS)
def test_each_type_has_its_extra_fields_and_no_other(type_: str, extras: set[str], field: str) -> None:
    typed, name, value = FIELD[field]
    given: dict[str, Any] = {"type_": type_, field: typed}
    if field in extras:
        assert getattr(_added(**given), name) == value
    else:
        with pytest.raises(BadInput, match=f"^{field}: an activity of type {type_} has none, only "):
            _added(**given)


@pytest.mark.parametrize("type_", [word for word, _ in EXTRAS])
def test_no_type_needs_an_extra_field(type_: str) -> None:
    made = _added(type_=type_)
    assert (made.type, made.place, made.due_on, made.remind_on) == (type_, None, None, None)
    assert (made.occurred_at, made.text) == (NOW, "")


@pytest.mark.parametrize(
    ("due", "remind", "taken"),
    [
        ("2026-12-24", "2026-12-23", True),
        ("2026-12-24", "2026-12-24", True),
        ("2026-12-24", "2026-12-25", False),
        (None, "2026-12-25", True),
        ("2026-12-24", None, True),
    ],
)
def test_a_reminder_is_never_after_the_due_date(due: str | None, remind: str | None, taken: bool) -> None:
    if taken:
        assert _added(type_="task", due=due, remind=remind).type == "task"
    else:
        with pytest.raises(BadInput, match=f"^remind: {remind} is after the due date {due}"):
            _added(type_="task", due=due, remind=remind)


@pytest.mark.parametrize("topic", sorted({topic for kind in RecordKind for topic in topics(kind)} | {"", "nonsense"}))
@pytest.mark.parametrize("kind", RecordKind)
def test_a_topic_is_one_of_the_records_kind(kind: RecordKind, topic: str) -> None:
    if topic in topics(kind):
        assert _added(kind, topic=topic).topic == topic
    else:
        with pytest.raises(BadInput, match=f"topic '{topic}' .*{kind.value}"):
            _added(kind, topic=topic)


def test_the_edition_publisher_has_no_topics_of_publisher_contracts() -> None:
    with pytest.raises(BadInput, match="edition publisher"):
        _added(RecordKind.PUBLISHER_CONTRACT, Edition.PUBLISHER)


# -- single fields --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", NEEDED)
def test_a_new_activity_needs_type_topic_and_subject(field: str) -> None:
    with pytest.raises(BadInput, match=f"^{field.removesuffix('_')}: is missing"):
        HandmadeEntry.read(**{**NEEDED, field: None}).apply(None, RecordKind.CAMPAIGN, Edition.MARKETER, NOW)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"type_": " Video_Call "}, {"type": ActivityType.VIDEO_CALL}),
        ({"topic": " Offer "}, {"topic": "offer"}),
        ({"subject": "  Cafe\u0301 "}, {"subject": "Café"}),
        ({"subject": "x" * 300}, {"subject": "x" * 300}),
        ({"text": "a\r\n\tb\n\nc "}, {"text": "a\n\tb\n\nc "}),
        ({"text": "👩‍👩‍👧 العربية"}, {"text": "👩‍👩‍👧 العربية"}),
        ({"text": "e" + "\u0301" * 30}, {"text": "é" + "\u0301" * 29}),
        ({"text": ""}, {"text": ""}),
        ({"type_": "lunch", "place": "  "}, {"place": None}),
        ({"type_": "task", "due": ""}, {"due_on": None}),
        ({"at": datetime(2200, 12, 31, tzinfo=UTC)}, {"occurred_at": datetime(2200, 12, 31, tzinfo=UTC)}),
    ],
)
def test_what_is_typed_is_put_in_its_one_form(typed: dict[str, Any], kept: dict[str, object]) -> None:
    made = _added(**typed)
    assert {name: getattr(made, name) for name in kept} == kept


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"type_": "fax"}, r"^type: 'fax' is none: choose one of task, email, lunch, meeting, call, video_call, note$"),
    ({"type_": ""}, "^type: '' is none"),
    ({"subject": ""}, "^subject: can't be empty"),
    ({"subject": " \t"}, "^subject: can't be empty"),
    ({"subject": "x" * 301}, "^subject: has 301 characters, at most 300"),
    ({"subject": "two\nlines"}, r"^subject: holds the control character '\\n'"),
    ({"subject": "a\u2028b"}, r"^subject: holds the control character '\\u2028'"),
    ({"subject": "a\x00b"}, r"^subject: holds the control character '\\x00'"),
    ({"subject": "a\x1b[2Jb"}, r"^subject: holds the control character '\\x1b'"),
    ({"subject": "a\ud800b"}, r"^subject: holds the control character '\\ud800'"),
    ({"text": "a\x00b"}, r"^text: holds the control character '\\x00'"),
    ({"text": "a\rb"}, r"^text: holds the control character '\\r'"),
    ({"text": "a\x7fb"}, r"^text: holds the control character '\\x7f'"),
    ({"text": "a\x85b"}, r"^text: holds the control character '\\x85'"),
    ({"text": "a\udcffb"}, r"^text: holds the control character '\\udcff'"),
    ({"text": "x" * 1_000_001}, "^text: has 1000001 characters"),
    ({"text": "x" + "\u0301\u0316" * 16}, "^text: holds more than 30 combining marks"),
    ({"type_": "lunch", "place": "x" * 301}, "^place: has 301 characters"),
    ({"type_": "lunch", "place": "a\tb"}, r"^place: holds the control character '\\t'"),
    *(
        ({"type_": "task", field: day}, f"^{field}: .* is no day of the calendar")
        for field in ("due", "remind")
        for day in (
            *(
                "2026-02-30",
                "2025-02-29",
                "2026-13-01",
                "2026-00-01",
                "2026-1-1",
                "20260101",
                "2026-W01-1",
                "0000-01-01",
            ),
            *("2026-01-01T10:00", "tomorrow", "22.11.2026", "٢٠٢٦-01-01", "-2026-01-01"),
        )
    ),
    ({"type_": "task", "due": "1969-12-31"}, "^due: the year 1969 is a slip: years from 1970 to 2200"),
    ({"type_": "task", "remind": "2201-01-01"}, "^remind: the year 2201 is a slip"),
    ({"type_": "task", "due": "0026-11-22"}, "^due: the year 26 is a slip"),
    ({"at": datetime(1969, 12, 31, tzinfo=UTC)}, "^at: the year 1969 is a slip"),
    ({"at": datetime(9999, 1, 1, tzinfo=UTC)}, "^at: the year 9999 is a slip"),
    ({"contacts": ["4711"]}, "^contact: '4711' is no record"),
    ({"contacts": ["contact:1", ""]}, "^contact: '' is no record"),
    ({"contacts": [f"contact:{n}" for n in range(501)]}, "^contact 501, contact:500: an activity takes at most 500"),
    ({"users": ["anna"]}, "^user: 'anna' is no e-mail address"),
    ({"links": ["https://a.example", ""]}, "^link: '' is no link"),
]


@pytest.mark.parametrize(("typed", "says"), REFUSED)
def test_bad_input_is_refused_with_the_fields_name(typed: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        _added(**typed)


# -- links ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "link",
    [
        "https://muster.example",
        "HTTPS://Muster.example:8443/a/b?c=d&e=%20#f",
        "http://straße.example/größe",
        "http://[2001:db8::1]/",
        "http://192.0.2.1/x",
        "mailto:anna@muster.example",
        "mailto:anna@muster.example,luca@muster.example?subject=Offer",
        "mailto:a%2Bb@muster.example",
        "https://muster.example/" + "x" * 1977,
    ],
)
def test_a_link_is_kept_as_it_was_typed(link: str) -> None:
    assert HandmadeEntry.read(links=[link]).links == (link,)


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("javascript:alert(1)", "it must begin with http, https, mailto and a colon"),
        ("ftp://muster.example/x", "it must begin with"),
        ("file:///etc/passwd", "it must begin with"),
        ("data:text/html,x", "it must begin with"),
        ("//muster.example/x", "it must begin with"),
        ("muster.example", "it must begin with"),
        ("https:", "it names no host"),
        ("https:muster.example", "it names no host"),
        ("https:///path", "it names no host"),
        ("https://:443/", "it names no host"),
        ("https://user@/", "it names no host"),
        ("https://./", "it names no host"),
        ("https://[2001:db8::1/", "its host or port can't be read"),
        ("https://muster.example:port/", "its host or port can't be read"),
        ("https://muster.example:99999/", "its host or port can't be read"),
        ("https://muster.example/a b", "it holds ' '"),
        (" https://muster.example", "it holds ' '"),
        ("https://muster.example/\n", r"it holds '\\n'"),
        ("java\tscript:alert(1)", r"it holds '\\t'"),
        ("https://muster.example/\x00", r"it holds '\\x00'"),
        ("https://muster.example/\u202e", r"it holds '\\u202e'"),
        ("https://muster.example/\ud800", r"it holds '\\ud800'"),
        ("https://muster.example\\@evil.example", r"it holds '\\\\'"),
        ('https://muster.example/"onclick', "it holds '\"'"),
        ("https://muster.example/" + "x" * 1978, "it has more than 2000 characters"),
        ("mailto:", "it names no e-mail address"),
        ("mailto:?subject=x", "it names no e-mail address"),
        ("mailto:anna", "it names no e-mail address"),
        ("mailto:anna@muster.example,", "it names no e-mail address"),
        ("mailto:%ff@muster.example", "it names no e-mail address"),
    ],
)
def test_what_is_no_link_is_refused_with_its_value(link: str, why: str) -> None:
    with pytest.raises(BadInput, match=r"^link: ") as refused:
        HandmadeEntry.read(links=[link])
    assert ascii(link[:80]) in str(refused.value)
    assert why.replace("\\\\", "\\") in str(refused.value)


def test_the_fourth_link_is_refused_by_name() -> None:
    three = [f"https://muster.example/{n}" for n in (1, 2, 3)]
    assert HandmadeEntry.read(links=three).links == tuple(three)
    assert HandmadeEntry.read(links=[three[0], *three[:2]]).links == tuple(three[:2])
    with pytest.raises(BadInput, match=r"^link 4, https://muster\.example/4: an activity takes at most 3"):
        HandmadeEntry.read(links=[*three, "https://muster.example/4"])


# -- documents ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("offer.pdf", "application/pdf"),
        ("Bild.JPG", "image/jpeg"),
        ("table.csv", "text/csv"),
        ("a.tar.gz", "application/gzip"),
        ("README", "application/octet-stream"),
        (".pdf", "application/pdf"),
        ("data:x.pdf", "application/pdf"),
        ("x.nonsense", "application/octet-stream"),
        ("x.", "application/octet-stream"),
    ],
)
def test_the_type_of_a_document_is_guessed_by_its_name(name: str, type_: str) -> None:
    assert new_document(1, name, b"x", LIMIT) == NewDocument(name, type_, b"x")


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/passwd", "a\\b", "..", "", "a\x00b", "a\nb", "\u202efdp.exe", "x" * 256]
)
def test_a_name_that_leads_somewhere_or_cant_be_seen_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match=r"^document 2: "):
        new_document(2, name, b"x", LIMIT)


@pytest.mark.parametrize(("length", "taken"), [(0, True), (LIMIT, True), (LIMIT + 1, False)])
def test_a_document_above_the_limit_is_refused_by_name_and_limit(length: int, taken: bool) -> None:
    if taken:
        assert new_document(1, "offer.pdf", b"x" * length, LIMIT).content == b"x" * length
    else:
        with pytest.raises(BadInput, match=r"^document 1, offer\.pdf: is above 100 B"):
            new_document(1, "offer.pdf", b"x" * length, LIMIT)


@pytest.mark.parametrize(("octets", "written"), [(1, "1 B"), (1536, "1536 B"), (2048, "2 KiB"), (25 * 2**20, "25 MiB")])
def test_a_limit_is_written_as_in_the_settings(octets: int, written: str) -> None:
    assert size(octets) == written


def test_the_fourth_document_is_refused_by_name() -> None:
    check_documents(["a", "b", "c"])
    with pytest.raises(BadInput, match=r"^document 4, x\.pdf: an activity takes at most 3"):
        check_documents(["a", "b", "c", "x.pdf"])
    with pytest.raises(BadInput, match=r"^document 4, x\.pdf"):
        HandmadeEntry.read(documents=[NewDocument("x.pdf", "t/t", b"")] * 4)


# -- changes --------------------------------------------------------------------------------------------------------


def test_what_is_not_given_stays() -> None:
    before = _there(type=ActivityType.TASK, text="t", due_on=date(2026, 12, 24), remind_on=date(2026, 12, 20))
    assert _changed(before).changed(before) == ()
    after = _changed(before, subject="Write to them", due="2026-12-25")
    assert after.changed(before) == ("subject", "due")
    assert (after.text, after.remind_on, after.occurred_at) == ("t", date(2026, 12, 20), NOW)


@pytest.mark.parametrize(
    ("before", "field", "name"),
    [
        (_there(text="t"), "text", "text"),
        (_there(type=ActivityType.LUNCH, place="Bern"), "place", "place"),
        (_there(type=ActivityType.TASK, due_on=date(2026, 12, 24)), "due", "due_on"),
        (_there(type=ActivityType.TASK, remind_on=date(2026, 12, 24)), "remind", "remind_on"),
    ],
)
def test_an_empty_value_takes_away(before: Activity, field: str, name: str) -> None:
    after = _changed(before, **{field: ""})
    assert not getattr(after, name)
    assert after.changed(before) == (field,)


@pytest.mark.parametrize("field", ["contacts", "users", "documents", "links"])
def test_an_empty_list_is_not_a_list_that_is_not_given(field: str) -> None:
    given: dict[str, Any] = {field: [] if field == "documents" else [""]}
    assert getattr(HandmadeEntry.read(**given), field) == ()
    assert getattr(HandmadeEntry.read(), field) is None


@pytest.mark.parametrize(
    ("before", "typed", "says"),
    [
        (_there(type=ActivityType.MEETING, place="Bern"), {"type_": "call"}, "^place: .* of type call has none"),
        (
            _there(type=ActivityType.TASK, due_on=date(2026, 12, 24)),
            {"type_": "note"},
            "^due: .* of type note has none",
        ),
        (
            _there(type=ActivityType.TASK, remind_on=date(2026, 12, 24)),
            {"type_": "lunch"},
            "^remind: .* of type lunch has none",
        ),
        (
            _there(type=ActivityType.TASK, done_at=NOW),
            {"type_": "call"},
            "^done: .* of type call has none.*activity undone",
        ),
        (_there(type=ActivityType.TASK, remind_on=date(2026, 12, 24)), {"due": "2026-12-23"}, "^remind: 2026-12-24 is"),
        (_there(type=ActivityType.TASK, due_on=date(2026, 12, 24)), {"remind": "2026-12-25"}, "^remind: 2026-12-25 is"),
        (_there(), {"place": "Bern"}, "^place: .* of type note has none"),
        (_there(), {"subject": ""}, "^subject: can't be empty"),
        (_there(), {"topic": "payout"}, "topic 'payout' .*campaign"),
    ],
)
def test_the_result_of_a_change_is_judged_as_a_whole(before: Activity, typed: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        _changed(before, **typed)


def test_a_type_changes_together_with_its_fields() -> None:
    before = _there(type=ActivityType.MEETING, place="Bern")
    after = _changed(before, type_="task", place="", due="2026-12-24")
    assert (after.type, after.place, after.due_on) == ("task", None, date(2026, 12, 24))
    assert set(after.changed(before)) == {"type", "place", "due"}
    assert _changed(replace(before, place=None), type_="call").type == "call"
