"""winmail.dat: the files, and the body, that Outlook packs into one part (MS-OXTNEF).

tnefparse gives the numbers and names of the format; this module is its only importer. The walk over the octets is our
own: tnefparse copies all that follows for each attribute, believes counts of four billion, nests as deep as it is
told, cuts zeros off the ends of files, drops every property behind one that it can't decode, and logs what it reads.

Files keep their octets, their names (the long one, by the stream's code page), types and content ids. Of a mail
attached inside the text and the files are listed, or, if it has neither, it is listed as the winmail.dat that it is.
Appointments and contacts have no form of their own in there; their files are files like others.

The body is HTML, plain text, or RTF that wraps one of them or is plain enough (module rtf); of several the first.
``unpack`` reads it only where it is wanted: RTF is costly.

What is broken or cut off ends the walk, and what came before it counts; checksums are not looked at. No more comes out
than went in, but for the RTF, whose bounds are ``MAX_RTF`` and what that may unpack to (nine times as much).
At most ``MAX_FILES`` files, ``MAX_VALUES`` attributes and properties, and ``MAX_DEPTH`` mails within mails.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import compressed_rtf  # type: ignore[import-untyped]  # it ships no types
from tnefparse import TNEF, properties  # type: ignore[import-untyped]  # the same
from tnefparse.codepage import Codepage  # type: ignore[import-untyped]  # the same

from mailgate.mime import endings, rtf, text
from mailgate.mime.bodies import HTML, PLAIN, File, Piece

MAX_FILES = 500
MAX_VALUES = 200_000
MAX_DEPTH = 3
MAX_RTF = 256 * 1024
MAX_NAME = 4000

_TNEF = "application/ms-tnef"
TYPES = frozenset({_TNEF, "application/vnd.ms-tnef"})
_UNSAID = frozenset({"application/octet-stream", "binary/octet-stream"})
_SIGNATURE = TNEF.TNEF_SIGNATURE.to_bytes(4, "little")
_HEAD = 6  # the signature, and a key that nobody needs
_ATTRIBUTE = 9  # level, number and type, length
_CHECKSUM = 2

# the types of properties, by what they need (MS-OXCDATA 2.11.1)
_FIXED = {0x0001: 0, 0x0002: 4, 0x0003: 4, 0x0004: 4, 0x0005: 8, 0x0006: 8, 0x0007: 8, 0x000A: 4, 0x000B: 4}
_FIXED |= {0x0014: 8, 0x0040: 8, 0x0048: 16}
_OBJECT, _STRING8, _UNICODE, _BINARY = 0x000D, 0x001E, 0x001F, 0x0102
_VARIABLE = frozenset({0x0000, _OBJECT, _STRING8, _UNICODE, _BINARY})
_MANY = 0x1000
_NAMED = 0x8000

_MESSAGE = bytes.fromhex("0703020000000000c000000000000046")  # IID_IMessage: a mail
_STORAGE = bytes.fromhex("0b00000000000000c000000000000046")  # IID_IStorage: an OLE document
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")
_CHARSETS = {
    1200: "utf-16-le",
    20127: "us-ascii",
    20866: "koi8-r",
    20932: "euc-jp",
    21866: "koi8-u",
    50220: "iso-2022-jp",
    50221: "iso-2022-jp",
    50222: "iso-2022-jp",
    50225: "iso-2022-kr",
    51932: "euc-jp",
    51936: "gb2312",
    51949: "euc-kr",
    52936: "hz-gb-2312",
    54936: "gb18030",
    65000: "utf-7",
    65001: "utf-8",
}
_ISO_8859 = range(28591, 28606)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was inside. ``mails``: how many attached mails were taken apart; ``more``: that not everything came out."""

    files: tuple[File, ...] = ()
    text: tuple[File, ...] = ()
    html: tuple[File, ...] = ()
    mails: int = 0
    more: bool = False


def is_one(piece: Piece) -> bool:
    """Say whether a document is a winmail.dat, by its type or by its name or first octets."""
    if piece.media in TYPES:
        return True
    if piece.name.lower().strip() == "winmail.dat":
        return piece.content.startswith(_SIGNATURE)
    return piece.media in _UNSAID and piece.content.startswith(_SIGNATURE)


def unpack(content: bytes, *, with_body: bool = True, most_rtf: int = MAX_RTF) -> Unpacked | None:
    """Unpack one; ``None`` where it is none. The body, where it is wanted, comes as HTML, text, or both."""
    reading = _Reading(content, most_rtf)
    stream = reading.stream(0, len(content))
    if stream is None:
        return None
    files = reading.files(stream)
    html, plain = reading.body(stream) if with_body else (None, None)
    return Unpacked(
        files=tuple(files),
        text=tuple(filter(None, [plain or html])),
        html=tuple(filter(None, [html or plain])),
        mails=reading.mails,
        more=reading.more,
    )


@dataclass(frozen=True, slots=True)
class _Value:
    """Where the octets of a value lie, and their type."""

    kind: int
    start: int
    end: int


@dataclass(slots=True)
class _Attached:
    """An attachment's own attributes and its properties, by their numbers."""

    attributes: dict[int, _Value] = field(default_factory=dict)
    properties: dict[int, _Value] = field(default_factory=dict)


@dataclass(slots=True)
class _Stream:
    """A mail: its attributes and properties, and what is attached to it."""

    charset: str = ""
    attributes: dict[int, _Value] = field(default_factory=dict)
    properties: dict[int, _Value] = field(default_factory=dict)
    attached: list[_Attached] = field(default_factory=list)


class _Reading:
    """One walk over one winmail.dat, and the mails in it; nothing is copied before it is wanted."""

    def __init__(self, octets: bytes, most_rtf: int) -> None:
        self._octets = octets
        self._values = 0
        self._files = 0
        self._rtf = most_rtf
        self.mails = 0
        self.more = False

    def stream(self, start: int, end: int) -> _Stream | None:
        """Walk over a stream of attributes; ``None`` where there is none."""
        if not self._octets.startswith(_SIGNATURE, start) or end - start < _HEAD:
            return None
        found = _Stream()
        for level, number, value in self._attributes(start + _HEAD, end):
            if level == TNEF.LVL_MESSAGE:
                self._of_message(found, number, value)
            elif level != TNEF.LVL_ATTACHMENT or not self._of_attached(found, number, value):
                break
        return found

    def files(self, stream: _Stream, depth: int = 0) -> list[File]:
        """List the files of a mail, and those of the mails attached to it."""
        files: list[File] = []
        for attached in stream.attached:
            inner = self._inner(attached) if depth < MAX_DEPTH else None
            shown = attached.properties.get(properties.MAPI_DISPLAY_NAME)
            found = self._of_inner(inner, self._words(shown, stream.charset), depth + 1) if inner else []
            if found:
                self.mails += 1
                files.extend(found)
            elif self._files < MAX_FILES:
                files.extend(self._file(attached, stream.charset))
            else:
                self.more = True
        return files

    def body(self, stream: _Stream) -> tuple[File | None, File | None]:
        """Read the body: as HTML, as plain text."""
        html = self._text(stream, properties.MAPI_BODY_HTML, HTML)
        numbers = (properties.MAPI_BODY, properties.MAPI_UNCOMPRESSED_BODY)
        told = filter(None, (self._text(stream, number, PLAIN) for number in numbers))
        plain = next(told, None) or self._body_attribute(stream)
        if html or plain:
            return html, plain
        return self._rtf_body(stream)

    def _attributes(self, at: int, end: int) -> Iterator[tuple[int, int, _Value]]:
        """Cut a stream into attributes (MS-OXTNEF 2.1.3): level, number and value of each."""
        while at + _ATTRIBUTE <= end and self._counts():
            start = at + _ATTRIBUTE
            stop = start + self._number(at + 5)
            yield self._octets[at], self._number(at + 1, 2), _Value(0, start, min(stop, end))
            at = stop + _CHECKSUM

    def _of_message(self, stream: _Stream, number: int, value: _Value) -> None:
        if number == TNEF.ATTOEMCODEPAGE:
            stream.charset = _charset(self._number(value.start, min(4, value.end - value.start)))
        elif number == TNEF.ATTMAPIPROPS:
            self._properties(value, stream.properties)
        else:
            stream.attributes.setdefault(number, value)

    def _of_attached(self, stream: _Stream, number: int, value: _Value) -> bool:
        """Add to the attachment that is being read; "no" where it would be one too many."""
        if number == TNEF.ATTATTACHRENDDATA or not stream.attached:
            if len(stream.attached) >= MAX_FILES:
                self.more = True
                return False
            stream.attached.append(_Attached())
        attached = stream.attached[-1]
        if number == TNEF.ATTATTACHMENT:
            self._properties(value, attached.properties)
        else:
            attached.attributes.setdefault(number, value)
        return True

    def _properties(self, value: _Value, found: dict[int, _Value]) -> None:
        """Read a list of properties (MS-OXTNEF 2.1.3.4); those behind a broken one are lost."""
        at, end = value.start + 4, value.end
        for _ in range(self._number(value.start)):
            if at + 4 > end or not self._counts():
                return
            kind, number = self._number(at, 2), self._number(at + 2, 2)
            at = self._behind_name(at + 4) if number >= _NAMED else at + 4
            first = self._first(kind, at)
            if first is None:
                return
            if number < _NAMED and (first.end <= end or kind == _OBJECT):
                self._keep(found, number, _Value(first.kind, first.start, min(first.end, end)))
            at = self._behind(kind, at, end)

    def _behind_name(self, at: int) -> int:
        """Go behind the name of a named property: a GUID, and a number or letters."""
        at += 20
        return at + 4 + _padded(self._number(at)) if self._number(at - 4) else at + 4

    def _keep(self, found: dict[int, _Value], number: int, value: _Value) -> None:
        """Keep the first of several, but Unicode rather than what needs a code page."""
        known = found.get(number)
        if known is None or (known.kind, value.kind) == (_STRING8, _UNICODE):
            found[number] = value

    def _first(self, kind: int, at: int) -> _Value | None:
        """Return where the first value of a property lies; ``None`` for a type that is unknown."""
        base = kind & ~_MANY
        if base in _VARIABLE:
            length = self._number(at + 4) if self._number(at) else 0
            return _Value(base, at + 8, at + 8 + length)
        if base in _FIXED:
            start = at + 4 if kind & _MANY else at
            return _Value(base, start, start + _FIXED[base])
        return None

    def _behind(self, kind: int, at: int, end: int) -> int:
        base = kind & ~_MANY
        if base in _FIXED:
            if not kind & _MANY:
                return at + _FIXED[base]
            size = 2 if base in {0x0002, 0x000B} else _FIXED[base]
            return at + 4 + _padded(self._number(at) * size)
        count = self._number(at)
        at += 4
        while count and at < end and self._counts():
            at += 4 + _padded(self._number(at))
            count -= 1
        return at if not count else end + 1

    def _counts(self) -> bool:
        """Count one thing that was looked at; "no" beyond the bound."""
        self._values += 1
        self.more = self.more or self._values > MAX_VALUES
        return self._values <= MAX_VALUES

    def _number(self, at: int, size: int = 4) -> int:
        return int.from_bytes(self._octets[at : at + size], "little")

    def _bytes(self, value: _Value | None) -> bytes:
        return self._octets[value.start : value.end] if value else b""

    def _words(self, value: _Value | None, charset: str) -> str:
        """Decode a string, up to its NUL."""
        octets = self._bytes(value)[:MAX_NAME]
        if value and value.kind == _UNICODE:
            return octets.decode("utf-16-le", "replace").partition("\0")[0]
        return text.decode(octets.partition(b"\0")[0], charset or "windows-1252").text

    def _name(self, attached: _Attached, charset: str) -> str:
        told = (
            attached.properties.get(properties.MAPI_ATTACH_LONG_FILENAME),
            attached.attributes.get(TNEF.ATTATTACHTITLE),
            attached.attributes.get(TNEF.ATTATTACHTRANSPORTFILENAME),
            attached.properties.get(properties.MAPI_ATTACH_FILENAME),
            attached.properties.get(properties.MAPI_DISPLAY_NAME),
        )
        return next(filter(None, (self._words(value, charset) for value in told)), "")

    def _file(self, attached: _Attached, charset: str) -> list[File]:
        content = self._object(attached)
        if content is None:
            return []  # a link to a file that did not come along
        self._files += 1
        name = self._name(attached, charset)
        media = self._words(attached.properties.get(properties.MAPI_ATTACH_MIME_TAG), charset).partition(";")[0]
        media = _TNEF if content.startswith(_SIGNATURE) else media.strip().lower()
        content_id = self._words(attached.properties.get(properties.MAPI_ATTACH_CONTENT_ID), charset)
        return [
            File(
                media if _TYPE.fullmatch(media) else endings.media(name),
                name,
                content,
                content_id.strip().removeprefix("<").removesuffix(">"),
            )
        ]

    def _object(self, attached: _Attached) -> bytes | None:
        """Return what is attached: the object if it says its kind, as a picture of it may stand beside, or the data."""
        whole = self._bytes(attached.properties.get(properties.MAPI_ATTACH_DATA_OBJ))
        data = attached.attributes.get(TNEF.ATTATTACHDATA)
        if whole.startswith((_MESSAGE, _STORAGE)):
            return whole[len(_MESSAGE) :]
        return self._bytes(data) if data else (whole or None)

    def _inner(self, attached: _Attached) -> _Stream | None:
        """Walk over the mail that is attached, if it is one."""
        value = attached.properties.get(properties.MAPI_ATTACH_DATA_OBJ)
        if value is None or not self._octets.startswith(_MESSAGE, value.start):
            return None
        return self.stream(value.start + len(_MESSAGE), value.end)

    def _of_inner(self, inner: _Stream, name: str, depth: int) -> list[File]:
        """List what there is of an attached mail: its text as a file, and its files."""
        subject = inner.properties.get(properties.MAPI_SUBJECT) or inner.attributes.get(TNEF.ATTSUBJECT)
        name = self._words(subject, inner.charset) or name or "mail"
        html, plain = self.body(inner)
        shown = html or plain
        files: list[File] = []
        if shown and self._files < MAX_FILES:
            self._files += 1
            ending = ".html" if shown.media == HTML else ".txt"
            files.append(File(shown.media, name + ending, shown.content, charset=shown.charset))
        return files + self.files(inner, depth)

    def _text(self, stream: _Stream, number: int, media: str) -> File | None:
        value = stream.properties.get(number)
        octets = self._bytes(value)
        if value is None or not octets.strip(b"\0"):
            return None
        if value.kind == _UNICODE:
            decoded = octets.decode("utf-16-le", "replace").rstrip("\0")
            return File(media, "", decoded.encode("utf-8", "replace"), charset="utf-8")
        charset = stream.charset
        if value.kind == _BINARY:
            charset = self._charset(stream, properties.MAPI_INTERNET_CODEPAGE) or charset
        return File(media, "", octets.rstrip(b"\0"), charset=charset)

    def _body_attribute(self, stream: _Stream) -> File | None:
        octets = self._bytes(stream.attributes.get(TNEF.ATTBODY)).rstrip(b"\0")
        return File(PLAIN, "", octets, charset=stream.charset) if octets else None

    def _charset(self, stream: _Stream, number: int) -> str:
        value = stream.properties.get(number)
        return _charset(self._number(value.start)) if value else ""

    def _rtf_body(self, stream: _Stream) -> tuple[File | None, File | None]:
        value = stream.properties.get(properties.MAPI_RTF_COMPRESSED)
        octets = self._bytes(value) if value and value.end - value.start <= self._rtf else b""
        self.more = self.more or bool(value and not octets)
        if not octets:
            return None, None
        self._rtf -= len(octets)
        try:
            found = rtf.read(compressed_rtf.decompress(octets))
        except Exception:  # noqa: BLE001 - it raises whatever the octets lead it to; the mail stands without this body
            return None, None
        if not found.text.strip():
            return None, None
        body = File(HTML if found.html else PLAIN, "", found.text.encode("utf-8", "replace"), charset="utf-8")
        return (body, None) if found.html else (None, body)


def _padded(length: int) -> int:
    return length + -length % 4


def _charset(code_page: int) -> str:
    """Name the charset of a Windows code page; "" for none."""
    if code_page in _ISO_8859:
        return f"iso-8859-{code_page - _ISO_8859.start + 1}"
    if not code_page:
        return ""
    return _CHARSETS.get(code_page) or str(Codepage(code_page).codepage())
