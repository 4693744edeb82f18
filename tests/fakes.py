"""The ports in memory, for tests of what stands before the store; ``tests/contract`` holds them to its promises."""

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mailgate.domain.activity import Known, NewMail, Side
from mailgate.domain.ledger import LedgerEntry, Verdict
from mailgate.domain.mail import Note
from mailgate.domain.record import Record, RecordKind, RecordRef
from mailgate.domain.user import User
from mailgate.errors import Deferred, Reason
from mailgate.ports import FoundAddress, Kept
from mailgate.store.identifiers import new_id
from tests.worlds import World

PERSONS = (RecordKind.CONTACT, RecordKind.LEAD)
CLIENT_ROLES = ("customer", "intermediary", "agency")


class FakeDirectory:
    """``ports.Directory`` over a world; ``failing`` makes every question end with that reason."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.failing: Reason | None = None
        self.asked = 0

    def find_address(self, address: str) -> FoundAddress | None:
        self._ask()
        found = next((each for each in self.world.addresses if each.address == address), None)
        return FoundAddress(found, self._record(found.record).state) if found else None

    def find_user(self, email: str) -> User | None:
        self._ask()
        return next((user for user in self.world.users if email in {user.email, *user.aliases}), None)

    def known(self, record: RecordRef, emails: Collection[str]) -> Mapping[str, Known]:
        self._ask()
        found = {email: self._who(record, email) for email in emails}
        return {email: known for email, known in found.items() if known is not None}

    def has_users(self) -> bool:
        self._ask()
        return bool(self.world.users)

    def has_addresses(self) -> bool:
        self._ask()
        return bool(self.world.addresses)

    def _ask(self) -> None:
        self.asked += 1
        if self.failing is not None:
            raise Deferred(self.failing)

    def _record(self, ref: RecordRef) -> Record:
        return next(record for record in self.world.records if record.record == ref)

    def _who(self, seen_from: RecordRef, email: str) -> Known | None:
        if any(email in {user.email, *user.aliases} for user in self.world.users):
            return Known(Side.INTERNAL)
        having = {
            record.record for record in self.world.records if email in record.email and record.record.kind in PERSONS
        }
        if not having:
            return None
        step = next(having & step for step in (*self._steps(seen_from), having) if having & step)
        return (
            Known(Side.EXTERNAL, record=min(step, key=str)) if len(step) == 1 else Known(Side.EXTERNAL, ambiguous=True)
        )

    def _steps(self, seen_from: RecordRef) -> Sequence[set[RecordRef]]:
        own = [record for record in self.world.records if record.record == seen_from]
        clients = {related.record for record in own for related in record.relations if related.role in CLIENT_ROLES}
        clients |= {
            record.record
            for record in self.world.records
            if record.record.kind is RecordKind.CUSTOMER and seen_from in {each.record for each in record.contacts}
        }
        return {seen_from} | self._persons_on({seen_from}), clients | self._persons_on(clients)

    def _persons_on(self, refs: set[RecordRef]) -> set[RecordRef]:
        named = {each.record for record in self.world.records if record.record in refs for each in record.contacts}
        belonging = {
            record.record
            for record in self.world.records
            for related in record.relations
            if related.role == CLIENT_ROLES[0] and related.record in refs
        }
        return named | belonging


@dataclass(slots=True)
class FakeReceipt:
    state: str
    activity: str


@dataclass(frozen=True, slots=True)
class FakeActivity:
    id: str
    record: RecordRef
    new: NewMail
    notes: tuple[Note, ...]


@dataclass(slots=True)
class FakeArchive:
    """``ports.Archive`` in memory; ``failing`` makes whatever is to be kept or entered end with that reason."""

    failing: Reason | None = None
    activities: dict[str, FakeActivity] = field(default_factory=dict)
    receipts: dict[tuple[RecordRef, str], FakeReceipt] = field(default_factory=dict)
    ledger: list[LedgerEntry] = field(default_factory=list)
    counts: Counter[tuple[str, Reason, Verdict, datetime]] = field(default_factory=Counter)
    used: dict[str, datetime] = field(default_factory=dict)
    exposed: dict[str, datetime] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def mails(self) -> dict[str, bytes]:
        """The bytes that are kept, by their SHA-256."""
        return {each.new.raw_sha256: each.new.raw for each in self.activities.values()}

    def keep(self, new: NewMail) -> Sequence[Kept]:
        self._fail()
        with self.lock:
            return [self._keep(new, n) for n in range(len(new.activities))]

    def met(self, record: RecordRef, identity: str) -> Reason | None:
        self._fail()
        known = self.receipts.get((record, identity))
        if known is None:
            return None
        return Reason.DUPLICATE if known.state == "kept" else Reason.DELETED

    def enter(self, entries: Sequence[LedgerEntry]) -> Sequence[str]:
        self._fail()
        named = [replace(entry, id=new_id()) for entry in entries]
        self.ledger.extend(named)
        return [entry.id for entry in named]

    def count(self, *, relay: str, reason: Reason, verdict: Verdict, at: datetime) -> None:
        with self.lock:
            self.counts[(relay, reason, verdict, at.replace(second=0, microsecond=0))] += 1

    def delete(self, activity: str, state: str = "deleted") -> None:
        del self.activities[activity]
        next(each for each in self.receipts.values() if each.activity == activity).state = state

    def _fail(self) -> None:
        if self.failing is not None:
            raise Deferred(self.failing)

    def _keep(self, new: NewMail, n: int) -> Kept:
        record = new.activities[n].record
        known = self.receipts.get((record, new.identity))
        ledger_id = new_id()
        if known is None:
            kept = Kept(verdict=Verdict.KEPT, reason=None, ledger_id=ledger_id, activity=self._write(new, n))
        elif known.state == "kept":
            kept = Kept(
                verdict=Verdict.DUPLICATE, reason=Reason.DUPLICATE, ledger_id=ledger_id, activity=known.activity
            )
        else:
            kept = Kept(verdict=Verdict.DUPLICATE, reason=Reason.DELETED, ledger_id=ledger_id, activity=None)
        self._tell(new, record, kept)
        return kept

    def _tell(self, new: NewMail, record: RecordRef, kept: Kept) -> None:
        self.ledger.append(
            LedgerEntry(
                id=kept.ledger_id,
                at=new.received_at,
                verdict=kept.verdict,
                reason=kept.reason,
                record=record,
                relay=new.relay,
                queue_id=new.queue_id,
                author=new.author,
                message_id=new.mail.message_id or None,
                activity=kept.activity,
            )
        )

    def _write(self, new: NewMail, n: int) -> str:
        addressed = new.activities[n]
        number = new_id()
        twin = any(
            each.record == addressed.record
            and each.new.author == new.author
            and each.new.mail.message_id == new.mail.message_id != ""
            for each in self.activities.values()
        )
        note = Note("same_message_id", "Another mail with this Message-ID and author is on this record already.")
        self.activities[number] = FakeActivity(
            number, addressed.record, new, (*addressed.notes, *([note] if twin else []))
        )
        self.receipts[(addressed.record, new.identity)] = FakeReceipt("kept", number)
        self.used[addressed.address] = max(new.received_at, self.used.get(addressed.address, new.received_at))
        if addressed.exposed:
            self.exposed.setdefault(addressed.address, new.received_at)
        return number
