"""How large, long and deep a mail may be: what is noted, what stays readable, what it costs."""

import time
import tracemalloc

import pytest

from mailgate import mime
from mailgate.domain import author, header
from mailgate.mime import fields, tree
from tests.benchmarks.worst import HEAD, HEADER, MAILS, mixed, nested
from tests.unit.mime.soundness import faults

ANNA = "anna@muster.example"
FROM = b"From: Anna Muster <anna@muster.example>\r\n"
SUBJECT = b"Subject: Offerte\r\n"
MIB = 1024 * 1024
SECONDS = 20.0  # ten times and more what a slow machine takes


def codes(raw: bytes) -> list[str]:
    return [note.code for note in mime.read(raw).notes]


def filled(row: bytes) -> bytes:
    """Fill the largest header with a row, and put the fields that count below."""
    return row * ((HEADER - 200) // len(row)) + FROM + SUBJECT + b"\r\nGuten Tag\r\n"


ROWS = {
    "tiny fields": b"X-Y: z\r\n",
    "empty fields": b"X:\r\n",
    "addresses": b"To: a@b.example\r\n",
    "types": b"Content-Type: a/b\r\n",
    "trace fields": b"Received: from a by b;\r\n Mon, 16 Nov 2026 09:30:00 +0100\r\n",
    "encoded words": b"X: =?utf-8?q?=C3=BC?= =?utf-8?q?=C3=BC?=\r\n",
    "brackets": b"X: ((((((((((<<<<<<<<<<\r\n",
}


@pytest.mark.parametrize("row", ROWS)
def test_a_header_of_four_mebibytes_shows_its_author_and_subject_in_linear_time(row: str) -> None:
    raw = filled(ROWS[row])
    start = time.monotonic()
    assert author.read_author(header.split(raw)) == ANNA
    assert time.monotonic() - start < SECONDS
    mail = mime.read(raw)
    assert time.monotonic() - start < 2 * SECONDS
    assert faults(mail) == []
    assert mail.subject == "Offerte"
    assert "header_too_large" in [note.code for note in mail.notes]
    assert mail.text.strip() == "Guten Tag" or row == "types"


@pytest.mark.parametrize("row", [b"X: " + b"y" * (HEADER - 300) + b"\r\n", b"X: y\r\n" + b" y\r\n" * 900_000])
def test_one_field_of_four_mebibytes_hides_no_author(row: bytes) -> None:
    raw = row + FROM + SUBJECT + b"\r\nGuten Tag\r\n"
    start = time.monotonic()
    assert author.read_author(header.split(raw)) == ANNA
    mail = mime.read(raw)
    assert time.monotonic() - start < SECONDS
    assert (mail.subject, mail.text.strip()) == ("Offerte", "Guten Tag")
    assert [note.code for note in mail.notes] == ["header_too_large"]


@pytest.mark.parametrize(
    ("more", "noted"),
    [
        (b"X: " + b"y" * (MIB - len(FROM) - 7) + b"\r\n", False),
        (b"X: " + b"y" * (MIB - len(FROM) - 6) + b"\r\n", True),
        (b"X: y\r\n" * 4999, False),
        (b"X: y\r\n" * 5000, True),
        (b"X: y\r\n" + b" y\r\n" * 4998, False),
        (b"X: y\r\n" + b" y\r\n" * 4999, True),
    ],
    ids=["1 MiB", "over 1 MiB", "5,000 lines", "over 5,000 lines", "5,000 with folds", "over 5,000 with folds"],
)
def test_a_header_is_too_large_above_one_mebibyte_or_5000_lines(more: bytes, noted: bool) -> None:
    assert ("header_too_large" in codes(more + FROM + b"\r\nx")) is noted


@pytest.mark.parametrize(
    ("raw", "noted"),
    [
        (mixed(b"\r\nx", tree.MAX_PARTS - 1), False),
        (mixed(b"\r\nx", tree.MAX_PARTS), True),
        (HEAD + nested(tree.MAX_DEPTH) + b"\r\nx", False),
        (HEAD + nested(tree.MAX_DEPTH + 1) + b"\r\nx", True),
    ],
    ids=["2,000 parts", "more parts", "100 deep", "deeper"],
)
def test_a_mail_of_too_many_parts_or_too_deep_is_kept_raw_with_a_note(raw: bytes, noted: bool) -> None:
    mail = mime.read(raw)
    assert ("unreadable" in [note.code for note in mail.notes]) is noted
    assert mail.subject == "Bericht"
    assert bool(mail.text or mail.documents) is not noted


def test_below_5000_lines_no_more_fields_are_held_than_are_ever_shown() -> None:
    found = fields.split(filled(b"X: y\r\n"))
    assert len(found.items) < fields.LARGE_LINES + 10
    assert [name for name, _ in found.items[-2:]] == ["from", "subject"]
    assert len(fields.split(filled(b"To: y\r\n")).items) <= fields.LARGE_LINES + fields.MAX_EACH + 2


@pytest.mark.parametrize(
    "kind",
    [
        "an attachment in base64",
        "plain text",
        "plain text in latin-1",
        "plain text in quoted-printable",
        "one line",
        "quotes and signatures",
        "uuencode as encoding",
        "a header line of the whole size",
    ],
)
def test_a_mail_is_held_less_than_six_times(kind: str) -> None:
    mime.read(MAILS[kind](1000))
    raw = MAILS[kind](4 * MIB)
    tracemalloc.start()
    try:
        mime.read(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(raw) + peak < 6 * len(raw) + MIB
