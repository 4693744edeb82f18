"""Reading kept mails again: what was read by an older reader is replaced, under the next version.

The bytes of a mail are fetched and read while nothing is held. One short transaction then holds the mail with its
activities, sees that its reading is still the one that was looked at, writes what was read anew, moves the pointer, has
the activities follow (``store.following``) and takes the former reading away: the raw bytes are the record, and two
bodies of each mail would double a store. Where nothing changed, the reading is only marked as this reader's. So it may
be killed at any moment, and goes on where it was; two at once share the work or do it twice to the same end.

A mail that can't be read now keeps what was read before, if that was more. Behind each transaction it rests as long as
that took, so that mails that come in get at least half of the store; on SQLite at least as long as the archive does,
for there a process that waits for its turn looks only now and then.

Never touched: raw bytes, identities, receipts, the ledger, whoever recorded, when, and the topic. Old readings are
found by an index of their readers, 100 at a time. Limits: with ``again``, or a note, a run that was interrupted begins
anew. A process of an older version that takes mails meanwhile leaves readings that a next run finds.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update

from mailgate.domain.mail import CODES, Mail
from mailgate.domain.rereading import MailReread, Reread, RereadWish
from mailgate.errors import BadInput, Deferred, NotFound, Reason
from mailgate.mime import READER_VERSION
from mailgate.ports import Reader
from mailgate.store import again, following
from mailgate.store.content import delete_reading, is_read_so, write_readings
from mailgate.store.database import Database
from mailgate.store.identifiers import new_id
from mailgate.store.tables import activity, activity_note, mail, reading, reading_note
from mailgate.store.uploads import raw_bytes

PAGE = 100  # readings looked at together
REST = 0.002  # seconds, at least
REST_AT_MOST = 1.0
TRIES = 5
UNREADABLE = "unreadable"

_FIRST = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class _Reading:
    """The reading of a mail as it was found."""

    id: str
    sha256: bytes
    version: int
    reader: int


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The readings of one reader up to one of them."""

    reader: int
    last: str


class Rereading:
    """Reads the kept mails of an instance again. ``domain`` is that of the record addresses, folded."""

    def __init__(
        self, database: Database, domain: str, reader: Reader, rest: Callable[[float], None] = time.sleep
    ) -> None:
        self._database = database
        self._domain = domain
        self._reader = reader
        self._rest = rest

    def count(self, wish: RereadWish) -> int:
        """Say how many mails there are to look at, before any is narrowed out."""
        oldest = select(func.count()).select_from(reading).where(reading.c.reader < _end(wish))
        with self._database.read() as connection:
            return connection.scalar(oldest) or 0

    def run(self, wish: RereadWish) -> Iterator[MailReread]:
        """Read what is wished again, and tell of each mail once that is committed.

        ``BadInput``, at once, for a note that neither this version leaves nor the store holds.
        """
        if wish.note is not None and wish.note not in CODES and not self._holds(wish.note):
            raise BadInput(f"--note {wish.note!a} is no note that is known here; known are {', '.join(sorted(CODES))}")
        return self._run(wish)

    def _run(self, wish: RereadWish) -> Iterator[MailReread]:
        walked = 0
        for stretch in self._stretches(wish):
            for page in self._pages(stretch):
                wanted = self._wanted(page, wish)
                for n, one in enumerate(page, start=walked + 1):
                    if one.sha256 in wanted:
                        yield MailReread(one.sha256.hex(), self._read_again(one), n)
                walked += len(page)

    def _holds(self, code: str) -> bool:
        """Say whether a note of another version is in the store; looks through all notes where there is none."""
        with self._database.read() as connection:
            return any(
                connection.execute(select(table.c.n).where(table.c.code == code).limit(1)).first() is not None
                for table in (activity_note, reading_note)
            )

    # -- which mails ------------------------------------------------------------------------------------------------

    def _stretches(self, wish: RereadWish) -> list[_Stretch]:
        """Cut what is there now by reader; the newest first, for whatever is read again joins it."""
        newest = select(reading.c.id).order_by(reading.c.id.desc()).limit(1)
        with self._database.read() as connection:
            lasts = [
                (reader, connection.scalar(newest.where(reading.c.reader == reader)))
                for reader in reversed(range(_end(wish)))
            ]
        return [_Stretch(reader, last) for reader, last in lasts if last is not None]

    def _pages(self, stretch: _Stretch) -> Iterator[Sequence[_Reading]]:
        columns = select(reading.c.id, reading.c.mail_sha256, reading.c.version, reading.c.reader)
        upto = columns.where(reading.c.reader == stretch.reader, reading.c.id <= stretch.last)
        after = _FIRST
        while True:
            with self._database.read() as connection:
                rows = connection.execute(upto.where(reading.c.id > after).order_by(reading.c.id).limit(PAGE)).all()
            if not rows:
                return
            yield [_Reading(row.id, row.mail_sha256, row.version, row.reader) for row in rows]
            after = rows[-1].id

    def _wanted(self, page: Sequence[_Reading], wish: RereadWish) -> set[bytes]:
        """Narrow a page down to mails, by SHA-256."""
        wanted = {one.sha256 for one in page}
        of_them = activity.c.mail_sha256.in_(wanted)
        with self._database.read() as connection:
            if wish.since is not None:
                recorded = select(activity.c.mail_sha256).where(of_them, activity.c.recorded_at >= wish.since)
                wanted &= set(connection.scalars(recorded))
            if wish.note is not None:
                theirs = {row.id: row.mail_sha256 for row in connection.execute(select(activity).where(of_them))}
                by_activity = (activity_note.c.activity_id.in_(theirs), activity_note.c.code == wish.note)
                noted = connection.scalars(select(activity_note.c.activity_id).where(*by_activity)).all()
                by_reading = (reading_note.c.reading_id.in_([one.id for one in page]), reading_note.c.code == wish.note)
                on_mail = set(connection.scalars(select(reading_note.c.reading_id).where(*by_reading)))
                wanted &= {*(theirs[one] for one in noted), *(one.sha256 for one in page if one.id in on_mail)}
        return wanted

    # -- one mail ---------------------------------------------------------------------------------------------------

    def _read_again(self, one: _Reading) -> Reread:
        with self._database.read() as connection:
            if connection.scalar(select(mail.c.reading_id).where(mail.c.sha256 == one.sha256)) != one.id:
                return Reread.SKIPPED
            was_unreadable = _is_unreadable(connection, one.id)
            try:
                raw = raw_bytes(connection, one.sha256)
            except NotFound:
                return Reread.DAMAGED
        read = self._reader.read(raw)
        unreadable = any(note.code == UNREADABLE for note in read.notes)
        if unreadable and not was_unreadable:
            return Reread.UNREADABLE
        with self._database.read() as connection:  # a reading never changes: what it says now, it says later
            same = is_read_so(connection, one.id, read)
        if not self._replace(one, read, same=same):
            return Reread.SKIPPED
        return Reread.UNREADABLE if unreadable else Reread.UNCHANGED if same else Reread.CHANGED

    def _replace(self, one: _Reading, read: Mail, *, same: bool) -> bool:
        """Write what was read; ``False`` where the mail has another reading by now, or is gone."""
        began = time.monotonic()
        for _ in range(TRIES):
            done = again.write(
                self._database, lambda connection: _replace(connection, one, read, self._domain, same=same)
            )
            if done is not None:
                self._rest(min(max(time.monotonic() - began, REST), REST_AT_MOST))
                return done
        raise Deferred(Reason.STORE_DOWN)


def _end(wish: RereadWish) -> int:
    """Give the reader whose readings are the first that are not looked at."""
    return READER_VERSION + 1 if wish.all_readers else READER_VERSION


def _is_unreadable(connection: Connection, number: str) -> bool:
    noted = select(reading_note.c.n).where(reading_note.c.reading_id == number, reading_note.c.code == UNREADABLE)
    return connection.execute(noted.limit(1)).first() is not None


def _replace(connection: Connection, one: _Reading, read: Mail, domain: str, *, same: bool) -> bool | None:
    """Do so in one transaction; ``None`` where an activity of the mail came or moved meanwhile: nothing is written."""
    held = following.hold(connection, one.sha256)
    if held is None:
        return None
    its_reading = select(mail.c.reading_id).where(mail.c.sha256 == one.sha256).with_for_update()
    if connection.scalar(its_reading) != one.id:
        return False
    if not following.are_all(connection, one.sha256, held):
        return None
    if same:
        mine = update(reading).where(reading.c.id == one.id, reading.c.reader < READER_VERSION)
        connection.execute(mine.values(reader=READER_VERSION))
        following.follow(connection, held, read, domain)
        return True
    number = new_id()
    write_readings(connection, [(number, one.sha256, one.version + 1, read)])
    connection.execute(update(mail).where(mail.c.sha256 == one.sha256).values(reading_id=number))
    following.follow(connection, held, read, domain)
    delete_reading(connection, one.id)
    return True
