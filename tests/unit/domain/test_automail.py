"""Bounces, loops and reports are refused; what proves nothing passes; automatic mail says so."""

import time

import pytest

from mailgate.domain.author import read_author
from mailgate.domain.automail import MAX_RECEIVED, QUESTIONS, REPORTS, check, says_it_is_automatic
from mailgate.domain.header import split
from mailgate.errors import Reason, Refused

OWN = "log.legit.test"
FROM = b"From: anna@legit.test\r\n"


def verdict(block: bytes = FROM, sender: str = "anna@legit.test") -> Reason | None:
    fields = split(block + b"\r\nAuto-Submitted: auto-replied\r\n")
    try:
        author = read_author(fields)
    except Refused:
        author = ""
    try:
        check(fields, sender, author, OWN)
    except Refused as refusal:
        return refusal.reason
    return None


def automatic(block: bytes) -> bool:
    return says_it_is_automatic(split(FROM + block + b"\r\nAuto-Submitted: auto-replied\r\n"))


def test_an_ordinary_mail_passes() -> None:
    assert verdict() is None


def test_the_null_sender_is_a_bounce() -> None:
    assert verdict(sender="") is Reason.BOUNCE


@pytest.mark.parametrize(
    "value",
    [
        b" auto-replied",
        b" auto-generated",
        b"auto-notified",
        b" AUTO-Replied",
        b' auto-replied; owner-email="anna@legit.test"',
        b" (a (nested) comment) auto-generated (another)",
        b"\r\n auto-generated",
        b" yes",
        b" no-such-thing",
        b" auto-no",
        b" not(no)",
        b"",
        b" (no)",
    ],
)
def test_auto_submitted_other_than_no_is_machine_mail(value: bytes) -> None:
    assert automatic(b"Auto-Submitted:" + value + b"\r\n")


@pytest.mark.parametrize(
    "value",
    [
        b" no",
        b"no",
        b" NO",
        b"\tNo ",
        b" no (auto-generated)",
        b" (auto-replied) no",
        b" no; x=auto-replied",
        b"\r\n no",
        b" no(",
    ],
)
def test_auto_submitted_no_is_a_persons_mail(value: bytes) -> None:
    assert not automatic(b"Auto-Submitted:" + value + b"\r\n")


@pytest.mark.parametrize(
    "block",
    [
        b"AUTO-SUBMITTED: auto-generated\r\n",
        b"Auto-Submitted : auto-generated\r\n",
        b"Auto-Submitted: no\r\nAuto-Submitted: auto-generated\r\n",
        b"Auto-Submitted: auto-generated\r\nAuto-Submitted: no\r\n",
    ],
)
def test_any_auto_submitted_field_counts(block: bytes) -> None:
    assert automatic(block)


@pytest.mark.parametrize(
    "value",
    [
        *(b" multipart/report; report-type=" + report for report in sorted(REPORTS)),
        b' Multipart/Report; boundary="x"; Report-Type="Delivery-Status"',
        b" multipart/report;\r\n\treport-type=disposition-notification;\r\n\tboundary=x",
        b" multipart/report (a comment); report-type = (another) feedback-report",
        b'multipart/report; boundary="a;b"; report-type=delivery-status',
        b"multipart/report;boundary=x;report-type=delivery-status",
    ],
)
def test_a_mail_that_is_a_report_is_machine_mail_whoever_sends_it(value: bytes) -> None:
    assert verdict(FROM + b"Content-Type:" + value + b"\r\n") is Reason.MACHINE_MAIL
    assert verdict(FROM + b"Content-Type: text/plain\r\ncontent-type :" + value + b"\r\n") is Reason.MACHINE_MAIL


@pytest.mark.parametrize(
    "value",
    [
        b" multipart/report",
        b" multipart/report; report-type=other",
        b' multipart/report; boundary="; report-type=delivery-status"',
        b' multipart/report; name="x\\"; report-type=delivery-status"',
        b" multipart/mixed; report-type=delivery-status",
        b" multipart/reports; report-type=delivery-status",
        b" message/delivery-status; report-type=delivery-status",
        b" text/plain",
        b"",
        b" multipart/report; " + b";=" * 3000 + b"; report-type=delivery-status",  # beyond what is read
    ],
)
def test_what_is_no_report_is_a_persons_mail(value: bytes) -> None:
    assert verdict(FROM + b"Content-Type:" + value + b"\r\n") is None


def test_a_report_that_a_person_forwards_is_theirs_to_keep() -> None:
    body = b"--x\r\nContent-Type: multipart/report; report-type=delivery-status\r\n\r\n"
    block = FROM + b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n' + body
    assert verdict(block) is None


@pytest.mark.parametrize(
    "block",
    [
        b"Precedence: bulk",
        b"Precedence: auto_reply",
        b"Precedence: list",
        b"X-Auto-Response-Suppress: All",
        b"X-Auto-Response-Suppress: DR, OOF, AutoReply",
        b"X-Auto-Submitted: auto-generated",
        b"X-Autoreply: yes",
        b"List-Id: <list.legit.test>",
        b"Subject: Auto-Submitted: auto-generated",
        b"Subject: x\r\n Auto-Submitted: auto-generated",
        b"Return-Path: <>",
    ],
)
def test_what_proves_nothing_alone_passes(block: bytes) -> None:
    assert verdict(FROM + block + b"\r\n") is None
    assert not automatic(block + b"\r\n")


@pytest.mark.parametrize(("count", "expected"), [(0, None), (MAX_RECEIVED, None), (MAX_RECEIVED + 1, Reason.LOOP)])
def test_more_than_fifty_received_fields_are_a_loop(count: int, expected: Reason | None) -> None:
    assert MAX_RECEIVED == 50
    assert verdict(b"Received: by a.test\r\n b\r\n" * count + FROM) is expected
    assert verdict(b"rEceived: by a.test\r\n" * count + b"X-Received: x\r\n" * 60 + FROM) is expected


@pytest.mark.parametrize(
    ("sender", "author", "expected"),
    [
        ("abcd2345@log.legit.test", "anna@legit.test", Reason.LOOP),
        ("anna@legit.test", "abcd2345@log.legit.test", Reason.LOOP),
        ("anna@legit.test", "ABCD2345@LOG.Legit.Test.", Reason.LOOP),
        ("anna@legit.test", "anna@legit.test", None),
        ("anna@mail.log.legit.test", "anna@log.legit.test.attack.test", None),
        ("anna@xlog.legit.test", "anna@xlog.legit.test", None),
        ('"x@log.legit.test"@legit.test', "anna@legit.test", None),
    ],
)
def test_our_own_addresses_never_send(sender: str, author: str, expected: Reason | None) -> None:
    assert verdict(f"From: Anna <{author}>\r\n".encode(), sender) is expected


@pytest.mark.parametrize(
    "block", [b"", b"From: a@log.legit.test\r\nFrom: b@legit.test\r\n", b"From: x\r\n", b"From:\r\n"]
)
def test_an_author_that_cannot_be_read_is_not_judged_here(block: bytes) -> None:
    assert verdict(block + b"Subject: x\r\n") is None


def test_the_first_question_that_fits_gives_the_answer() -> None:
    block = b"Received: x\r\n" * 60 + FROM + b"Content-Type: multipart/report; report-type=delivery-status\r\n"
    assert verdict(block, "") is Reason.BOUNCE
    assert verdict(block) is Reason.LOOP
    assert {question.reason for question in QUESTIONS} == {Reason.BOUNCE, Reason.LOOP, Reason.MACHINE_MAIL}


def test_floods_take_linear_time() -> None:
    started = time.monotonic()
    assert verdict(b"Received: x\r\n" * 100_000 + FROM) is Reason.LOOP
    assert automatic(b"Auto-Submitted: " + b"(" * 1_000_000 + b"\r\n")
    assert not automatic(b"Auto-Submitted: no\r\n" * 100_000)
    assert verdict(FROM + b"Content-Type: multipart/report" + b';"' * 1_000_000 + b"\r\n") is None
    assert verdict(FROM + b'Content-Type: multipart/report; "\r\n' * 10_000) is None
    assert time.monotonic() - started < 30
