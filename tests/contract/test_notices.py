from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from mailgate.domain.activity import Participant, Side
from mailgate.domain.content import Content
from mailgate.domain.document import NewDocument
from mailgate.domain.mail import Note
from mailgate.domain.notice import Finished, NewNotice, identity
from mailgate.domain.user import Language
from mailgate.errors import BadInput, NotFound
from tests.contract.conftest import Backend, Maker
from tests.worlds import ANNA, BEAT, CAMPAIGN, CUSTOMER, JOB, NOW, WORLD, raw_mail, read_mail, ref

DE, EN, FR, IT = Language
CLIENT = "one@kunde.example"
NOBODY = "01234567-89ab-7def-8123-456789abcdef"


def notice(**changes: Any) -> NewNotice:
    whole: dict[str, Any] = {
        "kind": "invoice",
        "record": CAMPAIGN,
        "topic": "billing",
        "triggered_by": ANNA.email,
        "participants": (
            Participant(email=CLIENT, name="", header="to", side=Side.EXTERNAL, record=ref("contact:1")),
            Participant(email="unknown@else.example", name="", header="to", side=Side.EXTERNAL),
        ),
        "occurred_at": NOW,
        "recorded_at": NOW,
        "message_id": "<1@firma.example>",
        "content": {DE: Content("Rechnung", "Guten Tag", "<p>Guten Tag</p>"), EN: Content("Invoice", "Hello")},
        "sent_languages": {CLIENT: (DE, EN)},
        "documents": (NewDocument("r.pdf", "application/pdf", b"%PDF-1.4"),),
        "links": ("https://kunde.example/",),
        "notes": (Note("language_ignored", "x"),),
        "identity": identity("<1@firma.example>", (DE, EN)),
        "fingerprint": "f" * 64,
        **changes,
    }
    return NewNotice(**whole)


def finished(raw: bytes, **changes: Any) -> NewNotice:
    whole = Finished(raw=raw, raw_sha256=sha256(raw).hexdigest(), mail=read_mail(raw))
    bare = {"content": dict.fromkeys((DE, EN), Content()), "documents": (), "links": ()}
    return notice(finished=whole, **bare, **changes)


@pytest.fixture
def backend(make_backend: Maker) -> Backend:
    return make_backend(WORLD)


def test_a_notice_becomes_an_activity_in_its_languages(backend: Backend) -> None:
    kept = backend.notices.keep(notice())
    shown = kept.activity
    assert not kept.again
    assert (shown.record, shown.type, shown.topic, shown.origin) == (CAMPAIGN, "email", "billing", "system")
    assert (shown.recorder, shown.read_only, shown.trust) == (ANNA.email, True, "none")
    assert (shown.occurred_at, shown.recorded_at, shown.message_id) == (NOW, NOW, "<1@firma.example>")
    assert shown.subject == "Rechnung / Invoice"
    assert shown.text == "Deutsch\n\nGuten Tag\n\nEnglish\n\nHello"
    assert shown.html == "<h2>Deutsch</h2>\n<p>Guten Tag</p>\n<h2>English</h2>\n<p>Hello</p>"
    assert shown.languages == ("de", "en")
    assert shown.content == {
        "de": Content("Rechnung", "Guten Tag", "<p>Guten Tag</p>"),
        "en": Content("Invoice", "Hello"),
    }
    assert shown.sent_languages == {CLIENT: ("de", "en")}
    assert shown.participants == notice().participants
    assert [(one.n, one.name, one.type, one.size) for one in shown.documents] == [(1, "r.pdf", "application/pdf", 8)]
    assert (shown.links, shown.notes) == (notice().links, notice().notes)
    assert (shown.raw_sha256, shown.raw_size, shown.envelope_from) == (None, None, None)


def test_a_finished_mail_is_kept_with_its_bytes(backend: Backend) -> None:
    raw = raw_mail()
    shown = backend.notices.keep(finished(raw)).activity
    assert (shown.raw_sha256, shown.raw_size) == (sha256(raw).hexdigest(), len(raw))
    subject = read_mail(raw).subject
    assert (shown.subject, shown.languages, shown.trust) == (subject, ("de", "en"), "none")
    assert {code: words.subject for code, words in shown.content.items()} == {"de": subject, "en": subject}
    assert shown.text == read_mail(raw).text
    assert [one.name for one in shown.documents] == ["offerte.pdf"]
    assert [note.code for note in shown.notes] == ["defects", "language_ignored"]


def test_the_same_again_is_the_first_activity(backend: Backend) -> None:
    first = backend.notices.keep(notice())
    second = backend.notices.keep(notice())
    assert (second.activity, second.again) == (first.activity, True)


AGAIN: list[tuple[str, Callable[[NewNotice], NewNotice], bool]] = [
    ("another record", lambda one: replace(one, record=CUSTOMER), False),
    ("other languages", lambda one: replace(one, identity=identity(one.message_id, (DE,))), False),
    ("another time", lambda one: replace(one, occurred_at=NOW.replace(year=2025)), True),
]


@pytest.mark.parametrize(("change", "same"), [row[1:] for row in AGAIN], ids=[row[0] for row in AGAIN])
def test_the_key_is_message_record_and_languages(
    backend: Backend, change: Callable[[NewNotice], NewNotice], same: bool
) -> None:
    first = backend.notices.keep(notice())
    second = backend.notices.keep(change(notice()))
    assert second.again is same
    assert (second.activity.id == first.activity.id) is same


def test_other_content_under_the_same_key_is_refused(backend: Backend) -> None:
    first = backend.notices.keep(notice())
    with pytest.raises(BadInput, match=r"<1@firma.example> .*other content"):
        backend.notices.keep(notice(fingerprint="e" * 64))
    assert backend.notices.keep(notice()).activity == first.activity


def _met(backend: Backend, *fingerprints: str, **changes: Any) -> list[tuple[str, str]]:
    asked = {"record": CAMPAIGN, "message_id": "<1@firma.example>", **changes}
    return [
        (met.fingerprint, met.activity.id)
        for met in backend.notices.met(**asked, fingerprints=fingerprints or ["f" * 64])
    ]


def test_the_same_mail_is_met_in_whatever_languages_it_was_logged(backend: Backend) -> None:
    both = backend.notices.keep(notice()).activity
    one = backend.notices.keep(
        notice(identity=identity("<1@firma.example>", (DE,)), fingerprint="e" * 64, content={DE: Content("a", "b")})
    ).activity
    assert _met(backend) == [("f" * 64, both.id)]
    assert _met(backend, "e" * 64, "f" * 64, "d" * 64) == [("f" * 64, both.id), ("e" * 64, one.id)]
    (met,) = backend.notices.met(CAMPAIGN, "<1@firma.example>", ["e" * 64])
    assert met.activity == one
    assert met.activity.languages == ("de",)


def test_a_finished_mail_is_met_too(backend: Backend) -> None:
    made = backend.notices.keep(finished(raw_mail(), message_id="")).activity
    assert _met(backend, message_id="") == [("f" * 64, made.id)]


def test_other_mail_is_not_met(backend: Backend) -> None:
    made = backend.notices.keep(notice()).activity
    assert _met(backend, "e" * 64) == []
    assert _met(backend, message_id="<2@firma.example>") == []
    assert _met(backend, record=CUSTOMER) == _met(backend, record=ref("campaign:1")) == []
    backend.delete(made.id)
    assert _met(backend) == []


@pytest.mark.parametrize("fingerprint", ["f" * 64, "e" * 64])
def test_what_was_deleted_is_not_logged_again(backend: Backend, fingerprint: str) -> None:
    backend.delete(backend.notices.keep(notice()).activity.id)
    with pytest.raises(BadInput, match=r"<1@firma.example> .*deleted"):
        backend.notices.keep(notice(fingerprint=fingerprint))


def test_who_may_do_nothing_else_is_the_recorder_still(backend: Backend) -> None:
    for n, user in enumerate((ANNA, BEAT, JOB)):  # Beat is disabled, Job has no role
        kept = backend.notices.keep(notice(triggered_by=user.email, identity=str(n) * 64))
        assert kept.activity.recorder == user.email


def test_a_closed_record_takes_it(backend: Backend) -> None:
    assert backend.notices.keep(notice(record=ref("campaign:4712"))).activity.record == ref("campaign:4712")


@pytest.mark.parametrize(
    ("gone", "named"),
    [({"record": ref("campaign:1")}, "campaign:1"), ({"triggered_by": "gone@firma.example"}, "gone@firma.example")],
)
def test_nothing_is_written_for_who_or_what_is_gone(backend: Backend, gone: dict[str, Any], named: str) -> None:
    with pytest.raises(NotFound, match=named):
        backend.notices.keep(notice(**gone))
    kept = backend.notices.keep(notice())
    assert not kept.again


def test_a_task_says_its_topic(backend: Backend) -> None:
    task = backend.add_task(CAMPAIGN, "offer")
    assert backend.notices.task_topic(CAMPAIGN, task) == "offer"
    with pytest.raises(BadInput, match=f"task: {task} is no task on {CUSTOMER}"):
        backend.notices.task_topic(CUSTOMER, task)


def test_a_task_that_is_gone_leaves_other_on_its_record(backend: Backend) -> None:
    task = backend.add_task(CAMPAIGN, "offer")
    backend.remove_task(task)
    assert backend.notices.task_topic(CAMPAIGN, task) == "other"
    with pytest.raises(BadInput, match=f"task: {task} is no task on {CUSTOMER}"):
        backend.notices.task_topic(CUSTOMER, task)


def test_a_task_that_never_was_is_named(backend: Backend) -> None:
    with pytest.raises(NotFound, match=NOBODY):
        backend.notices.task_topic(CAMPAIGN, NOBODY)
