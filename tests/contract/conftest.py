"""One way to look at the fakes and at both stores."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import pytest
from sqlalchemy import insert, select

from mailgate.domain.ledger import LedgerEntry, Verdict
from mailgate.domain.record import RecordRef
from mailgate.domain.removal import ReceiptState
from mailgate.errors import Reason
from mailgate.ports import Archive, Directory, Notices, PendingSenders, Speakers
from mailgate.store import archive as archive_module
from mailgate.store import register, tables
from mailgate.store.archive import raw_bytes
from mailgate.store.database import Database, open_database
from mailgate.store.directory import Directory as StoreDirectory
from mailgate.store.identifiers import new_id
from mailgate.store.notices import Notices as StoreNotices
from mailgate.store.pending import PendingSenders as StorePendingSenders
from mailgate.store.removal import delete_content
from mailgate.store.speakers import Speakers as StoreSpeakers
from tests.fakes import FakeArchive, FakeDirectory, FakeNotices, FakePendingSenders, FakeSpeakers
from tests.store.seeding import rows, seed
from tests.worlds import DOMAIN, NOW, World

FIXTURES = {"fake": None, "sqlite": "sqlite_url", "postgresql": "postgres_url"}


@dataclass(frozen=True, slots=True)
class Seen:
    """An activity, as the contract sees it."""

    id: str
    record: RecordRef
    raw: bytes
    notes: tuple[str, ...]  # codes


class Backend(Protocol):
    @property
    def directory(self) -> Directory: ...
    @property
    def archive(self) -> Archive: ...
    @property
    def speakers(self) -> Speakers: ...
    @property
    def notices(self) -> Notices: ...
    @property
    def pending(self) -> PendingSenders: ...
    def activities(self) -> Sequence[Seen]: ...
    def mails(self) -> int: ...
    def ledger(self) -> Sequence[LedgerEntry]: ...
    def delete(self, activity: str) -> None: ...
    def add_task(self, on: RecordRef, topic: str) -> str: ...
    def remove_task(self, task: str) -> None: ...
    def used(self, address: str) -> datetime | None: ...
    def exposed(self, address: str) -> datetime | None: ...


class FakeBackend:
    def __init__(self, world: World) -> None:
        self.directory = FakeDirectory(world)
        self.archive = FakeArchive()
        self.speakers = FakeSpeakers(world)
        self.notices = FakeNotices(world)
        self.pending = FakePendingSenders(world)

    def activities(self) -> Sequence[Seen]:
        return [
            Seen(each.id, each.record, each.new.raw, tuple(note.code for note in each.notes))
            for each in self.archive.activities.values()
        ]

    def mails(self) -> int:
        return len(self.archive.mails)

    def ledger(self) -> Sequence[LedgerEntry]:
        counted = [
            LedgerEntry(at=minute, verdict=verdict, reason=reason, relay=relay, count=number)
            for (relay, reason, verdict, minute), number in self.archive.counts.items()
        ]
        return [*self.archive.ledger, *counted]

    def delete(self, activity: str) -> None:
        kept: FakeArchive | FakeNotices = self.notices if activity in self.notices.activities else self.archive
        kept.delete(activity)

    def add_task(self, on: RecordRef, topic: str) -> str:
        number = new_id()
        self.notices.tasks[number] = (on, topic)
        return number

    def remove_task(self, task: str) -> None:
        self.notices.tasks[task] = (self.notices.tasks[task][0], None)

    def used(self, address: str) -> datetime | None:
        return self.archive.used.get(address)

    def exposed(self, address: str) -> datetime | None:
        return self.archive.exposed.get(address)


class StoreBackend:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.directory = StoreDirectory(database, DOMAIN)
        self.archive = archive_module.Archive(database)
        self.speakers = StoreSpeakers(database)
        self.notices = StoreNotices(database)
        self.pending = StorePendingSenders(database, keep=timedelta(days=30), queue_days={})

    def activities(self) -> Sequence[Seen]:
        with self.database.read() as connection:
            found = connection.execute(
                select(tables.activity, tables.record.c.kind, tables.record.c.ref, tables.mail.c.reading_id)
                .join(tables.record, tables.record.c.id == tables.activity.c.record_id)
                .join(tables.mail)
                .order_by(tables.activity.c.id)
            ).all()
            return [
                Seen(
                    row.id,
                    RecordRef.parse(f"{row.kind}:{row.ref}"),
                    raw_bytes(connection, row.mail_sha256),
                    (
                        *connection.scalars(
                            select(tables.reading_note.c.code).where(tables.reading_note.c.reading_id == row.reading_id)
                        ),
                        *connection.scalars(
                            select(tables.activity_note.c.code)
                            .where(tables.activity_note.c.activity_id == row.id)
                            .order_by(tables.activity_note.c.n)
                        ),
                    ),
                )
                for row in found
            ]

    def mails(self) -> int:
        return len(rows(self.database, tables.mail))

    def ledger(self) -> Sequence[LedgerEntry]:
        return [
            LedgerEntry(
                id=row["id"],
                at=row["at"],
                verdict=Verdict(row["verdict"]),
                reason=Reason(row["reason"]) if row["reason"] else None,
                record=RecordRef.parse(row["record"]) if row["record"] else None,
                relay=row["relay"],
                queue_id=row["queue_id"],
                author=row["author"],
                message_id=row["message_id"],
                activity=row["activity_id"],
                count=row["count"],
            )
            for row in rows(self.database, tables.ledger)
        ]

    def delete(self, activity: str) -> None:
        with self.database.write() as connection:
            delete_content(connection, activity, ReceiptState.DELETED, "anna@firma.example", None)

    def add_task(self, on: RecordRef, topic: str) -> str:
        number = new_id()
        row: dict[str, object] = {"id": number, "type": "task", "topic": topic, "origin": "manual", "trust": "none"}
        with self.database.write() as connection:
            row |= {"record_id": register.keys(connection, [on])[on], "occurred_at": NOW, "recorded_at": NOW}
            row |= {"recorder_id": connection.scalar(select(tables.user_account.c.id))}
            connection.execute(insert(tables.activity), row)
        return number

    def remove_task(self, task: str) -> None:
        self.delete(task)

    def used(self, address: str) -> datetime | None:
        return self._moment(address, "last_used_at")

    def exposed(self, address: str) -> datetime | None:
        return self._moment(address, "exposed_at")

    def _moment(self, address: str, name: str) -> datetime | None:
        local = address.partition("@")[0]
        (row,) = [row for row in rows(self.database, tables.address) if row["local"] == local]
        found: datetime | None = row[name]
        return found


@pytest.fixture(params=FIXTURES)
def make_backend(request: pytest.FixtureRequest) -> Iterator["Maker"]:
    fixture = FIXTURES[request.param]
    maker = Maker(request.getfixturevalue(fixture) if fixture else None)
    yield maker
    maker.close()


class Maker:
    """Makes a backend that holds a world; ``url`` is that of a database, ``None`` stands for the fakes."""

    def __init__(self, url: str | None) -> None:
        self.url = url
        self._made: list[StoreBackend] = []

    def __call__(self, world: World) -> Backend:
        if self.url is None:
            return FakeBackend(world)
        database = open_database(self.url, create=False, allow_unsafe=True)
        seed(database, world)
        made = StoreBackend(database)
        self._made.append(made)
        return made

    def close(self) -> None:
        for made in self._made:
            made.archive.close()
            made.database.close()
