"""Which charset octets are in that say none, or the wrong one. Sole importer of chardet.

What is asked of chardet is never "which of all": short Western text looks to it like nearly anything. The octets say
first which kind of script they are in. In Latin scripts letters beyond ASCII stand alone or in pairs between ASCII
letters; in all others whole words lie beyond it, in each charset. So Latin text is asked about among Latin charsets
only, where windows-1252 is by far the likeliest and others must be well ahead of it, and other text among the others
only, where chardet is right on a single word already.

Only lines beyond ASCII count (a page of HTML has few), the first 64 kB of them. The same octets give the same answer
on each Python. Raises nothing; a few milliseconds. chardet takes a tenth of a second to load, and most mail never
needs it, so it is loaded when first asked.
"""

import re
from io import BytesIO

WINDOW = 64 * 1024
MOST_IN_LATIN = 2  # letters beyond ASCII side by side
SURE_OF_LATIN = 0.17  # measured: right answers reach it in a sentence or two, wrong ones for Western text don't
SURE_OF_OTHERS = 0.04

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


def guess(octets: bytes) -> str | None:
    """Name Python's codec for octets in any script; ``None`` where none is likely enough."""
    sample = _sample(octets)
    if not sample:
        return None  # chardet would warn
    if _is_latin(sample):
        return _detect(sample, _LATIN, SURE_OF_LATIN)
    return _detect(sample, _OTHERS, SURE_OF_OTHERS)


def is_western(octets: bytes) -> bool:
    """Say whether octets can be windows-1252: all of them have letters there, and the script is Latin."""
    return not _UNASSIGNED.search(octets) and _is_latin(_sample(octets))


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
