import re
from binascii import a2b_base64, b2a_base64
from itertools import product

import pytest

from mailgate.mime import words
from mailgate.mime.text import Decoded

LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b"=?UTF-8?b?R3LDvMOfZQ==?=", "Grüße"),
        (b"=?UTF-8?b?R3LDvMOfZQ?=", "Grüße"),
        (b"=?utf-8*de?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b"=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"),
        (b"=?utf-8?Q?a?=\r\n =?utf-8?Q?b?=", "ab"),
        (b"=?utf-8?Q?a_?= =?utf-8?Q?b?=", "a b"),
        (b"=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "ü"),
        (b"=?utf-8?Q?a?= b =?utf-8?Q?c?=", "a b c"),
        (b"=?utf-8?Q?a b?=", "a b"),
        (b"Re: =?iso-8859-1?Q?f=FCr?=", "Re: für"),
        (b"=?us-ascii?Q?a?=glued", "aglued"),
        (b"=?iso-2022-jp?B?GyRCOCs7TxsoQg==?=", "見始"),
        (b"=?utf-8?Q?open", "=?utf-8?Q?open"),
        (b"=?utf-8?X?odd?=", "=?utf-8?X?odd?="),
        (b"=?=?=?=", "=?=?=?="),
        (b"=?utf-8?Q?Wie_geht's??=", "Wie geht's?"),
        (b"=?utf-8?Q?Wann??= =?utf-8?Q?_Wo??=", "Wann? Wo?"),
        (b"=?utf-8?Q?open =?utf-8?Q?b?=", "=?utf-8?Q?open b"),
        (b"=?utf-8?B?w7w==?==?utf-8?B?w7w=?=", "üü"),
        (b"\x1b$B8+;O\x1b(B", "見始"),
        (b"a\r\n b\r\n\tc", "a b c"),
        ("Grüße".encode(), "Grüße"),
        (b"", ""),
    ],
)
def test_a_header_value_is_decoded(value: bytes, expected: str) -> None:
    assert words.decode(value).text == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (b"=?x-cp1251?Q?=CF?=", "П"),
        (b"=?win-1251?Q?=CF?=", "П"),
        (b"=?dos-850?Q?=81?=", "ü"),
        (b"=?x-mac-cyrillic?Q?=80?=", "А"),  # noqa: RUF001 - Cyrillic
        (b"=?x-mac-ce?Q?=8A?=", "ä"),
        (b"=?windows-31j?B?h0A=?=", "①"),
        (b"=?x-big5?B?pKSk5Q==?=", "中文"),
        (b"=?x-euc-jp?B?xvzL3A==?=", "日本"),
        (b"=?x-unicode-1-1-utf-7?Q?+APw-?=", "ü"),
        (b"=?x-ms-cp932?B?h0A=?=", "①"),
        (b"=?cp50220?B?GyRCLSEbKEI=?=", "①"),
        (b"=?windows-950?B?pKSk5Q==?=", "中文"),
        (b"=?windows-936?B?1tDOxA==?=", "中文"),
        (b"=?x-windows-949?B?x9Gxuf==?=", "한국"),
        (b"=?ms874?Q?=A1?=", "ก"),
        (b"=?iso88592?Q?=A1?=", "Ą"),
        (b"=?koi8r?Q?=F0?=", "П"),
        (b"=?x-windows-1251?Q?=CF?=", "П"),
        (b"=?cp65001?Q?=C3=BC?=", "ü"),
        (b"=?iso-UTF-8?Q?=C3=BC?=", "ü"),
        (b'=?"utf-8"?Q?=C3=BC?=', "ü"),
        (b"=?utf-32?B?AACP2QAATl8AAE4N?=", "这也不"),
    ],
)
def test_odd_labels_of_charsets_are_understood(word: bytes, expected: str) -> None:
    assert words.decode(word).text == expected


GREETING = "お世話になっております"


@pytest.mark.parametrize(
    "value",
    [
        GREETING.encode("cp932"),
        GREETING.encode("euc_jp"),
        b"=?iso-8859-1?B?" + b2a_base64(GREETING.encode("cp932"), newline=False) + b"?=",
        b"=?utf-8?B?" + b2a_base64(GREETING.encode("euc_jp"), newline=False) + b"?=",
        b"=?utf-8?B?" + b2a_base64(GREETING.encode("iso2022_jp"), newline=False) + b"?=",
        b"=?iso-2022-jp?B?" + b2a_base64(GREETING.encode("cp932"), newline=False) + b"?=",
    ],
)
def test_japanese_is_read_whatever_it_is_labelled(value: bytes) -> None:
    assert words.decode(value) == Decoded(GREETING, guessed=True)


def test_raw_letters_that_are_no_utf8_are_a_guess() -> None:
    decoded = words.decode("für".encode("latin-1"))
    assert (decoded.text, decoded.guessed) == ("für", True)


def test_raw_letters_are_in_the_charset_of_the_body_unless_they_are_utf8() -> None:
    raw = "Привет"
    assert words.decode(raw.encode("koi8-r"), "koi8-r").text == raw
    assert words.decode(raw.encode("koi8-r"), "koi8-r").guessed
    assert words.decode(raw.encode(), "koi8-r").text == raw
    assert words.decode(b"=?utf-8?Q?a?= " + raw.encode("cp1251"), "windows-1251").text == f"a {raw}"


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (b"YWJj", b"abc"),
        (b"YWI=", b"ab"),
        (b"YWI", b"ab"),
        (b"YW\r\nJj", b"abc"),
        (b"Y*W-J!j", b"abc"),
        (b"YWJjZ", b"abc"),
        (b"YWI=\r\n-- \r\nlist footer", b"ab"),
        (b"YWI=\r\nYWI=\r\nYQ==\r\n", b"ababa"),
        (b"YQ==YWI=", b"aab"),
        (b"YWI===\r\n\r\n", b"ab"),
        (b"", b""),
    ],
)
def test_base64_is_decoded_as_readers_do(encoded: bytes, expected: bytes) -> None:
    assert words.base64(encoded) == expected


def slowly(octets: bytes) -> bytes:
    """Decode with every step written out: letters picked, groups filled up, of a padded text the units apart."""
    first, _, behind = octets.partition(b"=")
    only_letters = not behind.translate(None, LETTERS + b"=\r\n")
    units = re.split(rb"=+[\r\n]*", octets) if behind.translate(None, b"=\r\n") and only_letters else [first]
    decoded = b""
    for unit in units:
        letters = bytes(octet for octet in unit if octet in LETTERS)
        whole = letters[:-1] if len(letters) % 4 == 1 else letters
        decoded += a2b_base64(whole + b"=" * (-len(whole) % 4))
    return decoded


def test_base64_of_every_kind_is_decoded_the_same_way_as_step_by_step() -> None:
    pieces = (b"Q", b"QUI", b"QUJD", b"=", b"==", b"\r\n", b"?")
    for count in range(6):
        for chosen in product(pieces, repeat=count):
            octets = b"".join(chosen)
            assert words.base64(octets) == slowly(octets), octets
