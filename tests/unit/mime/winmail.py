"""Builds winmail.dat streams (MS-OXTNEF), right ones and wrong ones."""

import struct
from itertools import starmap

SIGNATURE = b"\x78\x9f\x3e\x22"
KEY = b"\x01\x00"
MESSAGE_IID = bytes.fromhex("0703020000000000c000000000000046")
STORAGE_IID = bytes.fromhex("0b00000000000000c000000000000046")

MESSAGE, ATTACHMENT = 1, 2
SUBJECT = 0x18004
BODY = 0x2800C
DATA = 0x6800F
TITLE = 0x18010
RENDERING = 0x69002
PROPERTIES = 0x69003
ATTACHED_PROPERTIES = 0x69005
CODE_PAGE = 0x69007

OBJECT, STRING8, UNICODE, BINARY, NUMBER, SHORT = 0x000D, 0x001E, 0x001F, 0x0102, 0x0003, 0x0002
P_SUBJECT, P_BODY, P_RTF, P_HTML, P_INTERNET_CODE_PAGE = 0x0037, 0x1000, 0x1009, 0x1013, 0x3FDE
P_DISPLAY_NAME, P_OBJECT, P_FILE_NAME, P_LONG_NAME, P_TYPE, P_CONTENT_ID = (
    0x3001,
    0x3701,
    0x3704,
    0x3707,
    0x370E,
    0x3712,
)


def attribute(level: int, number: int, data: bytes) -> bytes:
    """One attribute with its checksum."""
    return struct.pack("<BII", level, number, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def text8(number: int, words: str, encoding: str = "cp1252") -> bytes:
    """A property of 8-bit letters."""
    return _variable(STRING8, number, words.encode(encoding) + b"\0")


def unicode(number: int, words: str) -> bytes:
    """A property of Unicode."""
    return _variable(UNICODE, number, words.encode("utf-16-le") + b"\0\0")


def binary(number: int, octets: bytes, kind: int = BINARY) -> bytes:
    """A property of octets."""
    return _variable(kind, number, octets)


def number(which: int, value: int) -> bytes:
    """A property that is a number."""
    return struct.pack("<HHI", NUMBER, which, value)


def named(value: bytes) -> bytes:
    """A property with a name of its own, which no reader knows."""
    name = "x-cost centre".encode("utf-16-le") + b"\0\0"
    return (
        struct.pack("<HH16sII", BINARY, 0x8001, b"g" * 16, 1, len(name))
        + _padded(name)
        + (struct.pack("<II", 1, len(value)) + _padded(value))
    )


def several(which: int, words: list[str]) -> bytes:
    """A property of several values."""
    values = [word.encode("utf-16-le") + b"\0\0" for word in words]
    packed = b"".join(struct.pack("<I", len(value)) + _padded(value) for value in values)
    return struct.pack("<HHI", UNICODE | 0x1000, which, len(values)) + packed


def listed(*properties: bytes) -> bytes:
    """A list of properties."""
    return struct.pack("<I", len(properties)) + b"".join(properties)


def attached(title: str, data: bytes | None, *properties: bytes, encoding: str = "cp1252") -> bytes:
    """One attachment, as Outlook writes it."""
    rows = [(RENDERING, bytes(14)), (TITLE, title.encode(encoding) + b"\0")]
    rows += [] if data is None else [(DATA, data)]
    rows += [(ATTACHED_PROPERTIES, listed(*properties))] if properties else []
    return b"".join(starmap(lambda which, octets: attribute(ATTACHMENT, which, octets), rows))


def message(*properties: bytes) -> bytes:
    """The properties of the mail."""
    return attribute(MESSAGE, PROPERTIES, listed(*properties))


def stream(*attributes: bytes, code_page: int = 1252) -> bytes:
    """A whole winmail.dat."""
    return SIGNATURE + KEY + attribute(MESSAGE, CODE_PAGE, struct.pack("<II", code_page, 0)) + b"".join(attributes)


def _variable(kind: int, which: int, value: bytes) -> bytes:
    return struct.pack("<HHII", kind, which, 1, len(value)) + _padded(value)


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)
