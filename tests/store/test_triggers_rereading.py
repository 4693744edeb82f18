"""What the database lets follow a better reading of a mail, and what it refuses then as ever, on both engines."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from mailgate.domain.record import RecordRef
from mailgate.store import tables
from mailgate.store.database import Database
from mailgate.store.identifiers import new_id
from tests.store.admin import ANNA, CLIENT, a_mail, administering
from tests.store.seeding import rows

SENT = datetime(2026, 11, 2, 10, tzinfo=UTC)
READ_ANEW = SENT - timedelta(days=1)
PARTS = (tables.reading_body, tables.reading_party, tables.document, tables.link, tables.reading_note)
ABSURD = "Mon, 02 Nov 1970 10:00:00 +0000"

activity, mail, note = tables.activity, tables.mail, tables.activity_note
participation, reading, party = tables.participation, tables.reading, tables.reading_party


@dataclass(frozen=True, slots=True)
class Reread:
    """A mail logged by BCC whose second reading, with all parts, counts; a system mail of the same bytes; a third
    mail, never read again, whose date is absurd."""

    database: Database
    bcc: str
    system: str
    absurd: str
    former: str
    current: str

    def read(self, statement: Any) -> Any:
        with self.database.read() as connection:
            return connection.execute(statement).scalar()


@pytest.fixture
def reread(database: Database) -> Reread:
    with administering(database) as admin:
        admin.user(ANNA)
        admin.record("contact:12", email=[CLIENT])
        record = admin.record("campaign:4711", contact=["main=contact:12"])
        (bcc,) = admin.log(a_mail(), record)
        (absurd,) = admin.log(a_mail(2, sent=ABSURD), record)
        logged = admin.outbound.log_mail(
            a_mail(), kind="mail", record=str(RecordRef.parse("campaign:4711")), triggered_by=ANNA, languages=["de"]
        )
        sha256 = bytes.fromhex(admin.activities.show(bcc).raw_sha256 or "")
    former = next(row["reading_id"] for row in rows(database, mail) if row["sha256"] == sha256)
    current = new_id()
    with database.write() as connection:
        note_on_it = {"reading_id": former, "n": 1, "code": "defects", "text": "x"}
        connection.execute(insert(tables.reading_note), note_on_it)
        values = {"id": current, "mail_sha256": sha256, "version": 2, "reader": 2, "subject": "x"}
        connection.execute(insert(reading), {**values, "sent_at": READ_ANEW, "message_id": "<anew@muster.example>"})
        for table in PARTS:
            like = connection.execute(select(table).where(table.c.reading_id == former).limit(1)).mappings().one()
            connection.execute(insert(table), {**like, "reading_id": current})  # of parties only the author
        connection.execute(update(mail).where(mail.c.sha256 == sha256).values(reading_id=current))
    return Reread(database, bcc, logged.id, absurd, former, current)


def refused(there: Reread, statement: Any) -> None:
    protected = (mail, reading, activity, note, participation, *PARTS)
    before = [rows(there.database, table) for table in protected]
    with (
        pytest.raises(IntegrityError, match=r"mailgate: .* is read-only"),
        there.database.write() as connection,
    ):
        connection.execute(statement)
    assert [rows(there.database, table) for table in protected] == before


def done(there: Reread, *statements: Any) -> int:
    with there.database.write() as connection:
        return sum(connection.execute(statement).rowcount for statement in statements)


def test_the_reading_that_counts_cannot_be_deleted_and_the_former_can(reread: Reread) -> None:
    for table in PARTS:
        refused(reread, delete(table).where(table.c.reading_id == reread.current))
    refused(reread, delete(reading).where(reading.c.id == reread.current))
    former = [delete(table).where(table.c.reading_id == reread.former) for table in PARTS]
    assert done(reread, *former, delete(reading).where(reading.c.id == reread.former)) >= len(PARTS)
    refused(reread, delete(reading).where(reading.c.id == reread.current))


def test_the_pointer_never_goes_back(reread: Reread) -> None:
    refused(reread, update(mail).where(mail.c.reading_id == reread.current).values(reading_id=reread.former))


def test_no_reading_is_given_to_an_older_reader(reread: Reread) -> None:
    here = update(reading).where(reading.c.id == reread.current)
    refused(reread, here.values(reader=1))
    refused(reread, here.values(reader=3, subject="forged"))
    refused(reread, here.values(version=3))
    assert done(reread, here.values(reader=3)) == 1


RECORDED = activity.c.recorded_at
# which activity, the values, whether they are taken
FIELDS: list[tuple[str, dict[str, Any], bool]] = [
    ("bcc", {"occurred_at": READ_ANEW}, True),
    ("bcc", {"occurred_at": RECORDED}, True),
    ("bcc", {"message_id": "<anew@muster.example>"}, True),
    ("bcc", {"occurred_at": READ_ANEW, "message_id": "<anew@muster.example>"}, True),
    ("bcc", {"occurred_at": SENT + timedelta(seconds=1)}, False),
    ("bcc", {"message_id": "<other@muster.example>"}, False),
    ("bcc", {"message_id": None}, False),
    ("bcc", {"occurred_at": READ_ANEW, "subject": "forged"}, False),
    ("bcc", {"occurred_at": READ_ANEW, "recorded_at": READ_ANEW}, False),
    ("bcc", {"occurred_at": READ_ANEW, "mail_sha256": None}, False),
    ("bcc", {"occurred_at": READ_ANEW, "trust": "verified"}, False),
    ("bcc", {"occurred_at": READ_ANEW, "author": "else@muster.example"}, False),
    ("bcc", {"occurred_at": READ_ANEW, "origin": "manual"}, False),
    ("system", {"occurred_at": READ_ANEW}, False),
    ("system", {"occurred_at": RECORDED}, False),
    ("system", {"message_id": "<anew@muster.example>"}, False),
]


@pytest.mark.parametrize(("which", "values", "taken"), FIELDS)
def test_fields_follow_the_reading_that_counts(reread: Reread, which: str, values: dict[str, Any], taken: bool) -> None:
    statement = update(activity).where(activity.c.id == getattr(reread, which)).values(values)
    if taken:
        assert done(reread, statement) == 1
    else:
        refused(reread, statement)


def test_a_participation_has_the_time_of_its_activity(reread: Reread) -> None:
    here = participation.c.activity_id == reread.bcc
    for at in (READ_ANEW, SENT + timedelta(1)):
        refused(reread, update(participation).where(here).values(occurred_at=at))
    done(reread, update(activity).where(activity.c.id == reread.bcc).values(occurred_at=READ_ANEW))
    refused(reread, update(participation).where(here).values(occurred_at=READ_ANEW, email="else@muster.example"))
    assert done(reread, update(participation).where(here).values(occurred_at=READ_ANEW)) == 2


def test_only_who_is_named_no_more_may_go(reread: Reread) -> None:
    def row(number: str, email: str) -> Any:
        return delete(participation).where(participation.c.activity_id == number, participation.c.email == email)

    refused(reread, row(reread.bcc, ANNA))
    refused(reread, delete(participation).where(participation.c.activity_id == reread.bcc))
    for email in (ANNA, CLIENT):
        refused(reread, row(reread.system, email))
        refused(reread, row(reread.absurd, email))
    assert done(reread, row(reread.bcc, CLIENT)) == 1


def _note(number: str, n: int, code: str = "date_absurd") -> Any:
    return insert(note).values(activity_id=number, n=n, code=code, text="x")


def _gone(number: str, n: int) -> Any:
    return delete(note).where(note.c.activity_id == number, note.c.n == n)


def _at_sent(there: Reread) -> Any:
    return update(activity).where(activity.c.id == there.bcc).values(occurred_at=READ_ANEW)


# what is done before, what is tried, whether it is allowed
NOTES: list[tuple[str, Callable[[Reread], list[Any]], Callable[[Reread], Any], bool]] = [
    ("the date is absurd", lambda _: [], lambda it: _gone(it.absurd, 1), False),
    ("another tells of it", lambda it: [_note(it.absurd, 2)], lambda it: _gone(it.absurd, 1), True),
    ("the last that tells of it", lambda it: [_note(it.absurd, 2)], lambda it: _gone(it.absurd, 2), False),
    ("both", lambda it: [_note(it.absurd, 2)], lambda it: delete(note).where(note.c.activity_id == it.absurd), False),
    ("it happened then", lambda it: [_note(it.bcc, 7), _at_sent(it)], lambda it: _gone(it.bcc, 7), True),
    ("it didn't", lambda it: [_note(it.bcc, 7)], lambda it: _gone(it.bcc, 7), False),
    ("another code", lambda it: [_note(it.bcc, 7, "old_address"), _at_sent(it)], lambda it: _gone(it.bcc, 7), False),
    ("changed", lambda it: [_note(it.bcc, 7), _at_sent(it)], lambda _: update(note).values(text="y"), False),
]


@pytest.mark.parametrize(("before", "tried", "allowed"), [row[1:] for row in NOTES], ids=[row[0] for row in NOTES])
def test_a_note_on_the_date_goes_only_where_it_is_not_so(
    reread: Reread, before: Callable[[Reread], list[Any]], tried: Callable[[Reread], Any], allowed: bool
) -> None:
    done(reread, *before(reread))
    if allowed:
        assert done(reread, tried(reread)) == 1
    else:
        refused(reread, tried(reread))
