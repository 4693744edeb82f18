"""A mail that the CRM sent, ready to be kept as an activity: what the rules of ``domain.language`` made of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from mailgate.domain.activity import Participant
from mailgate.domain.content import Content
from mailgate.domain.document import NewDocument
from mailgate.domain.mail import Mail, Note
from mailgate.domain.record import RecordRef
from mailgate.domain.user import Language

_VERSION = "mailgate-notice-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A mail that was handed over whole: its bytes (CRLF), their SHA-256 in hex, and what was read in it."""

    raw: bytes
    raw_sha256: str
    mail: Mail


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotice:
    """A system mail, kept once per (record, ``identity``); ``content`` holds the languages that are logged."""

    kind: str  # domain.language.Notification
    record: RecordRef
    topic: str
    triggered_by: str  # main address of the user who becomes its recorder
    participants: tuple[Participant, ...]
    occurred_at: datetime
    recorded_at: datetime
    message_id: str
    content: Mapping[Language, Content]  # empty contents where ``finished`` has the words
    sent_languages: Mapping[str, tuple[Language, ...]] = field(default_factory=dict)
    documents: tuple[NewDocument, ...] = ()
    links: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    finished: Finished | None = None
    identity: str  # of Message-ID and languages: the key under which the same again is met
    fingerprint: str  # of all that was handed over and is kept: other content under that key is refused


def identity(name: str, logged: Iterable[Language]) -> str:
    """Return by what a system mail is met again on its record, as 64 hexadecimal digits.

    SHA-256 over ``mailgate-notice-1``, the mail's name (its Message-ID) and the languages logged, in their order, with
    a NUL between them. The record stands beside it in the receipt, so that it may be renamed or merged.
    """
    languages = [language.value for language in Language if language in set(logged)]
    return sha256("\0".join([_VERSION, name, *languages]).encode()).hexdigest()
