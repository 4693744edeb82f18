"""Reminders of tasks in the store (``ports.Reminders``): what is due, and who took it on.

A claim is a row; its primary key is the arbiter between two runs at once. A row is only ever taken away by who wrote
it (``release``), so what was sent, or may have been, is never due again. A task may be done, renamed with its record,
merged or deleted while its reminder is on the way: what counts is where it is when it is written down.

Raises ``Deferred`` where the store doesn't answer; nothing was claimed then, or the claim stays and is given up later.
``NotFound`` and ``BadInput`` for a mail that can't be logged; nothing was written then.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, exists, select, update

from mailgate.domain.activity import ActivityType, Origin, Side
from mailgate.domain.notice import NewNotice
from mailgate.domain.record import Edition, RecordKind, RecordRef, exists_in
from mailgate.domain.reminder import Claim, Reminder, ReminderKey, ReminderState
from mailgate.domain.user import Language
from mailgate.errors import Deferred, NotFound, Reason
from mailgate.store import again
from mailgate.store.database import Database, insert
from mailgate.store.orders import in_parts
from mailgate.store.tables import activity, participation, record, reminder, removal, user_account, user_address

TRIES = 4

LogNotice = Callable[[Connection, NewNotice], str]

_recorder = user_account.alias("recorder")
_reminded = user_account.alias("reminded")

_TASK = (
    activity.c.id,
    activity.c.topic,
    activity.c.subject,
    activity.c.due_on,
    activity.c.remind_on,
    record.c.kind,
    record.c.ref,
    record.c.name.label("record_name"),
    _recorder.c.email.label("recorder"),
    _recorder.c.name.label("recorder_name"),
    _reminded.c.email,
    _reminded.c.name,
    _reminded.c.language,
)
_SAME_DAY = (reminder.c.activity_id == activity.c.id, reminder.c.remind_on == activity.c.remind_on)


class Reminders:
    """``log`` keeps a mail that was sent as an activity, in the caller's transaction, and gives the activity's id."""

    def __init__(self, database: Database, edition: Edition, log: LogNotice) -> None:
        self._database = database
        self._kinds = [kind.value for kind in RecordKind if exists_in(kind, edition)]
        self._log = log

    def due(self, today: date) -> Sequence[Reminder]:
        """List what is due."""
        with self._database.read() as connection:
            return self._due(connection, today)

    def claim(self, claim: Claim, today: date) -> Reminder | None:
        """Take a reminder on, if it still is due."""

        def work(connection: Connection) -> Reminder | None:
            key = claim.key
            # held before it is judged: who is about to mark it done, move it or change who takes part comes first
            held = select(activity.c.id).where(activity.c.id == key.task).with_for_update()
            if connection.execute(held).first() is None:
                return None
            found = self._due(connection, today, activity.c.id == key.task, activity.c.remind_on == key.remind_on)
            mine = next((one for one in found if one.key == key), None)
            if mine is None:
                return None
            row = {"activity_id": key.task, "email": key.email, "remind_on": key.remind_on}
            row |= {"state": ReminderState.CLAIMED.value, "at": claim.at, "message_id": claim.message_id}
            claiming = insert(connection, reminder).on_conflict_do_nothing().returning(reminder.c.activity_id)
            return mine if connection.execute(claiming, row).first() else None

        return again.write(self._database, work)

    def release(self, claim: Claim) -> None:
        """Give a claim back."""
        again.write(self._database, lambda connection: connection.execute(delete(reminder).where(*_own(claim))))

    def settle(self, claim: Claim, state: ReminderState, at: datetime) -> None:
        """Write down what became of a reminder."""
        again.write(self._database, lambda connection: _settle(connection, claim, state, at))

    def settle_sent(self, claim: Claim, notice: NewNotice) -> str:
        """Log what was sent where the task is by now, or was when it was deleted; write down that it was sent."""

        def work(connection: Connection) -> str:
            there = replace(notice, record=_record_of(connection, claim.key.task))
            _settle(connection, claim, ReminderState.SENT, notice.recorded_at)
            return self._log(connection, there)

        return again.write(self._database, work)

    def give_up(self, before: datetime, at: datetime) -> Sequence[tuple[ReminderKey, RecordRef]]:
        """Write old claims down as unknown."""
        old = (reminder.c.state == ReminderState.CLAIMED.value, reminder.c.at < before)
        with self._database.read() as connection:
            if connection.execute(select(reminder.c.activity_id).where(*old).limit(1)).first() is None:
                return ()

        def work(connection: Connection) -> Sequence[tuple[ReminderKey, RecordRef]]:
            columns = (reminder.c.remind_on, reminder.c.activity_id, reminder.c.email)
            changed = update(reminder).where(*old).values(state=ReminderState.UNKNOWN.value, at=at).returning(*columns)
            keys = sorted(ReminderKey(*row) for row in connection.execute(changed))
            return _with_records(connection, keys)

        return again.write(self._database, work)

    def _due(self, connection: Connection, today: date, *only: ColumnElement[bool]) -> Sequence[Reminder]:
        tasks = _tasks().where(activity.c.remind_on <= today, record.c.kind.in_(self._kinds), *only)
        rows = [*connection.execute(_participants(tasks)), *connection.execute(_recorders(tasks))]
        return sorted((_reminder(row) for row in rows), key=lambda one: one.key)


def _tasks() -> Select[*tuple[object, ...]]:
    return (
        select(*_TASK)
        .select_from(activity)
        .join(record, record.c.id == activity.c.record_id)
        .join(_recorder, _recorder.c.id == activity.c.recorder_id)
        .where(
            activity.c.type == ActivityType.TASK.value,
            activity.c.origin == Origin.MANUAL.value,
            activity.c.done_at.is_(None),
            activity.c.remind_on.is_not(None),
        )
    )


def _participants(tasks: Select[*tuple[object, ...]]) -> Select[*tuple[object, ...]]:
    """Pair the tasks with their internal participants, once each, however many addresses of theirs take part."""
    return (
        tasks.join(participation, participation.c.activity_id == activity.c.id)
        .join(user_address, user_address.c.email == participation.c.email)
        .join(_reminded, _reminded.c.id == user_address.c.user_id)
        .where(
            participation.c.side == Side.INTERNAL.value,
            _reminded.c.enabled,
            ~exists().where(*_SAME_DAY, reminder.c.email == _reminded.c.email),
        )
        .distinct()
    )


def _recorders(tasks: Select[*tuple[object, ...]]) -> Select[*tuple[object, ...]]:
    """Pair the tasks that nobody else takes part in with their recorders."""
    takes_part = (
        exists()
        .where(
            participation.c.activity_id == activity.c.id,
            participation.c.side == Side.INTERNAL.value,
            user_address.c.email == participation.c.email,
            user_account.c.id == user_address.c.user_id,
            user_account.c.enabled,
        )
        .correlate(activity)
    )
    return tasks.join(_reminded, _reminded.c.id == activity.c.recorder_id).where(
        _reminded.c.enabled, ~takes_part, ~exists().where(*_SAME_DAY)
    )


def _reminder(row: Row[*tuple[object, ...]]) -> Reminder:
    return Reminder(
        key=ReminderKey(row.remind_on, row.id, row.email),
        record=RecordRef(RecordKind(row.kind), row.ref),
        record_name=row.record_name,
        topic=row.topic,
        subject=row.subject or "",
        due_on=row.due_on,
        recorder=row.recorder,
        recorder_name=row.recorder_name,
        user_name=row.name,
        language=Language(row.language) if row.language else None,
    )


def _own(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return (
        reminder.c.activity_id == claim.key.task,
        reminder.c.email == claim.key.email,
        reminder.c.remind_on == claim.key.remind_on,
        # given up by another run meanwhile, it still is ours to say what became of it
        reminder.c.state.in_((ReminderState.CLAIMED.value, ReminderState.UNKNOWN.value)),
    )


def _settle(connection: Connection, claim: Claim, state: ReminderState, at: datetime) -> None:
    connection.execute(update(reminder).where(*_own(claim)).values(state=state.value, at=at))


def _record_of(connection: Connection, task: str) -> RecordRef:
    """Hold the record that a task is, or was, on: it can't be renamed, merged or removed until the end."""
    for _ in range(TRIES):
        key = connection.scalar(select(activity.c.record_id).where(activity.c.id == task))
        if key is None:
            key = connection.scalar(select(removal.c.record_id).where(removal.c.activity_id == task))
        if key is None:
            raise NotFound(f"no task {task}, and its record is gone too")
        named = select(record.c.kind, record.c.ref).where(record.c.id == key)
        row = connection.execute(named.with_for_update(read=True, key_share=True)).first()
        if row is not None:
            return RecordRef(RecordKind(row.kind), row.ref)
    raise Deferred(Reason.STORE_DOWN)  # merged again and again, each time just before it was held


def _with_records(connection: Connection, keys: Sequence[ReminderKey]) -> Sequence[tuple[ReminderKey, RecordRef]]:
    found: dict[str, RecordRef] = {}
    for part in in_parts({key.task for key in keys}):
        rows = connection.execute(
            select(activity.c.id, record.c.kind, record.c.ref)
            .join(record, record.c.id == activity.c.record_id)
            .where(activity.c.id.in_(part))
        )
        found.update({row.id: RecordRef(RecordKind(row.kind), row.ref) for row in rows})
    return [(key, found[key.task]) for key in keys]
