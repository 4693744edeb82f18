r"""The text in an RTF, or the HTML or plain text that Outlook wraps in one (MS-OXRTFEX).

Where the header says ``\fromhtml``, the HTML is put together again from what stands in ``\htmltag`` groups and outside
of ``\htmlrtf``. Of any other RTF the letters, lines and tabs are kept, and nothing else: no pictures, no objects, no
fields, no formatting.

Raises nothing; one pass, linear, no recursion. Nothing is loaded or run.
"""

import re
from dataclasses import dataclass, replace

from mailgate.mime import text

MAX_HEADER = 2000

_TOKEN = re.compile(
    rb"\\(?P<word>[A-Za-z]{1,32})(?P<number>-?[0-9]{1,9})?[ ]?"
    rb"|\\'(?P<octet>[0-9A-Fa-f]{2})"
    rb"|\\(?P<sign>[^A-Za-z'])"
    rb"|(?P<brace>[{}])"
    rb"|(?P<letters>[^\\{}\r\n]+)",
    re.DOTALL,
)
_LETTERS = {
    "par": "\n",
    "line": "\n",
    "row": "\n",
    "sect": "\n",
    "page": "\n",
    "tab": "\t",
    "cell": "\t",
    "emdash": "—",
    "endash": "\u2013",
    "emspace": " ",
    "enspace": " ",
    "bullet": "•",
    "lquote": "\u2018",
    "rquote": "\u2019",
    "ldblquote": "“",
    "rdblquote": "”",
}
_SIGNS = {b"\\": "\\", b"{": "{", b"}": "}", b"~": "\u00a0", b"_": "-", b"\r": "\n", b"\n": "\n"}
_UNSEEN = frozenset(
    {
        *("colortbl", "stylesheet", "info", "pict", "header", "headerl", "headerr", "headerf"),
        *("footer", "footerl", "footerr", "footerf"),
    }
)
# the character sets of fonts, as the code pages that they mean
_FONT_SETS = {128: 932, 129: 949, 130: 1361, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255, 178: 1256}
_FONT_SETS |= {186: 1257, 204: 1251, 222: 874, 238: 1250, 77: 10000}
_MAC_ROMAN = 10000


@dataclass(frozen=True, slots=True)
class Found:
    """The text, and whether it is HTML."""

    text: str
    html: bool


def read(octets: bytes) -> Found:
    """Read an RTF; an empty text where it holds none."""
    html = b"\\fromhtml" in octets[:MAX_HEADER]
    reader = _Reader(html=html)
    for token in _TOKEN.finditer(octets):
        reader.take(token)
    return Found(reader.done(), html)


@dataclass(frozen=True, slots=True)
class _Group:
    """What holds within braces."""

    unseen: bool = False
    starred: bool = False  # the next word is of a destination that a reader may not know
    fonts: bool = False  # it is the table of fonts
    wrapped: bool = False  # between htmlrtf and htmlrtf0: RTF's own, not of the HTML
    font: int = -1
    fallback: int = 1  # how many letters stand behind a Unicode one for those who can't read it


class _Reader:
    """One pass."""

    def __init__(self, *, html: bool) -> None:
        self._html = html
        self._groups = [_Group()]
        self._group = _Group()
        self._code_page = 1252
        self._fonts: dict[int, int] = {}
        self._skip = 0
        self._octets = bytearray()  # not decoded yet: a letter may have several
        self._out: list[str] = []

    def take(self, token: re.Match[bytes]) -> None:
        kind = token.lastgroup or ""
        if kind in {"word", "number"}:
            self._word(token["word"].decode("ascii"), int(token["number"]) if token["number"] else None)
        elif kind == "octet":
            self._bytes(bytes([int(token["octet"], 16)]))
        elif kind == "letters":
            self._bytes(token["letters"])
        elif kind == "sign":
            self._sign(token["sign"])
        else:
            self._brace(token["brace"])

    def done(self) -> str:
        self._flush()
        # surrogates that stand for one letter become it
        joined = "".join(self._out).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return joined.replace("\0", "").strip("\n")

    def _brace(self, brace: bytes) -> None:
        self._flush()
        self._skip = 0
        if brace == b"{":
            self._groups.append(self._group)
        elif self._groups:
            self._group = self._groups.pop()

    def _sign(self, sign: bytes) -> None:
        if sign == b"*":
            self._group = replace(self._group, starred=True)
        elif sign in _SIGNS:
            if self._skip:
                self._skip -= 1
            else:
                self._write(_SIGNS[sign])

    def _bytes(self, octets: bytes) -> None:
        skipped = min(self._skip, len(octets))
        self._skip -= skipped
        if self._shown():
            self._octets += octets[skipped:]

    def _word(self, word: str, number: int | None) -> None:
        group = self._group
        if group.starred:
            known = self._html and word == "htmltag"
            self._flush()
            self._group = replace(group, starred=False, unseen=group.unseen or not known)
        elif word in _UNSEEN:
            self._group = replace(group, unseen=True)
        elif word == "fonttbl":
            self._group = replace(group, unseen=True, fonts=True)
        elif word == "htmlrtf":
            self._flush()
            self._group = replace(group, wrapped=number != 0)
        elif word in _LETTERS:
            self._write(_LETTERS[word])
        else:
            self._setting(word, 0 if number is None else number)

    def _setting(self, word: str, number: int) -> None:
        group = self._group
        if word == "u":
            self._write(chr(number % 0x10000))
            self._skip = group.fallback
        elif word == "uc":
            self._group = replace(group, fallback=max(0, min(number, 100)))
        elif word == "f":
            self._flush()
            self._group = replace(group, font=number)
        elif word == "fcharset" and group.fonts:
            self._fonts[group.font] = _FONT_SETS.get(number, 0)
        elif word == "ansicpg":
            self._code_page = number

    def _shown(self) -> bool:
        return not (self._group.unseen or (self._html and self._group.wrapped))

    def _write(self, letters: str) -> None:
        self._flush()
        if self._shown():
            self._out.append(letters)

    def _flush(self) -> None:
        if not self._octets:
            return
        octets = bytes(self._octets)
        self._octets.clear()
        if octets.isascii():
            self._out.append(octets.decode("ascii"))
            return
        page = self._fonts.get(self._group.font) or self._code_page
        label = {65001: "utf-8", _MAC_ROMAN: "mac-roman"}.get(page, f"cp{page}")
        self._out.append(text.decode(octets, label).text)
