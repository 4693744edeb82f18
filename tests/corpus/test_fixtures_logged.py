"""What activities come of a mail: each of ``fixtures/activities`` walks the whole path, as Anna's to the campaign.

Its ``.json`` says what is logged, notes with their words, and its ``.md`` in one line why it is there. People and
records are those of ``tests.worlds``; the mail comes at noon on 22 November 2026.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mailgate import wire
from mailgate.domain.activity import Participant
from mailgate.domain.ledger import Outcome
from mailgate.domain.mail import Document
from mailgate.mime.reader import document
from tests.corpus.messages import REPOSITORY
from tests.desk import Desk
from tests.fakes import FakeActivity

FIXTURES = sorted((REPOSITORY / "fixtures" / "activities").glob("*.eml"))


def logged(raw: bytes) -> dict[str, Any]:
    """What became of a mail, and the activities in the order in which they were kept."""
    desk = Desk()
    (outcome,) = desk.send(raw.decode("latin-1"))
    return {**_verdict(outcome), "activities": [_activity(each) for each in desk.archive.activities.values()]}


def _verdict(outcome: Outcome) -> dict[str, Any]:
    return {"verdict": outcome.verdict.value, "reason": outcome.reason.value if outcome.reason else None}


def _activity(one: FakeActivity) -> dict[str, Any]:
    new = one.new
    (addressed,) = new.activities
    return {
        "record": str(one.record),
        "subject": new.mail.subject,
        "text": new.mail.text,
        "occurred_at": wire.moment(new.occurred_at),
        "sent_at": wire.moment(new.mail.sent_at),
        "recorder": new.recorder,
        "trust": new.trust,
        "message_id": new.mail.message_id,
        "raw_size": len(new.raw),
        "raw_sha256": new.raw_sha256,
        "participants": [_participant(each) for each in addressed.participants],
        "documents": [_document(each) for each in new.mail.documents],
        "links": list(new.mail.links),
        "notes": [{"code": note.code, "text": note.text} for note in one.notes],
    }


def _participant(one: Participant) -> list[str | None]:
    return [one.header, one.email, one.name, one.side.value, str(one.record) if one.record else None]


def _document(one: Document) -> list[Any]:
    return [one.n, one.name, one.type, one.size, one.sha256]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_of_a_mail_comes_what_is_written_down(path: Path) -> None:
    assert logged(path.read_bytes()) == json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_what_is_logged_are_the_bytes_that_came(path: Path) -> None:
    raw = path.read_bytes()
    desk = Desk()
    desk.send(raw.decode("latin-1"))
    for each in desk.archive.activities.values():
        assert each.new.raw in raw
        assert sha256(each.new.raw).hexdigest() == each.new.raw_sha256
        contents = [document(each.new.raw, one.n) for one in each.new.mail.documents]
        assert [sha256(content or b"-").hexdigest() for content in contents] == [
            one.sha256 for one in each.new.mail.documents
        ]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_fixture_says_why_it_exists_and_ends_its_lines_as_mail_does(path: Path) -> None:
    raw = path.read_bytes()
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert len(path.with_suffix(".md").read_text(encoding="utf-8").splitlines()) == 1


def test_the_fixtures_are_there() -> None:
    assert len(FIXTURES) == 19
