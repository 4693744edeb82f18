"""The mail that reminds a user of a task."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from mailgate.domain.user import Language
from mailgate.texts.catalogues import catalogue
from mailgate.texts.dates import long_date

MAX_SUBJECT = 200  # characters of the task's subject in that of the mail

_BREAKS = frozenset({"Cc", "Cs", "Zl", "Zp"})  # of a line or of a header field


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """What the reminder tells. ``record`` is ``KIND:REF``, ``topic`` its label in the language of the mail."""

    user: str  # name of who is reminded
    subject: str
    record: str
    record_name: str
    topic: str
    due_on: date | None
    recorder: str  # name
    recorder_email: str


def reminder(language: Language, facts: TaskFacts) -> tuple[str, str]:
    """Write subject and text, LF line ends. Whatever people typed is put on one line: it can't begin another one."""
    _ = catalogue(language).gettext
    said = _on_one_line(facts)
    subject = _("Reminder: {subject}").format(subject=_cut(said["subject"]))
    due = [_("Due: {due}").format(due=long_date(language, facts.due_on))] if facts.due_on else []
    lines = [
        _("Hello {user}").format(user=said["user"]),
        "",
        _("This is a reminder of a task that is not done yet:"),
        "",
        _("Task: {subject}").format(subject=said["subject"]),
        *due,
        _("Record: {record_name} ({record})").format(record_name=said["record_name"], record=said["record"]),
        _("Topic: {topic}").format(topic=said["topic"]),
        _("Recorded by: {recorder} ({email})").format(recorder=said["recorder"], email=said["recorder_email"]),
        "",
        _("This message was sent automatically."),
    ]
    return subject, "\n".join([*lines, ""])


def _on_one_line(facts: TaskFacts) -> Mapping[str, str]:
    names = [name for name in TaskFacts.__slots__ if name != "due_on"]
    return {name: one_line(getattr(facts, name)) for name in names}


def one_line(text: str) -> str:
    """Put a text on one line, without control characters."""
    return " ".join("".join(" " if unicodedata.category(char) in _BREAKS else char for char in text).split())


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SUBJECT else f"{text[: MAX_SUBJECT - 1].rstrip()}…"
