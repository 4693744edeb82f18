"""Plain SQL against every protected table and every column, as any client could send it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    Integer,
    LargeBinary,
    Table,
    Uuid,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from mailgate.domain.activity import Participant, Side
from mailgate.domain.content import Content
from mailgate.domain.document import NewDocument
from mailgate.store import parts, tables, triggers
from mailgate.store.archive import Archive
from mailgate.store.database import Database, open_database
from mailgate.store.identifiers import new_id
from tests.store.seeding import count, rows, seed
from tests.worlds import CAMPAIGN, CUSTOMER, DAY, NOW, WORLD, new_mail, raw_mail

CONTENT = {table.name: table for table in triggers.CONTENT}
LOGGED = ("bcc", "system", "group")

# every table that holds what people sent, named once more by hand: the list under test must not shrink unseen
PROTECTED = {
    "mail",
    "piece",
    "reading",
    "reading_body",
    "reading_party",
    "document",
    "link",
    "reading_note",
    "activity",
    "activity_note",
    "activity_content",
    "activity_sent",
    "activity_document",
    "activity_link",
    "participation",
    "receipt",
}
OURS = {
    "mail": {"reading_id"},
    "reading": {"reader"},
    "activity": {"record_id"},
    "participation": {"side", "record_id", "activity_record_id", "occurred_at"},
    "receipt": {"state", "at", "record_id", "identity"},
}
TOPIC = {"topic", "topic_by", "topic_at"}  # of a mail logged by BCC, and of what was made by hand
# what hangs on a system mail, complete with the mail
OF_ACTIVITY = (
    "activity_note",
    "activity_content",
    "activity_sent",
    "activity_document",
    "activity_link",
    "participation",
)


@dataclass(frozen=True, slots=True)
class Filled:
    """A database with a mail on two records, one that the system sent, and an activity made by hand."""

    database: Database
    first: str
    second: str
    manual: str
    system: str


@pytest.fixture
def filled(database: Database) -> Filled:
    return _fill(database)


def _fill(database: Database) -> Filled:
    seed(database, WORLD)
    archive = Archive(database)
    first, second = archive.keep(new_mail(to=[CAMPAIGN, CUSTOMER], exposed=True, notes=new_mail().mail.notes))
    archive.keep(new_mail(raw_mail(body="Anderer Text"), to=[CAMPAIGN]))  # with a note of its own
    archive.close()
    system = _fill_system(database)
    manual = new_id()
    with database.write() as connection:
        record = connection.scalar(text("SELECT record_id FROM activity"))
        user = connection.scalar(text("SELECT recorder_id FROM activity"))
        row = {"id": manual, "record_id": record, "type": "note", "topic": "other", "origin": "manual"}
        row |= {"occurred_at": NOW, "recorded_at": NOW, "recorder_id": user, "trust": "none"}
        connection.execute(insert(tables.activity), row)
        connection.execute(
            insert(tables.activity_note), {"activity_id": manual, "n": 1, "code": "language_ignored", "text": "x"}
        )
    return Filled(database, first.activity or "", second.activity or "", manual, system)


def _fill_system(database: Database) -> str:
    """Write a system mail with two of all that hangs on one, and close it."""
    number = new_id()
    documents = [NewDocument(f"{n}.pdf", "application/pdf", b"%PDF-1.4") for n in (1, 2)]
    contents = {"de": Content("Rechnung", "Guten Tag", "<p>Guten Tag</p>"), "en": Content("Invoice", "Hello")}
    with parts.uploading(database, documents) as uploaded, database.write() as connection:
        mail = connection.execute(select(tables.activity.c.record_id, tables.activity.c.recorder_id)).first()
        assert mail is not None
        row = {"id": number, "record_id": mail.record_id, "recorder_id": mail.recorder_id, "type": "email"}
        row |= {"topic": "billing", "origin": "system", "trust": "none", "subject": "Rechnung / Invoice"}
        row |= {"occurred_at": NOW, "recorded_at": NOW, "notification": "invoice"}
        connection.execute(insert(tables.activity), row)
        receipt = {"record_id": mail.record_id, "identity": "e" * 64, "state": "kept", "activity_id": number, "at": NOW}
        connection.execute(insert(tables.receipt), receipt)
        parts.write_content(connection, number, contents)
        parts.write_sent(connection, number, {"one@kunde.example": ["de", "en"]})
        parts.write_links(connection, number, ["https://kunde.example/1", "https://kunde.example/2"])
        parts.write_documents(connection, number, uploaded)
        people = [
            Participant(email=f"{one}@kunde.example", name="", header="to", side=Side.EXTERNAL)
            for one in ("one", "two")
        ]
        parts.write_participants(connection, number, mail.record_id, NOW, people)
        notes = [{"activity_id": number, "n": n, "code": "language_ignored", "text": "x"} for n in (1, 2)]
        connection.execute(insert(tables.activity_note), notes)
        connection.execute(update(tables.activity).where(tables.activity.c.id == number).values(fingerprint="f" * 64))
    return number


def _refused(database: Database, *statements: object) -> None:
    before = {name: rows(database, table) for name, table in CONTENT.items()}
    with pytest.raises(IntegrityError, match=r"mailgate: .* is read-only"), database.write() as connection:
        _run(connection, *statements)
    assert {name: rows(database, table) for name, table in CONTENT.items()} == before


def _run(connection: Connection, *statements: Any) -> None:
    for statement in statements:
        connection.execute(text(statement) if isinstance(statement, str) else statement)


def _changed(column: Column[Any], value: Any) -> Any:
    """A value of the column's type that is not the one there."""
    if isinstance(column.type, Boolean):
        return not value
    if isinstance(column.type, Integer):
        return (value or 0) + 1000
    if isinstance(column.type, LargeBinary):
        return b"x" * 32
    if isinstance(column.type, Uuid):
        return new_id()
    if isinstance(column.type, Date):
        return DAY.date()
    return DAY if isinstance(column.type, tables.Utc) else "xx"


def test_all_content_is_protected() -> None:
    assert set(CONTENT) == PROTECTED
    assert {name: set(columns) for name, columns in triggers.MAY_CHANGE.items()} == OURS


def _columns() -> Iterator[tuple[str, str]]:
    for table in triggers.CONTENT:
        for column in table.columns:
            if column.name not in OURS.get(table.name, set()):
                yield table.name, column.name


def test_no_column_of_content_can_be_changed(filled: Filled) -> None:
    for table_name, column_name in _columns():
        table = CONTENT[table_name]
        column = table.c[column_name]
        here = [row for row in rows(filled.database, table) if filled.manual not in row.values()]
        if column_name in TOPIC:
            here = [row for row in here if row["origin"] != "bcc"]
        assert here, f"{table_name} is empty: nothing would be tried"
        where = [key == here[0][key.name] for key in table.primary_key]
        _refused(filled.database, update(table).where(*where).values({column: _changed(column, here[0][column_name])}))


@pytest.mark.parametrize("origin", LOGGED)
def test_an_activity_of_each_origin_but_by_hand_is_kept_as_it_is(filled: Filled, origin: str) -> None:
    number = new_id()
    with filled.database.write() as connection:
        row = dict(connection.execute(text("SELECT * FROM activity WHERE origin = 'bcc'")).mappings().first() or {})
        values = {**row, "origin": origin, "fingerprint": None if origin == "bcc" else "f" * 64}
        columns = ", ".join(values)
        # the id as each engine stores it
        values["id"] = number.replace("-", "") if filled.database.kind == "sqlite" else number
        connection.execute(
            text(f"INSERT INTO activity ({columns}) VALUES ({', '.join(':' + name for name in values)})"), values
        )
    activity = tables.activity
    for column in activity.columns:
        if column.name not in OURS["activity"] and not (origin == "bcc" and column.name in TOPIC):
            (before,) = [each for each in rows(filled.database, activity) if each["id"] == number]
            values = {column: _changed(column, before[column.name])}
            _refused(filled.database, update(activity).where(activity.c.id == number).values(values))
    _refused(filled.database, activity.delete().where(activity.c.id == number))


def test_what_is_ours_may_change(filled: Filled) -> None:
    topics = "UPDATE activity SET topic = 'offer', topic_by = recorder_id, topic_at = occurred_at"
    with filled.database.write() as connection:
        _run(connection, f"{topics} WHERE origin IN ('bcc', 'manual')")
        record = connection.scalar(text("SELECT id FROM record WHERE kind = 'deal_group'"))
        _run(connection, f"UPDATE activity SET record_id = {record}", "UPDATE participation SET side = 'internal'")
        _run(connection, f"UPDATE participation SET activity_record_id = {record}")
    assert {(row["origin"], row["topic"]) for row in rows(filled.database, tables.activity)} == {
        ("bcc", "offer"),
        ("manual", "offer"),
        ("system", "billing"),
    }


def test_a_participation_stands_on_the_record_of_its_activity(filled: Filled) -> None:
    _refused(
        filled.database,
        "UPDATE participation SET activity_record_id = (SELECT id FROM record WHERE kind = 'deal_group')",
    )


@pytest.mark.parametrize("name", OF_ACTIVITY)
def test_a_system_mail_is_complete_once_it_is_kept(filled: Filled, name: str) -> None:
    table = CONTENT[name]
    (one, *_) = [row for row in rows(filled.database, table) if row["activity_id"] == filled.system]
    key = [column for column in table.primary_key if column.name != "activity_id"][-1]
    added = {**one, key.name: 1000 if isinstance(key.type, Integer) else "xx"}
    _refused(filled.database, insert(table).values(added))


@pytest.mark.parametrize("name", OF_ACTIVITY)
def test_nothing_that_hangs_on_another_activity_moves_to_a_system_mail(filled: Filled, name: str) -> None:
    table = CONTENT[name]
    with filled.database.write() as connection:
        connection.execute(insert(table).values(_one_for(table, filled.manual)))
    here = table.c.activity_id == filled.manual
    _refused(filled.database, update(table).where(here).values(activity_id=filled.system))


def _one_for(table: Table, activity_id: str) -> dict[str, Any]:
    """A row unlike all others."""
    row: dict[str, Any] = {column.name: _changed(column, None) for column in table.columns if not column.nullable}
    return {**row, "activity_id": activity_id}


@pytest.mark.parametrize("origin", LOGGED)
def test_only_a_system_mail_is_ever_closed_and_once(filled: Filled, origin: str) -> None:
    activity = tables.activity
    number = new_id()
    with filled.database.write() as connection:
        like = connection.execute(select(activity).where(activity.c.id == filled.first)).mappings().one()
        connection.execute(insert(activity), {**like, "id": number, "origin": origin, "fingerprint": None})
    closing = update(activity).where(activity.c.id == number)
    _refused(filled.database, closing.values(fingerprint="f" * 64, subject="forged"))
    _refused(filled.database, closing.values(origin="manual"))
    if origin != "system":
        _refused(filled.database, closing.values(fingerprint="f" * 64))
        return
    with filled.database.write() as connection:
        connection.execute(closing.values(fingerprint="f" * 64))
    _refused(filled.database, closing.values(fingerprint="e" * 64))
    _refused(filled.database, closing.values(fingerprint=None))


def test_rows_may_be_added_to_what_is_no_system_mail(filled: Filled) -> None:
    note = tables.activity_note
    added = [{"activity_id": one, "n": 77, "code": "x", "text": "x"} for one in (filled.first, filled.manual)]
    with filled.database.write() as connection:
        connection.execute(insert(note), added)
    assert {row["activity_id"] for row in rows(filled.database, note) if row["n"] == 77} == {
        filled.first,
        filled.manual,
    }


def test_a_hand_made_activity_may_be_changed_and_deleted(filled: Filled) -> None:
    activity, note = tables.activity, tables.activity_note
    with filled.database.write() as connection:
        values = {"place": "Bern", "type": "lunch", "occurred_at": DAY, "trust": "none", "due_on": DAY.date()}
        connection.execute(update(activity).where(activity.c.id == filled.manual).values(values))
        connection.execute(update(note).where(note.c.activity_id == filled.manual).values(text="y"))
    (row,) = [row for row in rows(filled.database, activity) if row["id"] == filled.manual]
    assert (row["place"], row["type"], row["occurred_at"]) == ("Bern", "lunch", DAY)
    with filled.database.write() as connection:
        connection.execute(note.delete().where(note.c.activity_id == filled.manual))
        connection.execute(activity.delete().where(activity.c.id == filled.manual))
    assert filled.manual not in {row["id"] for row in rows(filled.database, activity)}


def test_a_hand_made_activity_never_becomes_a_logged_one(filled: Filled) -> None:
    activity = tables.activity
    _refused(filled.database, update(activity).where(activity.c.id == filled.manual).values(origin="bcc"))
    _refused(filled.database, update(activity).where(activity.c.id == filled.manual).values(id=new_id()))


@pytest.mark.parametrize("name", sorted(PROTECTED))
def test_no_row_of_content_can_be_deleted(filled: Filled, name: str) -> None:
    _refused(filled.database, f"DELETE FROM {name}")


def test_the_pointer_moves_only_to_a_reading_of_the_same_mail(filled: Filled) -> None:
    mail, reading = tables.mail, tables.reading
    first, other = rows(filled.database, mail)
    _refused(
        filled.database, update(mail).where(mail.c.sha256 == first["sha256"]).values(reading_id=other["reading_id"])
    )
    _refused(filled.database, update(mail).where(mail.c.sha256 == first["sha256"]).values(reading_id=new_id()))
    again = {"id": new_id(), "mail_sha256": first["sha256"], "version": 2, "subject": "besser", "message_id": ""}
    with filled.database.write() as connection:
        connection.execute(insert(reading), again)
        connection.execute(update(mail).where(mail.c.sha256 == first["sha256"]).values(reading_id=again["id"]))
    assert rows(filled.database, mail)[0]["reading_id"] == again["id"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (["deleted"], True),
        (["erased"], True),
        (["deleted", "erased"], True),
        (["deleted", "deleted"], True),
        (["deleted", "kept"], False),
        (["erased", "kept"], False),
        (["erased", "deleted"], False),
        (["gone"], False),
    ],
)
def test_a_receipt_never_goes_back(filled: Filled, path: list[str], allowed: bool) -> None:
    *before, last = path
    receipt = tables.receipt
    with filled.database.write() as connection:
        for state in before:
            connection.execute(update(receipt).values(state=state))
    statement = update(receipt).values(state=last)
    if not allowed:
        _refused(filled.database, statement)
        return
    with filled.database.write() as connection:
        connection.execute(statement)
    assert {row["state"] for row in rows(filled.database, receipt)} == {last}


def test_a_receipt_moves_with_a_merged_record_only_to_a_free_place(filled: Filled) -> None:
    receipt = tables.receipt
    places = {row["activity_id"]: row for row in rows(filled.database, receipt)}
    taken, mine = places[filled.first], receipt.c.activity_id == filled.second
    _refused(filled.database, update(receipt).where(mine).values(record_id=taken["record_id"]))
    _refused(filled.database, update(receipt).where(mine).values(identity="0" * 64))
    _refused(filled.database, update(receipt).where(mine).values(activity_id=new_id()))
    with filled.database.write() as connection:
        connection.execute(update(receipt).where(mine).values(record_id=taken["record_id"], identity="0" * 64))
    assert {row["record_id"] for row in rows(filled.database, receipt)} == {taken["record_id"]}


def test_a_receipt_of_what_is_gone_can_be_pruned(filled: Filled) -> None:
    receipt = tables.receipt
    with filled.database.write() as connection:
        connection.execute(update(receipt).where(receipt.c.activity_id == filled.first).values(state="deleted"))
        connection.execute(receipt.delete().where(receipt.c.activity_id == filled.first))
    assert filled.first not in {row["activity_id"] for row in rows(filled.database, receipt)}
    # without its receipt the activity can't be taken away any more, but neither is it lost
    _refused(filled.database, tables.activity.delete().where(tables.activity.c.id == filled.first))


@pytest.mark.parametrize("state", ["deleted", "erased"])
def test_content_can_be_deleted_once_its_receipt_says_so(filled: Filled, state: str) -> None:
    activity, note, receipt = tables.activity, tables.activity_note, tables.receipt
    mine = activity.c.id == filled.first
    with filled.database.write() as connection:
        connection.execute(update(receipt).where(receipt.c.activity_id == filled.first).values(state=state))
        connection.execute(note.delete().where(note.c.activity_id == filled.first))
        connection.execute(activity.delete().where(mine))
    assert filled.first not in {row["id"] for row in rows(filled.database, activity)}
    # the mail is on another record still
    for table in (tables.mail, tables.reading, tables.reading_body, tables.piece, tables.link):
        _refused(filled.database, table.delete())


def test_a_mail_nobody_refers_to_can_be_deleted_bytes_last(filled: Filled) -> None:
    with filled.database.write() as connection:
        _run(connection, "UPDATE receipt SET state = 'erased'", "DELETE FROM activity")
    _refused(filled.database, "DELETE FROM piece")
    with filled.database.write() as connection:
        for table in (*triggers._OF_READING, tables.reading, tables.mail, tables.piece):
            connection.execute(table.delete())
    assert {count(filled.database, CONTENT[name]) for name in PROTECTED - {"receipt"}} == {0}


# -- SQLite: statements that delete what is in their way ------------------------------------------------------------


@pytest.fixture
def in_file(sqlite_url: str) -> Iterator[Filled]:
    database = open_database(sqlite_url, create=False)
    yield _fill(database)
    database.close()


def _keys(table: Table) -> Iterator[list[str]]:
    yield [column.name for column in table.primary_key]
    for constraint in table.constraints:
        if hasattr(constraint, "columns") and type(constraint).__name__ == "UniqueConstraint":
            yield [column.name for column in constraint.columns]


@pytest.mark.parametrize("name", sorted(PROTECTED))
@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE"])
def test_no_insert_takes_the_place_of_a_row(in_file: Filled, name: str, verb: str) -> None:
    table = CONTENT[name]
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    _refused(in_file.database, f"{verb} INTO {name} ({columns}) SELECT {columns} FROM {name}")
    for key in _keys(table):
        # a new row in every respect but this key
        others = [f'"{column.name}"' if column.name in key else _fresh(column) for column in table.columns]
        _refused(in_file.database, f"{verb} INTO {name} ({columns}) SELECT {', '.join(others)} FROM {name} LIMIT 1")


def _fresh(column: Column[Any]) -> str:
    if isinstance(column.type, Uuid | LargeBinary):
        return "randomblob(32)" if isinstance(column.type, LargeBinary) else "lower(hex(randomblob(16)))"
    primary = column.primary_key or column.unique
    return "12345" if primary and isinstance(column.type, Integer) else f'"{column.name}"'


@pytest.mark.parametrize("name", sorted(PROTECTED))
def test_no_insert_takes_the_row_id_of_a_row(in_file: Filled, name: str) -> None:
    table = CONTENT[name]
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    fresh = ", ".join(_fresh(column) for column in table.columns)
    _refused(
        in_file.database, f"INSERT OR REPLACE INTO {name} (rowid, {columns}) SELECT rowid, {fresh} FROM {name} LIMIT 1"
    )


@pytest.mark.parametrize("name", sorted(PROTECTED))
def test_no_update_moves_a_row_to_the_row_id_of_another(in_file: Filled, name: str) -> None:
    _refused(
        in_file.database,
        f"UPDATE OR REPLACE {name} SET rowid = (SELECT min(rowid) FROM {name})"
        f" WHERE rowid = (SELECT max(rowid) FROM {name})"
        if count(in_file.database, CONTENT[name]) > 1
        else f"UPDATE {name} SET rowid = rowid + 1",
    )


def test_no_hand_made_row_takes_the_place_of_a_logged_one(in_file: Filled) -> None:
    _, manual = in_file.first.replace("-", ""), in_file.manual.replace("-", "")
    logged_note = next(
        row for row in rows(in_file.database, tables.activity_note) if row["activity_id"] != in_file.manual
    )
    target = logged_note["activity_id"].replace("-", "")
    for statement in (
        f"UPDATE OR REPLACE activity SET id = '{target}' WHERE id = '{manual}'",
        f"UPDATE OR REPLACE activity SET rowid = 1 WHERE id = '{manual}'",
        f"UPDATE OR REPLACE activity_note SET activity_id = '{target}' WHERE activity_id = '{manual}'",
        f"UPDATE OR REPLACE activity_note SET rowid = 1 WHERE activity_id = '{manual}'",
    ):
        _refused(in_file.database, statement)


def test_an_upsert_changes_nothing(in_file: Filled) -> None:
    _refused(
        in_file.database,
        "INSERT INTO reading_body (reading_id, text, html) SELECT reading_id, text, html FROM reading_body WHERE true"
        " ON CONFLICT (reading_id) DO UPDATE SET text = 'forged'",
    )


# -- PostgreSQL -----------------------------------------------------------------------------------------------------


@pytest.fixture
def on_server(postgres_url: str) -> Iterator[Filled]:
    database = open_database(postgres_url, create=False, allow_unsafe=True)
    yield _fill(database)
    database.close()


@pytest.mark.parametrize("name", sorted(PROTECTED))
def test_no_table_of_content_can_be_truncated(on_server: Filled, name: str) -> None:
    _refused(on_server.database, f"TRUNCATE {name} CASCADE")


@pytest.mark.parametrize("name", ["record", "user_account"])
def test_no_table_that_content_refers_to_can_be_truncated(on_server: Filled, name: str) -> None:
    _refused(on_server.database, f"TRUNCATE {name} CASCADE")


def test_an_upsert_changes_nothing_there_either(on_server: Filled) -> None:
    _refused(
        on_server.database,
        "INSERT INTO reading_body (reading_id, text, html) SELECT reading_id, text, html FROM reading_body"
        " ON CONFLICT (reading_id) DO UPDATE SET text = 'forged'",
    )


# -- the list -------------------------------------------------------------------------------------------------------


def test_a_missing_or_changed_trigger_is_noticed(database: Database) -> None:
    with database.write() as connection:
        assert triggers.complete(connection)
        triggers.drop(connection)
        assert not triggers.complete(connection)
        triggers.create(connection)
        assert triggers.complete(connection)
    name = "mailgate_keep_mail_update"
    with database.write() as connection:
        _run(connection, f"DROP TRIGGER {name}" + ("" if database.kind == "sqlite" else " ON mail"))
        assert not triggers.complete(connection)


def test_a_trigger_that_was_switched_off_is_noticed(postgres_url: str) -> None:
    database = open_database(postgres_url, create=False, allow_unsafe=True)
    with database.write() as connection:
        _run(connection, "ALTER TABLE mail DISABLE TRIGGER mailgate_keep_mail_update")
        assert not triggers.complete(connection)
    database.close()
