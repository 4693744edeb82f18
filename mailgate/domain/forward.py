"""Mails that a user hands to a record as attachments: when each is logged as itself, and whether the covering mail is.

A mail is a forward of a record if To and Cc together name one mailbox, an address of that record which it came by, and
Bcc names nobody but records. Whoever writes to a client too means the mail that they wrote, whatever is attached.

The covering mail is kept when it says anything: a letter, a digit or a pictogram outside quoted history and signature;
or when it carries anything beside the mails, the pictures that its HTML shows and a signature's own part.

All functions are total and linear.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from html import unescape

from mailgate.domain import header
from mailgate.domain.activity import SHOWN
from mailgate.domain.header import Header
from mailgate.domain.mail import Addressee, Document, Mail, Note, Party
from mailgate.domain.routing import is_ours
from mailgate.errors import Refused

MAX_ATTACHED = 100
MAX_UNREADABLE = 3  # each may have cost as long as a reader is waited for
MAX_HEADER = 4 << 20  # bytes: as of a mail that comes by itself
MAX_SIGNATURE = 30  # lines
MAX_NAMED = 200  # characters of a subject or Message-ID in a note
UNREADABLE = "unreadable"
TOO_MANY = Note(
    "too_many_attached",
    f"More than {MAX_ATTACHED} mails are attached: none of them is logged as itself, all are in this one.",
)

_NAMING = (b"from", b"date", b"subject", b"message-id")
_SEALS = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"})
_SIGNATURE = re.compile(r"^-- ?\r?$", re.MULTILINE)
_TAG = re.compile(r"<[^<>]*+>")
_PICTOGRAMS = ((0x2600, 0x27BF), (0x1F000, 0x1FBFF))


def forwarded_to(mail: Mail, addressees: Sequence[Addressee], domain: str) -> Addressee | None:
    """Give the addressee whom the mail was written to alone, if there is one. ``domain`` is that of the records."""
    shown = {party.email for party in mail.parties if party.header in SHOWN}
    others = [party for party in mail.parties if party.header == "bcc" and not is_ours(party.email, domain)]
    if len(shown) != 1 or others:
        return None
    return next((addressee for addressee in addressees if addressee.address in shown), None)


def as_on_the_wire(raw: bytes) -> bytes:
    """Give an attached mail the line ends it would have had by itself, by which it is known again."""
    try:
        return header.with_crlf(raw)
    except Refused:
        return raw


def is_mail(fields: Header) -> bool:
    """Say whether what is attached as a mail has at least one of the fields that all mails have."""
    return any(fields.values(name) for name in _NAMING)


def is_readable(mail: Mail) -> bool:
    """Say whether more than a mail's header could be read."""
    return all(note.code != UNREADABLE for note in mail.notes)


def author(parties: Sequence[Party], domain: str) -> str:
    """Give the author of an attached mail as it is shown, "" where none is; a record's address is a secret."""
    written = (party.email for party in parties if party.header == "from" and party.email)
    return next((email for email in written if not is_ours(email, domain)), "")


def forwarded_by(who: str, cover: Mail, received_at: datetime) -> Note:
    """Name the covering mail, and who sent it."""
    named = [cover.message_id[:MAX_NAMED]] if cover.message_id else []
    named += [f'"{cover.subject[:MAX_NAMED]}"'] if cover.subject else []
    named = named or ["a mail"]
    named += [f"sent {_moment(cover.sent_at)}" if cover.sent_at else f"received {_moment(received_at)}"]
    return Note("forwarded_by", f"Forwarded by {who} with {', '.join(named)}.")


def says_anything(cover: Mail, logged: Collection[int]) -> bool:
    """Say whether the covering mail is kept too; ``logged`` are the documents that are logged as themselves."""
    if any(each.n not in logged and not _is_of_the_letter(each) for each in cover.documents):
        return True
    return any(map(_is_said, _outside_folds(cover))) or (not _is_said(cover.text) and _is_said(_words(cover.html)))


def _is_of_the_letter(document: Document) -> bool:
    return document.inline or document.type in _SEALS or document.name.lower().endswith(".p7s")


def _outside_folds(mail: Mail) -> Iterator[str]:
    start = 0
    for fold in mail.folds:
        yield _without_signature(mail.text[start : fold.start])
        start = fold.end
    yield _without_signature(mail.text[start:])


def _without_signature(text: str) -> str:
    """Cut off a signature (RFC 3676 4.3) that is all there is: nobody folds what has nothing above it."""
    found = _SIGNATURE.search(text)
    if found is None or text.count("\n", found.end()) > MAX_SIGNATURE:
        return text
    return text[: found.start()]


def _is_said(text: str) -> bool:
    return any(char.isalnum() or _is_pictogram(char) for char in text)


def _is_pictogram(char: str) -> bool:
    within = any(first <= ord(char) <= last for first, last in _PICTOGRAMS)
    return within and unicodedata.category(char) == "So"


def _words(html: str) -> str:
    return unescape(_TAG.sub(" ", html))


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
