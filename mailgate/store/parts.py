"""What hangs on an activity that isn't a mail's: words by language, participants, documents with their bytes, links.

Big documents are written ahead in pieces, as big mails are (``store.uploads``), so that no small mail waits for them:
``uploading`` does that around the transaction, ``write_documents`` claims them in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, delete, insert, select

from mailgate.domain.activity import Participant
from mailgate.domain.content import Content
from mailgate.domain.document import NewDocument
from mailgate.domain.mail import Document
from mailgate.errors import Deferred, NotFound, Reason
from mailgate.store import register, uploads
from mailgate.store.database import Database
from mailgate.store.identifiers import new_id
from mailgate.store.tables import (
    activity_content,
    activity_document,
    activity_link,
    activity_sent,
    participation,
    piece,
)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A document, and where its bytes were written ahead, if it is big."""

    document: NewDocument
    upload: str | None


@contextmanager
def uploading(database: Database, documents: Sequence[NewDocument]) -> Iterator[list[Uploaded]]:
    """Write the big ones ahead; whatever the block didn't claim is discarded."""
    uploaded: list[Uploaded] = []
    try:
        for document in documents:
            big = len(document.content) > uploads.PIECE
            uploaded.append(Uploaded(document, uploads.write_ahead(database, document.content) if big else None))
        yield uploaded
    finally:
        for one in uploaded:
            if one.upload is not None:
                uploads.discard(database, one.upload)  # leaves those alone that were claimed


def write_documents(connection: Connection, activity_id: str, uploaded: Sequence[Uploaded]) -> None:
    """Write the documents of an activity, numbered from 1."""
    rows: list[dict[str, object]] = []
    for n, one in enumerate(uploaded, start=1):
        upload = one.upload or new_id()
        if one.upload is None:
            uploads.write_claimed(connection, {upload: one.document.content})
        elif not uploads.claim(connection, upload):
            raise Deferred(Reason.STORE_DOWN)  # swept meanwhile: an hour has passed
        rows.append(
            {
                "activity_id": activity_id,
                "n": n,
                "name": one.document.name,
                "type": one.document.type,
                "size": len(one.document.content),
                "sha256": one.document.sha256,
                "upload": upload,
            }
        )
    if rows:
        connection.execute(insert(activity_document), rows)


def take_documents(connection: Connection, activity_id: str) -> None:
    """Take the documents of an activity away, with their bytes."""
    own = select(activity_document.c.upload).where(activity_document.c.activity_id == activity_id)
    found = connection.scalars(own).all()
    connection.execute(delete(activity_document).where(activity_document.c.activity_id == activity_id))
    if found:
        connection.execute(delete(piece).where(piece.c.upload.in_(found)))


def document_bytes(connection: Connection, activity_id: str, document: Document) -> bytes:
    """Read the bytes of a document, and check them against their SHA-256."""
    bytes_of = (
        select(piece.c.bytes)
        .join(activity_document, activity_document.c.upload == piece.c.upload)
        .where(activity_document.c.activity_id == activity_id, activity_document.c.n == document.n)
        .order_by(piece.c.n)
    )
    content = b"".join(connection.scalars(bytes_of))
    if sha256(content).hexdigest() != document.sha256:
        raise NotFound(f"document {document.n} of {activity_id} is damaged: bring it back from a backup")
    return content


def write_content(connection: Connection, activity_id: str, content: Mapping[str, Content | None]) -> None:
    """Write the words of an activity by language; ``None`` where the mail has them."""
    rows = [
        {
            "activity_id": activity_id,
            "language": str(language),
            "subject": one.subject if one else None,
            "text": one.text if one else None,
            "html": one.html if one else None,
        }
        for language, one in content.items()
    ]
    if rows:
        connection.execute(insert(activity_content), rows)


def write_sent(connection: Connection, activity_id: str, sent: Mapping[str, Sequence[str]]) -> None:
    """Write in which languages each recipient got the mail."""
    rows = [
        {"activity_id": activity_id, "email": email, "language": str(language)}
        for email, languages in sent.items()
        for language in languages
    ]
    if rows:
        connection.execute(insert(activity_sent), rows)


def write_links(connection: Connection, activity_id: str, links: Sequence[str]) -> None:
    """Write the links of an activity, in their order."""
    if links:
        rows = [{"activity_id": activity_id, "n": n, "url": url} for n, url in enumerate(links, start=1)]
        connection.execute(insert(activity_link), rows)


def write_participants(
    connection: Connection,
    activity_id: str,
    record_id: int,
    occurred_at: datetime,
    participants: Sequence[Participant],
) -> None:
    """Write who took part, in their order; a contact's record that is gone meanwhile leaves the bare address."""
    named = {one.record for one in participants if one.record}
    keys = register.keys(connection, named) if named else {}
    rows = [
        {
            "activity_id": activity_id,
            "n": n,
            "email": one.email,
            "name": one.name,
            "header": one.header or None,
            "side": one.side.value,
            "record_id": keys.get(one.record) if one.record else None,
            "activity_record_id": record_id,
            "occurred_at": occurred_at,
        }
        for n, one in enumerate(participants, start=1)
    ]
    if rows:
        connection.execute(insert(participation), rows)
