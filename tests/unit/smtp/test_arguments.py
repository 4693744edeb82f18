from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.smtp import replies
from mailgate.smtp.arguments import BadArgument, MailFrom, chunk, mail_from, rcpt_to
from mailgate.smtp.replies import Reply


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("FROM:<>", MailFrom("")),
        ("FROM:<anna@example.test>", MailFrom("anna@example.test")),
        ("from: <Anna@Example.Test>  size=12", MailFrom("Anna@Example.Test", 12)),
        ("FROM:<a..b@example.test>", MailFrom("a..b@example.test")),
        ('FROM:<"a b>\\""@example.test>', MailFrom('"a b>\\""@example.test')),
        ("FROM:<a@[IPv6:2001:db8::1]>", MailFrom("a@[IPv6:2001:db8::1]")),
        ("FROM:<jörg@bücher.example> SMTPUTF8", MailFrom("jörg@bücher.example", 0, utf8=True)),
        ("FROM:<a@b> BODY=binarymime", MailFrom("a@b", binary=True)),
        ("FROM:<a@b> SIZE=0", MailFrom("a@b")),
        ("FROM:<a@b> SIZE=" + "9" * 20, MailFrom("a@b", int("9" * 20))),
        ("FROM:<a@b> SIZE=" + "1" * 4000, MailFrom("a@b", 10**20)),
        ("FROM:<a@b> RET=FULL ENVID=x AUTH=<> BODY=7BIT", MailFrom("a@b")),
    ],
)
def test_mail_from(argument: str, expected: MailFrom) -> None:
    assert mail_from(argument.encode()) == expected


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("", replies.BAD_SYNTAX),
        ("TO:<a@b>", replies.BAD_SYNTAX),
        ("FROM:a@b", replies.BAD_SYNTAX),
        ("FROM:<a@b>SIZE=1", replies.BAD_SYNTAX),
        ("FROM:<a@b> =1", replies.BAD_SYNTAX),
        ("FROM:<a@b> SIZE=1=2", replies.BAD_SYNTAX),
        ("FROM:<a@b> SIZE=\u0661", replies.BAD_SYNTAX),
        ("FROM:<a@b> SIZE=1 size=1", replies.BAD_SYNTAX),
        ("FROM:<a@b> NOTIFY=NEVER", replies.UNKNOWN_PARAMETER),
        ("FROM:<a@b> X-OURS", replies.UNKNOWN_PARAMETER),
        ("FROM:<jörg@b>", replies.UTF8_NOT_DECLARED),
        ("FROM:<" + "ö" * 300 + "@b> SMTPUTF8", replies.BAD_SYNTAX),
    ],
)
def test_bad_mail_from(argument: str, reply: Reply) -> None:
    with pytest.raises(BadArgument) as caught:
        mail_from(argument.encode())
    assert caught.value.reply == reply


def test_rcpt_to() -> None:
    assert rcpt_to(b"TO:<one@log.test> NOTIFY=NEVER", utf8=False) == "one@log.test"
    assert rcpt_to("TO:<züri@log.test>".encode(), utf8=True) == "züri@log.test"
    for argument, reply in ((b"TO:<>", replies.BAD_SYNTAX), (b"TO:<a@b> SIZE=1", replies.UNKNOWN_PARAMETER)):
        with pytest.raises(BadArgument) as caught:
            rcpt_to(argument, utf8=False)
        assert caught.value.reply == reply


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("0", (0, False)),
        ("12", (12, False)),
        ("12 LAST", (12, True)),
        ("12  last ", (12, True)),
        ("0 LAST", (0, True)),
        ("9" * 20, (10**20 - 1, False)),
        ("9" * 21, None),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.0", None),
        ("12 FIRST", None),
        ("12LAST", None),
        ("\u0661", None),
    ],
)
def test_chunk(argument: str, expected: tuple[int, bool] | None) -> None:
    assert chunk(argument.encode()) == expected


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(junk: bytes) -> None:
    for text in (junk, b"FROM:<" + junk + b">", b"FROM:<a@b> " + junk):
        with suppress(BadArgument):
            assert isinstance(mail_from(text), MailFrom)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("piece", ['"', "\\", "(", "<", ".", "@", '"\\', "a@", '" ', " A=1", " =", "ö"])
def test_a_line_of_nothing_else_takes_no_time(piece: str) -> None:
    for _ in range(50):
        for start in ("FROM:<", 'FROM:<"', "FROM:<a@b>"):
            with pytest.raises(BadArgument):
                mail_from((start + piece * 4000)[:4000].encode())
