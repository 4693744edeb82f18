"""What XCLIENT says of a client. What it refuses stands in the dialogues."""

from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.smtp.arguments import BadArgument
from mailgate.smtp.xclient import Told, told


@pytest.mark.parametrize(
    ("argument", "meant"),
    [
        ("ADDR=192.0.2.7", Told(True, ip_address("192.0.2.7"))),
        ("addr=192.0.2.7", Told(True, ip_address("192.0.2.7"))),
        ("ADDR=IPV6:2001:db8::7", Told(True, ip_address("2001:db8::7"))),
        ("ADDR=ipv6:::ffff:192.0.2.7", Told(True, ip_address("192.0.2.7"))),
        ("ADDR=[UNAVAILABLE]", Told(True)),
        ("ADDR=[unavailable]", Told(True)),
        ("ADDR=[TEMPUNAVAIL]", Told(True)),
        ("ADDR=192+2E0.2.7", Told(True, ip_address("192.0.2.7"))),
        ("NAME=mail.client.test", Told()),
        ("NAME=[UNAVAILABLE] HELO=a.test", Told(helo="a.test")),
        ("HELO=[UNAVAILABLE]", Told()),
        ("HELO=a+20b+0d+0A", Told(helo="a b\r\n")),
        ("HELO=" + "x" * 255, Told(helo="x" * 255)),
        ("LOGIN=anna@example.test PROTO=SMTP PORT=25 DESTADDR=192.0.2.1 DESTPORT=25", Told()),
    ],
)
def test_the_address_and_helo_are_read(argument: str, meant: Told) -> None:
    assert told(argument.encode()) == meant


@pytest.mark.parametrize("argument", ["HELO=" + "x" * 256, "HELO=m\u00fc.test", "NAME=a+", "ADDR=192.0.2.7/32", "=x"])
def test_what_is_too_long_or_no_xtext_is_refused(argument: str) -> None:
    with pytest.raises(BadArgument):
        told(argument.encode())


@given(st.one_of(st.binary(max_size=300), st.from_regex(rb"(ADDR|HELO|NAME)=[!-~]{0,60}( HELO=[!-~]{0,40})?")))
def test_whatever_comes_is_read_or_refused(argument: bytes) -> None:
    with suppress(BadArgument):
        assert isinstance(told(argument), Told)
