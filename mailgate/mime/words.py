"""Header values to text: raw 8-bit letters and encoded words (RFC 2047, RFC 2231 section 5).

Looser than the RFCs where readers of mail are: words inside quotes or glued to other text are decoded too, base64
need not be padded, a letter may be split between two words of one charset. What is broken stays as it came.
Raises nothing; linear.
"""

import re
from binascii import Error, a2b_base64, a2b_qp
from contextlib import suppress
from itertools import groupby

from mailgate.mime import text
from mailgate.mime.text import Decoded

# a question mark within is not allowed, yet written; another word never starts within one
_PAYLOAD = rb"(?:[^?=\r\n]|=(?!\?(?!=))|\?(?!=))*+"
WORD = rb"=\?[^?*\s]{1,60}(?:\*[^?\s]{0,60})?\?[bBqQ]\?" + _PAYLOAD + rb"\?="
_WORD = re.compile(rb"=\?([^?*\s]{1,60})(?:\*[^?\s]{0,60})?\?([bBqQ])\?(" + _PAYLOAD + rb")\?=")
_PLAIN = re.compile(rb"[\t -~]*+")
_FOLD = re.compile(rb"(?:\r\n|\n|\r)[ \t]?")
_NO_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
PADDED_PART = 32  # bytes per padding sign, at least, where every line has padding
MAX_ODD = 64 * 1024
MAX_GUESSED = 4  # runs of one value; words of one wrong label side by side are one run
_LETTERS = re.compile(rb"[A-Za-z0-9+/=\r\n]*+")
_PADDING = re.compile(rb"=++[\r\n]*+")

# one run of a header value: the label of its encoded words (None: bare octets), and its octets
Run = tuple[bytes | None, bytes]


def unfold(value: bytes) -> bytes:
    """Join a folded value to one line; a line break with one white space becomes one space."""
    return _FOLD.sub(b" ", value).strip() if b"\n" in value or b"\r" in value else value.strip()


def base64(octets: bytes) -> bytes:
    """Decode base64 as readers do: foreign characters are skipped, padding may be missing.

    Padding ends it, unless nothing but base64 follows: some programs pad every line.
    """
    end = octets.find(b"=") + 1
    if not end or not octets[end:].strip(b"=\r\n"):
        return _unit(octets)
    padded = octets.count(b"=") * PADDED_PART <= max(len(octets), MAX_ODD)  # more would be many tiny parts
    if padded and _LETTERS.fullmatch(octets, end):
        return b"".join(map(_unit, _PADDING.split(octets)))
    return _unit(octets[:end])


def _unit(octets: bytes) -> bytes:
    with suppress(Error):  # where all of it is in order, which is seen while it is decoded
        return a2b_base64(octets)
    letters = octets.translate(None, _NO_BASE64)
    if len(letters) % 4 == 1:
        letters = letters[:-1]  # six bits make no byte
    try:
        return a2b_base64(letters + b"=" * (-len(letters) % 4))
    except Error:
        return octets


def decode(value: bytes, charset: str = "", *, detect: bool = True) -> Decoded:
    """Decode a folded or unfolded header value to text.

    Bare octets are UTF-8 (RFC 6532); else of ``charset``, which is what the body is in; else it is guessed, for which
    chardet is asked (``detect``) about the first ``MAX_GUESSED`` only.
    """
    value = unfold(value)
    if b"=?" not in value and _PLAIN.fullmatch(value):
        return Decoded(value.decode("ascii"))
    decoded: list[str] = []
    guessed = 0
    for label, octets in _joined(_runs(value)):
        run = _text(label, octets, charset, detect=detect and guessed < MAX_GUESSED)
        decoded.append(run.text)
        guessed += run.guessed
    return Decoded("".join(decoded), guessed > 0)


def _text(label: bytes | None, octets: bytes, charset: str, *, detect: bool) -> Decoded:
    if label is not None:
        return text.decode(octets, label.decode("ascii", "replace"), detect=detect)
    if octets.isascii():
        return text.decode(octets, "us-ascii")  # may be Japanese
    try:
        octets.decode()
    except UnicodeDecodeError:
        return Decoded(text.decode(octets, charset or "utf-8", detect=detect).text, guessed=True)
    return text.decode(octets, "utf-8")


def _runs(value: bytes) -> list[Run]:
    runs: list[Run] = []
    end = 0
    for word in _WORD.finditer(value):
        between = value[end : word.start()]
        # white space between two words is no part of the text (RFC 2047 section 6.2)
        if between.strip() or (between and not runs):
            runs.append((None, between))
        runs.append((word[1].lower(), _word(word[2], word[3])))
        end = word.end()
    if end < len(value):
        runs.append((None, value[end:]))
    return runs


def _word(encoding: bytes, payload: bytes) -> bytes:
    if encoding in b"bB":
        return base64(payload)
    return a2b_qp(payload.replace(b" ", b"_"), header=True)


def _joined(runs: list[Run]) -> list[Run]:
    return [(label, b"".join(run[1] for run in same)) for label, same in groupby(runs, key=lambda run: run[0])]
