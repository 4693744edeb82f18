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
