"""Reading activities out of their tables: the lines of a listing, or one whole activity.

Lines cost a fixed number of statements however many they are, and touch neither bodies nor raw bytes.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, select

from mailgate.domain.activity import Activity, ActivityType, Origin, Participant, Side
from mailgate.domain.content import Content, in_order, joined
from mailgate.domain.mail import Appointment, Document, Fold, FoldKind, Note
from mailgate.domain.record import RecordKind, RecordRef
from mailgate.domain.user import Language
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
    reading,
    reading_body,
    reading_note,
    reading_party,
    record,
    user_account,
)

NO_LANGUAGE = ""  # of the words of a hand-made activity

_Found = Row[tuple[object, ...]]
_Value = TypeVar("_Value")


def lines(connection: Connection, ids: Collection[str]) -> list[Activity]:
    """Read these activities without their bodies, in this order; one that was deleted meanwhile is left out."""
    rows = {row.id: row for row in connection.execute(_select().where(activity.c.id.in_(ids)))} if ids else {}
    return _activities(connection, [rows[one] for one in ids if one in rows])


def whole(connection: Connection, activity_id: str) -> Activity | None:
    """Read one activity with its bodies; ``None`` if it isn't there."""
    rows = connection.execute(_select().where(activity.c.id == activity_id)).all()
    if not rows:
        return None
    body = connection.execute(select(reading_body).where(reading_body.c.reading_id == rows[0].reading_id)).first()
    (found,) = _activities(connection, rows)
    of_mail = Content(found.subject, body.text, body.html) if body else Content()
    own = select(activity_content).where(activity_content.c.activity_id == activity_id)
    contents = {row.language: _content(row, of_mail) for row in connection.execute(own)}
    by_language = in_order({Language(code): content for code, content in contents.items() if code != NO_LANGUAGE})
    shown = joined(by_language) if by_language and body is None else contents.get(NO_LANGUAGE, of_mail)
    return replace(
        found, text=shown.text, html=shown.html, content={str(code): by_language[code] for code in by_language}
    )


def _content(row: _Found, of_mail: Content) -> Content:
    """Read the words in one language; without any they are the mail's."""
    return of_mail if row.text is None else Content(row.subject or "", row.text, row.html or "")


def _select() -> Select[tuple[object, ...]]:
    return (
        select(
            activity,
            record.c.kind,
            record.c.ref,
            user_account.c.email.label("recorder"),
            mail.c.size,
            mail.c.reading_id,
            reading.c.subject.label("mail_subject"),
            reading.c.sent_at,
            reading.c.folds,
        )
        .join(record, record.c.id == activity.c.record_id)
        .join(user_account, user_account.c.id == activity.c.recorder_id)
        .outerjoin(mail, mail.c.sha256 == activity.c.mail_sha256)
        .outerjoin(reading, reading.c.id == mail.c.reading_id)
    )


def _activities(connection: Connection, rows: Sequence[_Found]) -> list[Activity]:
    ids = [row.id for row in rows]
    readings = {row.reading_id for row in rows if row.reading_id is not None}
    of_reading = _Parts(connection, readings)
    parties = of_reading.all(reading_party, reading_party.c.reading_id, lambda row: row)
    documents = of_reading.all(document, document.c.reading_id, _document)
    links = of_reading.all(link, link.c.reading_id, lambda row: str(row.url))
    read_notes = of_reading.all(reading_note, reading_note.c.reading_id, _note)
    own = _Parts(connection, ids)
    own_documents = own.all(activity_document, activity_document.c.activity_id, _own_document)
    own_links = own.all(activity_link, activity_link.c.activity_id, lambda row: str(row.url))
    own_notes = own.all(activity_note, activity_note.c.activity_id, _note)
    known = _participations(connection, ids)
    languages = _languages(connection, ids)
    sent = _sent(connection, ids)
    return [
        replace(
            _bare(row),
            languages=_in_order(languages.get(row.id, ())),
            sent_languages={email: _in_order(codes) for email, codes in sent.get(row.id, {}).items()},
            participants=_participants(parties.get(row.reading_id, ()), known.get(row.id, ())),
            documents=(*documents.get(row.reading_id, ()), *own_documents.get(row.id, ())),
            links=(*links.get(row.reading_id, ()), *own_links.get(row.id, ())),
            notes=(*read_notes.get(row.reading_id, ()), *own_notes.get(row.id, ())),
        )
        for row in rows
    ]


def _bare(row: _Found) -> Activity:
    kind = ActivityType(row.type)
    return Activity(
        id=row.id,
        record=RecordRef(RecordKind(row.kind), row.ref),
        type=kind,
        topic=row.topic,
        origin=Origin(row.origin),
        read_only=row.origin != Origin.MANUAL,
        subject=row.subject if row.subject is not None else row.mail_subject or "",
        folds=tuple(Fold(FoldKind(kind), start, end) for kind, start, end in json.loads(row.folds or "[]")),
        occurred_at=row.occurred_at,
        sent_at=row.sent_at,
        recorded_at=row.recorded_at,
        recorder=row.recorder,
        envelope_from=row.envelope_from,
        place=row.place,
        due_on=row.due_on,
        remind_on=row.remind_on,
        done=row.done_at is not None if kind is ActivityType.TASK else None,
        done_at=row.done_at,
        message_id=row.message_id,
        raw_sha256=row.mail_sha256.hex() if row.mail_sha256 is not None else None,
        raw_size=row.size,
        trust=row.trust,
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """What hangs on these owners, in its order, grouped by owner."""

    connection: Connection
    owners: Collection[str]

    def all(
        self, table: Table, owner: ColumnElement[str], value: Callable[[_Found], _Value]
    ) -> dict[str, list[_Value]]:
        groups: dict[str, list[_Value]] = {}
        statement = select(table, owner.label("owner")).where(owner.in_(self.owners)).order_by(owner, table.c.n)
        for row in self.connection.execute(statement) if self.owners else ():
            groups.setdefault(row.owner, []).append(value(row))
        return groups


def _document(row: _Found) -> Document:
    return Document(
        n=row.n,
        name=row.name,
        type=row.type,
        size=row.size,
        sha256=row.sha256,
        inline=row.inline,
        content_id=row.content_id,
        appointment=Appointment(**json.loads(row.appointment)) if row.appointment else None,
    )


def _note(row: _Found) -> Note:
    return Note(row.code, row.text)


def _own_document(row: _Found) -> Document:
    return Document(n=row.n, name=row.name, type=row.type, size=row.size, sha256=row.sha256)


def _languages(connection: Connection, ids: Collection[str]) -> dict[str, list[str]]:
    columns = select(activity_content.c.activity_id, activity_content.c.language)
    groups: dict[str, list[str]] = {}
    for owner, code in connection.execute(columns.where(activity_content.c.activity_id.in_(ids))) if ids else ():
        if code != NO_LANGUAGE:
            groups.setdefault(owner, []).append(code)
    return groups


def _sent(connection: Connection, ids: Collection[str]) -> dict[str, dict[str, list[str]]]:
    rows = select(activity_sent).where(activity_sent.c.activity_id.in_(ids)).order_by(activity_sent.c.email)
    groups: dict[str, dict[str, list[str]]] = {}
    for row in connection.execute(rows) if ids else ():
        groups.setdefault(row.activity_id, {}).setdefault(row.email, []).append(row.language)
    return groups


def _in_order(codes: Collection[str]) -> tuple[str, ...]:
    return tuple(language.value for language in Language if language.value in codes)


def _participations(connection: Connection, ids: Collection[str]) -> dict[str, list[_Found]]:
    statement = (
        select(participation, record.c.kind, record.c.ref)
        .outerjoin(record, record.c.id == participation.c.record_id)
        .where(participation.c.activity_id.in_(ids))
        .order_by(participation.c.activity_id, participation.c.n)
    )
    groups: dict[str, list[_Found]] = {}
    for row in connection.execute(statement) if ids else ():
        groups.setdefault(row.activity_id, []).append(row)
    return groups


def _participants(parties: Sequence[_Found], known: Sequence[_Found]) -> tuple[Participant, ...]:
    """Join who the mail names with whom we know them as; a mailbox without participation is a record address.

    Whoever was not named by a mail stands in the participations alone.
    """
    if not parties:
        return tuple(_participant(row, row.name or "", row.header or "") for row in known)
    by_email = {row.email: row for row in known}
    return tuple(
        _participant(by_email[party.email], party.name, party.header) for party in parties if party.email in by_email
    )


def _participant(row: _Found, name: str, header: str) -> Participant:
    return Participant(email=row.email, name=name, header=header, side=Side(row.side), record=_ref(row))


def _ref(row: _Found) -> RecordRef | None:
    return RecordRef(RecordKind(row.kind), row.ref) if row.kind is not None else None
