"""Which charset octets are in that say none, or the wrong one. Sole importer of chardet.

What is asked of chardet is never "which of all": short Western text looks to it like nearly anything. The octets say
first which kind of script they are in. In Latin scripts letters beyond ASCII stand alone or in pairs between ASCII
letters; in all others whole words lie beyond it, in each charset. So Latin text is asked about among Latin charsets
only, where windows-1252 is by far the likeliest and others must be well ahead of it, unless it has what no Western word
has; and other text among the others only, where chardet is mostly right on a few words already. It isn't on Japanese,
nor does it know the Macintosh: these are told by their letters.

Only lines beyond ASCII count (a page of HTML has few), the first 64 kB of them. The same octets give the same answer
on each Python. Raises nothing; a few milliseconds. chardet takes a tenth of a second to load, and most mail never
needs it, so it is loaded when first asked.
"""

import re
from io import BytesIO

from mailgate.mime import japanese

WINDOW = 64 * 1024
MOST_IN_LATIN = 2  # letters beyond ASCII side by side
SURE_OF_LATIN = 0.17  # measured: right answers reach it in a sentence or two, wrong ones for Western text don't
SURE_OF_EASTERN = 0.05  # where windows-1252 is out of the question
SURE_OF_OTHERS = 0.04
SURE_OF_NO_LATIN = 0.02  # where not even all octets have letters in windows-1252

_LATIN = frozenset({"cp1252", "cp1250", "cp1254", "cp1257", "iso8859-2"})
_OTHERS = frozenset(
    {
        *("koi8-r", "koi8-u", "cp1251", "iso8859-5", "cp866"),
        *("cp1253", "iso8859-7", "cp1255", "iso8859-8", "cp1256", "iso8859-6", "cp874"),
        *("cp932", "shift_jis_2004", "euc_jis_2004", "gb18030", "big5hkscs", "cp949"),
    }
)
_BEYOND = re.compile(rb"[\x80-\xff]++")
_UNASSIGNED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")  # in windows-1252
# a sign (plus or minus, cube, first, quarter, question mark turned over, ...) within a word; Polish has letters there
_SIGN_WITHIN = re.compile(rb"[a-z\xe0-\xff][\xb1\xb3\xb6\xb9\xbc\xbe\xbf][a-z\xe0-\xff]")
# Turkish has letters where Icelandic has them, together with others that Icelandic hasn't
_ICELANDIC, _NOT_ICELANDIC = re.compile(rb"[\xd0\xdd\xde\xf0\xfd\xfe]"), re.compile(rb"[\xc7\xdc\xe7\xfc]")
# e and u with accents and sharp s of the Macintosh: capitals and the sign for sections within a word
_MACINTOSH_ONLY = re.compile(rb"[a-z][\x8e\x8f\x9f]|[A-Z]\x9f[a-z]|[a-z\x8a\x9a\x9f]\xa7[a-z]")
_NO_MACINTOSH = re.compile(rb"[^\x00-\x9f\xa1\xa5\xa7\xc7-\xca\xd0-\xd5\xdb\xe2\xe3]")


def guess(octets: bytes) -> str | None:
    """Name Python's codec for octets in any script; ``None`` where none is likely enough."""
    sample = _sample(octets)
    if not sample:
        return None  # chardet would warn
    return japanese.charset(sample) or (_latin(sample) if _is_latin(sample) else _other(sample))


def is_western(octets: bytes) -> bool:
    """Say whether octets can be windows-1252: all of them have letters there, and the script is Latin."""
    if _UNASSIGNED.search(octets):
        return False
    sample = _sample(octets)
    odd = japanese.charset(sample) or _is_macintosh(sample) or _SIGN_WITHIN.search(sample)
    return not odd and _is_latin(sample)


def kana(octets: bytes) -> str | None:
    """Name Python's codec for octets in Japanese with so many kana that no label is to be believed."""
    return japanese.charset(_sample(octets))


def _latin(sample: bytes) -> str | None:
    if japanese.is_shift_jis(sample):
        return "cp932"
    if _is_macintosh(sample):
        return "mac-roman"
    if _SIGN_WITHIN.search(sample) or (_ICELANDIC.search(sample) and _NOT_ICELANDIC.search(sample)):
        return _eastern(sample)
    return _detect(sample, _LATIN, SURE_OF_LATIN)


def _eastern(sample: bytes) -> str | None:
    return _detect(sample, _LATIN - {"cp1252"}, SURE_OF_EASTERN)


def _other(sample: bytes) -> str | None:
    sure = SURE_OF_NO_LATIN if _UNASSIGNED.search(sample) else SURE_OF_OTHERS
    found = _detect(sample, _OTHERS, sure)
    if found is None and japanese.is_shift_jis(sample):
        return "cp932"
    # short words of Polish are mostly letters beyond ASCII
    return _eastern(sample) if found is None and _SIGN_WITHIN.search(sample) else found


def _is_macintosh(sample: bytes) -> bool:
    return bool(_MACINTOSH_ONLY.search(sample)) and not _NO_MACINTOSH.search(sample)


def _sample(octets: bytes) -> bytes:
    sample = bytearray()
    for line in BytesIO(octets):
        if not line.isascii():
            sample += line[: WINDOW - len(sample)]
        if len(sample) >= WINDOW:
            break
    return bytes(sample)


def _is_latin(sample: bytes) -> bool:
    runs: list[bytes] = _BEYOND.findall(sample)
    words = sum(len(run) for run in runs if len(set(run)) > MOST_IN_LATIN)  # a row of dashes is no word
    return 2 * words <= sum(map(len, runs))


def _detect(sample: bytes, among: frozenset[str], sure: float) -> str | None:
    import chardet  # noqa: PLC0415 - slow to load, and seldom needed

    try:
        found = chardet.detect(
            sample,
            compat_names=False,  # the names of Python's codecs
            include_encodings=among,
            no_match_encoding=min(among),  # comes with no language; one outside ``among`` would be warned of
            max_bytes=WINDOW,
        )
    except Exception:  # noqa: BLE001 - a detector that fails on odd octets has no answer
        return None
    return found["encoding"] if found["language"] and found["confidence"] >= sure else None
