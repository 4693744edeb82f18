import contextlib
import time

import pytest

from mailgate import mime
from mailgate.domain import header
from mailgate.domain.author import read_author
from mailgate.errors import Refused
from tests.corpus import messages
from tests.unit.mime.soundness import faults

AUTHOR = "anna@haus.example"


def test_every_message_is_read_as_it_is() -> None:
    wrong = {messages.name(path): faults(mime.read(path.read_bytes())) for path in messages.messages()}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_no_message_of_the_corpus_is_unreadable() -> None:
    unreadable = [
        messages.name(path)
        for path in messages.messages()
        if any(note.code == "unreadable" for note in mime.read(path.read_bytes()).notes)
    ]
    assert unreadable == []


def test_every_document_can_be_fetched_and_is_what_was_listed() -> None:
    for path in messages.messages():
        raw = path.read_bytes()
        for document in mime.read(raw).documents:
            content = mime.document(raw, document.n)
            assert content is not None, messages.name(path)
            assert len(content) == document.size, messages.name(path)


def test_the_whole_corpus_is_read_in_bounded_time() -> None:
    raws = [path.read_bytes() for path in messages.messages()]
    start = time.monotonic()
    for raw in raws:
        mime.read(raw)
    assert time.monotonic() - start < 30  # a second or so


def test_all_of_the_corpus_is_found_where_it_is() -> None:
    found = messages.messages()
    expected = messages.CORPUS_SIZE if messages.CORPUS.is_dir() else len(messages.fixtures())
    assert len(found) == expected
    assert len(messages.fixtures()) >= 20


def test_the_author_that_the_strict_rule_accepts_is_the_one_that_is_shown() -> None:
    accepted = 0
    for path in (*messages.messages(), *messages.fixtures()):
        raw = path.read_bytes()
        with contextlib.suppress(Refused):
            author = read_author(header.split(raw))
            shown = [party.email for party in mime.read(raw).parties if party.header == "from"]
            assert shown == [author], messages.name(path)
            accepted += 1
    assert accepted > len(messages.fixtures()) // 2


def test_a_message_given_another_author_has_that_author_and_no_other() -> None:
    authors = {
        messages.name(path): read_author(header.split(messages.with_author(path.read_bytes(), AUTHOR)))
        for path in messages.messages()
    }
    assert set(authors.values()) == {AUTHOR}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Subject: s\nFrom: x@x.example\n\nb\n", b"From: anna@haus.example\r\nSubject: s\r\n\r\nb\r\n"),
        (b"FROM : x@x.example\r\nSubject: s\r\n\r\nb", b"From: anna@haus.example\r\nSubject: s\r\n\r\nb"),
        (b"From x@x.example Mon\nSubject: s\n\nb", b"From: anna@haus.example\r\nSubject: s\r\n\r\nb"),
        (b"From\n : x@x.example\nSubject: s\n\nb", b"From: anna@haus.example\r\nSubject: s\r\n\r\nb"),
        (b" From: x@x.example\nSubject: s\n\nb", b"From: anna@haus.example\r\nSubject: s\r\n\r\nb"),
        (
            b"Subject: a\n b\n\nFrom: in the body\n",
            b"From: anna@haus.example\r\nSubject: a\r\n b\r\n\r\nFrom: in the body\r\n",
        ),
        (b"", b"From: anna@haus.example\r\n"),
    ],
)
def test_another_author_leaves_all_else_as_it_was(raw: bytes, expected: bytes) -> None:
    assert messages.with_author(raw, AUTHOR) == expected
