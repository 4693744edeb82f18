"""Where mails and verdicts are kept (``ports.Archive``): one writer thread, many mails in a commit.

Nobody waits for a timer: a transaction takes whatever queued while the last one was committed, up to ``MAX_MAILS``
and ``MAX_BYTES``. ``keep`` and ``enter`` return after the commit. A transaction that fails is done again mail by mail,
so that one bad mail harms no other; a mail that fails again gets ``Deferred``. Whoever waited 30 s gets
``Deferred(STORE_DOWN)`` too; if the mail is committed after all, its next try is met as a duplicate.

Mails over 1 MiB are written ahead in pieces by the calling thread (``store.uploads``); smaller ones too that came
attached to one, where all of them together would fill a transaction.

On SQLite the thread pauses 2 ms between transactions that follow each other at once, or another process would hardly
ever get its turn to write.

Limits: make one after any fork, and ``close`` it; counts of strangers that were not written yet are lost in a crash.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from mailgate import events
from mailgate.domain.activity import NewMail
from mailgate.domain.ledger import LedgerEntry, Verdict
from mailgate.domain.record import RecordRef
from mailgate.errors import Deferred, Reason
from mailgate.ports import Done, Kept
from mailgate.store import keeping, uploads
from mailgate.store.database import Database, is_transient
from mailgate.store.identifiers import new_id
from mailgate.store.ledger_rows import Bucket, row_of, write_counts, write_rows
from mailgate.store.orders import BytesGone, Order, Unkeepable, is_kept
from mailgate.store.trouble import told
from mailgate.store.uploads import raw_bytes

__all__ = ["Archive", "raw_bytes"]

MAX_MAILS = 100
MAX_BYTES = 4 << 20  # of small mails
SMALL = 64 << 10  # bytes; of 100 attached to one, these are a transaction
MAX_BUCKETS = 10_000  # counts held while the store is down
PATIENCE = 30.0  # seconds
PAUSE = 0.002  # seconds
FLUSH = 1.0  # seconds until counts are written although no mail comes
SWEEP = 3600.0  # seconds
TRY_AGAIN = 10.0  # seconds until counts are tried again that the store didn't take
TRIES = 4

_Result = TypeVar("_Result")
_Answer = SimpleQueue[Sequence[Kept] | Exception]


@dataclass(eq=False, slots=True)
class _Errand:
    """One mail, or the entries of one that was not kept, on its way through the writer, which tells of it in the end.

    After ``until`` (``time.monotonic``) nobody waits for it any more: it isn't begun.
    """

    tell: Done[Kept]
    until: float
    order: Order | None = None
    entries: tuple[LedgerEntry, ...] = ()
    done: bool = False

    @property
    def size(self) -> int:
        """What it adds to a transaction, in bytes."""
        return self.order.size if self.order is not None else 0

    @property
    def is_late(self) -> bool:
        """Whether nobody waits any more."""
        return time.monotonic() > self.until

    def end(self, found: Sequence[Kept] | Exception) -> None:
        """Tell what became of it."""
        self.done = True
        try:
            self.tell(found)
        except Exception as bug:  # noqa: BLE001 - others wait for theirs
            events.surprise("archive", bug)


class Archive:
    """The archive of one process. ``patience`` is in seconds."""

    def __init__(self, database: Database, *, patience: float = PATIENCE) -> None:
        self._database = database
        self._patience = patience
        self._errands: deque[_Errand] = deque()
        self._counts: dict[Bucket, int] = {}
        self._wake = threading.Condition()
        self._closed = False
        self._flush_at = 0.0
        self._next_sweep = 0.0
        self._thread = threading.Thread(target=self._work, name="archive", daemon=True)
        self._thread.start()

    def keep(self, new: NewMail) -> Sequence[Kept]:
        """Keep a mail once per record; ``Deferred`` where it can't be said that it is kept."""
        for _ in range(TRIES):
            try:
                return self._keep(new)
            except BytesGone:
                continue
        raise Deferred(Reason.STORE_DOWN)

    def keep_soon(self, new: NewMail, done: Done[Kept]) -> None:
        """Keep a mail, and tell ``done`` afterwards. Waits only for what has to be written ahead."""
        if _ahead(new):
            done(self._tried(new))
        else:
            self._queue(self._errand(done, order=Order.of(new)))

    def met(self, record: RecordRef, identity: str, known_as: str | None = None) -> Reason | None:
        """Say whether this mail came to this record before, and was deleted since."""
        with told(self._database), self._database.read() as connection:
            return keeping.met(connection, record, identity, known_as)

    def enter(self, entries: Sequence[LedgerEntry]) -> Sequence[str]:
        """Write ledger rows and return their ids."""
        named = _named(entries)
        if named:
            answer = _Answer()
            self._wait(self._errand(answer.put, entries=named), answer)
        return [entry.id for entry in named]

    def enter_soon(self, entries: Sequence[LedgerEntry], done: Done[str]) -> None:
        """Write ledger rows, and tell ``done`` their ids afterwards."""
        named = _named(entries)
        ids = [entry.id for entry in named]
        if not named:
            done(ids)
            return

        def tell(found: Sequence[Kept] | Exception) -> None:
            done(found if isinstance(found, Exception) else ids)

        self._queue(self._errand(tell, entries=named))

    def count(self, *, relay: str, reason: Reason, verdict: Verdict, at: datetime) -> None:
        """Add one to a bounded row; it is written with the next commit."""
        bucket = Bucket.of(relay=relay, reason=reason, verdict=verdict, at=at)
        with self._wake:
            if not self._counts:
                self._flush_at = time.monotonic() + FLUSH
            self._counts[bucket] = self._counts.get(bucket, 0) + 1
            self._wake.notify()

    def close(self) -> None:
        """Finish what is queued; whatever comes afterwards is deferred."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    # -- in the threads of those who ask ----------------------------------------------------------------------------

    def _keep(self, new: NewMail) -> Sequence[Kept]:
        written: dict[str, str] = {}
        errand: _Errand | None = None
        answer = _Answer()
        try:
            self._write_ahead(new, written)
            errand = self._errand(answer.put, order=Order.of(new, written))
            return self._wait(errand, answer)
        finally:
            # a big mail that was there already; while its commit is open, an upload can be claimed still
            if errand is None or errand.done:
                self._discard(written.values())

    def _tried(self, new: NewMail) -> Sequence[Kept] | Exception:
        try:
            return self.keep(new)
        except Deferred as down:
            return down

    def _write_ahead(self, new: NewMail, written: dict[str, str]) -> None:
        """Write what is big, each mail once, and put down the uploads by SHA-256."""
        for each in _ahead(new):
            if each.raw_sha256 in written:
                continue
            with told(self._database):
                if not uploads.is_there(self._database, bytes.fromhex(each.raw_sha256)):
                    written[each.raw_sha256] = uploads.write_ahead(self._database, each.raw)

    def _discard(self, written: Iterable[str]) -> None:
        for upload in written:
            try:
                uploads.discard(self._database, upload)
            except Deferred as error:
                events.store_trouble(self._database.kind, error)  # the sweep will find it

    def _errand(self, tell: Done[Kept], order: Order | None = None, entries: tuple[LedgerEntry, ...] = ()) -> _Errand:
        return _Errand(tell=tell, until=time.monotonic() + self._patience, order=order, entries=entries)

    def _queue(self, errand: _Errand) -> None:
        with self._wake:
            if not self._closed:
                self._errands.append(errand)
                self._wake.notify()
                return
        errand.end(Deferred(Reason.STORE_DOWN))

    def _wait(self, errand: _Errand, answer: _Answer) -> Sequence[Kept]:
        self._queue(errand)
        try:
            found = answer.get(timeout=self._patience)
        except Empty:
            raise Deferred(Reason.STORE_DOWN) from None
        if isinstance(found, Exception):
            raise found
        return found

    # -- in the writer's thread -------------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            self._sweep()
            with self._wake:
                self._rest()
                batch, counts = self._take()
                if self._closed and not batch and not counts:
                    return
            self._commit(batch, counts)
            if self._errands and self._database.kind == "sqlite":
                time.sleep(PAUSE)

    def _rest(self) -> None:
        while not self._errands and not self._closed:
            until = min(self._next_sweep, self._flush_at) if self._counts else self._next_sweep
            seconds = until - time.monotonic()
            if seconds <= 0:
                return
            self._wake.wait(seconds)

    def _take(self) -> tuple[list[_Errand], dict[Bucket, int]]:
        batch: list[_Errand] = []
        size = 0
        while self._errands and len(batch) < MAX_MAILS and size < MAX_BYTES:
            errand = self._errands.popleft()
            size += errand.size
            batch.append(errand)
        counts, self._counts = self._counts, {}
        return batch, counts

    def _commit(self, taken: Sequence[_Errand], counts: dict[Bucket, int]) -> None:
        batch = [errand for errand in taken if not _ended_late(errand)]
        if not batch and not counts:
            return
        try:
            self._write(batch, counts)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            if not batch:
                self._put_back(counts)
                self._tell(error)
                return
            # one mail may have spoilt it for all, so each is tried alone
            for errand in batch:
                self._commit_alone(errand)
            self._commit((), counts)

    def _commit_alone(self, errand: _Errand) -> None:
        if _ended_late(errand):
            return
        try:
            self._write([errand], {})
        except Exception as error:  # noqa: BLE001 - the same
            self._tell(error)
            errand.end(error if isinstance(error, Deferred | BytesGone) else Deferred(Reason.STORE_DOWN))

    def _write(self, batch: Sequence[_Errand], counts: dict[Bucket, int]) -> None:
        def statements(connection: Connection) -> list[tuple[Kept, ...]]:
            kept = keeping.keep(connection, orders) if orders else []
            write_rows(connection, [row_of(entry) for errand in batch for entry in errand.entries])
            write_counts(connection, counts)
            return kept

        orders = [errand.order for errand in batch if errand.order is not None]
        kept = self._transact(statements)
        if orders:
            events.committed(len(orders))
        events.store_state(self._database.kind, up=True)
        results = iter(kept)
        for errand in batch:
            errand.end(next(results) if errand.order is not None else ())

    def _transact(self, work: Callable[[Connection], _Result]) -> _Result:
        for tried in range(1, TRIES):
            try:
                with self._database.write() as connection:
                    return work(connection)
            except Deferred as error:
                if not is_transient(error):
                    raise
            except IntegrityError:
                if tried > 1:
                    raise
            time.sleep(random.uniform(0, 0.01 * tried))  # noqa: S311 - no secret: two who met shall not meet again
        with self._database.write() as connection:
            return work(connection)

    def _tell(self, error: Exception) -> None:
        if isinstance(error, Deferred):
            events.store_trouble(self._database.kind, error.__cause__ or error)
        elif not isinstance(error, Unkeepable):
            events.surprise("archive", error)

    def _put_back(self, counts: dict[Bucket, int]) -> None:
        with self._wake:
            if self._closed:
                return
            self._flush_at = time.monotonic() + TRY_AGAIN
            for bucket, number in counts.items():
                if bucket in self._counts or len(self._counts) < MAX_BUCKETS:
                    self._counts[bucket] = self._counts.get(bucket, 0) + number

    def _sweep(self) -> None:
        if time.monotonic() < self._next_sweep:
            return
        self._next_sweep = time.monotonic() + SWEEP
        try:
            with told(self._database):
                uploads.sweep(self._database, datetime.now(UTC))
        except Deferred:
            self._next_sweep = time.monotonic() + SWEEP / 60


def _ended_late(errand: _Errand) -> bool:
    if errand.is_late:
        errand.end(Deferred(Reason.STORE_DOWN))
        return True
    return False


def _named(entries: Sequence[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    return tuple(replace(entry, id=new_id()) for entry in entries)


def _ahead(new: NewMail) -> list[NewMail]:
    """Give the mails of an order whose bytes are written before its transaction."""
    mails = [new] if is_kept(new) else []
    mails += [each for one in new.activities for each in one.attached]
    big = SMALL if len(mails) > 1 and sum(len(each.raw) for each in mails) > MAX_BYTES else uploads.PIECE
    return [each for each in mails if len(each.raw) > big]
