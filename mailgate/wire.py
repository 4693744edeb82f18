"""The shapes that scripts see: domain values as JSON, and what people type as domain values.

All keys are always there, ``null`` or ``[]`` where empty: an empty text is ``null`` too. Times are ISO 8601 in UTC
with ``Z``, days ``YYYY-MM-DD``, e-mails folded. Nothing here reads or writes anything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

from mailgate.domain import handmade
from mailgate.domain.activity import Activity, Origin, Participant
from mailgate.domain.content import Content
from mailgate.domain.diagnosis import Diagnosis, Hop, StampSeen, Supported
from mailgate.domain.document import NewDocument
from mailgate.domain.entry import RecordEntry, RowOutcome, UserEntry
from mailgate.domain.handmade import HandmadeEntry
from mailgate.domain.language import Chosen
from mailgate.domain.ledger import LedgerEntry, Outcome
from mailgate.domain.listing import Wish
from mailgate.domain.mail import Appointment, Document, Note
from mailgate.domain.pending import PendingSender
from mailgate.domain.record import Edition, Record, RecordAddress, RecordKind, RecordRef, RoledRecord
from mailgate.domain.reminder import Reminded
from mailgate.domain.removal import Removed
from mailgate.domain.rereading import Reread, RereadWish
from mailgate.domain.topic import TOPIC_OTHER, TOPICS, Topic, check_topic
from mailgate.domain.user import User
from mailgate.errors import BadInput

Json = dict[str, Any]

# what a listing leaves out, because it reads no body
BODY_KEYS = ("text", "html", "content")

CANT_COME_BACK = "The mail can't come back: if it is delivered again, it is taken and not logged."
CANT_BE_LOGGED_AGAIN = "The mail can't come back: if the CRM logs it again, that is refused."
GONE = "No mail had brought it: it can't come back."
MAY_COME_AGAIN = "The mail can be logged again when it comes again."


# -- out ------------------------------------------------------------------------------------------------------------


def moment(at: datetime | None) -> str | None:
    """Write a moment, to the microsecond only where it has any."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def user(one: User) -> Json:
    """Show a user."""
    return {
        "email": one.email,
        "name": one.name,
        "kind": one.kind.value,
        "language": one.language.value if one.language else None,
        "enabled": one.enabled,
        "roles": sorted(role.value for role in one.roles),
        "aliases": list(one.aliases),
        "accept_automatic": one.accept_automatic,
    }


def registered(one: User, waiting: Sequence[PendingSender]) -> Json:
    """Show a user with the mails that waited for its registration, each with what hurries it."""
    mails = {(entry.relay, entry.queue_id): entry.hurry for entry in waiting}
    return user(one) | {
        "waiting": [
            {"relay": relay, "queue_id": queue_id, "hurry": hurry} for (relay, queue_id), hurry in mails.items()
        ]
    }


def pending(one: PendingSender) -> Json:
    """Show who waits to be registered."""
    return {
        "email": one.email,
        "relay": one.relay,
        "envelope_from": one.envelope_from,
        "record": str(one.record),
        "queue_id": one.queue_id,
        "tries": one.tries,
        "first_at": moment(one.first_at),
        "last_at": moment(one.last_at),
        "until": moment(one.until),
    }


def record(one: Record) -> Json:
    """Show a record."""
    return {
        "record": str(one.record),
        "name": one.name,
        "language": one.language,
        "state": one.state.value,
        "email": list(one.email),
        "address": one.address,
        "last_activity": moment(one.last_activity),
        "relations": [_roled(roled) for roled in one.relations],
        "contacts": [_roled(roled) for roled in one.contacts],
        "users": [{"role": roled.role, "email": roled.email} for roled in one.users],
    }


def address(one: RecordAddress) -> Json:
    """Show a record address."""
    return {
        "address": one.address,
        "record": str(one.record),
        "state": one.state.value,
        "created_at": moment(one.created_at),
        "expires_at": moment(one.expires_at),
        "exposed_at": moment(one.exposed_at),
        "last_used_at": moment(one.last_used_at),
    }


def activity(one: Activity) -> Json:
    """Show an activity whole."""
    return {
        "id": one.id,
        "record": str(one.record),
        "type": one.type.value,
        "topic": one.topic,
        "origin": one.origin.value,
        "read_only": one.read_only,
        "subject": one.subject or None,
        "text": one.text or None,
        "html": one.html or None,
        "languages": list(one.languages),
        "content": {language: _content(content) for language, content in one.content.items()},
        "sent_languages": {email: list(languages) for email, languages in one.sent_languages.items()},
        "occurred_at": moment(one.occurred_at),
        "recorded_at": moment(one.recorded_at),
        "recorder": one.recorder,
        "envelope_from": one.envelope_from,
        "place": one.place,
        "due_on": _day(one.due_on),
        "remind_on": _day(one.remind_on),
        "done": one.done,
        "done_at": moment(one.done_at),
        "participants": [_participant(participant) for participant in one.participants],
        "documents": [document(one_document) for one_document in one.documents],
        "links": list(one.links),
        "message_id": one.message_id or None,
        "raw_sha256": one.raw_sha256,
        "raw_size": one.raw_size,
        "trust": one.trust,
        "notes": [_note(note) for note in one.notes],
        "sent_at": moment(one.sent_at),
        "folds": [{"kind": fold.kind.value, "start": fold.start, "end": fold.end} for fold in one.folds],
    }


def activity_line(one: Activity) -> Json:
    """Show an activity in a listing: all but its bodies."""
    return {key: value for key, value in activity(one).items() if key not in BODY_KEYS}


def document(one: Document) -> Json:
    """Show a document of an activity."""
    return {
        "n": one.n,
        "name": one.name,
        "type": one.type,
        "size": one.size,
        "sha256": one.sha256,
        "inline": one.inline,
        "content_id": one.content_id or None,
        "appointment": _appointment(one.appointment) if one.appointment else None,
    }


def _appointment(one: Appointment) -> Json:
    return {key: value or None for key, value in asdict(one).items()}


def ledger(one: LedgerEntry) -> Json:
    """Show an entry of the ledger."""
    return {
        "id": one.id,
        "at": moment(one.at),
        "verdict": one.verdict.value,
        "reason": one.reason.value if one.reason else None,
        "record": str(one.record) if one.record else None,
        "relay": one.relay,
        "queue_id": one.queue_id,
        "author": one.author,
        "message_id": one.message_id,
        "activity": one.activity,
        "count": one.count,
    }


def ingested(outcome: Outcome, code: int, text: str) -> Json:
    """Show what one recipient of an ingested mail is told; ``text`` is the reply without its code."""
    return {
        "to": outcome.recipient,
        "verdict": outcome.verdict.value,
        "reason": outcome.reason.value if outcome.reason else None,
        "code": code,
        "text": text,
        "activity": outcome.activity,
    }


def explained(outcome: Outcome, rules: Sequence[Mapping[str, str]], code: int, text: str) -> Json:
    """Show what each rule said to a mail or recipient, and what the answer would be."""
    return {
        "verdict": outcome.verdict.value,
        "reason": outcome.reason.value if outcome.reason else None,
        "code": code,
        "text": text,
        "rules": list(rules),
    }


def row_outcome(one: RowOutcome) -> Json:
    """Show what became of one row of an import."""
    return {"row": one.row, "key": one.key, "outcome": one.outcome.value, "error": one.error}


def topic(one: Topic) -> Json:
    """Show a topic: its key, and what people read for it."""
    return {"topic": one.key, "de": one.de, "en": one.en, "fr": one.fr, "it": one.it}


def chosen(one: Chosen) -> Json:
    """Show in which languages a mail of the system is sent and logged."""
    return {
        "send": {email: [language.value for language in languages] for email, languages in one.send.items()},
        "log": [language.value for language in one.log],
    }


def removed(one: Removed, *, forgotten: bool = False) -> Json:
    """Show the receipt of a removal; ``forgotten`` once the mail may be logged again."""
    return {
        "activity": one.activity,
        "record": str(one.record),
        "state": one.state.value,
        "at": moment(one.at),
        "actor": one.actor,
        "reason": one.reason,
        "removed": one.kinds,
        "note": MAY_COME_AGAIN if forgotten else _fate(one.origin),
    }


def _fate(origin: Origin | None) -> str:
    if origin is Origin.SYSTEM:
        return CANT_BE_LOGGED_AGAIN
    return GONE if origin is Origin.MANUAL else CANT_COME_BACK


def reminded(one: Reminded) -> Json:
    """Show what became of one reminder; ``text`` is what the mail server said."""
    return {
        "task": one.key.task,
        "record": str(one.record),
        "to": one.key.email,
        "remind_on": _day(one.key.remind_on),
        "state": one.state,
        "text": one.text,
        "activity": one.activity,
    }


def reread(became: Mapping[Reread, int]) -> Json:
    """Show what became of mails that were read again; ``read`` is how many were."""
    read = (Reread.CHANGED, Reread.UNCHANGED, Reread.UNREADABLE)
    return {"read": sum(became.get(one, 0) for one in read)} | {one.value: became.get(one, 0) for one in Reread}


def diagnosis(one: Diagnosis) -> Json:
    """Show what a mail says of the relay that it came through."""
    return {
        "author": one.author,
        "sender": one.sender,
        "received": [_hop(hop) for hop in one.hops],
        "stamps": [_stamp(stamp) for stamp in one.stamps],
        "kinds": [_supported(kind) for kind in one.kinds],
    }


def _hop(one: Hop) -> Json:
    return {
        "n": one.n,
        "by": one.by or None,
        "with": one.protocol or None,
        "id": one.id or None,
        "login": one.login or None,
    }


def _stamp(one: StampSeen) -> Json:
    return {
        "below": one.below,
        "authserv_id": one.authserv_id or None,
        "readable": one.results is not None,
        "results": list(one.results or ()),
        "proves": one.proves,
    }


def _supported(one: Supported) -> Json:
    return {
        "trust": one.trust.value,
        "supported": one.supported,
        "why": one.why,
        "todo": one.todo,
        "settings": list(one.settings),
    }


def demo(ref: RecordRef, record_address: str) -> Json:
    """Show a record of the demo world with its address."""
    return {"record": str(ref), "address": record_address}


def _roled(roled: RoledRecord) -> Json:
    return {"role": roled.role, "record": str(roled.record)}


def _participant(one: Participant) -> Json:
    return {
        "email": one.email or None,
        "name": one.name or None,
        "header": one.header or None,
        "side": one.side.value,
        "record": str(one.record) if one.record else None,
    }


def _content(one: Content) -> Json:
    return {"subject": one.subject or None, "text": one.text or None, "html": one.html or None}


def _note(one: Note) -> Json:
    return {"code": one.code, "text": one.text}


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


# -- in -------------------------------------------------------------------------------------------------------------

record_ref: Callable[[str], RecordRef] = RecordRef.parse
user_entry: Callable[..., UserEntry] = UserEntry.read
record_entry: Callable[..., RecordEntry] = RecordEntry.read
wish: Callable[..., Wish] = Wish.read
check_documents: Callable[[Sequence[str]], None] = handmade.check_documents
new_document: Callable[[int, str, bytes, int], NewDocument] = handmade.new_document


def read_moment(text: str, field: str) -> datetime:
    """Read ISO 8601: a day (its first moment in UTC) or a time, in UTC unless it says otherwise.

    ``field`` is the option's or key's name, with which a refusal begins.
    """
    try:
        at = datetime.fromisoformat(text.strip())
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput(f"{field} {text[:80]!a} is no time: write 2026-11-22 or 2026-11-22T09:30:00Z") from None


def reread_wish(*, since: str | None, note: str | None, again: bool) -> RereadWish:
    """Read which mails are to be read again, as it was typed."""
    return RereadWish(since=None if since is None else read_moment(since, "--since"), note=note, again=again)


def handmade_entry(*, at: str | None = None, **typed: Any) -> HandmadeEntry:
    """Read what was typed about a hand-made activity; the fields are those of ``HandmadeEntry.read``."""
    return HandmadeEntry.read(at=None if at is None else read_moment(at, "at:"), **typed)


def topics(kind: str, edition: str) -> tuple[Topic, ...]:
    """Give the topics of a kind of record as it was typed; ``BadInput`` where the edition doesn't have that kind."""
    word = kind.strip().lower()
    if word not in set(RecordKind):
        raise BadInput(f"{kind[:80]!a} is no kind of record: choose one of {', '.join(RecordKind)}")
    check_topic(RecordKind(word), TOPIC_OTHER, Edition(edition))
    return TOPICS[RecordKind(word)]
