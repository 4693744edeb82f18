"""Which arrivals are the same mail."""

import time
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.domain.header import split
from mailgate.domain.identity import MAX_MESSAGE_ID, MAX_QUEUE_ID, forwarded, identity, message_id, queue_id

HEADER = b"".join(
    (
        b"From: Anna <anna@legit.test>\r\n",
        b"To: kunde@kunde.example\r\n",
        b"Subject: Offer\r\n",
        b"Date: Mon, 1 Jan 2024 10:00:00 +0100\r\n",
        b"Message-ID: <1@legit.test>\r\n",
        b"Content-Type: text/plain\r\n",
    )
)
BODY = b"Hello\r\n"
RECEIVED = (
    b"Received: from a.test (a.test [192.0.2.1])\r\n\tby mx.legit.test (Postfix) with ESMTPSA id %s\r\n"
    b"\tfor <x@y.test>; Mon, 1 Jan 2024 10:00:00 +0100\r\n"
)


def test_what_is_handed_on_is_known_by_exactly_this_hash() -> None:
    own = identity_of(mail())
    assert forwarded(own) == sha256(b"mailgate-forwarded-1\0" + own.encode()).hexdigest()


def identity_of(raw: bytes, queue: str | None = None) -> str:
    return identity(split(raw), raw, queue, sha256(raw).hexdigest())


def mail(header: bytes = HEADER, body: bytes = BODY) -> bytes:
    return header + b"\r\n" + body


def test_identity_1_is_exactly_this_hash() -> None:
    raw = (
        b"X-Other: no\r\nsubject: b\r\n\t c  \r\nTO: first@x.test\r\nTo:second@x.test\r\n"
        b"Content-Type : text/plain\r\nFrom: a@x.test\r\nBcc: z@x.test\r\n"
        b"Date:\r\nMessage-ID: <1@x.test>\r\n\r\n x\r\n\r\n"
    )
    covered = (
        b"mailgate-identity-1\0"
        b"content-type:10:text/plain"
        b"date:0:"
        b"from:8:a@x.test"
        b"message-id:10:<1@x.test>"
        b"subject:3:b c"
        b"to:12:first@x.test"
        b"to:13:second@x.test"
        b"body:"
    )
    assert identity_of(raw) == sha256(covered + sha256(b" x").hexdigest().encode()).hexdigest()


def test_without_message_id_and_date_the_queue_id_or_else_the_bytes_tell_mails_apart() -> None:
    raw = b"From: a@x.test\r\n\r\nx"
    covered = b"mailgate-identity-1\0from:8:a@x.testbody:" + sha256(b"x").hexdigest().encode()
    assert identity_of(raw, "4XyZ") == sha256(covered + b"queue:4XyZ").hexdigest()
    assert identity_of(raw) == sha256(covered + b"raw:" + sha256(raw).hexdigest().encode()).hexdigest()
    for added in (b"Message-ID: <1@x.test>\r\n", b"Date: Mon, 1 Jan 2024 10:00:00 +0100\r\n"):
        assert identity_of(added + raw, "4XyZ") == identity_of(added + raw, "5AbC") == identity_of(added + raw)
    for empty in (b"Message-ID:\r\n", b"Date: \r\n"):
        assert identity_of(empty + raw, "4XyZ") != identity_of(empty + raw, "5AbC")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(mail(RECEIVED % b"4XyZ" + HEADER), id="one hop"),
        pytest.param(mail(RECEIVED % b"4AbC" + RECEIVED % b"4XyZ" + HEADER), id="two hops"),
        pytest.param(mail(b"Return-Path: <a@x.test>\r\nDelivered-To: b@x.test\r\n" + HEADER), id="other trace fields"),
        pytest.param(mail(b"Authentication-Results: mx.legit.test; spf=pass\r\n" + HEADER), id="verdicts"),
        pytest.param(mail(b"ARC-Seal: i=1\r\nDKIM-Signature: v=1\r\n" + HEADER), id="signatures"),
        pytest.param(mail(HEADER + b"X-Spam: no\r\nList-Id: <x>\r\nBcc: c@x.test\r\n"), id="X-, List- and Bcc"),
        pytest.param(mail(HEADER.replace(b"Subject: ", b"Subject:\r\n  ")), id="another fold"),
        pytest.param(
            mail(HEADER.replace(b"Subject: ", b"SUBJECT:\t") + b"X: y\r\n"), id="case of names and white space"
        ),
        pytest.param(mail(b"".join(sorted(HEADER.splitlines(keepends=True)))), id="another order of names"),
        pytest.param(mail(body=BODY + b"\r\n"), id="an empty line at the end"),
        pytest.param(mail(body=BODY + b"\r\n" * 10_000), id="many empty lines at the end"),
        pytest.param(mail(body=BODY.removesuffix(b"\r\n")), id="no line end at the end"),
    ],
)
def test_what_changes_on_the_way_changes_nothing(other: bytes) -> None:
    assert identity_of(other) == identity_of(mail())


@pytest.mark.parametrize(
    "other",
    [
        *(
            pytest.param(mail(HEADER + name + b": x\r\n"), id=f"one more {name.decode()}")
            for name in (
                *(b"From", b"Sender", b"Reply-To", b"To", b"Cc", b"Subject", b"Date", b"Message-ID", b"In-Reply-To"),
                *(b"References", b"Content-Type", b"Content-Transfer-Encoding", b"Content-Anything"),
            )
        ),
        pytest.param(mail(HEADER.replace(b"Offer", b"Offers")), id="another subject"),
        pytest.param(mail(HEADER.replace(b"Offer", b"offer")), id="the case of a value"),
        pytest.param(mail(body=b"Hello!\r\n"), id="another body"),
        pytest.param(mail(body=b"\r\n" + BODY), id="an empty line before the body"),
        pytest.param(mail(body=BODY + b"\n"), id="a bare LF at the end"),
        pytest.param(mail(body=BODY + b" \r\n"), id="a space at the end"),
        pytest.param(mail(body=b""), id="no body"),
        pytest.param(mail(HEADER.replace(b"To: ", b"To: a@x.test\r\nTo: ")), id="one more recipient above"),
    ],
)
def test_other_content_is_another_mail(other: bytes) -> None:
    assert identity_of(other) != identity_of(mail())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(b"We pay 100\r\n", b"We pay 900\r\n", id="the line itself"),
        pytest.param(b"no field\r\n to 1\r\n", b"no field\r\n to 2\r\n", id="its folded lines"),
        pytest.param(b"no field\r\nX-Sum: 1\r\n", b"no field\r\nX-Sum: 2\r\n", id="a field below that nobody covers"),
        pytest.param(b"no field\r\nX: 1\r\nY: 2\r\n", b"no field\r\nY: 2\r\nX: 1\r\n", id="the order below"),
        pytest.param(b"no field\r\nX: 1\r\n", b"X: 1\r\nno field\r\n", id="its place"),
        pytest.param(b"no field\r\nX: 1  2\r\n", b"no field\r\nX: 1 2\r\n", id="white space below"),
        pytest.param(b"no field\r\n", b"", id="one or none"),
    ],
)
def test_a_line_that_is_no_field_and_what_stands_below_it_is_content(one: bytes, other: bytes) -> None:
    """Readers show it as the beginning of the body, so a mail that differs there looks different."""
    assert identity_of(mail(HEADER + one)) != identity_of(mail(HEADER + other))
    assert identity_of(mail(RECEIVED % b"4XyZ" + HEADER + one)) == identity_of(mail(HEADER + one))


def test_the_order_of_fields_of_one_name_counts() -> None:
    assert identity_of(mail(HEADER + b"Cc: a\r\nCc: b\r\n")) != identity_of(mail(HEADER + b"Cc: b\r\nCc: a\r\n"))


def test_two_fields_are_never_taken_for_one() -> None:
    assert identity_of(mail(HEADER + b"Cc: 1cc:1:2\r\n")) != identity_of(mail(HEADER + b"Cc: 1\r\nCc: 2\r\n"))


_LINES = st.sampled_from([b"Subject: x\r\n", b"X: y\r\n", b" fold\r\n", b"Date: z\r\n", b"no field\r\n", b"Cc :q\r\n"])


@settings(deadline=None)
@given(st.lists(_LINES).map(b"".join), st.binary(), st.binary(min_size=1), st.integers(0, 5))
def test_a_longer_body_is_another_mail_unless_only_line_ends_were_added(
    header: bytes, body: bytes, more: bytes, ends: int
) -> None:
    raw = b"Message-ID: <1@x.test>\r\n" + header + b"\r\n" + body
    assert identity_of(raw + b"\r\n" * ends) == identity_of(raw)
    if more.strip(b"\r\n"):
        assert identity_of(raw + more) != identity_of(raw)
        assert split(raw + more) == split(raw)


@settings(deadline=None)
@given(st.lists(_LINES).map(b"".join), st.binary(), st.lists(st.sampled_from([b"4XyZ", b"5AbC"]), max_size=3))
def test_hops_change_nothing(header: bytes, body: bytes, hops: list[bytes]) -> None:
    raw = b"Message-ID: <1@x.test>\r\n" + header + b"\r\n" + body
    assert identity_of(b"".join(RECEIVED % hop for hop in hops) + raw) == identity_of(raw)


@settings(deadline=None)
@given(st.binary(), st.one_of(st.none(), st.text()))
def test_any_bytes_have_an_identity(raw: bytes, queue: str | None) -> None:
    header = split(raw)
    assert len(identity(header, raw, queue and queue.encode("ascii", "replace").decode(), "0")) == 64
    queue_id(header)
    assert message_id(header).isprintable()


@pytest.mark.parametrize(
    ("received", "found"),
    [
        pytest.param((RECEIVED % b"4XyZ12abc").decode(), "4XyZ12abc", id="Postfix"),
        pytest.param(
            "Received: from [192.0.2.1] (helo=a.test)\r\n\tby mx.legit.test with esmtpsa  (TLS1.3) tls TLS_AES\r\n\t"
            "(Exim 4.96)\r\n\t(envelope-from <anna@legit.test>)\r\n"
            "\tid 1rKXyz-000AbC-2d\r\n\tfor x@y.test;\r\n\tMon\r\n",
            "1rKXyz-000AbC-2d",
            id="Exim",
        ),
        pytest.param(
            "Received: by mx.legit.test (Postfix, from userid 1000)\r\n\tid 9A8B7C; Mon\r\n", "9A8B7C", id="local"
        ),
        pytest.param("Received: FROM a BY b WITH smtp ID abc FOR x; Mon\r\n", "abc", id="upper case"),
        pytest.param(
            "Received: from id by b.test with SMTP id abc; Mon\r\n", "abc", id="a client that calls itself id"
        ),
        pytest.param("Received: from a (id evil) by b.test (x (id evil)) id abc; Mon\r\n", "abc", id="id in comments"),
        pytest.param("Received: by b.test id one\r\nReceived: by a.test id two\r\n", "one", id="the topmost"),
        pytest.param("Subject: by b id x\r\nReceived: by b.test id one\r\n", "one", id="below other fields"),
        pytest.param(
            "Received: from a.test (2001:db8::1) by b.test (2001:db8::2) with Microsoft SMTP Server (version=TLS1_2)"
            " id 15.20.8158.23; Mon\r\n",
            None,
            id="the version of Exchange",
        ),
        pytest.param(
            "Received: by b.test with Microsoft SMTP Server id 15.1.2507.6 via Frontend Transport; x\r\n",
            None,
            id="the same, front end",
        ),
        pytest.param("Received: by b.test (qmail 1 invoked by uid 0); Mon\r\n", None, id="no id"),
        pytest.param("Received: by b.test\r\nReceived: by a.test id two\r\n", None, id="no id in the topmost"),
        pytest.param("Received: by b.test; id abc\r\n", None, id="behind the date's semicolon"),
        pytest.param("Received: id abc by b.test\r\n", None, id="before by"),
        pytest.param("Received: by b.test id\r\n", None, id="nothing after it"),
        pytest.param("Received: by b.test id a/b\r\n", None, id="odd characters"),
        pytest.param("Received: by b.test id \xe4\r\n", None, id="8-bit"),
        pytest.param(f"Received: by b.test id {'a' * MAX_QUEUE_ID}\r\n", "a" * MAX_QUEUE_ID, id="at the limit"),
        pytest.param(f"Received: by b.test id {'a' * (MAX_QUEUE_ID + 1)}\r\n", None, id="too long"),
        pytest.param(f"Received: by {'b' * 5000} id abc\r\n", None, id="too far away"),
        pytest.param("Received:\r\n", None, id="empty"),
        pytest.param("Subject: x\r\n", None, id="none"),
    ],
)
def test_the_queue_id_is_the_relays_own(received: str, found: str | None) -> None:
    assert queue_id(split(received.encode("latin-1") + b"\r\n")) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b" <1@legit.test>", "<1@legit.test>"),
        (b"\r\n <1@legit.test>", "<1@legit.test>"),
        (b" <1@legit.test> (added by a server)", "<1@legit.test>"),
        (b" <[x]@legit.test>", "<[x]@legit.test>"),
        (b" no brackets", "no brackets"),
        (b" <1\0\x1b\x7f@legit.test>", "<1@legit.test>"),
        (b" <1\t2@legit.test>", "<12@legit.test>"),
        ("<ä@legit.test>".encode(), "<ä@legit.test>"),
        ("<1\u202e\u200b@legit.test>".encode(), "<1@legit.test>"),
        (b" <\xff@legit.test>", "<\ufffd@legit.test>"),
        (b" <" + b"x" * 5000, "<" + "x" * (MAX_MESSAGE_ID - 1)),
        (b" <>", "<>"),
        (b" ", ""),
        (b"", ""),
    ],
)
def test_the_message_id_is_text_that_a_column_and_a_line_can_hold(value: bytes, found: str) -> None:
    assert message_id(split(b"X: y\r\nMESSAGE-id:" + value + b"\r\nMessage-ID: <2@legit.test>\r\n\r\n")) == found


def test_a_mail_may_have_no_message_id() -> None:
    assert message_id(split(b"Subject: x\r\n\r\nMessage-ID: <1@legit.test>")) == ""


@pytest.mark.parametrize(
    "raw",
    [
        b"A: b\r\n\r\n" + b"\r\n" * 10_000_000,
        b"To: x\r\n" * 100_000,
        b"Received: " + b"(" * 2_000_000,
        b"Message-ID: " + b"<" * 2_000_000,
    ],
    ids=["line ends", "fields", "parentheses", "brackets"],
)
def test_hostile_mails_take_linear_time(raw: bytes) -> None:
    started = time.monotonic()
    header = split(raw)
    identity(header, raw, queue_id(header), message_id(header))
    assert time.monotonic() - started < 20
