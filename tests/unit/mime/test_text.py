import pytest

from mailgate.mime import text
from mailgate.mime.text import Decoded

GRUESSE = "Grüße aus Zürich"


@pytest.mark.parametrize(
    ("octets", "label", "expected"),
    [
        (b"plain", None, "plain"),
        (b"plain", "us-ascii", "plain"),
        (GRUESSE.encode(), "utf-8", GRUESSE),
        (GRUESSE.encode(), ' "UTF-8" ', GRUESSE),
        (GRUESSE.encode("latin-1"), "iso-8859-1", GRUESSE),
        (b"100 \x80", "ISO-8859-1", "100 €"),
        (b"100 \xa4", "iso-8859-15", "100 €"),
        (GRUESSE.encode("utf-16"), "utf-16", GRUESSE),
        (GRUESSE.encode("utf-16-be"), "utf-16be", GRUESSE),
        (GRUESSE.encode("utf-8-sig"), "iso-8859-1", GRUESSE),
        ("見積書".encode("iso2022_jp"), "iso-2022-jp", "見積書"),
        ("見積書".encode("cp932"), "Shift_JIS", "見積書"),
        ("①".encode("cp932"), "shift_jis", "①"),
        ("한국어".encode("cp949"), "ks_c_5601-1987", "한국어"),
        ("简体".encode("gb18030"), "gb2312", "简体"),
        (b"+AOQ-", "utf-7", "ä"),
        (b"\xd0\xd2", "koi8-r", "пр"),
    ],
)
def test_the_declared_charset_is_believed_where_it_fits(octets: bytes, label: str | None, expected: str) -> None:
    assert text.decode(octets, label) == Decoded(expected)


@pytest.mark.parametrize(
    ("octets", "label", "expected"),
    [
        (GRUESSE.encode(), None, GRUESSE),
        (GRUESSE.encode(), "us-ascii", GRUESSE),
        (GRUESSE.encode("latin-1"), "utf-8", GRUESSE),
        (b"100 \x80 \x81", None, "100 € \ufffd"),
        (b"caf\xe9", "fakescii", "café"),
        (b"caf\xe9", "x" * 5000, "café"),
        (b"caf\xe9", "punycode", "café"),
        (b"caf\xe9", "zlib", "café"),
        (b"\\x41 \xe9", "unicode_escape", "\\x41 é"),
        (b"\\x41 \xe9", "unicode:escape", "\\x41 é"),
        (b"\\x41 \xe9", "raw+unicode+escape", "\\x41 é"),
        ("見積書".encode("iso2022_jp"), "us-ascii", "見積書"),
        ("見積書".encode("iso2022_jp"), None, "見積書"),
        ("Grüß".encode()[:-1], "utf-8", "Grü\ufffd"),
        ("見積書".encode("cp932")[:-1], "shift_jis", "見積\ufffd"),
        (("ü" * 50).encode() + b"\xff" + ("ü" * 50).encode(), "utf-8", "ü" * 50 + "\ufffd" + "ü" * 50),
    ],
)
def test_where_it_does_not_fit_a_guess_is_made_and_told(octets: bytes, label: str | None, expected: str) -> None:
    assert text.decode(octets, label) == Decoded(expected, guessed=True)


@pytest.mark.parametrize(
    ("octets", "label"),
    [
        (b"a\x00b", None),
        (b"\x00\xd8", "utf-16-le"),
        (b"+2AA-", "utf-7"),
        (b"a\x1b[2J", "latin-1"),
        (b"\x9b2J", "iso-8859-15"),
    ],
)
def test_nothing_that_a_store_or_terminal_can_not_take_gets_through(octets: bytes, label: str | None) -> None:
    decoded = text.decode(octets, label).text
    assert "\ufffd" in decoded
    decoded.encode()
    assert not {"\x00", "\x1b", "\x9b"} & set(decoded)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("two\r\nlines", "two lines"),
        ("a\x00\x1b[31mb", "a [31mb"),
        ("\u202egpj.exe", "gpj.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("  spaces   inside  ", "spaces inside"),
        ("\ud800", "\ufffd"),
        ("family 👨‍👩‍👧", "family 👨‍👩‍👧"),
    ],
)
def test_a_line_is_one_harmless_line(shown: str, expected: str) -> None:
    assert text.line(shown) == expected


def test_a_line_is_cut_at_its_limit() -> None:
    assert text.line("x" * 50, 10) == "xxxxxxxxx…"
