"""Taking an activity's content away: wholly, once, and with its mail where no other activity shares that.

Who may do so is decided by the caller. The receipt stays and says ``deleted`` or ``erased``, so that the mail isn't
logged again; ``removal`` keeps who, when, why and what kinds of content went.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, select, update

from mailgate.domain.removal import ReceiptState
from mailgate.errors import NotFound
from mailgate.store.parts import take_documents
from mailgate.store.tables import (
    activity,
    activity_content,
    activity_document,
    activity_link,
    activity_note,
    activity_sent,
    document,
    link,
    mail,
    participation,
    piece,
    reading,
    reading_body,
    reading_note,
    reading_party,
    receipt,
    reminder,
    removal,
)

_OF_ACTIVITY: Sequence[Table] = (
    activity_note,
    activity_content,
    activity_sent,
    activity_link,
    participation,
    reminder,
)
_OF_READING: Sequence[Table] = (reading_body, reading_party, document, link, reading_note)


def delete_content(
    connection: Connection, activity_id: str, state: ReceiptState, actor: str, reason: str | None
) -> tuple[str, ...]:
    """Take an activity away in the caller's transaction, and say what kinds of content went.

    ``state`` is ``DELETED`` or ``ERASED``. ``NotFound`` where it isn't there, also when another process just took it.
    The caller holds the record, and the activity where that matters; then the receipt and the mail (``store.again``).
    """
    now = datetime.now(UTC)
    connection.execute(update(receipt).where(receipt.c.activity_id == activity_id).values(state=state.value, at=now))
    row = connection.execute(select(activity).where(activity.c.id == activity_id).with_for_update()).first()
    if row is None:
        raise NotFound(f"no activity {activity_id}")
    kinds = _own_kinds(connection, activity_id)
    extras = (("place", row.place), ("due date", row.due_on), ("reminder", row.remind_on))
    kinds += [word for word, value in extras if value]
    take_documents(connection, activity_id)
    for table in _OF_ACTIVITY:
        connection.execute(delete(table).where(table.c.activity_id == activity_id))
    connection.execute(delete(activity).where(activity.c.id == activity_id))
    if row.mail_sha256 is not None:
        kinds += _delete_mail(connection, row.mail_sha256)
    trace = {"activity_id": activity_id, "record_id": row.record_id, "state": state.value, "at": now}
    trace["occurred_at"] = row.occurred_at
    trace |= {"actor": actor, "reason": reason, "kinds": ", ".join(kinds or ["activity"])}
    connection.execute(insert(removal), trace)
    return tuple(kinds or ["activity"])


def _own_kinds(connection: Connection, activity_id: str) -> list[str]:
    """Say what an activity holds besides what its mail does."""
    of_activity = select(participation.c.n).where(participation.c.activity_id == activity_id).limit(1)
    kinds = ["participants"] if connection.execute(of_activity).first() else []
    contents = connection.execute(select(activity_content).where(activity_content.c.activity_id == activity_id)).all()
    kinds += [word for word in ("subject", "text", "html") if any(getattr(one, word) for one in contents)]
    for table, word in ((activity_document, "document"), (activity_link, "link")):
        kinds += _counted(connection, table, table.c.activity_id == activity_id, word)
    return kinds


def _counted(connection: Connection, table: Table, condition: ColumnElement[bool], word: str) -> list[str]:
    count = connection.scalar(select(func.count()).select_from(table).where(condition)) or 0
    return [f"{count} {word}{'s' if count > 1 else ''}"] if count else []


def _delete_mail(connection: Connection, sha256: bytes) -> list[str]:
    """Delete a mail that no activity refers to any more."""
    # waits for whoever is about to keep an activity of the same mail
    found = connection.execute(select(mail).where(mail.c.sha256 == sha256).with_for_update()).first()
    shared = select(activity.c.id).where(activity.c.mail_sha256 == sha256).limit(1)
    if found is None or connection.execute(shared).first() is not None:
        return []
    kinds = _kinds(connection, found.reading_id)
    readings = select(reading.c.id).where(reading.c.mail_sha256 == sha256)
    for table in _OF_READING:
        connection.execute(delete(table).where(table.c.reading_id.in_(readings)))
    connection.execute(delete(reading).where(reading.c.mail_sha256 == sha256))
    connection.execute(delete(mail).where(mail.c.sha256 == sha256))
    connection.execute(delete(piece).where(piece.c.upload == found.upload))
    return kinds


def _kinds(connection: Connection, reading_id: str) -> list[str]:
    lengths = select(func.length(reading_body.c.text), func.length(reading_body.c.html))
    body = connection.execute(lengths.where(reading_body.c.reading_id == reading_id)).first()
    kinds = ["subject", *(["text"] if body and body[0] else []), *(["html"] if body and body[1] else [])]
    for table, word in ((document, "document"), (link, "link")):
        kinds += _counted(connection, table, table.c.reading_id == reading_id, word)
    return [*kinds, "raw bytes"]
