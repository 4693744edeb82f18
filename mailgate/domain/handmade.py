"""Activities made by hand: what was typed about one, read and judged; without it being kept, known or allowed yet.

``HandmadeEntry.read`` takes text as it was typed and gives values; ``apply`` lays them over the activity that is there
(``None``: a new one) and judges the result as a whole, so that adding and changing have the same rules. A field that is
``None`` is left as it is; ``""`` takes text, place, due and remind away, and a list that holds one ``""`` is empty. A
list that is given replaces the whole list.

Refuses, with ``BadInput`` that begins with the field's name: a type, topic, day or link that is none; a place, due or
remind on a type that has none; a reminder after the due date; a fourth document or link; a document above the limit;
more than one line, or nothing, as subject; control characters; days and times outside ``YEARS``; more than
``MAX_MARKS`` combining marks in a row (Unicode's stream-safe format, UAX #15 13: sorting them takes quadratic time).
"""

import mimetypes
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from mailgate.domain import address, document
from mailgate.domain.activity import Activity, ActivityType
from mailgate.domain.document import NewDocument
from mailgate.domain.record import Edition, RecordKind, RecordRef
from mailgate.domain.topic import check_topic
from mailgate.errors import BadInput

MAX_SUBJECT = 300  # characters
MAX_PLACE = 300
MAX_TEXT = 1_000_000
MAX_LINK = 2000
MAX_DOCUMENTS = 3
MAX_LINKS = 3
MAX_PARTICIPANTS = 500  # of one option
MAX_MARKS = 30
YEARS = range(1970, 2201)  # beyond them it is a typing error
SCHEMES = ("http", "https", "mailto")
NONE = ""  # take it away
SHOWN = 80  # characters of a value in an error

# which types have which extra field
EXTRAS: Mapping[str, tuple[ActivityType, ...]] = {
    "place": (ActivityType.LUNCH, ActivityType.MEETING),
    "due": (ActivityType.TASK,),
    "remind": (ActivityType.TASK,),
    "done": (ActivityType.TASK,),
}

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NOT_IN_ONE_LINE = frozenset({"Cc", "Cs", "Zl", "Zp"})
_NOT_IN_TEXT = frozenset({"Cc", "Cs"})
_MAY_STAND_IN_TEXT = frozenset("\n\t")
_NOT_IN_LINKS = frozenset('\\<>"')  # RFC 3986 2: read differently by different programs
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class HandmadeActivity:
    """A hand-made activity as it shall stand: its own fields, without its lists."""

    type: ActivityType
    topic: str
    subject: str
    text: str
    occurred_at: datetime
    place: str | None
    due_on: date | None
    remind_on: date | None

    def changed(self, before: Activity) -> tuple[str, ...]:
        """Name the fields that differ, as they are typed."""
        fields = {"occurred_at": "at", "due_on": "due", "remind_on": "remind"}
        named = ((name, getattr(self, name), getattr(before, name)) for name in HandmadeActivity.__slots__)
        return tuple(fields.get(name, name) for name, new, old in named if (new or None) != (old or None))


@dataclass(frozen=True, slots=True, kw_only=True)
class HandmadeEntry:
    """A hand-made activity as it was typed. ``users`` are folded addresses, of any kind that a user has."""

    type: ActivityType | None = None
    topic: str | None = None
    subject: str | None = None
    text: str | None = None
    at: datetime | None = None
    place: str | None = None
    due: date | str | None = None
    remind: date | str | None = None
    contacts: tuple[RecordRef, ...] | None = None
    users: tuple[str, ...] | None = None
    documents: tuple[NewDocument, ...] | None = None
    links: tuple[str, ...] | None = None

    @classmethod
    def read(
        cls,
        *,
        type_: str | None = None,
        topic: str | None = None,
        subject: str | None = None,
        text: str | None = None,
        at: datetime | None = None,
        place: str | None = None,
        due: str | None = None,
        remind: str | None = None,
        contacts: Sequence[str] | None = None,
        users: Sequence[str] | None = None,
        documents: Sequence[NewDocument] | None = None,
        links: Sequence[str] | None = None,
    ) -> "HandmadeEntry":
        """Read what was typed."""
        check_documents([one.name for one in documents or ()])
        return cls(
            type=None if type_ is None else _type(type_),
            topic=None if topic is None else topic.strip().lower(),
            subject=None if subject is None else _subject(subject),
            text=None if text is None else _text(text),
            at=None if at is None else _moment(at),
            place=None if place is None else _line(place, "place", MAX_PLACE),
            due=None if due is None else _day(due, "due"),
            remind=None if remind is None else _day(remind, "remind"),
            contacts=None if contacts is None else _each(contacts, "contact", MAX_PARTICIPANTS, RecordRef.parse),
            users=None if users is None else _each(users, "user", MAX_PARTICIPANTS, address.fold),
            documents=None if documents is None else tuple(documents),
            links=None if links is None else _each(links, "link", MAX_LINKS, _link),
        )

    def apply(self, before: Activity | None, kind: RecordKind, edition: Edition, now: datetime) -> HandmadeActivity:
        """Lay this over the activity that is there, on a record of this kind, and judge what comes out."""
        after = HandmadeActivity(
            type=_needed("type", self.type, before.type if before else None),
            topic=_needed("topic", self.topic, before.topic if before else None),
            subject=_needed("subject", self.subject, before.subject if before else None),
            text=_over(self.text, before.text if before else None) or "",
            occurred_at=self.at or (before.occurred_at if before else now),
            place=_over(self.place, before.place if before else None),
            due_on=_over_day(self.due, before.due_on if before else None),
            remind_on=_over_day(self.remind, before.remind_on if before else None),
        )
        check_topic(kind, after.topic, edition)
        _check_extras(after, done=before is not None and before.done_at is not None)
        return after


def new_document(n: int, name: str, content: bytes, limit: int) -> NewDocument:
    """Make the ``n``-th document of a file's bare name and bytes; hand over one byte above the limit, no more."""
    field = f"document {n}, {name[:SHOWN]}"
    if len(content) > limit:
        raise BadInput(f"{field}: is above {size(limit)} (activities.max_document_size): send a link instead")
    read = document.read_name(name, f"document {n}")
    return NewDocument(read, _guessed(read), content)


def check_documents(names: Sequence[str]) -> None:
    """Refuse the first document too many, by its name; ask before reading any of them."""
    _check_count("document", names, MAX_DOCUMENTS)


def size(octets: int) -> str:
    """Write a number of octets as the settings do."""
    for unit, times in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if octets % times == 0:
            return f"{octets // times} {unit}"
    return f"{octets} B"


# -- the whole ------------------------------------------------------------------------------------------------------


def _check_extras(after: HandmadeActivity, *, done: bool) -> None:
    there = {"place": after.place, "due": after.due_on, "remind": after.remind_on, "done": done}
    for field, types in EXTRAS.items():
        if there[field] and after.type not in types:
            way = "use mailgate activity undone first" if field == "done" else 'leave it out, or take it away with ""'
            what = f"an activity of type {after.type.value}"
            raise BadInput(f"{field}: {what} has none, only {' and '.join(types)}: {way}")
    if after.due_on and after.remind_on and after.remind_on > after.due_on:
        raise BadInput(f"remind: {after.remind_on} is after the due date {after.due_on}: choose that day or one before")


def _needed(field: str, given: _Value | None, before: _Value | None) -> _Value:
    value = given if given is not None else before
    if value is None:
        raise BadInput(f"{field}: is missing, and every activity has one")
    return value


def _over(given: str | None, before: str | None) -> str | None:
    return (before if given is None else given) or None


def _over_day(given: date | str | None, before: date | None) -> date | None:
    if given is None:
        return before
    return given if isinstance(given, date) else None


# -- fields ---------------------------------------------------------------------------------------------------------


def _type(text: str) -> ActivityType:
    word = text.strip().lower()
    if word not in set(ActivityType):
        raise BadInput(f"type: {text[:SHOWN]!a} is none: choose one of {', '.join(ActivityType)}")
    return ActivityType(word)


def _subject(text: str) -> str:
    subject = _line(text, "subject", MAX_SUBJECT)
    if not subject:
        raise BadInput(f"subject: can't be empty: write 1 to {MAX_SUBJECT} characters")
    return subject


def _line(text: str, field: str, limit: int) -> str:
    return _clean(text.strip(), field, limit, _NOT_IN_ONE_LINE, frozenset())


def _text(text: str) -> str:
    return _clean(text.replace("\r\n", "\n"), "text", MAX_TEXT, _NOT_IN_TEXT, _MAY_STAND_IN_TEXT)


def _clean(text: str, field: str, limit: int, refused: frozenset[str], taken: frozenset[str]) -> str:
    if len(text) > limit:
        raise BadInput(f"{field}: has {len(text)} characters, at most {limit} are taken: shorten it")
    marks = 0
    for char in text:
        if char not in taken and unicodedata.category(char) in refused:
            raise BadInput(f"{field}: holds the control character {char!a}: take it out")
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks > MAX_MARKS:
            raise BadInput(f"{field}: holds more than {MAX_MARKS} combining marks in a row: take them out")
    return unicodedata.normalize("NFC", text)


def _day(text: str, field: str) -> date | str:
    written = text.strip()
    if not written:
        return NONE
    try:
        day = date.fromisoformat(written) if _DAY.fullmatch(written) else None
    except ValueError:
        day = None
    if day is None:
        raise BadInput(f"{field}: {text[:SHOWN]!a} is no day of the calendar: write one such as 2026-11-22")
    _check_year(field, day.year)
    return day


def _moment(at: datetime) -> datetime:
    _check_year("at", at.year)
    return at


def _check_year(field: str, year: int) -> None:
    if year not in YEARS:
        raise BadInput(f"{field}: the year {year} is a slip: years from {YEARS[0]} to {YEARS[-1]} are taken")


# -- lists ----------------------------------------------------------------------------------------------------------


def _each(texts: Sequence[str], field: str, limit: int, read: Callable[[str], _Value]) -> tuple[_Value, ...]:
    if list(texts) == [NONE]:
        return ()
    _check_count(field, texts, limit)
    return tuple(dict.fromkeys(_named(field, read, text) for text in texts))


def _check_count(field: str, texts: Sequence[str], limit: int) -> None:
    if len(texts) > limit:
        raise BadInput(f"{field} {limit + 1}, {texts[limit][:SHOWN]}: an activity takes at most {limit}: leave it out")


def _named(field: str, read: Callable[[str], _Value], text: str) -> _Value:
    try:
        return read(text)
    except BadInput as error:
        raise BadInput(f"{field}: {error}") from None


def _link(text: str) -> str:
    if len(text) > MAX_LINK:
        raise _no_link(text, f"it has more than {MAX_LINK} characters")
    if bad := next((char for char in text if not char.isprintable() or char.isspace() or char in _NOT_IN_LINKS), None):
        raise _no_link(text, f"it holds {bad!a}")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port  # reading the port checks it
    except ValueError:
        raise _no_link(text, "its host or port can't be read") from None
    if parts.scheme not in SCHEMES:
        raise _no_link(text, f"it must begin with {', '.join(SCHEMES)} and a colon")
    if parts.scheme == "mailto":
        _check_mailto(text, parts.path)
    elif not (host or "").strip("."):
        raise _no_link(text, "it names no host")
    return text


def _check_mailto(text: str, path: str) -> None:
    """RFC 6068 2: addresses, percent-encoded, with commas between them."""
    try:
        for one in path.split(","):
            address.fold(unquote(one, errors="strict"))
    except (BadInput, UnicodeDecodeError):
        raise _no_link(text, "it names no e-mail address") from None


def _no_link(text: str, why: str) -> BadInput:
    return BadInput(f"{text[:SHOWN]!a} is no link: {why}: write one such as https://muster.example/offer")


def _guessed(name: str) -> str:
    """Guess the type by the name's end; what is compressed is of that type, not of what it holds."""
    kind, compression = mimetypes.guess_type(f"x{name[name.rfind('.') :]}" if "." in name else name)
    guess = _COMPRESSED.get(compression) if compression else kind
    return document.read_type(guess or document.DEFAULT_TYPE, "document")
