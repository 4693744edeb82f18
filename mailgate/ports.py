"""What the path of a mail needs from outside, and what mails of our own need, in the words of the domain.

``store`` is the real thing behind both; ``tests/fakes.py`` has the ones in memory, held to the same contract tests.
Every method may raise ``Deferred(STORE_DOWN)`` or ``Deferred(DISK_FULL)``; driver errors never get through.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from mailgate.domain.activity import Activity, Known, NewMail
from mailgate.domain.ledger import LedgerEntry, Verdict
from mailgate.domain.mail import Mail
from mailgate.domain.notice import NewNotice
from mailgate.domain.pending import PendingSender, WaitingMail
from mailgate.domain.proof import Authorship, Evidence
from mailgate.domain.record import RecordAddress, RecordRef, RecordState
from mailgate.domain.reminder import Claim, Reminder, ReminderKey, ReminderState
from mailgate.domain.user import Language, User
from mailgate.errors import Reason

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FoundAddress:
    """A record address that exists or existed, with the state of its record."""

    address: RecordAddress
    record_state: RecordState


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the archive did for one activity of a mail, in the order they were handed over."""

    verdict: Verdict  # KEPT or DUPLICATE
    reason: Reason | None  # DUPLICATE, or DELETED where its recorder had deleted it
    ledger_id: str
    activity: str | None


class Directory(Protocol):
    """Who and what is registered. Asked at every mail; nothing is cached, above all no "unknown"."""

    def find_address(self, address: str) -> FoundAddress | None:
        """Look up a whole record address, folded. Revoked and expired ones are found too: the caller decides."""

    def find_user(self, email: str) -> User | None:
        """Look up the user who owns this folded address, as main address or alias."""

    def known(self, record: RecordRef, emails: Collection[str]) -> Mapping[str, Known]:
        """Say who these folded addresses are, seen from the record.

        A user's address is internal. Else a contact or lead with that address is looked for on the record (the
        record itself too, when it is a person), then on its customer, intermediary and agency, then anywhere; two or
        more at the same step give ``ambiguous`` and no record. Addresses of nobody are left out. ``near`` are those
        that somebody has before "anywhere".
        """

    def has_users(self) -> bool:
        """Say whether any user is registered."""

    def has_addresses(self) -> bool:
        """Say whether any record address was ever made."""


# Told once what was done, or why it can't be said that it was; from any thread, which must not be held up.
Done = Callable[[Sequence[T] | Exception], None]


class Archive(Protocol):
    """Where mails and verdicts are kept. Returns only after the commit."""

    def keep(self, new: NewMail) -> Sequence[Kept]:
        """Store the mail once and an activity per record, each once (record, identity); all or nothing.

        So too the mails that are attached to be kept as themselves; a mail that says nothing beside them gets no
        activity there. Where mails are attached, an answer is KEPT if anything was kept that wasn't there, and names
        the activity of the mail itself, else that of the first attached one that has any; each attached one has a
        row of its own in the ledger.

        An attached mail is there too where it is under ``known_as``, because it came by itself; never the other way
        round: what a user handed on keeps no mail out. Where both come at the same instant, both may be kept.

        Also: touches the addresses' last use, marks exposed ones, adds the note ``same_message_id`` where that record
        has a mail of the same Message-ID and author with another identity, and writes one ledger row per activity.
        """

    def keep_soon(self, new: NewMail, done: Done[Kept]) -> None:
        """The same, without waiting: ``done`` is told after the commit."""

    def met(self, record: RecordRef, identity: str, known_as: str | None = None) -> Reason | None:
        """Say whether this mail came to this record before: ``DUPLICATE``, ``DELETED``, or ``None`` for a new one.

        Where it came under both names, one that is still there counts.
        """

    def enter(self, entries: Sequence[LedgerEntry]) -> Sequence[str]:
        """Write ledger rows of mails that were not kept, and return their ids."""

    def enter_soon(self, entries: Sequence[LedgerEntry], done: Done[str]) -> None:
        """The same, without waiting: ``done`` is told after the commit."""

    def count(self, *, relay: str, reason: Reason, verdict: Verdict, at: datetime) -> None:
        """Add one to the bounded row of this relay, reason and minute. Doesn't wait; loss in a crash is accepted."""


class PendingSenders(Protocol):
    """Who waits to be registered. The list is bounded: what was untouched for longest goes first, and all in time."""

    def wait(self, mails: Sequence[WaitingMail]) -> None:
        """Put mails on the list, or count one more try of those that are on it. Returns only after the commit.

        One entry per author, relay, envelope sender and record address, also by two at once. It keeps the queue id
        that came first. A record address that is gone is left out.
        """

    def waiting(self, *, relay: str, sender: str, address: str, at: datetime) -> Sequence[PendingSender]:
        """Give the entries of this relay, envelope sender and record address whose author is no user yet."""


class Reader(Protocol):
    """Who takes the bytes of mails apart. Never raises: what kills or stops it costs a note, and not the mail."""

    def read(self, raw: bytes) -> Mail:
        """Read a mail (``mime.read``)."""

    def read_soon(self, raw: bytes, done: Callable[[Mail], None]) -> None:
        """Read a mail and tell ``done``, at once or later, in any thread; once, whatever happens."""

    def attached(self, raw: bytes) -> Sequence[tuple[int, bytes]]:
        """Return the mails attached to a mail, by their numbers among its documents (``mime.attached``)."""


class Authenticator(Protocol):
    """Who sent a mail, as far as the stamps of its relay, its signatures and the DNS can show."""

    def examine(self, said: Authorship) -> Evidence:
        """Look for proof that the author wrote the mail, of the one kind that its relay is registered with.

        ``stamped`` or ``verified``; never asked about ``vouched``. Raises nothing: trouble with the DNS is
        ``unsure``. Time is bounded, whatever the mail holds and the name servers do.
        """


# -- mails of our own -------------------------------------------------------------------------------------------------


class Handing(StrEnum):
    """What became of a mail that was handed to the company's mail server."""

    TAKEN = "taken"
    LATER = "later"  # nothing was taken: the same mail may be handed over again
    REFUSED = "refused"  # for good
    UNKNOWN = "unknown"  # the content was on its way and no answer came: it may have been taken


@dataclass(frozen=True, slots=True)
class HandedOver:
    """``text`` is the server's reply, or what happened instead: printable, one line."""

    state: Handing
    text: str


class Mailer(Protocol):
    """The company's mail server."""

    def hand_over(self, sender: str, recipient: str, mail: bytes) -> HandedOver:
        """Hand over a mail (CRLF line ends); addresses folded. ``Misconfigured`` where nothing could be sent at all."""


class Reminders(Protocol):
    """The reminders that are due, and who took them on. Two runs at once see each reminder claimed once."""

    def due(self, today: date) -> Sequence[Reminder]:
        """List the reminders of this day and the days before that nobody has claimed, oldest day first.

        Of tasks made by hand that are not done: one for each internal participant who is an enabled user, else one
        for the recorder, if enabled and nobody else was reminded of that task and day.
        """

    def claim(self, claim: Claim, today: date) -> Reminder | None:
        """Take a reminder on, and give it as it is now; ``None`` where it isn't due any more or another run has it."""

    def release(self, claim: Claim) -> None:
        """Give a claim back: nothing was sent, the reminder is due again."""

    def settle(self, claim: Claim, state: ReminderState, at: datetime) -> None:
        """Write down what became of a mail that isn't logged: it was not, or may not have been, sent, or can't be."""

    def settle_sent(self, claim: Claim, notice: NewNotice) -> str:
        """Log the mail that was sent and write down that it was, both or neither; give the id of its activity.

        On the record that the task is on by now, or was when it was deleted. ``NotFound`` where that is gone too,
        ``BadInput`` where it was logged there and taken away.
        """

    def give_up(self, before: datetime, at: datetime) -> Sequence[tuple[ReminderKey, RecordRef]]:
        """Write down claims from before that moment as unknown, and list them; by two runs at once, by one of them."""


# -- mail that the CRM sends ------------------------------------------------------------------------------------------


class Speakers(Protocol):
    """Which languages are set on those whom the CRM writes to, and on its records. Addresses come folded."""

    def users(self, emails: Collection[str]) -> Mapping[str, Language | None]:
        """Give the language set on each user who has one of these addresses; others are left out."""

    def contacts(self, record: RecordRef, emails: Collection[str]) -> Mapping[str, Language]:
        """Give the language of the contacts and leads who have these addresses, seen from the record.

        Asked are those at the nearest step, as ``Directory.known`` walks them: first the language set on them, then
        that on their customers (those related to the record before others). Where there is none, and where several
        disagree, the address is left out. Somebody who is a user too is asked about as any other.
        """

    def language(self, record: RecordRef) -> Language | None:
        """Give the language set on a record; ``NotFound`` names one that isn't there."""


@dataclass(frozen=True, slots=True)
class KeptNotice:
    """The activity of a system mail; ``again`` where it was there already."""

    activity: Activity
    again: bool


@dataclass(frozen=True, slots=True)
class MetNotice:
    """The activity of a system mail, and the fingerprint of what it is made of."""

    fingerprint: str
    activity: Activity


class Notices(Protocol):
    """Where system mail is kept. Returns only after the commit."""

    def met(self, record: RecordRef, message_id: str, fingerprints: Collection[str]) -> Sequence[MetNotice]:
        """Find the system mail on a record with this Message-ID and one of these fingerprints, oldest first.

        In whatever languages it was logged. None where the record, or the activity, is gone.
        """

    def keep(self, new: NewNotice) -> KeptNotice:
        """Keep a system mail once per (record, ``identity``), all or nothing.

        The same again, also by two at once, gives the activity of the first. ``BadInput`` where that has another
        fingerprint, or was deleted or erased; ``NotFound`` for a record or user that is gone.
        """

    def task_topic(self, on: RecordRef, task: str) -> str:
        """Name the topic of a task on this record, by its id; ``other`` where it was there and was taken away.

        ``NotFound`` for an id of nothing, ``BadInput`` for what is no task, or is, or was, on another record.
        """
