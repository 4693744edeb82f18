"""The ports in memory, for tests of what stands before the store; ``tests/contract`` holds them to its promises."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from mailgate.domain.activity import Activity, ActivityType, Known, NewMail, Origin, Side
from mailgate.domain.content import Content, in_order, joined
from mailgate.domain.ledger import LedgerEntry, Verdict
from mailgate.domain.mail import Document, Mail, Note
from mailgate.domain.notice import NewNotice
from mailgate.domain.pending import PendingSender, WaitingMail
from mailgate.domain.proof import Authorship, Evidence
from mailgate.domain.record import Record, RecordKind, RecordRef
from mailgate.domain.user import Language, User
from mailgate.errors import BadInput, Deferred, NotFound, Reason
from mailgate.ports import Done, FoundAddress, Kept, KeptNotice, MetNotice
from mailgate.store.identifiers import new_id
from tests.worlds import World

PERSONS = (RecordKind.CONTACT, RecordKind.LEAD)
T = TypeVar("T")
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
        step = self.nearest(seen_from, email)
        if not step:
            return None
        near = any(step & each for each in self._steps(seen_from))
        alone = len(step) == 1
        return Known(Side.EXTERNAL, record=min(step, key=str) if alone else None, ambiguous=not alone, near=near)

    def nearest(self, seen_from: RecordRef, email: str) -> set[RecordRef]:
        """The persons with this address at the nearest step that has any."""
        having = {
            record.record for record in self.world.records if email in record.email and record.record.kind in PERSONS
        }
        return next((having & step for step in (*self._steps(seen_from), having) if having & step), set())

    def clients_of(self, ref: RecordRef) -> set[RecordRef]:
        """Its customer, intermediary and agency, and the customers that name it."""
        own = [record for record in self.world.records if record.record == ref]
        return self._naming(ref) | {
            related.record for record in own for related in record.relations if related.role in CLIENT_ROLES
        }

    def customers_of(self, person: RecordRef) -> set[RecordRef]:
        """The customers that it names, and those that name it."""
        own = [record for record in self.world.records if record.record == person]
        return self._naming(person) | {
            related.record for record in own for related in record.relations if related.role == CLIENT_ROLES[0]
        }

    def _naming(self, ref: RecordRef) -> set[RecordRef]:
        return {
            record.record
            for record in self.world.records
            if record.record.kind is RecordKind.CUSTOMER and ref in {each.record for each in record.contacts}
        }

    def _steps(self, seen_from: RecordRef) -> Sequence[set[RecordRef]]:
        clients = self.clients_of(seen_from)
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
class FakeAuthenticator:
    """``ports.Authenticator``: finds ``evidence`` for every said, and remembers what was claimed."""

    evidence: Evidence = field(default_factory=Evidence)
    asked: list[Authorship] = field(default_factory=list)

    def examine(self, said: Authorship) -> Evidence:
        self.asked.append(said)
        return self.evidence


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
            return [self._keep_with_attached(new, n) for n in range(len(new.activities))]

    def keep_soon(self, new: NewMail, done: Done[Kept]) -> None:
        done(_tried(lambda: self.keep(new)))

    def met(self, record: RecordRef, identity: str, known_as: str | None = None) -> Reason | None:
        self._fail()
        known = self._receipt(record, identity, known_as)
        if known is None:
            return None
        return Reason.DUPLICATE if known.state == "kept" else Reason.DELETED

    def enter(self, entries: Sequence[LedgerEntry]) -> Sequence[str]:
        self._fail()
        named = [replace(entry, id=new_id()) for entry in entries]
        self.ledger.extend(named)
        return [entry.id for entry in named]

    def enter_soon(self, entries: Sequence[LedgerEntry], done: Done[str]) -> None:
        done(_tried(lambda: self.enter(entries)))

    def count(self, *, relay: str, reason: Reason, verdict: Verdict, at: datetime) -> None:
        with self.lock:
            self.counts[(relay, reason, verdict, at.replace(second=0, microsecond=0))] += 1

    def delete(self, activity: str, state: str = "deleted") -> None:
        del self.activities[activity]
        next(each for each in self.receipts.values() if each.activity == activity).state = state

    def _fail(self) -> None:
        if self.failing is not None:
            raise Deferred(self.failing)

    def _keep_with_attached(self, new: NewMail, n: int) -> Kept:
        addressed = new.activities[n]
        own = [self._keep(new, n)] if addressed.says_anything else []
        attached = [self._keep(each, 0) for each in addressed.attached]
        activity = next((part.activity for part in (*own, *attached) if part.activity), None)
        is_new = any(part.verdict is Verdict.KEPT for part in (*own, *attached))
        whole = Kept(
            verdict=Verdict.KEPT if is_new else Verdict.DUPLICATE,
            reason=None if is_new else Reason.DUPLICATE if activity else Reason.DELETED,
            ledger_id=new_id(),
            activity=activity,
        )
        self._tell(new, addressed.record, whole)
        for each, part in zip(addressed.attached, attached, strict=True):
            self._tell(each, addressed.record, part)
        return whole

    def _keep(self, new: NewMail, n: int) -> Kept:
        record = new.activities[n].record
        known = self._receipt(record, new.identity, new.known_as)
        ledger_id = new_id()
        if known is None:
            return Kept(verdict=Verdict.KEPT, reason=None, ledger_id=ledger_id, activity=self._write(new, n))
        if known.state == "kept":
            return Kept(
                verdict=Verdict.DUPLICATE, reason=Reason.DUPLICATE, ledger_id=ledger_id, activity=known.activity
            )
        return Kept(verdict=Verdict.DUPLICATE, reason=Reason.DELETED, ledger_id=ledger_id, activity=None)

    def _receipt(self, record: RecordRef, *names: str | None) -> FakeReceipt | None:
        found = [self.receipts[record, name] for name in names if name and (record, name) in self.receipts]
        return next((each for each in found if each.state == "kept"), found[0] if found else None)

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
                author=new.author or None,
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


def _tried(work: Callable[[], Sequence[T]]) -> Sequence[T] | Exception:
    try:
        return work()
    except Deferred as down:
        return down


@dataclass(slots=True)
class FakePendingSenders:
    """``ports.PendingSenders`` over a world; ``failing`` makes every question end with that reason."""

    world: World
    entries: dict[tuple[str, str, str, str], PendingSender] = field(default_factory=dict)
    failing: Reason | None = None
    asked: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, mails: Sequence[WaitingMail]) -> None:
        self._fail()
        with self.lock:
            for mail in mails:
                self._wait(mail)

    def waiting(self, *, relay: str, sender: str, address: str, at: datetime) -> Sequence[PendingSender]:  # noqa: ARG002 - ages are the store's matter
        self.asked += 1
        self._fail()
        users = {email for user in self.world.users for email in (user.email, *user.aliases)}
        return [
            entry
            for key, entry in sorted(self.entries.items())
            if key[:3] == (address, relay, sender) and entry.email not in users
        ]

    def _wait(self, mail: WaitingMail) -> None:
        found = [each.record for each in self.world.addresses if each.address == mail.address]
        if not found:
            return
        key = (mail.address, mail.relay, mail.sender, mail.author)
        new = PendingSender(
            email=mail.author,
            relay=mail.relay,
            envelope_from=mail.sender,
            record=found[0],
            queue_id=mail.queue_id,
            tries=0,
            first_at=mail.at,
            last_at=mail.at,
        )
        known = self.entries.get(key, new)
        self.entries[key] = replace(
            known,
            queue_id=known.queue_id or mail.queue_id,
            tries=known.tries + 1,
            last_at=max(known.last_at, mail.at),
        )

    def _fail(self) -> None:
        if self.failing is not None:
            raise Deferred(self.failing)


class FakeSpeakers:
    """``ports.Speakers`` over a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._directory = FakeDirectory(world)

    def users(self, emails: Collection[str]) -> Mapping[str, Language | None]:
        found = {email: self._directory.find_user(email) for email in emails}
        return {email: user.language for email, user in found.items() if user is not None}

    def contacts(self, record: RecordRef, emails: Collection[str]) -> Mapping[str, Language]:
        found = {email: self._of(record, email) for email in emails}
        return {email: language for email, language in found.items() if language is not None}

    def language(self, record: RecordRef) -> Language | None:
        return self._set_on(self._record(record))

    def _record(self, ref: RecordRef) -> Record:
        for record in self.world.records:
            if record.record == ref:
                return record
        raise NotFound(f"no record {ref}")

    def _set_on(self, record: Record) -> Language | None:
        return Language(record.language) if record.language else None

    def _of(self, seen_from: RecordRef, email: str) -> Language | None:
        persons = self._directory.nearest(seen_from, email)
        own = {self._set_on(self._record(person)) for person in persons} - {None}
        if not own:
            customers = set().union(*(self._directory.customers_of(person) for person in persons))
            near = customers & self._directory.clients_of(seen_from)
            own = {self._set_on(self._record(customer)) for customer in near or customers} - {None}
        return own.pop() if len(own) == 1 else None


@dataclass(slots=True)
class FakeNotices:
    """``ports.Notices`` over a world; ``tasks`` by id are their record and topic, ``None`` for it once gone."""

    world: World
    activities: dict[str, Activity] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    receipts: dict[tuple[RecordRef, str], FakeReceipt] = field(default_factory=dict)
    tasks: dict[str, tuple[RecordRef, str | None]] = field(default_factory=dict)
    kept: list[NewNotice] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def met(self, record: RecordRef, message_id: str, fingerprints: Collection[str]) -> Sequence[MetNotice]:
        return [
            MetNotice(self.fingerprints[number], found)
            for number, found in sorted(self.activities.items())
            if (found.record, found.message_id) == (record, message_id) and self.fingerprints[number] in fingerprints
        ]

    def keep(self, new: NewNotice) -> KeptNotice:
        with self.lock:
            if new.record not in {record.record for record in self.world.records}:
                raise NotFound(f"no record {new.record}")
            known = self.receipts.get((new.record, new.identity))
            if known is None:
                return KeptNotice(self._write(new), again=False)
            if known.state != "kept":
                raise BadInput(f"{new.message_id} was {known.state}: it is not logged again")
            if self.fingerprints[known.activity] != new.fingerprint:
                raise BadInput(f"{new.message_id} is logged with other content")
            return KeptNotice(self.activities[known.activity], again=True)

    def task_topic(self, on: RecordRef, task: str) -> str:
        if task not in self.tasks:
            raise NotFound(f"no activity {task}")
        lies_on, topic = self.tasks[task]
        if lies_on != on:
            raise BadInput(f"task: {task} is no task on {on}")
        return topic or "other"

    def delete(self, activity: str, state: str = "deleted") -> None:
        del self.activities[activity]
        next(each for each in self.receipts.values() if each.activity == activity).state = state

    def _write(self, new: NewNotice) -> Activity:
        if new.triggered_by not in {user.email for user in self.world.users}:
            raise NotFound(f"no user {new.triggered_by}")
        number = new_id()
        read = new.finished.mail if new.finished else None
        content = dict.fromkeys(new.content, _words_of(read)) if read else in_order(new.content)
        whole = _words_of(read) if read else joined(content)
        self.activities[number] = made = Activity(
            id=number,
            record=new.record,
            type=ActivityType.EMAIL,
            topic=new.topic,
            origin=Origin.SYSTEM,
            read_only=True,
            subject=whole.subject,
            text=whole.text,
            html=whole.html,
            languages=tuple(one.value for one in content),
            content={one.value: words for one, words in content.items()},
            sent_languages={
                email: tuple(one.value for one in found) for email, found in sorted(new.sent_languages.items()) if found
            },
            occurred_at=new.occurred_at,
            recorded_at=new.recorded_at,
            recorder=new.triggered_by,
            participants=new.participants,
            documents=read.documents if read else _documents_of(new),
            links=(*(read.links if read else ()), *new.links),
            message_id=new.message_id,
            raw_sha256=new.finished.raw_sha256 if new.finished else None,
            raw_size=len(new.finished.raw) if new.finished else None,
            notes=(*(read.notes if read else ()), *new.notes),
        )
        self.kept.append(new)
        self.fingerprints[number] = new.fingerprint
        self.receipts[(new.record, new.identity)] = FakeReceipt("kept", number)
        return made


def _words_of(mail: Mail) -> Content:
    return Content(mail.subject, mail.text, mail.html)


def _documents_of(new: NewNotice) -> tuple[Document, ...]:
    return tuple(
        Document(n=n, name=one.name, type=one.type, size=len(one.content), sha256=one.sha256)
        for n, one in enumerate(new.documents, start=1)
    )
