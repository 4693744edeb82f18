"""Sends the e-mail reminders of tasks that are due, each once, and logs what was sent.

For each reminder: claim it, hand the mail to the company's mail server, then log it as an activity and write it down
as sent, both at once. What the server said decides:

    taken     sent, and logged
    later     the claim is given back: again at the next run
    refused   written down; not sent again
    unknown   the connection broke while the mail was on its way: written down; not sent again

A reminder that can't be written, which is a bug, is refused without being sent. One that was sent and can't be logged
(its task is gone with its record, say) is written down as sent, and its line says so.

A run that dies in between leaves its claim. Once it is older than any hand-over can take, a later run writes it down
as unknown and lists it. So a mail may be missed after a crash, and is never sent twice.

``remind`` yields a line for each reminder as soon as its fate is known. Raises ``Misconfigured`` where the mail server
takes nothing at all from us (what wasn't sent stays due), ``Deferred`` where the store doesn't answer. Nothing is sent
before six in the morning in the instance's time zone. The clock and the time zone are handed in.
"""

import hashlib
import quopri
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from email.header import Header
from email.utils import format_datetime

from mailgate.domain.activity import Participant, Side
from mailgate.domain.content import Content
from mailgate.domain.language import Notification
from mailgate.domain.notice import NewNotice, identity
from mailgate.domain.reminder import Claim, Reminded, Reminder, ReminderKey, ReminderState, day_to_remind
from mailgate.domain.topic import label
from mailgate.domain.user import Language
from mailgate.errors import BadInput, Deferred, MailgateError, Misconfigured
from mailgate.ports import HandedOver, Handing, Mailer, Reminders
from mailgate.texts import TaskFacts, reminder

LONGEST = timedelta(minutes=15)  # longer than any hand-over takes: a claim as old was left behind
LEFT = "an earlier run ended before it knew whether the mail was taken: ask the mail server; it is not sent again"
BUG = "this is a bug of mailgate, please report it"

# a subject that is the same read as words and read as encoded words (RFC 2047)
_PLAIN = re.compile(r"(?!.*=\?)[!-~](?:[ -~]{0,66}[!-~])?")
_LONGEST_LINE = 998  # octets; RFC 5322 2.1.1
_NO_LINE = re.compile(rb"[\0\r\n]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """Who sends, and what holds where a user has no language. ``sender`` is a folded address."""

    sender: str
    language: Language
    zone: tzinfo


def remind(store: Reminders, mailer: Mailer, instance: Instance, now: Callable[[], datetime]) -> Iterator[Reminded]:
    """Send what is due now; first list what a run that died left behind."""
    at = now()
    for key, record in store.give_up(at - LONGEST, at):
        yield Reminded(key=key, record=record, state=ReminderState.UNKNOWN, text=LEFT)
    today = day_to_remind(at, instance.zone)
    if today is None:
        return
    run = _Run(store, mailer, instance, today, now)
    for due in store.due(today):
        done = run.take(due.key)
        if done is not None:
            yield done


@dataclass(frozen=True, slots=True)
class _Mail:
    """A reminder ready to be sent, and what is logged of it once it was."""

    claim: Claim
    due: Reminder
    language: Language
    words: Content


@dataclass(frozen=True, slots=True)
class _Run:
    store: Reminders
    mailer: Mailer
    instance: Instance
    today: date
    now: Callable[[], datetime]

    def take(self, key: ReminderKey) -> Reminded | None:
        """Take care of one reminder; ``None`` where another run has it, or the task changed meanwhile."""
        claim = Claim(key=key, message_id=message_id(key, self.instance.sender), at=self.now())
        due = self.store.claim(claim, self.today)
        if due is None:
            return None
        try:
            language = due.language or self.instance.language
            mail = _Mail(claim, due, language, compose(due, language))
            whole = write(claim, mail.words, language, self.instance.sender)
        except Exception as bug:  # noqa: BLE001 - one odd reminder must not keep the others from going out
            self.store.settle(claim, ReminderState.REFUSED, self.now())
            return _line(due, Handing.REFUSED, f"not sent, {BUG}: {type(bug).__name__}")
        return self._settle(mail, self._hand_over(claim, whole))

    def _hand_over(self, claim: Claim, whole: bytes) -> HandedOver:
        try:
            return self.mailer.hand_over(self.instance.sender, claim.key.email, whole)
        except Misconfigured:  # nothing was sent
            self.store.release(claim)
            raise

    def _settle(self, mail: _Mail, handed: HandedOver) -> Reminded:
        match handed.state:
            case Handing.TAKEN:
                return self._log(mail, handed.text)
            case Handing.LATER:
                self.store.release(mail.claim)
            case Handing.REFUSED:
                self.store.settle(mail.claim, ReminderState.REFUSED, self.now())
            case Handing.UNKNOWN:
                self.store.settle(mail.claim, ReminderState.UNKNOWN, self.now())
        return _line(mail.due, handed.state, handed.text)

    def _log(self, mail: _Mail, text: str) -> Reminded:
        """Log what was sent; where that can't be done, it was sent all the same."""
        try:
            activity = self.store.settle_sent(mail.claim, notice(mail, self.now()))
        except Deferred:  # the claim stays
            raise
        except MailgateError as error:
            self.store.settle(mail.claim, ReminderState.SENT, self.now())
            return _line(mail.due, Handing.TAKEN, f"{text}; not logged: {error}")
        return _line(mail.due, Handing.TAKEN, text, activity)


def _line(due: Reminder, state: Handing, text: str, activity: str | None = None) -> Reminded:
    word = ReminderState.SENT if state is Handing.TAKEN else state
    return Reminded(key=due.key, record=due.record, state=word.value, text=text, activity=activity)


# -- the mail -------------------------------------------------------------------------------------------------------


def message_id(key: ReminderKey, sender: str) -> str:
    """Name the mail of a reminder: always the same, so that a server that took it before can know it again."""
    whole = f"{key.task} {key.remind_on.isoformat()} {key.email}"
    return f"<reminder.{hashlib.sha256(whole.encode()).hexdigest()[:32]}@{sender.rpartition('@')[2]}>"


def compose(due: Reminder, language: Language) -> Content:
    """Say it in the user's language."""
    facts = TaskFacts(
        user=due.user_name,
        subject=due.subject,
        record=str(due.record),
        record_name=due.record_name,
        topic=_topic(due, language),
        due_on=due.due_on,
        recorder=due.recorder_name,
        recorder_email=due.recorder,
    )
    subject, text = reminder(language, facts)
    return Content(subject=subject, text=text)


def _topic(due: Reminder, language: Language) -> str:
    try:
        return label(due.record.kind, due.topic, language)
    except BadInput:
        return due.topic  # of another edition or version; the task counts more than its label


def write(claim: Claim, words: Content, language: Language, sender: str) -> bytes:
    """Write the mail as it goes over the wire: ASCII, save for addresses beyond it (RFC 6532).

    Written here and not by the library, which takes what people typed for encoded words and writes what these say,
    line ends too. ``ValueError`` where the fields would not be just these.
    """
    fields = {
        "From": sender,  # addresses without names: no phrase to be read otherwise
        "To": claim.key.email,
        "Subject": _encoded(words.subject),
        "Date": format_datetime(claim.at),
        "Message-ID": claim.message_id,
        "Auto-Submitted": "auto-generated",  # RFC 3834 5: nobody's holiday notice answers it
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "quoted-printable",
        "Content-Language": language.value,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()
    _check(head, list(fields))
    return head + b"\r\n" + quopri.encodestring(words.text.encode()).replace(b"\n", b"\r\n")


def _encoded(subject: str) -> str:
    """Write a subject so that every reader reads it literally."""
    if _PLAIN.fullmatch(subject):
        return subject
    return Header(subject, "utf-8", header_name="Subject").encode(linesep="\r\n")


def _check(head: bytes, names: list[str]) -> None:
    """See that a header is these fields, once each and in this order; only the subject may be folded."""
    found: list[str] = []
    for line in head.removesuffix(b"\r\n").split(b"\r\n"):
        folded = line.startswith(b" =?") and found[-1:] == ["Subject"]
        if not folded:
            found.append(line.partition(b": ")[0].decode("ascii"))
        if _NO_LINE.search(line) or len(line) > _LONGEST_LINE or not line.strip():
            raise ValueError(found[-1])
    if found != names:
        raise ValueError(", ".join(found))


# -- its activity -----------------------------------------------------------------------------------------------------


def notice(mail: _Mail, at: datetime) -> NewNotice:
    """Log the mail on the task's record, under the task's topic, as its recorder's."""
    due, claim = mail.due, mail.claim
    recipient = Participant(email=due.key.email, name=due.user_name, header="to", side=Side.INTERNAL)
    return NewNotice(
        kind=Notification.TASK_REMINDER.value,
        record=due.record,
        topic=due.topic,
        triggered_by=due.recorder,
        participants=(recipient,),
        occurred_at=claim.at,
        recorded_at=at,
        message_id=claim.message_id,
        content={mail.language: mail.words},
        sent_languages={due.key.email: (mail.language,)},
        identity=identity(claim.message_id, [mail.language]),
        fingerprint=hashlib.sha256(f"{mail.words.subject}\0{mail.words.text}".encode()).hexdigest(),
    )
