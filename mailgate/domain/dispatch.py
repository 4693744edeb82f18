"""A dispatch: what a job says of a mail that it sent, read into the values of the domain.

Refuses, with ``BadInput`` that begins with the field: no kind, record or address; a recipient that is a record address
of ours, none at all, or more than ``MAX_RECIPIENTS``; a time without a zone; a Message-ID that isn't ``<...>`` of
printable characters; a language outside the four; text with NUL or lone surrogates, a subject of several lines;
languages for somebody who is no recipient; documents as ``domain.document`` says. What the rules of ``domain.language``
demand is not looked at here.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TypeAlias, TypeVar

from mailgate.domain import address
from mailgate.domain.content import Content, in_order
from mailgate.domain.document import NewDocument, read_name, read_type
from mailgate.domain.language import Languages, Notification, read_kind
from mailgate.domain.record import RecordRef
from mailgate.domain.routing import is_ours
from mailgate.domain.user import Language
from mailgate.errors import BadInput

MAX_RECIPIENTS = 10_000
MAX_DOCUMENTS = 1_000
MAX_MESSAGE_ID = 998  # octets: what a line of a mail holds (RFC 5322 2.1.1)
MAX_SUBJECT = 4_000  # characters, as many as are read of a mail's
MAX_WORD = 300  # characters of what names something

Contents: TypeAlias = Mapping[str, Content] | Mapping[Language, Content]
Sent: TypeAlias = Mapping[str, Sequence[str]] | Mapping[str, Languages]

_Read = TypeVar("_Read")

_VERSION = "mailgate-notice-content-1"
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
_LINE_BREAKERS = frozenset({"Cc", "Zl", "Zp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """A mail that was sent. Addresses are folded, recipients stand once each, languages in their order.

    ``sent_languages`` is ``None`` where the job doesn't say in which language each recipient got the mail.
    """

    kind: Notification
    record: RecordRef
    triggered_by: str
    recipients: tuple[str, ...]
    sent_at: datetime
    message_id: str
    content: Mapping[Language, Content]
    sent_languages: Mapping[str, Languages] | None = None
    documents: tuple[NewDocument, ...] = ()
    task: str | None = None

    @classmethod
    def read(
        cls,
        *,
        kind: str,
        record: str,
        triggered_by: str,
        recipients: Sequence[str],
        sent_at: datetime,
        message_id: str,
        content: Contents,
        sent_languages: Sent | None = None,
        documents: Sequence[NewDocument] = (),
        task: str | None = None,
        domain: str,
    ) -> "Dispatch":
        """Read what a job says; ``domain`` is that of the record addresses, folded."""
        which = read_kind(_short(kind, "kind"))
        to = read_recipients(recipients, domain)
        if not to:
            raise BadInput("recipients: nobody is named: name whoever got the mail")
        return cls(
            kind=which,
            record=read_record(record),
            triggered_by=read_address(triggered_by, "triggered_by"),
            recipients=to,
            sent_at=_in_utc(sent_at),
            message_id=_message_id(message_id),
            content=_contents(content),
            sent_languages=None if sent_languages is None else _sent(sent_languages, to),
            documents=_documents(documents),
            task=read_task(task, which),
        )

    @property
    def size(self) -> int:
        """Count the octets of all words and documents."""
        words = (text for one in self.content.values() for text in (one.subject, one.text, one.html))
        return sum(len(text.encode()) for text in words) + sum(len(one.content) for one in self.documents)

    @property
    def got(self) -> Language | None:
        """Name the one language in which every recipient got it, where the job says so."""
        said = self.sent_languages or {}
        got, *others = {said.get(email, ()) for email in self.recipients}
        return got[0] if len(got) == 1 and not others else None

    def sent_as(self, ruled: Mapping[str, Languages]) -> bool:
        """Say whether each recipient got the languages that the rule names; they did where the job doesn't say."""
        said = self.sent_languages
        return said is None or {email: languages for email, languages in said.items() if languages} == ruled

    def check_words(self, logged: Iterable[Language]) -> None:
        """Refuse a language that is to be logged and says nothing at all."""
        for code, one in self._words(logged):
            if not (one.subject.strip() or one.text.strip() or one.html.strip()):
                raise BadInput(f"content.{code}: subject, text and html are all empty: write what was sent")

    def fingerprint(self, recorder: str, logged: Iterable[Language], *, as_ruled: bool) -> str:
        """Hash what the activity is made of: all but the time, the Message-ID, the record, and words not logged.

        ``as_ruled``: each got the languages that the rule names. Said or not, that is the same.
        """
        sent = None if as_ruled else self.sent_languages
        return _hashed(
            self.kind,
            recorder,
            sorted(self.recipients),
            [[code, _digest(one.subject), _digest(one.text), _digest(one.html)] for code, one in self._words(logged)],
            None if sent is None else sorted((email, list(languages)) for email, languages in sent.items()),
            [[one.name, one.type, one.sha256] for one in self.documents],
        )

    def _words(self, logged: Iterable[Language]) -> list[tuple[str, Content]]:
        return [(language.value, self.content[language]) for language in logged]


def fingerprint_of_mail(kind: Notification, recorder: str, logged: Languages, raw_sha256: str) -> str:
    """Hash what an activity is made of whose mail was handed over whole."""
    return _hashed(kind, recorder, list(logged), raw_sha256)


def _hashed(*parts: object) -> str:
    return _digest(f"{_VERSION}\0{json.dumps(parts, separators=(',', ':'))}")


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


# -- fields ---------------------------------------------------------------------------------------------------------


def read_record(text: str) -> RecordRef:
    """Read the record that a mail is logged on."""
    return _named("record", RecordRef.parse, _short(text, "record"))


def read_address(text: str, field: str) -> str:
    """Read an address."""
    return _named(field, address.fold, text)


def read_recipients(texts: Sequence[str], domain: str) -> tuple[str, ...]:
    """Read who got a mail, each once; none of them may be a record address of ours."""
    if len(texts) > MAX_RECIPIENTS:
        raise BadInput(f"recipients: {len(texts)} are more than {MAX_RECIPIENTS}: send and log several mails")
    found: dict[str, None] = {}
    for n, text in enumerate(texts):
        email = read_address(text, f"recipients[{n}]")
        if is_ours(email, domain):
            raise BadInput(f"recipients[{n}]: a record address never takes part in a mail: leave it out")
        found[email] = None
    return tuple(found)


def read_language(code: str, field: str) -> Language:
    """Read a language."""
    try:
        return Language(code)
    except ValueError:
        raise BadInput(f"{field}: {code[:80]!a} is no language: choose one of {', '.join(Language)}") from None


def read_languages(codes: Iterable[str], field: str) -> Languages:
    """Read languages, each once, and put them in their order."""
    named = {read_language(code, f"{field}[{n}]") for n, code in enumerate(codes)}
    return tuple(language for language in Language if language in named)


def read_task(task: str | None, kind: Notification) -> str | None:
    """Read the task that a reminder is about."""
    if task is not None and kind is not Notification.TASK_REMINDER:
        raise BadInput(f"task: {kind.value} is about no task, only task_reminder is: leave it out")
    return None if task is None else _short(task, "task")


def _named(field: str, read: Callable[[str], _Read], text: str) -> _Read:
    try:
        return read(text)
    except BadInput as error:
        raise BadInput(f"{field}: {error}") from None


def _short(text: str, field: str) -> str:
    if len(text) > MAX_WORD:
        raise BadInput(f"{field}: {text[:80]!a}... is too long")
    return text


def _in_utc(sent_at: datetime) -> datetime:
    if sent_at.utcoffset() is None:
        raise BadInput(f"sent_at: {sent_at.isoformat()} has no zone: write 2026-11-22T09:30:00Z or ...+01:00")
    try:
        return sent_at.astimezone(UTC)
    except OverflowError:
        raise BadInput(f"sent_at: {sent_at.isoformat()} is beyond any calendar in UTC") from None


def _message_id(text: str) -> str:
    if not (_MESSAGE_ID.fullmatch(text) and text.isprintable()):
        raise BadInput(f"message_id: {text[:80]!a} is none: write it as in the mail, <...> without spaces")
    if len(text.encode()) > MAX_MESSAGE_ID:
        raise BadInput(f"message_id: {text[:80]!a}... has more than {MAX_MESSAGE_ID} octets")
    return text


def _contents(content: Contents) -> Mapping[Language, Content]:
    return in_order({read_language(code, "content"): _content(one, f"content.{code}") for code, one in content.items()})


def _content(one: Content, field: str) -> Content:
    for name in Content.__slots__:
        check_text(getattr(one, name), f"{field}.{name}")
    if any(unicodedata.category(char) in _LINE_BREAKERS for char in one.subject):
        raise BadInput(f"{field}.subject: {one.subject[:80]!a} is more than one line, or holds control characters")
    if len(one.subject) > MAX_SUBJECT:
        raise BadInput(f"{field}.subject: {one.subject[:80]!a}... has more than {MAX_SUBJECT} characters")
    return one


def check_text(text: str, field: str) -> None:
    """Refuse what no database and no file takes: NUL and lone surrogates."""
    if "\0" in text:
        raise BadInput(f"{field}: it holds NUL: take it out")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadInput(f"{field}: it holds half of a character (a lone surrogate): mend it") from None


def _sent(sent: Sent, recipients: Sequence[str]) -> Mapping[str, Languages]:
    found: dict[str, Languages] = {}
    for text, codes in sent.items():
        email = read_address(text, "sent_languages")
        if email not in recipients:
            raise BadInput(f"sent_languages: {email} is no recipient: name it among the recipients, or leave it out")
        if email in found:
            raise BadInput(f"sent_languages: {email} stands twice")
        found[email] = read_languages(codes, f"sent_languages.{email}")
    return found


def _documents(documents: Sequence[NewDocument]) -> tuple[NewDocument, ...]:
    if len(documents) > MAX_DOCUMENTS:
        raise BadInput(f"documents: {len(documents)} are more than {MAX_DOCUMENTS}")
    return tuple(
        NewDocument(
            name=read_name(one.name, f"documents[{n}].name"),
            type=read_type(one.type, f"documents[{n}].type"),
            content=one.content,
        )
        for n, one in enumerate(documents)
    )
