"""Bytes to text, and text to what may be stored and shown.

``decode`` never loses a byte silently. The order, and what each step is there for:

1. the declared charset, where all of the octets fit it (latin-1 means windows-1252, as everywhere in mail), unless
   they are plainly something else: ISO-2022-JP with its escapes, kana as latin-1, plain ASCII as UTF-16;
2. UTF-8, where all of them fit it: text in anything else hardly ever does;
3. a declared charset of several bytes per letter, or else UTF-8, that fits all but a few letters or all but the cut
   end, with U+FFFD where it doesn't; UTF-7 only the latter, as else each plus sign of plain text made letters;
4. windows-1252 for latin-1, us-ascii and no charset, where every octet has a letter there and the words look Latin;
5. what ``guessing`` finds likely: other scripts, and Latin ones under a label that is plainly wrong;
6. windows-1252, with U+FFFD for what has no letter.

Step 4 comes before detection, as short Western text is what detectors get wrong most; it asks how the words look
because unlabelled Russian, Greek or Japanese fits windows-1252 too, as rubbish. Whatever was not simply as declared is
``guessed``.

``clean`` makes text valid for every store and harmless on a terminal (no NUL, no other controls but tabs and line
breaks, no lone surrogates), ``line`` makes one line of it.
Raises nothing. Time is linear in the input; the codecs of the standard library that aren't charsets (punycode,
unicode_escape, zlib, ...) can't be named from outside.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from mailgate.mime import guessing, japanese

MAX_LINE = 4000
FEW = 10  # one letter in so many
_PIECE = 1024 * 1024  # what is looked at at a time where looking makes many small things

# Labels that mean something wider in mail than what they name (WHATWG Encoding, 4.2), and labels Python doesn't know.
_MEANT = {
    "ansi_x3.4-1968": "ascii",
    "ascii": "ascii",
    "us-ascii": "ascii",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601": "cp949",
    "ks_c_5601-1987": "cp949",
    "ksc5601": "cp949",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "iso_8859-1": "cp1252",
    "iso-8859-6-i": "iso8859-6",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "latin1": "cp1252",
    "iso-2022-jp-ms": "iso2022_jp",
    "junet": "iso2022_jp",
    "koi8": "koi8-r",
    "koi8-ru": "koi8-u",
    "koi8r": "koi8-r",
    "koi8u": "koi8-u",
    "ms-kanji": "cp932",
    "windows-31j": "cp932",
    "windows31j": "cp932",
    "big5-eten": "big5hkscs",
    "cn-big5": "big5hkscs",
    "csgb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "cseuckr": "cp949",
    "ks_c_5601-1989": "cp949",
    "ksc-5601": "cp949",
    "macintosh": "mac-roman",
    "x-mac-ce": "mac-latin2",
    "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-roman": "mac-roman",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "unicode-1-1-utf-7": "utf-7",
    "utf8mb4": "utf-8",
    "tis-620": "cp874",
}
_NUMBERED = re.compile(r"(?:ms|win|windows|cp|ibm|dos)[-_]?(?:cp)?-?([0-9]{3,5})")  # code pages of Windows
_PAGES = {
    "932": "cp932",
    "936": "gb18030",
    "950": "big5hkscs",
    "50220": "iso2022_jp",
    "50221": "iso2022_jp",
    "50222": "iso2022_jp",
    "51932": "euc-jp",
    "65001": "utf-8",
}
_LATIN = re.compile(r"iso[-_]?8859[-_]?([0-9]{1,2})")
_NO_CHARSETS = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem", "utf_8_sig"}
)
_ESCAPED = frozenset({"utf-7", "hz", "iso2022_kr"})  # with escapes of their own
_WESTERN = frozenset({"cp1252", "iso8859-15"})
_SAYS_LITTLE = frozenset({"cp1252", "ascii", None})
_MARKS = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
_NOT_NARROW = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f\xfe\xff]")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,39}")
_SEVERAL_BYTES = frozenset(
    {
        *("utf-8", "utf-7", "utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-32-be", "utf-32-le"),
        *("gb18030", "cp932", "cp949", "cp950", "big5hkscs", "big5", "hz", "johab", "euc_jp", "euc_kr", "shift_jis"),
        *("iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_3", "iso2022_jp_ext", "iso2022_kr"),
        *("euc_jis_2004", "euc_jisx0213", "shift_jis_2004", "shift_jisx0213"),
    }
)


def _windows_1252() -> str:
    # five bytes have no letter there; the WHATWG table gives them the control of the same number
    letters = (bytes([byte]).decode("cp1252", "replace") for byte in range(256))
    return "".join(chr(byte) if letter == "\ufffd" else letter for byte, letter in enumerate(letters))


_WINDOWS_1252 = _windows_1252()

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# octets of UTF-8 that are in no forbidden letter: those begin with 0xC2 and 0xED beyond ASCII
_HARMLESS = bytes({*b"\t\n\r", *range(0x20, 0x7F), *range(0x80, 0x100)} - {0xC2, 0xED})
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069\u00ad]+")
_SPACES = re.compile(r"[ \u00a0]{2,}")


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text, and whether its charset had to be guessed."""

    text: str
    guessed: bool = False


def clean(text: str) -> str:
    """Put U+FFFD for NUL (PostgreSQL takes none), controls (terminals obey them) and surrogates (UTF-8 has none)."""
    if len(text) <= _PIECE:
        # a tenth of the time where none of its octets can be of one of these
        if not text.encode("utf-8", "surrogatepass").translate(None, _HARMLESS):
            return text
        return _FORBIDDEN.sub("\ufffd", text)
    if not _FORBIDDEN.search(text):
        return text
    # in pieces: what stands between two of a million controls is a string of its own
    return "".join(_FORBIDDEN.sub("\ufffd", text[start : start + _PIECE]) for start in range(0, len(text), _PIECE))


def line(text: str, limit: int = MAX_LINE) -> str:
    """Make one line for display: no controls, no line breaks, no marks that reorder or hide letters."""
    text = text[: 2 * limit]
    if not (text.isascii() and text.isprintable() and "  " not in text):
        text = _SPACES.sub(" ", clean(_INVISIBLE.sub("", _CONTROLS.sub(" ", text))))
    text = text.strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def decode(octets: bytes, label: str | None = None, *, detect: bool = True) -> Decoded:
    """Decode by the rule of this module; the text has no NUL and no lone surrogate.

    Without ``detect``, which takes a tenth of a millisecond at least, what is left is windows-1252.
    """
    if octets.startswith(codecs.BOM_UTF8):
        octets = octets[len(codecs.BOM_UTF8) :]
        label = "utf-8"
    codec = _ordered(octets, "utf-16" if _is_utf_16(octets) else _codec(label))
    declared = _declared(octets, codec) if codec else None
    if declared is not None:
        return Decoded(clean(declared))
    return _guess(octets, codec, detect=detect)


def western(octets: bytes) -> str:
    """Decode as windows-1252; every byte has a letter."""
    return codecs.charmap_decode(octets, "strict", _WINDOWS_1252)[0]


def _codec(label: str | None) -> str | None:
    """Name the codec that a label means; ``None`` for no label and for one that names no charset."""
    wanted = (label or "").strip(" \t\"'").lower()
    return _named(wanted) if _LABEL.fullmatch(wanted) else None


@lru_cache(maxsize=200)
def _named(wanted: str) -> str | None:
    for meant in (_MEANT.get(wanted, wanted), _meant(wanted.removeprefix("x-"))):
        codec = _known(meant)
        if codec:
            return codec
    return None


def _meant(label: str) -> str:
    """Guess what a label means that no list has."""
    numbered, latin = _NUMBERED.fullmatch(label), _LATIN.fullmatch(label)
    if numbered:
        return _PAGES.get(numbered[1], f"cp{numbered[1]}")
    if latin:
        return f"iso8859-{latin[1]}"
    if "utf-8" in label or "utf8" in label:
        return "utf-8"
    return _MEANT.get(label, label)


def _known(meant: str) -> str | None:
    """Name the codec, if it is one of a charset."""
    try:
        codec = codecs.lookup(meant).name
        b"".decode(codec)  # refuses what is no charset, such as zlib or hex
    except (LookupError, UnicodeError, ValueError):
        return None
    # Python takes unicode:escape for unicode_escape too
    if {meant.replace("-", "_"), codec.replace("-", "_")} & _NO_CHARSETS:
        return None
    return _MEANT.get(codec, codec)


def _is_utf_16(octets: bytes) -> bool:
    """Say whether a byte order mark and ASCII letters in two bytes say so, whatever the label says."""
    marked = octets.startswith(_MARKS["utf-16"]) and not octets.startswith(codecs.BOM_UTF32_LE)
    return marked and b"\0" in octets[:1000]


def _ordered(octets: bytes, codec: str | None) -> str | None:
    """Say in which order the octets of a wide letter stand, where no mark does: Python takes the machine's order."""
    mark = _MARKS.get(codec or "")
    if mark is None or octets.startswith(mark):
        return codec
    start, width = octets[:2000], 4 if codec == "utf-32" else 2
    return f"{codec}-be" if start[::width].count(0) > start[width - 1 :: width].count(0) else f"{codec}-le"


def _declared(octets: bytes, codec: str) -> str | None:
    if _is_mislabelled(octets, codec):
        return None
    text = _strictly(octets, codec)
    if text is None and codec == "iso2022_jp":
        return _japanese(octets) if octets.isascii() else None
    return japanese.euc(octets) if text is None and codec == "euc_jp" else text


def _is_mislabelled(octets: bytes, codec: str) -> bool:
    """Say whether octets that may fit a charset are plainly in another one."""
    if codec.startswith(("utf-16", "utf-32")):
        return _is_narrow(octets)
    if _looks_japanese(octets):
        return not codec.startswith("iso2022") and codec not in _ESCAPED and _japanese(octets) is not None
    return codec in _WESTERN and guessing.kana(octets) is not None


def _is_narrow(octets: bytes) -> bool:
    """Say whether what should have two or four octets for each letter is UTF-8, without marks and controls."""
    return not _NOT_NARROW.search(octets) and _strictly(octets, "utf-8") is not None


def _japanese(octets: bytes) -> str | None:
    text = _strictly(octets, "iso2022_jp_ext")
    return japanese.iso_2022(octets) if text is None else text


def _strictly(octets: bytes, codec: str) -> str | None:
    try:
        text = octets.decode(codec)
    except (UnicodeError, LookupError, ValueError):
        return None
    return text.removeprefix("\ufeff")


def _guess(octets: bytes, codec: str | None, *, detect: bool) -> Decoded:
    if _looks_japanese(octets):
        told = _japanese(octets)
        if told is not None:
            return Decoded(clean(told), guessed=True)
    if codec and codec.startswith(("utf-16", "utf-32")) and _is_narrow(octets):
        return Decoded(clean(octets.decode()), guessed=True)
    several = codec in _SEVERAL_BYTES
    if codec == "utf-7" and octets.isascii():
        return Decoded(clean(_but_the_end(octets, codec) or octets.decode("ascii")), guessed=True)
    if octets.isascii() and not several:
        return Decoded(clean(octets.decode("ascii")))
    utf8 = None if several and octets.isascii() else _strictly(octets, "utf-8")
    if utf8 is not None:
        return Decoded(clean(utf8), guessed=True)
    mostly = _mostly(octets, codec if codec and several else "utf-8")
    if mostly is None and codec == "iso2022_jp" and not guessing.kana(octets):
        mostly = japanese.iso_2022(octets)  # half-width kana in eight bits, or Shift_JIS
    if mostly is None:
        mostly = _likely(octets, codec) if detect else western(octets)
    return Decoded(clean(mostly), guessed=True)


def _likely(octets: bytes, codec: str | None) -> str:
    """Decode what is neither as declared nor UTF-8."""
    if codec in _SAYS_LITTLE and guessing.is_western(octets):
        return western(octets)
    likely = guessing.guess(octets)
    if likely is None:
        return western(octets)
    text = _declared(octets, likely)
    if text is None:
        text = _mostly(octets, likely)
    return western(octets) if text is None else text


def _looks_japanese(octets: bytes) -> bool:
    return b"\x1b$" in octets and octets.isascii()


def _mostly(octets: bytes, codec: str) -> str | None:
    """Decode with U+FFFD where it doesn't fit, if that is at the cut end, or few of the letters beyond ASCII."""
    whole = _but_the_end(octets, codec)
    if whole:
        return whole
    wrong = beyond = 0
    for text in _in_pieces(octets, codec):
        wrong += text.count("\ufffd")
        beyond += len(text) - len(text.encode("ascii", "ignore"))
    return octets.decode(codec, "replace") if wrong * FEW <= beyond else None


def _but_the_end(octets: bytes, codec: str) -> str:
    """Decode what is cut within a letter, with U+FFFD for that; "" where more is wrong, or all before it is ASCII."""
    try:
        whole = codecs.getincrementaldecoder(codec)("strict").decode(octets)
    except (UnicodeError, ValueError):
        return ""
    return "" if whole.isascii() else whole + "\ufffd"


def _in_pieces(octets: bytes, codec: str) -> Iterator[str]:
    if codec in {"utf-16", "utf-32"} and not octets.startswith(
        (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"\0\0\xfe\xff")
    ):
        codec += "-le"  # decoders of pieces refuse what has no mark at its start
    decoder = codecs.getincrementaldecoder(codec)("replace")
    for start in range(0, len(octets), _PIECE):
        yield decoder.decode(octets[start : start + _PIECE], start + _PIECE >= len(octets))
