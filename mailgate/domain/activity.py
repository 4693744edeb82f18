"""Activities: their types, and what one holds once it is kept. What they are about stands in ``domain.topic``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from mailgate.domain.content import Content
from mailgate.domain.mail import Addressee, Document, Fold, Mail, Note, Party
from mailgate.domain.record import AddressState, RecordRef
from mailgate.domain.routing import is_ours


class ActivityType(StrEnum):
    """What kind of communication an activity keeps."""

    TASK = "task"
    EMAIL = "email"
    LUNCH = "lunch"
    MEETING = "meeting"
    CALL = "call"
    VIDEO_CALL = "video_call"
    NOTE = "note"


class Origin(StrEnum):
    """How an activity came to be. Only ``manual`` ones are ever changed."""

    BCC = "bcc"
    SYSTEM = "system"
    MANUAL = "manual"
    GROUP = "group"


class Side(StrEnum):
    """Users are internal, everybody else is external."""

    INTERNAL = "internal"
    EXTERNAL = "external"


# a mail from before e-mail was common, or from further ahead than clocks differ, was not sent then
FIRST_YEAR = 1990
CLOCK_TOLERANCE = timedelta(hours=1)

SHOWN = ("to", "cc")  # the header fields that other recipients see
EXPOSED = Note("address_exposed", "The record's address stood in To or Cc: everybody who got it has seen it.")
NO_KNOWN = Note("no_known_participant", "None of the people outside the company belongs to the record or its customer.")


@dataclass(frozen=True, slots=True)
class Known:
    """Whom an address belongs to, as seen from one record. ``ambiguous``: several contacts at the same step.

    ``near``: a contact, or several, of the record or of its customer, intermediary or agency has it.
    """

    side: Side
    record: RecordRef | None = None
    ambiguous: bool = False
    near: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Somebody who took part: a mailbox of the mail, and whom we know it as (a user, or a contact's record).

    One of a hand-made activity has no ``header``, and a contact without any address an empty ``email``.
    """

    email: str
    name: str
    header: str
    side: Side
    record: RecordRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """An activity as it is shown; the keys of contract 2, in its order."""

    id: str
    record: RecordRef
    type: ActivityType
    topic: str
    origin: Origin
    read_only: bool
    subject: str
    text: str | None = None  # None in listings, which read no body
    html: str | None = None
    folds: tuple[Fold, ...] = ()  # of ``text``
    languages: tuple[str, ...] = ()
    content: Mapping[str, Content] = field(default_factory=dict)
    sent_languages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    occurred_at: datetime
    sent_at: datetime | None = None  # what a mail says of itself, absurd or not
    recorded_at: datetime
    recorder: str
    envelope_from: str | None = None
    place: str | None = None
    due_on: date | None = None
    remind_on: date | None = None
    done: bool | None = None
    done_at: datetime | None = None
    participants: tuple[Participant, ...] = ()
    documents: tuple[Document, ...] = ()
    links: tuple[str, ...] = ()
    message_id: str | None = None
    raw_sha256: str | None = None
    raw_size: int | None = None
    trust: str = "none"
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewActivity:
    """What one addressed record gets of a mail: its own look at the participants, and its own notes.

    ``attached``: the mails in it that this record gets as themselves, each with one activity and nothing attached.
    """

    record: RecordRef
    address: str  # the record address it came by, folded
    exposed: bool  # our address stood in To or Cc
    participants: tuple[Participant, ...]
    notes: tuple[Note, ...]
    attached: tuple["NewMail", ...] = ()
    says_anything: bool = True  # False: only what is attached to it is kept


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMail:
    """A mail that passed every rule, ready for the archive: stored once, with an activity per addressed record."""

    raw: bytes
    raw_sha256: str
    identity: str
    mail: Mail
    author: str  # folded From address; of an attached mail as shown, and maybe ""
    recorder: str  # e-mail of the user it belongs to (the author, by whatever alias; of an attached mail who sent it)
    envelope_from: str
    trust: str
    relay: str
    queue_id: str | None
    occurred_at: datetime
    received_at: datetime
    activities: tuple[NewActivity, ...]
    known_as: str | None = None  # of an attached mail: the identity that it has by itself, under which it is known too


def occurred(sent_at: datetime | None, received_at: datetime) -> tuple[datetime, tuple[Note, ...]]:
    """Decide when a mail happened: when it was sent, or when it came where that is missing or absurd."""
    if sent_at is None:
        return received_at, ()
    if sent_at.year < FIRST_YEAR or sent_at - received_at > CLOCK_TOLERANCE:
        return received_at, (Note("date_absurd", f"The mail says it was sent at {sent_at.isoformat()}."),)
    return sent_at, ()


def compose(
    mail: Mail, addressee: Addressee, known: Mapping[str, Known], domain: str, notes: tuple[Note, ...]
) -> NewActivity:
    """Make what one addressed record gets of a mail. ``domain`` is that of the record addresses, folded."""
    exposed = any(party.email == addressee.address for party in mail.parties if party.header in SHOWN)
    participants, ambiguous = taking_part(mail.parties, known, domain)
    return NewActivity(
        record=addressee.record,
        address=addressee.address,
        exposed=exposed,
        participants=participants,
        notes=(
            *mail.notes,
            *notes,
            *_address_notes(addressee, exposed=exposed),
            *ambiguous,
            *_strange(participants, known),
        ),
    )


def taking_part(
    parties: Sequence[Party], known: Mapping[str, Known], domain: str
) -> tuple[tuple[Participant, ...], tuple[Note, ...]]:
    """Say whom these mailboxes are known as, without record addresses; the notes tell whom several contacts are."""
    theirs = [party for party in parties if not is_ours(party.email, domain)]
    return tuple(_participant(party, known.get(party.email)) for party in theirs), _ambiguous(theirs, known)


def _participant(party: Party, known: Known | None) -> Participant:
    return Participant(
        email=party.email,
        name=party.name,
        header=party.header,
        side=known.side if known else Side.EXTERNAL,
        record=known.record if known else None,
    )


def _address_notes(addressee: Addressee, *, exposed: bool) -> tuple[Note, ...]:
    notes = []
    if exposed:
        notes.append(EXPOSED)
    if addressee.state is AddressState.GRACE:
        notes.append(Note("old_address", "The mail came by an address that was rotated away and is about to expire."))
    return tuple(notes)


def _strange(participants: Sequence[Participant], known: Mapping[str, Known]) -> tuple[Note, ...]:
    """Note that people from outside took part and none of them belongs here; whose address can't be read is nobody."""
    outside = {one.email for one in participants if one.email and one.side is Side.EXTERNAL}
    is_strange = bool(outside) and not any(email in known and known[email].near for email in outside)
    return (NO_KNOWN,) if is_strange else ()


def _ambiguous(parties: Sequence[Party], known: Mapping[str, Known]) -> tuple[Note, ...]:
    emails = dict.fromkeys(party.email for party in parties if party.email in known and known[party.email].ambiguous)
    return tuple(Note("contact_ambiguous", f"{email} belongs to several contacts: not linked.") for email in emails)
