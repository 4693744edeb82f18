"""Activities made by hand: added, changed, done and undone; and the topic of mails that were logged by BCC.

Only a user with ``record_activities`` adds or changes; only its recorder changes an activity; the recorder and its
internal participants mark a task done. Users are named by any of their addresses. What is written is written in one
transaction with its documents, and the activity is held by it, so that two changes at once are both there afterwards.
The audit names what changed, never what it held.

Participants are chosen: contacts among those on the record, its customer, intermediary and agency (a contact or lead
is among its own), users among those on the record. Those chosen earlier stay though they left the record since.

Refuses, with ``BadInput``: whatever ``domain.handmade`` refuses, a logged mail where only a hand-made activity can be
changed and the other way round, participants who aren't there to choose from (naming some who are), a disabled user
or one without the right. ``NotFound`` names the record, user or activity that isn't there.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from mailgate.domain.activity import Activity, ActivityType, Origin, Participant, Side
from mailgate.domain.content import Content
from mailgate.domain.handmade import HandmadeActivity, HandmadeEntry
from mailgate.domain.record import Edition, RecordRef
from mailgate.domain.topic import check_topic
from mailgate.domain.user import Role, User
from mailgate.errors import BadInput
from mailgate.store import again, choosing, listing, parts, register
from mailgate.store.acting import acting, acting_with, gone, hold, read_id
from mailgate.store.audit import Act, enter, utc_now
from mailgate.store.choosing import KeyedRecord
from mailgate.store.database import Database
from mailgate.store.identifiers import new_id
from mailgate.store.listing import NO_LANGUAGE
from mailgate.store.parts import Uploaded
from mailgate.store.register import check_edition
from mailgate.store.tables import (
    activity,
    activity_content,
    activity_link,
    participation,
)


class Handmade:
    """The hand-made activities of an instance. ``max_document_size`` in octets, for those who read documents."""

    def __init__(
        self,
        database: Database,
        edition: Edition,
        max_document_size: int,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._edition = edition
        self._now = now
        self.max_document_size = max_document_size

    def add(self, ref: RecordRef, entry: HandmadeEntry, *, as_email: str) -> Activity:
        """Make an activity on a record, be it open or closed."""
        check_edition(ref, self._edition)
        now = self._now()
        made = entry.apply(None, ref.kind, self._edition, now)
        with parts.uploading(self._database, entry.documents or ()) as uploaded:

            def work(connection: Connection) -> Activity:
                recorder = acting_with(connection, as_email, Role.RECORD_ACTIVITIES)
                on = KeyedRecord(register.key(connection, ref), ref)
                activity_id = _insert(connection, on, recorder.id, made, now)
                people = (
                    *choosing.contacts(connection, on, entry.contacts or ()),
                    *choosing.users(connection, on, entry.users or ()),
                )
                parts.write_participants(connection, activity_id, on.key, made.occurred_at, people)
                _write_lists(connection, activity_id, entry, uploaded)
                return _there(connection, activity_id)

            return again.write(self._database, work)

    def set(self, activity_id: str, entry: HandmadeEntry, *, as_email: str) -> Activity:
        """Change what the entry holds, as the recorder."""
        with parts.uploading(self._database, entry.documents or ()) as uploaded:

            def work(connection: Connection) -> Activity:
                on, before = self._hold(connection, activity_id)
                user = acting_with(connection, as_email, Role.RECORD_ACTIVITIES).user
                _check_changes(before, user)
                now = self._now()
                after = entry.apply(before, on.ref.kind, self._edition, now)
                people = _people(connection, on, before, entry)
                changed = [*after.changed(before), *_lists_changed(before, entry, people)]
                if not changed:
                    return before
                connection.execute(update(activity).where(activity.c.id == before.id).values(_columns(after)))
                _rewrite(connection, on, before, after, people)
                _replace_lists(connection, before.id, entry, uploaded)
                detail = f"{before.id}: {', '.join(changed)}"
                enter(connection, user.email, now, [Act("activity changed", str(on.ref), detail)])
                return _there(connection, before.id)

            return again.write(self._database, work)

    def done(self, activity_id: str, *, as_email: str) -> Activity:
        """Mark a task done; one that is done keeps its time."""
        return self._mark(activity_id, as_email, done=True)

    def undone(self, activity_id: str, *, as_email: str) -> Activity:
        """Undo ``done``."""
        return self._mark(activity_id, as_email, done=False)

    def _mark(self, activity_id: str, as_email: str, *, done: bool) -> Activity:
        def work(connection: Connection) -> Activity:
            on, before = self._hold(connection, activity_id)
            user = acting(connection, as_email).user
            _check_marks(before, user)
            if before.done == done:
                return before
            now = self._now()
            marked = update(activity).where(activity.c.id == before.id).values(done_at=now if done else None)
            connection.execute(marked)
            enter(connection, user.email, now, [Act(f"task {'done' if done else 'undone'}", str(on.ref), before.id)])
            return _there(connection, before.id)

        return again.write(self._database, work)

    def topic(self, activity_id: str, topic: str, *, as_email: str) -> Activity:
        """Give a mail that was logged by BCC its topic; who did so last, and when, is kept with it."""

        def work(connection: Connection) -> Activity:
            on, before = self._hold(connection, activity_id)
            actor = acting_with(connection, as_email, Role.RECORD_ACTIVITIES)
            _check_takes_topic(before)
            chosen = check_topic(on.ref.kind, topic.strip().lower(), self._edition)
            if chosen == before.topic:
                return before
            now = self._now()
            values = {"topic": chosen, "topic_by": actor.id, "topic_at": now}
            connection.execute(update(activity).where(activity.c.id == before.id).values(values))
            detail = f"{before.id}: {before.topic} to {chosen}"
            enter(connection, actor.user.email, now, [Act("topic set", str(on.ref), detail)])
            return _there(connection, before.id)

        return again.write(self._database, work)

    def _hold(self, connection: Connection, activity_id: str) -> tuple[KeyedRecord, Activity]:
        """Read an activity that nobody else changes until the transaction ends."""
        found = read_id(activity_id)
        key = hold(connection, found)
        # whoever links participants to the register doesn't ask for the activity
        people = select(participation.c.n).where(participation.c.activity_id == found)
        connection.execute(people.order_by(participation.c.n).with_for_update()).all()
        held = _there(connection, found)
        check_edition(held.record, self._edition)
        return KeyedRecord(key, held.record), held


def _there(connection: Connection, activity_id: str) -> Activity:
    found = listing.whole(connection, activity_id)
    if found is None:
        raise gone(connection, activity_id)
    return found


# -- rights ---------------------------------------------------------------------------------------------------------


def _check_changes(held: Activity, user: User) -> None:
    if held.origin is not Origin.MANUAL:
        raise BadInput(f"read-only: {held.id} was logged from a mail, which nobody edits: only its topic may be set")
    if held.recorder != user.email:
        raise BadInput(
            f"{held.id} was recorded by {held.recorder}: {user.email} can't change it, only its recorder can"
        )


def _check_marks(held: Activity, user: User) -> None:
    if held.type is not ActivityType.TASK:
        raise BadInput(f"{held.id} is of type {held.type.value}: only a task is done or undone")
    own = {user.email, *user.aliases}
    internal = {one.email for one in held.participants if one.side is Side.INTERNAL}
    if held.recorder != user.email and not own & internal:
        raise BadInput(
            f"{held.id} was recorded by {held.recorder}: {user.email} is none of its internal participants and can't "
            "mark it"
        )


def _check_takes_topic(held: Activity) -> None:
    if held.origin is Origin.MANUAL:
        raise BadInput(f"{held.id} was made by hand: its recorder uses mailgate activity set --topic")
    if held.origin is not Origin.BCC:
        raise BadInput(
            f"{held.id} keeps the topic {held.topic}, which its rule gave it: only mails by BCC are given one"
        )


# -- who takes part -------------------------------------------------------------------------------------------------


def _people(connection: Connection, on: KeyedRecord, before: Activity, entry: HandmadeEntry) -> tuple[Participant, ...]:
    """Give who takes part from now on: a list that isn't given stays, whoever left the record since."""
    was = {side: [one for one in before.participants if one.side is side] for side in Side}
    contacts = was[Side.EXTERNAL] if entry.contacts is None else choosing.contacts(connection, on, entry.contacts)
    internal = was[Side.INTERNAL] if entry.users is None else choosing.users(connection, on, entry.users)
    return (*contacts, *internal)


# -- writing --------------------------------------------------------------------------------------------------------


def _insert(connection: Connection, on: KeyedRecord, recorder_id: int, made: HandmadeActivity, now: datetime) -> str:
    activity_id = new_id()
    row = {"id": activity_id, "record_id": on.key, "origin": Origin.MANUAL.value, "recorder_id": recorder_id}
    connection.execute(insert(activity), {**row, **_columns(made), "recorded_at": now, "trust": "none"})
    parts.write_content(connection, activity_id, {NO_LANGUAGE: Content(subject=made.subject, text=made.text)})
    return activity_id


def _columns(made: HandmadeActivity) -> dict[str, object]:
    return {
        "type": made.type.value,
        "topic": made.topic,
        "subject": made.subject,
        "occurred_at": made.occurred_at,
        "place": made.place,
        "due_on": made.due_on,
        "remind_on": made.remind_on,
    }


def _write_lists(connection: Connection, activity_id: str, entry: HandmadeEntry, uploaded: Sequence[Uploaded]) -> None:
    """Write the lists that are given; there are none yet."""
    if entry.documents is not None:
        parts.write_documents(connection, activity_id, uploaded)
    if entry.links is not None:
        parts.write_links(connection, activity_id, entry.links)


def _replace_lists(
    connection: Connection, activity_id: str, entry: HandmadeEntry, uploaded: Sequence[Uploaded]
) -> None:
    if entry.documents is not None:
        parts.take_documents(connection, activity_id)
    if entry.links is not None:
        connection.execute(delete(activity_link).where(activity_link.c.activity_id == activity_id))
    _write_lists(connection, activity_id, entry, uploaded)


def _rewrite(
    connection: Connection,
    on: KeyedRecord,
    before: Activity,
    after: HandmadeActivity,
    people: tuple[Participant, ...],
) -> None:
    """Write the words anew, and who took part: their rows hold the time of the activity."""
    words = update(activity_content).where(activity_content.c.activity_id == before.id)
    connection.execute(words.values(subject=after.subject, text=after.text))
    if (people, after.occurred_at) != (before.participants, before.occurred_at):
        connection.execute(delete(participation).where(participation.c.activity_id == before.id))
        parts.write_participants(connection, before.id, on.key, after.occurred_at, people)


def _lists_changed(before: Activity, entry: HandmadeEntry, people: tuple[Participant, ...]) -> list[str]:
    """Name the lists that differ; documents given anew count as others."""
    changed = [
        word
        for side, word in ((Side.EXTERNAL, "contact"), (Side.INTERNAL, "user"))
        if [one for one in people if one.side is side] != [one for one in before.participants if one.side is side]
    ]
    if entry.documents is not None and (entry.documents or before.documents):
        changed.append("document")
    if entry.links is not None and entry.links != before.links:
        changed.append("link")
    return changed
