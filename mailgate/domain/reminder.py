"""Reminders of tasks: who is reminded of what, from when on, and what became of it."""

from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from enum import StrEnum

from mailgate.domain.record import RecordRef
from mailgate.domain.user import Language

FROM = time(6)  # in the instance's time zone: nobody is reminded at night


class ReminderState(StrEnum):
    """What stands in the store. ``unknown``: whoever claimed it never said what became of it; not sent again."""

    CLAIMED = "claimed"
    SENT = "sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class ReminderKey:
    """One reminder: a task moved to another day is another one. ``email`` is the user's main address."""

    remind_on: date
    task: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """A reminder and what the mail tells."""

    key: ReminderKey
    record: RecordRef
    record_name: str
    topic: str
    subject: str
    due_on: date | None
    recorder: str  # main address
    recorder_name: str
    user_name: str
    language: Language | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who took a reminder on: the Message-ID of the mail, and when."""

    key: ReminderKey
    message_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminded:
    """What became of one reminder: ``state`` is sent, later, refused or unknown; ``text`` what the server said."""

    key: ReminderKey
    record: RecordRef
    state: str
    text: str
    activity: str | None = None


def day_to_remind(now: datetime, zone: tzinfo) -> date | None:
    """Give the day whose reminders, and those of all days before, go out now; ``None`` before six in the morning."""
    there = now.astimezone(zone)
    return there.date() if there.time() >= FROM else None
