import re

import pytest

from mailgate import mime
from tests.benchmarks.mails import AUTHOR, Mails

SIZES = [5_000, 100_000, 1_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_mails_have_the_size_that_their_row_names(size: int) -> None:
    for number in (1, 17, 5_000_000):
        assert len(Mails(size).one(number)) == pytest.approx(size, rel=0.05)


@pytest.mark.parametrize("size", SIZES)
def test_no_two_mails_are_alike_in_anything_that_is_kept_of_them(size: int) -> None:
    made = Mails(size)
    read = [mime.read(made.one(number)) for number in range(5)]
    assert len({mail.message_id for mail in read}) == 5
    assert len({mail.text for mail in read}) == 5
    assert len({mail.html for mail in read}) == 5
    documents = [document.sha256 for mail in read for document in mail.documents]
    assert len(set(documents)) == (5 if size > 5_000 else 0)


@pytest.mark.parametrize("size", SIZES)
def test_a_mail_is_its_pieces_and_nothing_has_to_be_stuffed(size: int) -> None:
    mail = Mails(size).one(7)
    assert mail == b"".join(Mails(size).pieces(7))
    assert mail.endswith(b"\r\n")
    assert mail.count(b"\r\n") == mail.count(b"\n") == mail.count(b"\r")
    assert not re.search(rb"^\.", mail, re.MULTILINE)


def test_a_mail_is_one_that_people_send() -> None:
    mail = mime.read(Mails(100_000).one(3))
    assert [(party.header, party.email) for party in mail.parties][:2] == [
        ("from", AUTHOR),
        ("to", "kunde@kunde.example"),
    ]
    assert "Grüße" in Mails(100_000).one(3).decode("utf-8")
    assert [(document.name, document.type) for document in mail.documents] == [("Angebot.pdf", "application/pdf")]
    assert mail.text
    assert mail.html
