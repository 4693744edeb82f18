"""Japanese as Windows writes it: ISO-2022-JP and EUC-JP with the letters of NEC and IBM.

Circled figures, the signs for companies and numbers (row 13) and names' rare letters stand in mail every day, and in
neither charset; mail programs show them all the same (WHATWG Encoding, 12.2 and 13.2). Both charsets are the table of
JIS X 0208 in other clothes, as Shift_JIS is, whose codec of Windows knows those letters: so the octets are changed into
that. ``None`` where they don't fit even so.

``charset`` tells Shift_JIS and EUC-JP by their kana, which no sentence is without: in Shift_JIS the first octet of one
is a low quote or a florin sign of windows-1252, in EUC-JP the sign for any currency or for yen, and nobody writes these
before each letter. Raises nothing; linear.
"""

import codecs
import re

_ESCAPES = re.compile(rb"\x1b(\$@|\$B|\([BJI])")
_CELLS = re.compile(rb"(?:[\x21-\x7c][\x21-\x7e])*+")
_KANA = re.compile("[ぁ-んァ-ヶー]{2,}+")
_HALF_WIDTH = re.compile("[\uff61-\uff9f]")
# what no Japanese word has: small vowels of hiragana, and a small y-sound behind anything but an i-sound
_ODD = re.compile("[ぁぃぅぇぉゎゐゑヰヱ]|(?<![きしちにひみりぎじぢびぴキシチニヒミリギジヂビピテデフ])[ゃゅょャュョ]")
# of JIS X 0208 those in daily use, in Shift_JIS
_DAILY = re.compile(rb"[\x00-\x7f]++|((?:[\x81-\x83\x88-\x97][\x40-\x7e\x80-\xfc]){2,}+)")
KINDS = 3  # of kana, at least: two look alike to other charsets
LONG = 6  # octets of three letters side by side

_EUC = re.compile(rb"[\x00-\x7f]++|\x8e([\xa1-\xdf])|((?:[\xa1-\xfc][\xa1-\xfe])++)")


def iso_2022(octets: bytes) -> str | None:
    """Decode ISO-2022-JP (RFC 1468), with the half-width kana that mail has as well."""
    plain, *escaped = _ESCAPES.split(octets)
    shifted = [plain]
    for mode, run in zip(escaped[::2], escaped[1::2], strict=True):
        if mode.startswith(b"$"):
            if not _CELLS.fullmatch(run):
                return None
            shifted.append(_shifted(run))
        else:
            shifted.append(bytes(each | 0x80 for each in run) if mode == b"(I" else run)
    return None if any(b"\x1b" in run for run in shifted) else _decoded(b"".join(shifted))


def euc(octets: bytes) -> str | None:
    """Decode EUC-JP, without the letters of JIS X 0212."""
    shifted: list[bytes] = []
    end = 0
    for run in _EUC.finditer(octets):
        if run.start() != end:
            return None
        end = run.end()
        shifted.append(_shifted(bytes(each & 0x7F for each in run[2])) if run[2] else run[1] or run[0])
    return _decoded(b"".join(shifted)) if end == len(octets) else None


def charset(octets: bytes) -> str | None:
    """Name the codec of Shift_JIS or EUC-JP where kana show it; ``octets`` may end within a letter."""
    if _has(octets, b"\x82\x83") and _is_kana(_start(octets, "cp932")):
        return "cp932"
    if _has(octets, b"\xa4\xa5") and _is_kana(_start(octets, "euc_jis_2004")):
        return "euc_jp"
    return None


def is_shift_jis(octets: bytes) -> bool:
    """Say whether all letters beyond ASCII can be Shift_JIS in daily use, none alone, and some of them in a row."""
    end = longest = 0
    for run in _DAILY.finditer(octets):
        if run.start() != end:
            return False
        end = run.end()
        longest = max(longest, len(run[1] or b""))
    return end == len(octets) and longest >= LONG and _decoded(octets) is not None


def _has(octets: bytes, leads: bytes) -> bool:
    return sum(octets.count(lead) for lead in leads) >= KINDS


def _start(octets: bytes, codec: str) -> str:
    try:
        return codecs.getincrementaldecoder(codec)().decode(octets)
    except UnicodeDecodeError:
        return ""


def _is_kana(text: str) -> bool:
    kana = "".join(_KANA.findall(text))
    return len(set(kana)) >= KINDS and len(_HALF_WIDTH.findall(text)) <= len(kana) and not _ODD.search(text)


def _shifted(run: bytes) -> bytes:
    """Change letters of JIS X 0208 to Shift_JIS."""
    changed = bytearray()
    for row, cell in zip(run[::2], run[1::2], strict=False):
        lead = ((row - 0x21) >> 1) + 0x81
        changed.append(lead if lead <= 0x9F else lead + 0x40 & 0xFF)  # noqa: PLR2004 - kana stand from there on
        changed.append((cell + 0x1F + (cell >= 0x60) if row % 2 else cell + 0x7E) & 0xFF)  # noqa: PLR2004 - 7F is none
    return bytes(changed)


def _decoded(octets: bytes) -> str | None:
    try:
        return octets.decode("cp932")
    except UnicodeDecodeError:
        return None
