import pytest

from mailgate.mime import japanese, text


@pytest.mark.parametrize(
    "told",
    ["日本語", "漢字とABC", "第①回 ㈱例", "外為ｵﾝﾗｲﾝ", "\u2460", "", "plain"],
)
def test_letters_of_windows_are_read_in_every_japanese_charset(told: str) -> None:
    assert japanese.iso_2022(_as_iso_2022(told)) == told
    assert japanese.euc(_as_euc(told)) == told
    assert text.decode(_as_iso_2022(told), "iso-2022-jp").text == told
    assert text.decode(_as_euc(told), "euc-jp").text == told


@pytest.mark.parametrize("octets", [b"\x1b$(D!!\x1b(B", b"\x1b$B\x7f\x7f\x1b(B", b"\x1b\x1b", b"\x1b$B\xff\xff"])
def test_what_is_no_iso_2022_jp_is_told(octets: bytes) -> None:
    assert japanese.iso_2022(octets) is None


@pytest.mark.parametrize("octets", [b"\xa1", b"\xff\xff", b"a\xa4", b"\x8e ", b"\x8f\xb0\xa1"])
def test_what_is_no_euc_jp_is_told(octets: bytes) -> None:
    assert japanese.euc(octets) is None


def _as_iso_2022(told: str) -> bytes:
    runs = []
    for letter in told:
        octets = letter.encode("cp932")
        if len(octets) == 1:
            runs.append(octets if octets.isascii() else b"\x1b(I%b\x1b(B" % bytes([octets[0] & 0x7F]))
        else:
            runs.append(b"\x1b$B%b\x1b(B" % bytes(_cell(*octets)))
    return b"".join(runs)


def _as_euc(told: str) -> bytes:
    runs = []
    for letter in told:
        octets = letter.encode("cp932")
        if len(octets) == 1:
            runs.append(octets if octets.isascii() else b"\x8e" + octets)
        else:
            runs.append(bytes(each | 0x80 for each in _cell(*octets)))
    return b"".join(runs)


def _cell(lead: int, trail: int) -> tuple[int, int]:
    """Where a letter of Shift_JIS stands in JIS X 0208."""
    row = 2 * (lead - (0x81 if lead < 0xA0 else 0xC1)) + 0x21
    if trail >= 0x9F:
        return row + 1, trail - 0x7E
    return row, trail - 0x1F - (trail > 0x7F)


def test_rare_letters_of_names_are_read() -> None:
    assert japanese.iso_2022(b"\x1b$B|b66\x1b(B") == japanese.euc(b"\xfc\xe2\xb6\xb6") == "髙橋"
