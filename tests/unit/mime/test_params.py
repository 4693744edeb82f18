from time import perf_counter

import pytest

from mailgate.mime import params


@pytest.mark.parametrize(
    ("raw", "value", "name"),
    [
        (b"attachment; name=a.txt", "attachment", "a.txt"),
        (b'ATTACHMENT; NAME="a b.txt"', "attachment", "a b.txt"),
        (b'x; name="a;b\\"c.txt"', "x", 'a;b"c.txt'),
        (b'x; name="C:\\dir\\a.txt"', "x", "C:\\dir\\a.txt"),
        (b"x; name=Unser Angebot.pdf; size=1", "x", "Unser Angebot.pdf"),
        (b"x; name=a.txt; name*=utf-8''b%20b.exe", "x", "b b.exe"),
        (b"x; name*=utf-8''b.exe; name=a.txt", "x", "b.exe"),
        (b"x; name*0=a; name*1=b; name=c", "x", "ab"),
        (b"x; name*0*=utf-8''%C3; name*1*=%BC; name*2=c", "x", "üc"),
        (b"x; name*1=b; name*0=a; name*3=d", "x", "ab"),
        (b"x; name*=iso-8859-1'de'%FC", "x", "ü"),
        (b"x; name*=no-quotes%20here", "x", "no-quotes here"),
        (b"x; name*=nope''%FC", "x", "ü"),
        (b'x; name="=?utf-8?Q?=C3=BC.pdf?="', "x", "ü.pdf"),
        ("x; name=ü.pdf".encode(), "x", "ü.pdf"),
        ("x; name=ü.pdf".encode("latin-1"), "x", "ü.pdf"),
        (b'x; name="never closed.pdf', "x", "never closed.pdf"),
        (b"x;\r\n name=folded.pdf", "x", "folded.pdf"),
        (b"multipart/mixed\tname=no-semicolon", "multipart/mixed", "no-semicolon"),
        (b"; name=a.txt", "", "a.txt"),
        (b'name="a.txt"', "", "a.txt"),
        (b'attachment, name="a.txt"', "attachment", "a.txt"),
        (b'attachment name="a.txt"', "attachment", "a.txt"),
        (b"text/plain (plain text); name=a.txt", "text/plain", "a.txt"),
        (b'x; name="Angebot "neu".pdf"; size=1', "x", 'Angebot "neu".pdf'),
        (b'x; name=""a".pdf"', "x", '"a".pdf'),
        (b'x; name="a.pdf" (comment)', "x", "a.pdf"),
        (b'x; name="a.pdf" size=1', "x", "a.pdf"),
        (b"x; size=1 name=a b.pdf", "x", "a b.pdf"),
        (b"x; name=a b.pdf size=1", "x", "a b.pdf"),
        (b'x; charset="utf-8"x; name="a.pdf"', "x", "a.pdf"),
        (b"x\r\n name*0*=utf-8''%C3\r\n name*1*=%BC.pdf", "x", "ü.pdf"),
        (b"x; name*1*=utf-8''%C3; name*2*=%BC", "x", "ü"),
        (b"x; name*1=b; name=a", "x", "a"),
        (b'x; name=""; name=a; name=b', "x", "a"),
        (b"x; name*=utf-8'%C3%BC", "x", "ü"),
        (b"x; name==?utf-8?Q?a; b;=C3=BC.pdf?=; size=1", "x", "a; b;ü.pdf"),
        (b"x; name*=it's%20me", "x", "it's me"),
        (b"x; name*==?utf-8?Q?=C3=BC?=", "x", "ü"),
        (b"x; name*=''=?utf-8?Q?=C3=BC?=", "x", "ü"),
        (b"x; name*=utf-8''%3D%3Futf-8%3FQ%3F%3DC3%3DBC%3F%3D.pdf", "x", "ü.pdf"),
        (b"x; name*0*=utf-8''%3D%3Futf-8%3FQ%3F; name*1*=%3DC3%3DBC%3F%3D.pdf", "x", "ü.pdf"),
        (b"x; name*=''%FC.pdf; charset=iso-8859-2", "x", "ü.pdf"),
        (b'x; name*0="=?utf-8?Q?a_?= =?utf-8?Q?=C3"; name*1="=BC?="', "x", "a ü"),
        (b"x; charset=koi8-r; name=\xc1\xce\xce\xc1.txt", "x", "анна.txt"),
        (b"x; =; ;; name", "x", ""),
        (b"", "", ""),
    ],
)
def test_a_value_and_its_parameter_are_read_with_one_winner(raw: bytes, value: str, name: str) -> None:
    parsed = params.parse(raw)
    assert (parsed.value, parsed.parameter("name")) == (value, name)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(b"x; a=1; a=2", True), (b"x; a=1; a=1", False), (b"x; a=1; b=2", False)],
)
def test_a_parameter_said_twice_in_two_ways_is_ambiguous(raw: bytes, expected: bool) -> None:
    assert params.parse(raw).ambiguous is expected


def test_a_semicolon_that_is_missing_before_a_quoted_value_is_put_there() -> None:
    value = params.parse(b'message/external-body; access-type=mail-server   server="listserv@liste.example"')
    assert value.octets == {"access-type": b"mail-server", "server": b"listserv@liste.example"}


@pytest.mark.parametrize(
    ("raw", "charset"),
    [
        (b"text/plain; charset=us-ascii (plain text)", "us-ascii"),
        (b"text/plain; charset=utf-8 format=flowed", "utf-8"),
        (b'text/plain; charset="utf-8, x"', "utf-8"),
        (b"text/plain", ""),
    ],
)
def test_a_token_ends_where_it_must(raw: bytes, charset: str) -> None:
    assert params.parse(raw).token("charset") == charset


@pytest.mark.parametrize(
    "raw",
    [
        b";" * 65536,
        b" " * 65536,
        b'"' * 65536,
        b"; a" * 20_000,
        b'; a="b' * 10_000,
        b"; a= " * 13_000,
        b'x; a="' + b'" a' * 20_000,
    ],
)
def test_hostile_values_take_no_time(raw: bytes) -> None:
    started = perf_counter()
    params.parse(raw)
    assert perf_counter() - started < 2  # a few milliseconds, where it is linear


@pytest.mark.parametrize(
    "raw",
    [
        b'x; boundary="AAA" "; boundary=BBB"',
        b'x; boundary="AAA" "junk"',
        b'x; boundary="AAA"junk"',
        b'x; boundary="AAA" (never closed',
        b'x; flag; boundary="AAA"',
        b'x;; boundary="AAA"; flag',
        b'x; =v; boundary="AAA"',
        b'x; y=see(note; boundary="AAA"',
    ],
)
def test_a_boundary_ends_with_its_quotes(raw: bytes) -> None:
    assert params.parse(raw).parameter("boundary") == "AAA"
