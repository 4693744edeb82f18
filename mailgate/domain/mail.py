"""A mail: how it came (``Envelope``, ``Delivery``) and what was read in it (``Mail``).

All text in these values is valid Unicode without NUL and without lone surrogates; the bytes stay in ``Delivery.raw``.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailgate.domain.record import AddressState, RecordRef
from mailgate.domain.trust import NOBODY, Client, Relay

# the codes of the notes that this version leaves; a store may hold those of other versions too
CODES = frozenset(
    {
        *("unreadable", "defects", "ambiguous_structure", "header_too_large", "charset_guessed", "date_absurd"),
        *("body_too_long", "bare_newlines", "remote_images", "link_mismatch", "too_many_links", "type_mismatch"),
        *("executable", "encrypted", "signed", "tnef", "inline_forward", "forwarded_by", "too_many_attached"),
        *("no_known_participant", "contact_ambiguous", "address_exposed", "old_address", "same_message_id"),
        "language_ignored",
    }
)


@dataclass(frozen=True, slots=True)
class Note:
    """Something a reader of the activity should know: a stable code (contract 4) and one English sentence."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Party:
    """One mailbox of a header field. ``email`` is folded, or "" where the field holds no address that can be read."""

    header: str  # from, to, cc, bcc, sender
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Appointment:
    """What a calendar says; "" is unsaid. Times are ISO 8601, local to ``zone`` unless they end with Z."""

    method: str  # request, cancel, reply, publish, ...
    title: str
    starts: str
    ends: str
    zone: str
    place: str
    organiser: str


@dataclass(frozen=True, slots=True)
class Document:
    """A part that is no body. ``n`` counts from 1 in the order of the mail; the content stays in the raw bytes.

    ``inline``: a picture that the HTML shows, as ``cid:`` and ``content_id``.
    """

    n: int
    name: str
    type: str
    size: int
    sha256: str
    inline: bool = False
    content_id: str = ""
    appointment: Appointment | None = None


class FoldKind(StrEnum):
    """Why a stretch of text may be shown folded."""

    QUOTE = "quote"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Fold:
    """A stretch of ``Mail.text`` that readers may want folded: characters from ``start`` to before ``end``."""

    kind: FoldKind
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What was read in the bytes of a mail; by construction nothing here decides where it goes or who wrote it."""

    subject: str = ""
    text: str = ""
    html: str = ""
    folds: tuple[Fold, ...] = ()  # in order, none within another
    sent_at: datetime | None = None
    message_id: str = ""
    parties: tuple[Party, ...] = ()
    documents: tuple[Document, ...] = ()
    links: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """A recipient that was said yes to at RCPT; the yes holds for its transaction."""

    recipient: str  # as the relay wrote it, for answers only
    address: str  # folded, whole
    record: RecordRef
    state: AddressState  # OPEN or GRACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One SMTP transaction: the relay it came from, the envelope sender ("" is the null sender), the addressees.

    ``client`` is who spoke, which for a relay of the kind ``verified`` is whom SPF asks about.
    """

    relay: Relay
    sender: str
    addressees: tuple[Addressee, ...]
    client: Client = NOBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A mail at the end of DATA: the bytes after dot-unstuffing, as they came, and when the last of them came."""

    envelope: Envelope
    raw: bytes
    received_at: datetime
    chunked: bool = False  # came by BDAT: its body may hold bare newlines
