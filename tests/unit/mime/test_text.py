import subprocess
import sys
import time
from itertools import product
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.mime import text
from mailgate.mime.text import Decoded

GRUESSE = "Grüße aus Zürich"
GREETING = "お世話になっております"
SUMS = "Key +CHjPbuuKfqlmAbCdEfGhIjKlMnOpQrStUvWxYz/ABCDEFGHabcdefgh, 1 + 1"


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
        (b"\xff\xfe" + GRUESSE.encode("utf-16-le"), None, GRUESSE),
        (b"\xfe\xff" + GRUESSE.encode("utf-16-be"), "iso-8859-1", GRUESSE),
        (GRUESSE.encode("utf-16-be"), "utf-16", GRUESSE),
        (GRUESSE.encode("utf-16-le"), "utf-16", GRUESSE),
        (GRUESSE.encode("utf-32-be"), "utf-32", GRUESSE),
        (GRUESSE.encode("utf-32-le"), "utf-32", GRUESSE),
        (GRUESSE.encode("utf-32"), "utf-32", GRUESSE),
        ("Привет".encode("cp1251"), "iso-8859-1", "Ïðèâåò"),
        ("見積書".encode("iso2022_jp"), "iso-2022-jp", "見積書"),
        ("見積書".encode("cp932"), "Shift_JIS", "見積書"),
        ("①".encode("cp932"), "shift_jis", "①"),
        ("한국어".encode("cp949"), "ks_c_5601-1987", "한국어"),
        ("简体".encode("gb18030"), "gb2312", "简体"),
        (b"+AOQ-", "utf-7", "ä"),
        (b"\xd0\xd2", "koi8-r", "пр"),
        ("‚Äpfel‘, ƒ und „so“ – 5 €".encode("cp1252"), "iso-8859-1", "‚Äpfel‘, ƒ und „so“ – 5 €"),  # noqa: RUF001 - quotes
        (b"\xa45, \xa510, \xa4\xc9", "iso-8859-1", "¤5, ¥10, ¤É"),
        (b"\x1b$ is no escape", "windows-1252", "\ufffd$ is no escape"),
        (b"N-\x00 ", "utf-16-be", "中\x20"),
        ("漢字 Ａ".encode("utf-16-be"), "utf-16-be", "漢字 Ａ"),  # noqa: RUF001 - wide letters
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
        (SUMS.encode(), "utf-7", SUMS),
        (b"gr+APw-n, abgeschnitten +AO", "utf-7", "grün, abgeschnitten \ufffd"),
        (b"caf\xe9", "fakescii", "café"),
        (b"caf\xe9", "x" * 5000, "café"),
        (b"caf\xe9", "punycode", "café"),
        (b"caf\xe9", "zlib", "café"),
        (b"\\x41 \xe9", "unicode_escape", "\\x41 é"),
        (b"\\x41 \xe9", "unicode:escape", "\\x41 é"),
        (b"\\x41 \xe9", "raw+unicode+escape", "\\x41 é"),
        ("見積書".encode("iso2022_jp"), "us-ascii", "見積書"),
        ("見積書".encode("iso2022_jp"), None, "見積書"),
        ("見積書".encode("iso2022_jp"), "utf-8", "見積書"),
        ("見積書".encode("iso2022_jp"), "windows-1252", "見積書"),
        ("見積書".encode("iso2022_jp"), "gb2312", "見積書"),
        ("見積書".encode("iso2022_jp"), "utf-16", "見積書"),
        ("見積書".encode("cp932"), "iso-2022-jp", "見積書"),
        (GREETING.encode("cp932"), "iso-2022-jp", GREETING),
        (GREETING.encode("euc_jp"), "iso-2022-jp", GREETING),
        (GREETING.encode(), "iso-2022-jp", GREETING),
        (b"Hallo", "utf-16", "Hallo"),
        (b"Hallo!", "utf-16le", "Hallo!"),
        (b"Hallo\r\nWelt", "utf-32", "Hallo\r\nWelt"),
        (GRUESSE.encode(), "utf-16", GRUESSE),
        ("Grüß".encode()[:-1], "utf-8", "Grü\ufffd"),
        ("見積書".encode("cp932")[:-1], "shift_jis", "見積\ufffd"),
        (("ü" * 50).encode() + b"\xff" + ("ü" * 50).encode(), "utf-8", "ü" * 50 + "\ufffd" + "ü" * 50),
    ],
)
def test_where_it_does_not_fit_a_guess_is_made_and_told(octets: bytes, label: str | None, expected: str) -> None:
    assert text.decode(octets, label) == Decoded(expected, guessed=True)


@pytest.mark.parametrize("label", [None, "us-ascii", "fakescii", "x-unknown", "utf-8"])
@pytest.mark.parametrize(
    ("words", "charset"),
    [
        (GRUESSE, "cp1252"),
        ("100 €", "cp1252"),
        ("für Jörg", "cp1252"),
        ("Perché così? La qualità è più alta.", "cp1252"),
        ("à midi, ça va être où ? « là »", "cp1252"),
        ("¡Mañana será otro día, señor Núñez!", "cp1252"),
        ("—— …… “¡É” ——", "cp1252"),
        ("\xa0\xa0\xa0\xa0Grüße", "cp1252"),
        ("Å", "cp1252"),
        ("Привет! Как дела?", "koi8-r"),
        ("Привет! Как дела?", "cp1251"),
        ("Привет! Как дела?", "iso8859-5"),
        ("Re: Договор (PDF)", "cp1251"),
        ("Дякую за відповідь", "koi8-u"),
        ("Καλημέρα σας", "iso8859-7"),
        ("שלום, מה שלומך היום", "cp1255"),
        ("مرحبا كيف حالك", "cp1256"),
        ("見積書をお送りします。よろしくお願いします。", "cp932"),
        ("見積書をお送りします。よろしくお願いします。", "euc_jp"),
        ("您好,请查收附件中的报价单。", "gb18030"),
        ("您好,請查收附件中的報價單。", "big5"),
        ("안녕하세요, 견적서를 보내드립니다.", "cp949"),
        ("สวัสดีครับ ขอส่งใบเสนอราคา", "cp874"),
        ("<style>" + "p{}\n" * 50_000 + "</style>\n<p>Привет! Как дела?", "koi8-r"),
    ],
)
def test_text_of_any_script_is_read_right_without_a_charset_that_fits(
    words: str, charset: str, label: str | None
) -> None:
    assert text.decode(words.encode(charset), label) == Decoded(words, guessed=True)


@pytest.mark.parametrize("label", [None, "us-ascii", "utf-8", "fakescii", "iso-8859-1", "windows-1252", "iso-8859-15"])
@pytest.mark.parametrize("charset", ["cp932", "euc_jp"])
@pytest.mark.parametrize(
    "words",
    [
        GREETING,
        "ありがとうございます",
        "よろしくお願いします",
        "お見積りについて",
        "Re: 株式会社サンプル",
        "添付ファイル (PDF)",
        "了解しました",
        "<p>" + GREETING + "。</p>\n" + "会議の件です、ご確認ください。" * 9000,
    ],
)
def test_japanese_is_known_by_its_kana_whatever_it_is_labelled(words: str, charset: str, label: str | None) -> None:
    assert text.decode(words.encode(charset), label) == Decoded(words, guessed=True)


@pytest.mark.parametrize("label", [None, "us-ascii", "fakescii", "x-unknown", "utf-8"])
@pytest.mark.parametrize(
    ("words", "charset"),
    [
        ("見積書", "cp932"),
        ("Wycena na jesień, żółty", "cp1250"),
        ("Wycena na jesień, żółty", "iso8859-2"),
        ("Grüße", "mac-roman"),
        ("Zürich", "mac-roman"),
        ("größer", "mac-roman"),
        ("un café, s’il vous plaît", "mac-roman"),  # noqa: RUF001 - a quote
    ],
)
def test_letters_that_windows_1252_has_not_within_words_are_another_charset(
    words: str, charset: str, label: str | None
) -> None:
    assert text.decode(words.encode(charset), label) == Decoded(words, guessed=True)


@pytest.mark.parametrize("label", [None, "us-ascii", "fakescii", "utf-8"])
@pytest.mark.parametrize(
    "words",
    [
        *("Zürich", "à bientôt", "größer", "café", "È già", "‚Äpfel‘ und ‚Öl‘", "“Hallo”", "C’est ça…", "a – b"),  # noqa: RUF001 - quotes
        *("10 m² à 5 m³", "CO²-Ausstoß m³/h", "¿Cómo está?", "½ Liter", "§ 5", "20 °C ± 5", "x³y und größer", "• eins"),
        *("Þórður", "smørrebrød", "São Paulo: ações", "naïve œuvre", "¥ 5, £ 5, ¤ 5", "ÄRGER ÜBER ÖL", "ƒ"),
    ],
)
def test_western_words_stay_western(words: str, label: str | None) -> None:
    assert text.decode(words.encode("cp1252"), label) == Decoded(words, guessed=True)


POLISH = (
    "Dziękuję za wiadomość. Przesyłam ofertę, proszę o odpowiedź do piątku. Będę potrzebował zgody na użycie zdjęć."
)
TURKISH = "İletiniz için teşekkür ederim. Teklifi ekte gönderiyorum, cuma gününe kadar yanıtınızı bekliyorum."  # noqa: RUF001 - Turkish has that letter


@pytest.mark.parametrize(
    ("words", "charset"),
    [
        *((POLISH, "cp1250"), (POLISH, "iso8859-2"), (TURKISH, "cp1254"), (GRUESSE * 50, "cp1252")),
        *(("Teşekkür ederim", "cp1254"), ("İyi günler", "cp1254")),
    ],
)
def test_latin_text_is_told_apart_where_it_is_long_enough_and_its_label_is_wrong(words: str, charset: str) -> None:
    assert text.decode(words.encode(charset), "utf-8") == Decoded(words, guessed=True)


def test_latin_text_without_a_charset_is_western_where_it_can_be() -> None:
    assert text.decode(TURKISH.encode("cp1254"), None).text == TURKISH.encode("cp1254").decode("cp1252")


@given(
    st.binary(max_size=300),
    st.sampled_from([None, "us-ascii", "fakescii", "utf-8", "utf-16", "utf-32", "utf-7", "shift_jis", "hz"]),
)
def test_any_octets_become_text_that_every_store_takes(octets: bytes, label: str | None) -> None:
    decoded = text.decode(octets, label)
    decoded.text.encode()
    assert not set(decoded.text) & set(map(chr, (*range(9), 11, 12, *range(14, 32), *range(127, 160))))
    assert text.decode(octets, label) == decoded


@pytest.mark.parametrize(
    "octets",
    [
        bytes(range(128, 256)) * 80_000,
        b"\xa4" * 10_000_000,
        b"\xa4\n" * 5_000_000,
        b"\xa4\xff\xa4 " * 2_500_000,
        b"\xff\xfe" + b"\x00\xd8" * 5_000_000,
    ],
)
def test_ten_megabytes_of_anything_are_decoded_in_little_time(octets: bytes) -> None:
    started = time.perf_counter()
    assert text.decode(octets, "fakescii").guessed
    assert time.perf_counter() - started < 10


def test_the_detector_is_loaded_for_those_mails_only_that_need_it() -> None:
    program = "import sys; from mailgate.mime import text; text.decode(b'gr\\xfcn'); print('chardet' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


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


def test_of_all_letters_controls_and_surrogates_alone_are_replaced() -> None:
    letters = map(chr, range(sys.maxunicode + 1))
    cleaned = {letter for letter in letters if text.clean(letter) != letter}
    assert cleaned == {chr(n) for n in range(sys.maxunicode + 1) if category(chr(n)) in {"Cc", "Cs"}} - set("\t\n\r")
    assert {text.clean(letter) for letter in cleaned} == {"\ufffd"}


def test_a_line_of_plain_letters_is_made_as_any_other_is() -> None:
    for chosen in product(("", "a", "ab c", " ", "  ", "~", "\x7f", "\t", "é"), repeat=4):
        told = "".join(chosen)
        for limit in (6, 100):
            assert text.line(told, limit) == text.line(told + "\u00ad", limit), told
