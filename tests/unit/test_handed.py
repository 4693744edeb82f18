import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate import handed
from mailgate.domain.content import Content
from mailgate.domain.dispatch import MAX_DOCUMENTS, MAX_RECIPIENTS, Dispatch
from mailgate.domain.document import NewDocument
from mailgate.domain.language import Notification
from mailgate.domain.user import Language
from mailgate.errors import BadInput
from tests.worlds import CAMPAIGN, DOMAIN

WORDS: dict[str, Any] = {"subject": "Rechnung", "text": "Guten Tag"}
NO_HTML = {"html": None}


def said(**changes: Any) -> dict[str, Any]:
    """What a job hands over; a key that is set to ``...`` is left out."""
    whole = {
        "kind": "invoice",
        "record": "campaign:4711",
        "triggered_by": "Anna@Firma.example",
        "recipients": ["kunde@kunde.example"],
        "sent_at": "2026-11-22T09:30:00+01:00",
        "message_id": "<1@firma.example>",
        "content": {"de": WORDS},
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not ...}


def read(**changes: Any) -> Dispatch:
    return handed.read(json.dumps(said(**changes)).encode(), DOMAIN)


def refusal(raw: bytes) -> str:
    with pytest.raises(BadInput) as caught:
        handed.read(raw, DOMAIN)
    return str(caught.value)


def test_the_least_that_is_taken() -> None:
    assert read() == Dispatch(
        kind=Notification.INVOICE,
        record=CAMPAIGN,
        triggered_by="anna@firma.example",
        recipients=("kunde@kunde.example",),
        sent_at=datetime(2026, 11, 22, 8, 30, tzinfo=UTC),
        message_id="<1@firma.example>",
        content={Language.DE: Content("Rechnung", "Guten Tag")},
    )


def test_all_that_is_taken() -> None:
    found = read(
        kind="task_reminder",
        recipients=["Kunde@kunde.example", "kunde@KUNDE.example", "anna@firma.example"],
        content={"it": {**WORDS, "html": "<p>x</p>"}, "de": WORDS},
        sent_languages={"KUNDE@kunde.example": ["it", "de", "it"], "anna@firma.example": []},
        documents=[{"name": "u\u0308.pdf", "type": "Application/PDF; x=y", "base64": "JVBERi0xLjQ="}],
        task="4711",
    )
    assert found.recipients == ("kunde@kunde.example", "anna@firma.example")
    assert list(found.content) == [Language.DE, Language.IT]
    assert found.content[Language.IT].html == "<p>x</p>"
    assert found.sent_languages == {"kunde@kunde.example": (Language.DE, Language.IT), "anna@firma.example": ()}
    assert found.documents == (NewDocument("\u00fc.pdf", "application/pdf", b"%PDF-1.4"),)
    assert found.task == "4711"


@pytest.mark.parametrize("changes", [*({key: None} for key in handed.OPTIONAL), {"content": {"de": WORDS | NO_HTML}}])
def test_null_is_taken_for_what_may_be_left_out(changes: dict[str, Any]) -> None:
    assert read(**changes) == read()


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b" \r\n"])
def test_utf_8_is_read_with_and_without_its_mark(before: bytes) -> None:
    raw = before + json.dumps(said(record="campaign:\u00e9"), ensure_ascii=False).encode()
    assert handed.read(raw, DOMAIN).record.ref == "\u00e9"


NO_KIND = "choose one of birthday_reminder"
SHAPES: list[tuple[dict[str, Any], str]] = [
    # keys
    ({"colour": "red"}, "colour: no such key"),
    ({"\u202ecolour\n": "red"}, "'\\u202ecolour\\n': no such key"),
    *(({key: ...}, f"{key}: this key is missing") for key in handed.REQUIRED),
    ({"content": {"de": {**WORDS, "body": ""}}}, "content.de.body: no such key"),
    ({"content": {"de": {"subject": "x"}}}, "content.de.text: this key is missing"),
    ({"content": {"de": {"text": "x"}}}, "content.de.subject: this key is missing"),
    ({"documents": [{"name": "a", "type": "a/b", "base64": "", "size": 3}]}, "documents[0].size: no such key"),
    ({"documents": [{"name": "a", "type": "a/b"}]}, "documents[0].base64: this key is missing"),
    # types
    *(({key: 4711}, f"{key}: a number stands here") for key in handed.REQUIRED),
    *(({key: None}, f"{key}: null stands here") for key in handed.REQUIRED),
    *(({key: True}, f"{key}: true or false stands here") for key in (*handed.REQUIRED, *handed.OPTIONAL)),
    ({"kind": {}}, "kind: an object stands here: write a text"),
    ({"kind": []}, "kind: a list stands here: write a text"),
    ({"recipients": "kunde@kunde.example"}, "recipients: a text stands here: write a list"),
    ({"recipients": {}}, "recipients: an object stands here: write a list"),
    ({"recipients": ["kunde@kunde.example", 1]}, "recipients[1]: a number"),
    ({"content": []}, "content: a list stands here: write an object"),
    ({"content": {"de": "Guten Tag"}}, "content.de: a text stands here: write an object"),
    ({"content": {"de": {**WORDS, "subject": 1}}}, "content.de.subject: a number"),
    ({"content": {"de": {**WORDS, "text": None}}}, "content.de.text: null"),
    ({"documents": [{"name": None, "type": "a/b", "base64": ""}]}, "documents[0].name: null"),
    ({"sent_languages": {"kunde@kunde.example": None}}, "sent_languages.kunde@kunde.example: null"),
    ({"sent_languages": ["de"]}, "sent_languages: a list"),
    ({"sent_languages": {"kunde@kunde.example": "de"}}, "sent_languages.kunde@kunde.example: a text"),
    ({"sent_languages": {"kunde@kunde.example": [1]}}, "sent_languages.kunde@kunde.example[0]: a number"),
    ({"documents": {}}, "documents: an object"),
    ({"documents": ["a.pdf"]}, "documents[0]: a text"),
    ({"documents": [{"name": 1, "type": "a/b", "base64": ""}]}, "documents[0].name: a number"),
]
VALUES: list[tuple[dict[str, Any], str]] = [
    ({"kind": "newsletter"}, NO_KIND),
    ({"kind": ""}, NO_KIND),
    ({"kind": "x" * 10_000}, "kind: 'xxx"),
    ({"record": "campaign"}, "record: 'campaign' is no record"),
    ({"record": "brand:1"}, "record: 'brand:1' is no record"),
    ({"record": "campaign:1 2"}, "record: "),
    ({"record": "campaign:" + "1" * 10_000}, "record: "),
    ({"triggered_by": "anna"}, "triggered_by: 'anna' is no e-mail address"),
    ({"triggered_by": ""}, "triggered_by: "),
    ({"recipients": []}, "recipients: nobody is named"),
    ({"recipients": ["kunde"]}, "recipients[0]: 'kunde' is no e-mail address"),
    ({"recipients": ["kunde@kunde.example", "a@b@c"]}, "recipients[1]: "),
    ({"recipients": ["Nora <nora@kunde.example>"]}, "recipients[0]: "),
    ({"recipients": [f"abc@{DOMAIN}"]}, "recipients[0]: a record address"),
    ({"recipients": [f"{n}@b.example" for n in range(MAX_RECIPIENTS + 1)]}, f"more than {MAX_RECIPIENTS}"),
    ({"sent_at": ""}, "sent_at: '' is no time"),
    ({"sent_at": "yesterday"}, "sent_at: 'yesterday' is no time"),
    ({"sent_at": "2026-02-30T09:30:00Z"}, "sent_at: '2026-02-30T09:30:00Z' is no time that exists"),
    ({"sent_at": "2026-11-22T25:00:00Z"}, "sent_at: "),
    ({"sent_at": "2026-11-22T09:30:00"}, "sent_at: 2026-11-22T09:30:00 has no zone"),
    ({"sent_at": "2026-11-22"}, "has no zone"),
    ({"sent_at": "0001-01-01T00:00:00+14:00"}, "sent_at: 0001-01-01T00:00:00+14:00 is beyond"),
    ({"sent_at": "9999-12-31T23:59:59-14:00"}, "sent_at: "),
    ({"message_id": ""}, "message_id: '' is none"),
    ({"message_id": "1@firma.example"}, "message_id: "),
    ({"message_id": "<>"}, "message_id: "),
    ({"message_id": "<1 2@firma.example>"}, "message_id: "),
    ({"message_id": "<1@firma.example> <2@firma.example>"}, "message_id: "),
    ({"message_id": "<1@firma.example>\n"}, "message_id: "),
    ({"message_id": "<1\u00a02@firma.example>"}, "message_id: "),
    ({"message_id": "<1\u200b2@firma.example>"}, "message_id: "),
    ({"message_id": f"<{'1' * 997}>"}, "message_id: '<111"),
    ({"message_id": "<" + "\u00e9" * 499 + ">"}, "more than 998 octets"),
    ({"content": {"es": WORDS}}, "content: 'es' is no language"),
    ({"content": {"DE": WORDS}}, "content: 'DE' is no language"),
    ({"content": {"": WORDS}}, "content: '' is no language"),
    ({"content": {"de": {"subject": "a\nb", "text": ""}}}, "content.de.subject: 'a\\nb' is more than one line"),
    ({"content": {"de": {"subject": "a\u2028b", "text": ""}}}, "content.de.subject: "),
    ({"content": {"de": {"subject": "a\x1bb", "text": ""}}}, "content.de.subject: "),
    ({"content": {"de": {"subject": "a" * 5000, "text": ""}}}, "content.de.subject: "),
    ({"sent_languages": {"other@kunde.example": ["de"]}}, "sent_languages: other@kunde.example is no recipient"),
    ({"sent_languages": {"kunde": ["de"]}}, "sent_languages: 'kunde' is no e-mail address"),
    ({"sent_languages": {"kunde@kunde.example": ["es"]}}, "sent_languages.kunde@kunde.example[0]: 'es' is no language"),
    (
        {"sent_languages": {"kunde@kunde.example": ["de"], "KUNDE@kunde.example": ["fr"]}},
        "sent_languages: kunde@kunde.example stands twice",
    ),
    ({"task": "4711"}, "task: invoice is about no task"),
    ({"kind": "task_reminder", "task": "1" * 1000}, "task: "),
]
NAMES = ["../../x", "..", ".", "", " ", "a/b", "a\\b", "a\x00b", "a\nb", "\u202egpj.exe", "x" * 256]
BASE64 = ["!", "JVBERi0xLjQ", "JVBER i0xLjQ=", "JVBERi0x\nLjQ=", "JVBERi0xLjQ=JVBERi0xLjQ=", "\u00e9"]


@pytest.mark.parametrize(("changes", "named"), SHAPES + VALUES, ids=lambda value: str(value)[:60])
def test_what_is_refused_is_named_by_its_field(changes: dict[str, Any], named: str) -> None:
    told = refusal(json.dumps(said(**changes)).encode())
    assert named in told
    assert len(told) < 600


@pytest.mark.parametrize("field", ["subject", "text", "html"])
@pytest.mark.parametrize("char", ["\0", "\ud800"])
def test_what_no_database_takes_is_refused(field: str, char: str) -> None:
    raw = json.dumps(said(content={"de": {**WORDS, field: f"a{char}b"}})).encode()
    assert refusal(raw).startswith(f"content.de.{field}: ")


@pytest.mark.parametrize("char", ["\0", "\ud800"])
@pytest.mark.parametrize("key", ["kind", "record", "triggered_by", "sent_at", "message_id", "task"])
def test_nowhere_else_either(key: str, char: str) -> None:
    assert refusal(json.dumps(said(**{key: f"a{char}b"})).encode()).startswith(f"{key}: ")


@pytest.mark.parametrize("name", NAMES)
def test_a_document_has_a_safe_name(name: str) -> None:
    documents = [{"name": "a.pdf", "type": "a/b", "base64": ""}, {"name": name, "type": "a/b", "base64": ""}]
    assert refusal(json.dumps(said(documents=documents)).encode()).startswith("documents[1].name: ")


@pytest.mark.parametrize("type_", ["", "pdf", "a/b/c", "a/ b", "a\n/b", "/", "a/\u00e9"])
def test_a_document_has_a_type(type_: str) -> None:
    documents = [{"name": "a.pdf", "type": type_, "base64": ""}]
    told = refusal(json.dumps(said(documents=documents)).encode())
    assert told.startswith("documents[0].type: ")


@pytest.mark.parametrize("content", BASE64)
def test_wrong_base64_is_refused(content: str) -> None:
    documents = [{"name": "a.pdf", "type": "a/b", "base64": content}]
    assert refusal(json.dumps(said(documents=documents)).encode()).startswith("documents[0].base64: ")


def test_too_many_documents_are_refused() -> None:
    documents = [{"name": "a.pdf", "type": "a/b", "base64": ""}] * (MAX_DOCUMENTS + 1)
    assert f"documents: {MAX_DOCUMENTS + 1} are more" in refusal(json.dumps(said(documents=documents)).encode())


TWICE = [
    ('{"kind": "mail", "kind": "mail"}', "kind: this key is there twice"),
    (json.dumps(said())[:-1] + ', "kind": "mail"}', "kind: this key is there twice"),
    (
        json.dumps(said(content=...))[:-1] + ', "content": {"de": {"subject": "", "text": "", "text": ""}}}',
        "content.de.text: this key is there twice",
    ),
    (
        json.dumps(said(content=...))[:-1] + ', "content": {"de": {}, "de": {}}}',
        "content.de: this key is there twice",
    ),
]


@pytest.mark.parametrize(("raw", "named"), TWICE)
def test_a_key_that_is_there_twice_is_refused(raw: str, named: str) -> None:
    assert named in refusal(raw.encode())


NO_JSON = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"1",
    b'"kind"',
    b"{} {}",
    b"NaN",
    b'{"kind": Infinity}',
    b'{"kind": ' + b"9" * 100_000 + b"}",
    b'{"kind": 1e999999999}',
    b"[" * 1_000_000,
    b'{"a":' * 1_000_000,
    b"[" * 500_000 + b"]" * 500_000,
    b"\xff\xfe{\0}\0",
    b'{"kind": "\xe9"}',
    b'{"kind": "\xed\xa0\x80"}',
    b"{'kind': 'mail'}",
    b'{"kind": "a\nb"}',
]


@pytest.mark.parametrize("raw", NO_JSON, ids=lambda raw: repr(raw[:12]))
def test_what_is_no_object_in_json_is_refused(raw: bytes) -> None:
    assert refusal(raw)


def test_deep_json_in_a_field_is_refused() -> None:
    whole = json.dumps(said(content=...))[:-1] + ', "content": ' + "[" * 200_000 + "]" * 200_000 + "}"
    assert "nested deeper" in refusal(whole.encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SHORT = st.text(max_size=30)
LANGUAGES = st.sampled_from([language.value for language in Language]) | st.text(max_size=3)
CONTENT = st.fixed_dictionaries({"subject": SHORT, "text": SHORT}, optional={"html": SHORT})
FUZZ = settings(deadline=None)
KEYS = st.sampled_from([*handed.REQUIRED, *handed.OPTIONAL])


def _ends_well(raw: bytes) -> None:
    try:
        found = handed.read(raw, DOMAIN)
    except BadInput as no:
        told = str(no)
    else:
        told = found.kind
    assert 0 < len(told) < 2_000


@FUZZ
@given(JSON)
def test_no_json_makes_it_fall_over(value: object) -> None:
    _ends_well(json.dumps(value).encode("utf-8", "surrogatepass"))


@FUZZ
@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_no_value_of_a_key_makes_it_fall_over(changes: dict[str, Any]) -> None:
    _ends_well(json.dumps(said(**changes)).encode())


@FUZZ
@given(st.dictionaries(LANGUAGES, CONTENT))
def test_no_words_make_it_fall_over(content: dict[str, Any]) -> None:
    _ends_well(json.dumps(said(content=content)).encode())


@FUZZ
@given(SHORT, SHORT, SHORT | st.binary().map(base64.b64encode).map(bytes.decode))
def test_no_document_makes_it_fall_over(name: str, type_: str, content: str) -> None:
    _ends_well(json.dumps(said(documents=[{"name": name, "type": type_, "base64": content}])).encode())


@FUZZ
@given(st.binary(max_size=300))
def test_no_bytes_make_it_fall_over(raw: bytes) -> None:
    _ends_well(raw)


@FUZZ
@given(st.integers(min_value=0, max_value=400), st.binary(min_size=1, max_size=3))
def test_no_damage_makes_it_fall_over(at: int, damage: bytes) -> None:
    whole = json.dumps(said()).encode()
    _ends_well(whole[:at] + damage + whole[at + 1 :])


@pytest.mark.parametrize("one", [b"{}", b"[]", b'"a"', b'{"a":"b"}'], ids=str)
def test_more_values_than_any_mail_has_are_refused_before_they_are_made(one: bytes) -> None:
    raw = b'{"recipients": [' + b",".join([one] * (handed.MAX_VALUES + 1)) + b"]}"
    assert f"holds more than {handed.MAX_VALUES} values" in refusal(raw)


@pytest.mark.parametrize("ending", [b'"}', b"", b"\\", b'\\"', b'\\"' * 100_000], ids=lambda ending: str(ending[:4]))
def test_signs_in_a_text_are_no_values(ending: bytes) -> None:
    assert "values" not in refusal(b'{"kind": "' + b",[{" * handed.MAX_VALUES + ending)


def test_a_key_as_long_as_the_whole_is_cut_in_the_refusal() -> None:
    assert len(refusal(json.dumps(said(content={"x" * 1_000_000: {"subject": ""}})).encode())) < 300
