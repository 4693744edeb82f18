"""System mail in the store (``ports.Notices``): each kept once per record, and read-only from then on.

``receipt(record, identity)`` is the arbiter between two jobs at once: its unique key lets one of them through, the
other gets the activity of the first. The receipt outlives the activity, so nothing that was deleted comes back. The
fingerprint tells the same again from other content under the same key.

Raises ``BadInput`` for other content, or where the activity was deleted or erased; ``NotFound`` for a record or user
that is gone. What is in the caller's transaction (``keep_notice``) is undone with it.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select, update
from sqlalchemy import insert as plain_insert

from mailgate.domain.activity import Activity, ActivityType, Origin, Participant, Side
from mailgate.domain.content import Content, joined
from mailgate.domain.notice import Finished, NewNotice
from mailgate.domain.record import RecordRef
from mailgate.domain.removal import ReceiptState
from mailgate.domain.topic import TOPIC_OTHER
from mailgate.errors import BadInput, Deferred, NotFound, Reason
from mailgate.ports import KeptNotice, MetNotice
from mailgate.store import again, listing, parts, register, uploads
from mailgate.store.acting import gone, read_id
from mailgate.store.content import write_mails
from mailgate.store.database import Database, insert
from mailgate.store.identifiers import new_id
from mailgate.store.linking import look_again
from mailgate.store.orders import Unkeepable, in_parts
from mailgate.store.tables import activity, activity_note, receipt, record, removal, user_account

TRUST = "none"
TRIES = 4


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What was written before the transaction: documents, and the bytes of a big finished mail."""

    documents: Sequence[parts.Uploaded] = ()
    mail: str | None = None


@dataclass(frozen=True, slots=True)
class _MailOrder:
    new: Finished
    upload: str | None


class Notices:
    """The system mail of an instance."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def met(self, record: RecordRef, message_id: str, fingerprints: Collection[str]) -> Sequence[MetNotice]:
        """Find what may be the same system mail."""
        with self._database.read() as connection:
            return [
                MetNotice(fingerprint, found)
                for number, fingerprint in _met(connection, record, message_id, fingerprints)
                if (found := listing.whole(connection, number)) is not None
            ]

    def keep(self, new: NewNotice) -> KeptNotice:
        """Keep a system mail once; the same again gives the first activity."""
        for _ in range(TRIES):
            try:
                return self._keep(new)
            except Unkeepable:  # a mail with the same bytes came or went meanwhile
                continue
        raise Deferred(Reason.STORE_DOWN)

    def task_topic(self, on: RecordRef, task: str) -> str:
        """Name the topic of a task on this record; ``other`` once the task was taken away."""
        with self._database.read() as connection:
            return _task_topic(connection, on, task)

    def _keep(self, new: NewNotice) -> KeptNotice:
        number = new_id()

        def work(connection: Connection) -> KeptNotice:
            kept = _keep(connection, new, number, ahead)
            return KeptNotice(_shown(connection, kept), again=kept != number)

        with (
            parts.uploading(self._database, new.documents) as documents,
            _mail_ahead(self._database, new.finished) as upload,
        ):
            ahead = _Ahead(documents, upload)
            return again.write(self._database, work)


def keep_notice(connection: Connection, new: NewNotice) -> str:
    """Keep a system mail without big documents, in the caller's transaction, and give the id of its activity."""
    return _keep(connection, new, new_id(), _Ahead([parts.Uploaded(one, None) for one in new.documents]))


@contextmanager
def _mail_ahead(database: Database, finished: Finished | None) -> Iterator[str | None]:
    """Write a big mail ahead, unless it is there; discard what was not claimed."""
    if finished is None or len(finished.raw) <= uploads.PIECE:
        yield None
        return
    if uploads.is_there(database, bytes.fromhex(finished.raw_sha256)):
        yield None
        return
    upload = uploads.write_ahead(database, finished.raw)
    try:
        yield upload
    finally:
        uploads.discard(database, upload)  # leaves alone what was claimed


def _keep(connection: Connection, new: NewNotice, number: str, ahead: _Ahead) -> str:
    key = register.hold(connection, [new.record], shared=True)[new.record]
    kept = _receipt(connection, key, new, number)
    if kept == number:
        _write(connection, key, new, number, ahead)
    return kept


# -- once -----------------------------------------------------------------------------------------------------------


def _receipt(connection: Connection, key: int, new: NewNotice, number: str) -> str:
    """Give it a receipt, or judge the one that is there; return the id of the activity that it stands for."""
    found = _find(connection, key, new)
    if found is not None:
        return found
    row = {"record_id": key, "identity": new.identity, "state": ReceiptState.KEPT.value}
    row |= {"activity_id": number, "at": new.recorded_at}
    once = insert(connection, receipt).on_conflict_do_nothing(index_elements=[receipt.c.record_id, receipt.c.identity])
    if connection.execute(once.returning(receipt.c.activity_id), [row]).scalar() is not None:
        return number
    found = _find(connection, key, new)  # another job was quicker, and has committed
    if found is None:
        raise Deferred(Reason.STORE_DOWN)  # and was forgotten again
    return found


def _find(connection: Connection, key: int, new: NewNotice) -> str | None:
    this = (receipt.c.record_id == key, receipt.c.identity == new.identity)
    row = connection.execute(select(receipt.c.state, receipt.c.activity_id).where(*this)).first()
    if row is None:
        return None
    if row.state != ReceiptState.KEPT:
        by = "its recorder" if row.state == ReceiptState.DELETED else "an administrator"
        raise BadInput(f"{_named(new)} on {new.record} was {row.state} by {by}: it is not logged again")
    same = (activity.c.fingerprint == new.fingerprint, activity.c.message_id == new.message_id)
    # both records that were merged may have had one under this key, and only one receipt could keep it
    own = select(activity.c.id).where(activity.c.record_id == key, *same).order_by(activity.c.id).limit(1)
    kept = connection.scalar(own)
    if kept is None:
        raise BadInput(
            f"{_named(new)} is logged on {new.record} with other content: a mail is logged once, give another "
            "message_id to another mail"
        )
    return str(kept)


def _met(
    connection: Connection, on: RecordRef, message_id: str, fingerprints: Collection[str]
) -> Sequence[tuple[str, str]]:
    keys = register.keys(connection, [on])
    if on not in keys:
        return []
    columns = select(activity.c.id, activity.c.fingerprint)
    here = columns.where(activity.c.record_id == keys[on], activity.c.message_id == message_id)
    found: list[tuple[str, str]] = []
    for part in in_parts(fingerprints):  # only system mail has one
        found += [(row.id, row.fingerprint) for row in connection.execute(here.where(activity.c.fingerprint.in_(part)))]
    return sorted(found)


def _named(new: NewNotice) -> str:
    return new.message_id or "this mail"


# -- written --------------------------------------------------------------------------------------------------------


def _write(connection: Connection, key: int, new: NewNotice, number: str, ahead: _Ahead) -> None:
    finished = new.finished
    if finished is not None:
        write_mails(connection, [_MailOrder(finished, ahead.mail)])
    connection.execute(plain_insert(activity), _row(new, number, key, _recorder(connection, new.triggered_by)))
    words: dict[str, Content | None] = {
        language.value: None if finished else content for language, content in new.content.items()
    }
    parts.write_content(connection, number, words)
    parts.write_sent(connection, number, new.sent_languages)
    parts.write_links(connection, number, new.links)
    parts.write_documents(connection, number, ahead.documents)
    known = _known_by_now(connection, key, new.participants)
    parts.write_participants(connection, number, key, new.occurred_at, known)
    notes = [
        {"activity_id": number, "n": n, "code": note.code, "text": note.text} for n, note in enumerate(new.notes, 1)
    ]
    if notes:
        connection.execute(plain_insert(activity_note), notes)
    # last: this closes it, the database takes no further row of it (store.triggers)
    connection.execute(update(activity).where(activity.c.id == number).values(fingerprint=new.fingerprint))


def _row(new: NewNotice, number: str, key: int, recorder: int) -> dict[str, object]:
    finished = new.finished
    return {
        "id": number,
        "record_id": key,
        "type": ActivityType.EMAIL.value,
        "topic": new.topic,
        "origin": Origin.SYSTEM.value,
        "occurred_at": new.occurred_at,
        "recorded_at": new.recorded_at,
        "recorder_id": recorder,
        "mail_sha256": bytes.fromhex(finished.raw_sha256) if finished else None,
        "message_id": new.message_id,
        "trust": TRUST,
        "subject": None if finished else joined(new.content).subject,
        "notification": new.kind,
    }


def _recorder(connection: Connection, email: str) -> int:
    found = connection.scalar(select(user_account.c.id).where(user_account.c.email == email))
    if found is None:
        raise NotFound(f"no user {email}: see mailgate user list")
    return int(found)


def _known_by_now(connection: Connection, key: int, participants: Sequence[Participant]) -> list[Participant]:
    """Name those who were registered since somebody looked, or whose record got another name."""
    there = register.keys(connection, {one.record for one in participants if one.record})
    nobodys = {(key, one.email) for one in participants if one.side is Side.EXTERNAL and one.record not in there}
    owners = look_again(connection, nobodys)
    ids = {owner.person for owner in owners.values() if owner.person is not None}
    refs: dict[int, RecordRef] = {}
    for part in in_parts(ids):
        rows = connection.execute(select(record.c.id, record.c.kind, record.c.ref).where(record.c.id.in_(part)))
        refs.update({row.id: RecordRef.parse(f"{row.kind}:{row.ref}") for row in rows})
    return [
        replace(one, side=owner.side, record=refs.get(owner.person) if owner.person is not None else None)
        if (owner := owners.get((key, one.email)))
        else one
        for one in participants
    ]


def _shown(connection: Connection, activity_id: str) -> Activity:
    found = listing.whole(connection, activity_id)
    if found is None:
        raise gone(connection, activity_id)
    return found


# -- tasks ----------------------------------------------------------------------------------------------------------


def _task_topic(connection: Connection, on: RecordRef, task: str) -> str:
    number = read_id(task)
    columns = select(activity.c.type, activity.c.topic, record.c.kind, record.c.ref)
    row = connection.execute(columns.join(record).where(activity.c.id == number)).first()
    if row is None:
        _check_removed(connection, on, number)
        return TOPIC_OTHER  # it was there when the mail went out
    if row.type != ActivityType.TASK or (row.kind, row.ref) != (on.kind.value, on.ref):
        raise BadInput(f"task: {number} is no task on {on}, but {row.type} on {row.kind}:{row.ref}")
    return str(row.topic)


def _check_removed(connection: Connection, on: RecordRef, number: str) -> None:
    lay = select(record.c.kind, record.c.ref).join(removal, removal.c.record_id == record.c.id)
    row = connection.execute(lay.where(removal.c.activity_id == number)).first()
    if row is None:
        raise gone(connection, number)
    if (row.kind, row.ref) != (on.kind.value, on.ref):
        raise BadInput(f"task: {number} is no task on {on}: it was on {row.kind}:{row.ref}, and was taken away")
