"""What a PROXY header says, and what is none (HAProxy's proxy-protocol.txt, 2.1 and 2.2)."""

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.smtp.proxy import V1, V2, Broken, HandedOver, begins, v1, v2

FOUR = IPv4Address("192.0.2.7")
SIX = IPv6Address("2001:db8::7")
PORTS = b"\xdc\x04\x00\x19"


def header(command: int, family: int, addresses: bytes) -> bytes:
    return V2 + bytes([command, family]) + len(addresses).to_bytes(2) + addresses


@pytest.mark.parametrize(
    ("line", "client"),
    [
        ("PROXY TCP4 192.0.2.7 198.51.100.1 56324 25", FOUR),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 0 65535", FOUR),
        ("PROXY TCP6 2001:db8::7 ::1 56324 25", SIX),
        ("PROXY TCP6 2001:0DB8:0:0:0:0:0:7 ::1 56324 25", SIX),
        ("PROXY TCP6 ::ffff:192.0.2.7 ::1 56324 25", FOUR),
        ("PROXY UNKNOWN", None),
        ("PROXY UNKNOWN whatever it may say 192.0.2.7", None),
    ],
)
def test_a_line_of_version_1_names_the_client(line: str, client: IPv4Address | IPv6Address | None) -> None:
    assert v1(line.encode()) == HandedOver(client)


@pytest.mark.parametrize(
    "line",
    [
        "PROXY ",
        "PROXY UNKNOWNS",
        "PROXY TCP4",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324 25 1",
        "PROXY TCP4  192.0.2.7 198.51.100.1 56324 25",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324 25 ",
        "PROXY TCP4\t192.0.2.7 198.51.100.1 56324 25",
        "PROXY TCP4 192.0.2.7 198.51.100.1 65536 25",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324 99999",
        "PROXY TCP4 192.0.2.7 198.51.100.1 056324 25",
        "PROXY TCP4 192.0.2.7 198.51.100.1 -1 25",
        "PROXY TCP4 192.0.2.07 198.51.100.1 56324 25",
        "PROXY TCP4 192.0.2 198.51.100.1 56324 25",
        "PROXY TCP4 192.0.2.7 mail.test 56324 25",
        "PROXY TCP4 2001:db8::7 ::1 56324 25",
        "PROXY TCP6 192.0.2.7 198.51.100.1 56324 25",
        "PROXY TCP6 fe80::7%eth0 ::1 56324 25",
        "PROXY UDP4 192.0.2.7 198.51.100.1 56324 25",
        "PROXY tcp4 192.0.2.7 198.51.100.1 56324 25",
        "PROXY TCP4 192.0.2.\u0667 198.51.100.1 56324 25",
    ],
)
def test_any_other_line_is_broken(line: str) -> None:
    with pytest.raises(Broken):
        v1(line.encode())


@pytest.mark.parametrize(
    ("data", "client"),
    [
        (header(0x21, 0x11, FOUR.packed + bytes(4) + PORTS), FOUR),
        (header(0x21, 0x11, FOUR.packed + bytes(4) + PORTS + b"\x20\x00\x05anyth"), FOUR),
        (header(0x21, 0x21, SIX.packed + bytes(16) + PORTS), SIX),
        (header(0x21, 0x21, bytes(10) + b"\xff\xff" + FOUR.packed + bytes(16) + PORTS), FOUR),
        (header(0x21, 0x31, b"/run/x".ljust(216, b"\0")), None),
        (header(0x21, 0x00, b""), None),
        (header(0x21, 0x00, FOUR.packed + bytes(4) + PORTS), None),
        (header(0x20, 0x00, b""), None),
        (header(0x20, 0x11, FOUR.packed + bytes(4) + PORTS), None),
        (header(0x20, 0x7F, b"junk"), None),
    ],
)
def test_a_header_of_version_2_names_the_client(data: bytes, client: IPv4Address | IPv6Address | None) -> None:
    assert v2(data) == HandedOver(client)


@pytest.mark.parametrize(
    "data",
    [
        header(0x11, 0x11, FOUR.packed + bytes(4) + PORTS),
        header(0x31, 0x11, FOUR.packed + bytes(4) + PORTS),
        header(0x22, 0x11, FOUR.packed + bytes(4) + PORTS),
        header(0x2F, 0x11, FOUR.packed + bytes(4) + PORTS),
        header(0x21, 0x12, FOUR.packed + bytes(4) + PORTS),
        header(0x21, 0x41, FOUR.packed + bytes(4) + PORTS),
        header(0x21, 0x01, FOUR.packed + bytes(4) + PORTS),
        header(0x21, 0x11, FOUR.packed + bytes(4) + PORTS[:3]),
        header(0x21, 0x21, FOUR.packed + bytes(4) + PORTS),
        header(0x21, 0x31, b"/run/x"),
    ],
)
def test_a_header_of_another_version_command_family_or_length_is_broken(data: bytes) -> None:
    with pytest.raises(Broken):
        v2(data)


@pytest.mark.parametrize("mark", [V1, V2])
def test_a_header_is_told_from_its_first_octets(mark: bytes) -> None:
    assert all(begins(mark[:size]) for size in range(1, len(mark) + 1))
    for other in (b"EHLO", b"\r\nEHLO", b"PROXX", b"\r\n\r\n\r\n", b"proxy "):
        assert not begins(other)


@given(st.binary(max_size=107), st.binary(min_size=4, max_size=300))
def test_whatever_comes_is_a_header_or_broken(line: bytes, rest: bytes) -> None:
    for read, data in ((v1, V1 + line), (v1, V1 + b"TCP4 " + line), (v2, V2 + rest), (v2, V2 + b"\x21" + rest)):
        with suppress(Broken):
            assert isinstance(read(data), HandedOver)
