"""Imports of users and records from CSV files (``store.sheet``): one outcome per row, and a bad row stops nothing else.

An existing key is updated, an empty cell leaves the value, ``|`` stands between several values and alone takes all of
them away. At most 500 rows share a transaction; what a row says is done wholly or not at all. A dry run tells the same
outcomes and writes nothing, without holding a lock.

A record may name others that stand further down: such rows wait until the file was read once and come last among the
outcomes; two more passes add the records, then what they name. A row whose target is neither there nor anywhere in
the file fails, and so do those that wait for it.

Raises ``BadInput`` for a file without the right header, before any row. Limits: a few hundred bytes of memory per row
that waits, and for users in a dry run per user; a file must not change while it is read.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import BinaryIO, Generic, TypeVar

from sqlalchemy import Connection

from mailgate.domain.entry import Done, RecordEntry, RowOutcome, UserEntry
from mailgate.domain.record import Edition, RecordRef
from mailgate.errors import BadInput, NotFound
from mailgate.store import again, register, users
from mailgate.store.audit import utc_now
from mailgate.store.database import Database
from mailgate.store.records import Records
from mailgate.store.register import Known, RecordChange, StoredRecord
from mailgate.store.sheet import Sheet, SheetRow
from mailgate.store.users import StoredUser, UserChange, Users
from mailgate.store.waiting import Waiting

USER_COLUMNS = ("email", "name", "kind", "language", "roles", "aliases")
RECORD_COLUMNS = ("record", "name", "language", "state", "email", "relate", "contact", "user")
CHUNK = 500

_Entry = TypeVar("_Entry", UserEntry, RecordEntry)
_NEW = -1  # key of what will be there once the transaction is done


class Imports:
    """Reads files over into the register of an instance."""

    def __init__(
        self, database: Database, users: Users, records: Records, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self._domain = users.domain
        self._edition = records.edition
        self._now = now

    def users(self, file: BinaryIO, *, actor: str, dry_run: bool = False) -> Iterator[RowOutcome]:
        """Import users; roles and aliases that are given replace those that are there."""
        sheet = Sheet(file, USER_COLUMNS, "email")
        return _UserImport(self._writer(actor, dry_run=dry_run), self._domain).run(sheet)

    def records(self, file: BinaryIO, *, actor: str, dry_run: bool = False) -> Iterator[RowOutcome]:
        """Import records; lists that are given replace those that are there."""
        sheet = Sheet(file, RECORD_COLUMNS, "record")
        return _RecordImport(self._writer(actor, dry_run=dry_run), self._edition).run(sheet)

    def _writer(self, actor: str, *, dry_run: bool) -> "_Writer":
        return _Writer(self._database, actor, self._now, dry_run)


@dataclass(frozen=True, slots=True)
class _Writer:
    """How a chunk is done: in a transaction, or read only."""

    database: Database
    actor: str
    now: Callable[[], datetime]
    dry_run: bool

    def do(self, work: "Callable[[Connection], _Result]") -> "_Result":
        if self.dry_run:
            with self.database.read() as connection:
                return work(connection)
        return again.write(self.database, work)


_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class _Judged(Generic[_Entry]):
    """A row that could be read, or why not."""

    row: int
    key: str
    entry: _Entry | None = None
    error: str | None = None

    def came_to(self, done: Done) -> RowOutcome:
        return RowOutcome(row=self.row, key=self.key, outcome=done)

    def failed(self, error: object) -> RowOutcome:
        return RowOutcome(row=self.row, key=self.key, outcome=Done.FAILED, error=str(error))


def _judged(
    rows: Iterator[SheetRow], key: str, read: Callable[[Mapping[str, str]], _Entry]
) -> Iterator[_Judged[_Entry]]:
    for row in rows:
        name = row.cells.get(key, "")
        if row.error:
            yield _Judged(row.number, name, error=row.error)
            continue
        try:
            yield _Judged(row.number, name, read(row.cells))
        except BadInput as error:
            yield _Judged(row.number, name, error=str(error))


def _chunks(
    rows: Iterator[_Judged[_Entry]], touched: Callable[[_Entry], Collection[object]]
) -> Iterator[list[_Judged[_Entry]]]:
    """Cut rows into chunks in none of which anything is touched twice, so that each sees what came before."""
    chunk: list[_Judged[_Entry]] = []
    seen: set[object] = set()
    for row in rows:
        now = touched(row.entry) if row.entry else ()
        if len(chunk) == CHUNK or not seen.isdisjoint(now):
            yield chunk
            chunk, seen = [], set()
        chunk.append(row)
        seen.update(now)
    if chunk:
        yield chunk


def _done(*, new: bool, changed: Sequence[str]) -> Done:
    if new:
        return Done.ADDED
    return Done.CHANGED if changed else Done.UNCHANGED


def _cell(cells: Mapping[str, str], column: str) -> str | None:
    return cells.get(column) or None


def _values(cells: Mapping[str, str], column: str) -> list[str] | None:
    text = _cell(cells, column)
    return None if text is None else [value.strip() for value in text.split("|") if value.strip()]


# -- users ----------------------------------------------------------------------------------------------------------


def _read_user(cells: Mapping[str, str]) -> UserEntry:
    return UserEntry.read(
        cells["email"],
        name=_cell(cells, "name"),
        kind=_cell(cells, "kind"),
        language=_cell(cells, "language"),
        roles=_values(cells, "roles"),
        aliases=_values(cells, "aliases"),
    )


@dataclass(slots=True)
class _UserImport:
    """One import of users. ``dry`` holds who would own which address by now."""

    writer: _Writer
    domain: str
    dry: dict[str, StoredUser | None] = field(default_factory=dict)

    def run(self, sheet: Sheet) -> Iterator[RowOutcome]:
        for chunk in _chunks(_judged(sheet.rows(), "email", _read_user), users.addresses_of):
            yield from self.writer.do(lambda connection, rows=chunk: self._chunk(connection, rows))  # type: ignore[misc]  # mypy can't infer a lambda with a default

    def _chunk(self, connection: Connection, rows: Sequence[_Judged[UserEntry]]) -> list[RowOutcome]:
        emails = {email for row in rows if row.entry for email in users.addresses_of(row.entry)}
        owners: dict[str, StoredUser | None] = {**users.load(connection, emails), **self.dry}
        changes: list[UserChange] = []
        outcomes = [self._row(connection, row, owners, changes) for row in rows]
        if not self.writer.dry_run:
            users.save(connection, changes, self.writer.actor, self.writer.now())
        return outcomes

    def _row(
        self,
        connection: Connection,
        row: _Judged[UserEntry],
        owners: dict[str, StoredUser | None],
        changes: list[UserChange],
    ) -> RowOutcome:
        if row.entry is None:
            return row.failed(row.error)
        try:
            change = users.plan(
                row.entry,
                {email: owner for email in users.addresses_of(row.entry) if (owner := owners.get(email))},
                self.domain,
            )
            users.check_kind(connection, change)
        except BadInput as error:
            return row.failed(error)
        changes.append(change)
        moved = _owners_after(change)
        owners.update(moved)
        if self.writer.dry_run:
            self.dry.update(moved)
        return row.came_to(_done(new=change.before is None, changed=change.changed))


def _owners_after(change: UserChange) -> dict[str, StoredUser | None]:
    before = change.before.user if change.before else None
    left: dict[str, StoredUser | None] = dict.fromkeys(before.aliases if before else ())
    now = StoredUser(change.before.id if change.before else _NEW, change.after)
    return left | dict.fromkeys((change.after.email, *change.after.aliases), now)


# -- records --------------------------------------------------------------------------------------------------------


def _read_record(cells: Mapping[str, str]) -> RecordEntry:
    return RecordEntry.read(
        cells["record"],
        name=_cell(cells, "name"),
        language=_cell(cells, "language"),
        state=_cell(cells, "state"),
        email=_values(cells, "email"),
        relate=_values(cells, "relate"),
        contact=_values(cells, "contact"),
        user=_values(cells, "user"),
    )


@dataclass(slots=True)
class _RecordImport:
    """One import of records.

    ``added`` are the records that were, or in a dry run would be, added, as hashes. ``dry`` holds what a dry run would
    have made of those records that stand in the file more than once (``repeated``, as hashes).
    """

    writer: _Writer
    edition: Edition
    waiting: Waiting = field(default_factory=Waiting)
    added: set[int] = field(default_factory=set)
    repeated: set[int] = field(default_factory=set)
    dry: dict[RecordRef, StoredRecord] = field(default_factory=dict)

    def run(self, sheet: Sheet) -> Iterator[RowOutcome]:
        if self.writer.dry_run:
            self._find_repeated(sheet)
        for chunk in self._chunks(sheet):
            outcomes, waiting = self._do(chunk, may_wait=True)
            self.waiting.add(waiting)
            yield from outcomes
        if not self.waiting:
            return
        begun: set[int] = set()
        hopeful = self.waiting.hopeful(self.added)
        for chunk in self._chunks(sheet, hopeful):
            begun |= self._begin(chunk)
        for chunk in self._chunks(sheet, self.waiting):
            outcomes, _ = self._do(chunk, may_wait=False)
            yield from (
                replace(one, outcome=Done.ADDED) if one.row in begun and not one.error else one for one in outcomes
            )

    def _chunks(self, sheet: Sheet, only: Collection[int] | None = None) -> Iterator[list[_Judged[RecordEntry]]]:
        rows = _judged(sheet.rows(), "record", _read_record)
        wanted = rows if only is None else (row for row in rows if row.row in only)
        return _chunks(wanted, lambda entry: (entry.record,))

    def _find_repeated(self, sheet: Sheet) -> None:
        seen: set[int] = set()
        for row in _judged(sheet.rows(), "record", _read_record):
            if row.entry:
                number = hash(row.entry.record)
                (self.repeated if number in seen else seen).add(number)

    def _begin(self, rows: Sequence[_Judged[RecordEntry]]) -> set[int]:
        """Add the new records among these without what they name; say which rows those were."""
        bare = [
            replace(row, entry=replace(row.entry, relations=None, contacts=None, users=None))
            for row in rows
            if row.entry
        ]
        begun, _ = self._do(bare, may_wait=False, only_new=True)
        return {one.row for one in begun if one.outcome is Done.ADDED}

    def _do(
        self, rows: Sequence[_Judged[RecordEntry]], *, may_wait: bool, only_new: bool = False
    ) -> tuple[list[RowOutcome], list["_Wait"]]:
        done = self.writer.do(lambda connection: self._chunk(connection, rows, may_wait=may_wait, only_new=only_new))
        # only now: a chunk that lost against another writer is done again
        for change in done.changes:
            number = hash(change.after.record)
            if change.before is None:
                self.added.add(number)
            if number in self.repeated:
                self.dry[change.after.record] = StoredRecord(change.before.id if change.before else _NEW, change.after)
        return done.outcomes, done.waiting

    def _chunk(
        self, connection: Connection, rows: Sequence[_Judged[RecordEntry]], *, may_wait: bool, only_new: bool
    ) -> "_ChunkDone":
        entries = [row.entry for row in rows if row.entry]
        stored = {**register.load(connection, [entry.record for entry in entries]), **self.dry}
        found = register.known(connection, entries)
        done = _ChunkDone(dict(found.records))
        if self.writer.dry_run:
            named = {ref for entry in entries for ref in entry.named_records()}
            done.there.update({ref: _NEW for ref in named if ref not in done.there and hash(ref) in self.added})
        for row in rows:
            if only_new and row.entry and row.entry.record in stored:
                continue
            self._row(row, stored, Known(done.there, found.users), done, may_wait=may_wait)
        if not self.writer.dry_run:
            register.save(
                connection, done.changes, Known(done.there, found.users), self.writer.actor, self.writer.now()
            )
        return done

    def _row(
        self,
        row: _Judged[RecordEntry],
        stored: Mapping[RecordRef, StoredRecord],
        found: Known,
        done: "_ChunkDone",
        *,
        may_wait: bool,
    ) -> None:
        if row.entry is None:
            done.outcomes.append(row.failed(row.error))
            return
        number = hash(row.entry.record)
        if may_wait and self.waiting.about(number):
            done.waiting.append((row.row, number, ()))  # after the row before it, so that the last one counts
            return
        missing = [ref for ref in row.entry.named_records() if ref not in found.records]
        waits = may_wait and bool(missing)
        # a row that waits is judged without what it waits for: what else is wrong with it is wrong now
        judged = replace(row.entry, relations=None, contacts=None) if waits else row.entry
        try:
            change = register.plan(judged, stored.get(row.entry.record), found, self.edition)
        except (BadInput, NotFound) as error:
            done.outcomes.append(row.failed(error))
            return
        if waits:
            done.waiting.append((row.row, number, tuple(map(hash, missing))))
            return
        done.changes.append(change)
        done.there.setdefault(row.entry.record, _NEW)
        done.outcomes.append(row.came_to(_done(new=change.before is None, changed=change.changed)))


_Wait = tuple[int, int, tuple[int, ...]]


@dataclass(slots=True)
class _ChunkDone:
    """What came of a chunk. ``there`` holds the records that rows may name; those of the same chunk have no key yet."""

    there: dict[RecordRef, int]
    outcomes: list[RowOutcome] = field(default_factory=list)
    waiting: list[_Wait] = field(default_factory=list)
    changes: list[RecordChange] = field(default_factory=list)
