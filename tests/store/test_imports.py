import io
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from mailgate.domain.entry import RowOutcome, UserEntry
from mailgate.domain.record import Edition, RecordRef
from mailgate.errors import BadInput
from mailgate.store.database import Database, open_database
from mailgate.store.imports import Imports
from mailgate.store.records import Records
from mailgate.store.tables import audit, record
from mailgate.store.users import Users
from tests.store.admin import ACTOR, ANNA, DOMAIN, LUCA, Admin, administering

MIB = 1 << 20


@pytest.fixture
def admin(database: Database) -> Iterator[Admin]:
    with administering(database) as one:
        one.user(ANNA, name="Anna")
        one.record("customer:1", name="Optik", language="de", email=["info@optik.example"])
        yield one


def _brief(outcomes: Iterator[RowOutcome]) -> list[tuple[int, str, str]]:
    return [(one.row, one.key, one.outcome.value) for one in outcomes]


def _errors(outcomes: Iterator[RowOutcome]) -> dict[int, str]:
    return {one.row: one.error for one in outcomes if one.error}


def _records(admin: Admin, *lines: str, dry_run: bool = False) -> list[RowOutcome]:
    """Import lines; what a dry run says must be what is done."""
    file = "\n".join(lines).encode()
    told = list(admin.imports.records(io.BytesIO(file), actor=ACTOR, dry_run=True))
    if dry_run:
        return told
    done = list(admin.imports.records(io.BytesIO(file), actor=ACTOR))
    assert told == done
    return done


def _users(admin: Admin, *lines: str) -> list[RowOutcome]:
    file = "\n".join(lines).encode()
    told = list(admin.imports.users(io.BytesIO(file), actor=ACTOR, dry_run=True))
    done = list(admin.imports.users(io.BytesIO(file), actor=ACTOR))
    assert told == done
    return done


def _shown(admin: Admin, name: str) -> str:
    """Say in one line what stands on a record."""
    one = admin.records.show(RecordRef.parse(name))
    relations = " ".join(f"{roled.role}={roled.record}" for roled in (*one.relations, *one.contacts))
    people = " ".join(f"{roled.role}={roled.email}" for roled in one.users)
    return f"{one.name}|{one.language}|{one.state.value}|{' '.join(one.email)}|{relations}|{people}"


# -- records --------------------------------------------------------------------------------------------------------


def test_records_are_added_changed_and_left(admin: Admin) -> None:
    outcomes = _records(
        admin,
        "name,record,user,relate,email,state,language,contact",
        "Nora Keller,contact:1,,customer=customer:1,Nora@optik.example|n@optik.example,,fr,",
        "Herbst,campaign:1,sales=anna@muster.example|lead=anna@muster.example,customer=customer:1,,closed,,main=contact:1",
        ",customer:1,,,,,,",
        "Optik AG,customer:1,,,,,,",
        "Optik AG,customer:1,,,,,,",
        ",campaign:1,,agency=customer:1,,open,,",
    )
    assert _brief(iter(outcomes)) == [
        (2, "contact:1", "added"),
        (3, "campaign:1", "added"),
        (4, "customer:1", "unchanged"),
        (5, "customer:1", "changed"),
        (6, "customer:1", "unchanged"),
        (7, "campaign:1", "changed"),
    ]
    assert _shown(admin, "contact:1") == ("Nora Keller|fr|open|n@optik.example nora@optik.example|customer=customer:1|")
    assert _shown(admin, "customer:1") == "Optik AG|de|open|info@optik.example||"
    assert _shown(admin, "campaign:1") == (
        "Herbst|None|open||agency=customer:1 main=contact:1|lead=anna@muster.example sales=anna@muster.example"
    )


def test_a_bad_row_stops_nothing_else(admin: Admin) -> None:
    cases = [
        ("campaign:9", "campaign:9 is new and needs a name"),
        ("nothing,N", "'nothing' is no record"),
        ("campaign:11,Big\0small", "name: 'Big\\x00small' holds the control character '\\x00'"),
        ("campaign:12,\x1b[31mred", "control character"),
        ('campaign:13,"two\nlines"', "control character"),
        ("campaign:14,N,xx", "'xx' is no language"),
        ("campaign:15,N,,shut", "'shut' is no state"),
        ("campaign:16,N,,,a@b@c", "no e-mail address"),
        ("campaign:17,N,,,,customer:1", "has no role"),
        ("campaign:18,N,,,,customer=customer:99", "no record customer:99"),
        ("campaign:19,N,,,,x=campaign:19", "to itself"),
        ("campaign:20,N,,,,,main=customer:1", "names no contact"),
        ("campaign:21,N,,,,,,sales=nobody@muster.example", "no user nobody@muster.example"),
        ("publisher_contract:22,N", "needs a language"),
        ("campaign:23,N,,,,,,,too much", "the row has 9 cells, the header 8"),
        ('campaign:24,"N', "a quotation mark isn't closed"),
        ('campaign:25,"N"N', "a quotation mark closes in the middle"),
        (f"campaign:26,{'N' * 201}", "has 201 characters"),
        (f"campaign:27,{'N' * 70_000}", "the line has 65536 characters or more"),
    ]
    lines = ["record,name,language,state,email,relate,contact,user"]
    for number, (bad, _) in enumerate(cases):
        lines += [bad, f"lead:{number},Good {number}"]
    outcomes = _records(admin, *lines)
    assert len(outcomes) == 2 * len(cases)
    failed = {one.row: one.error for one in outcomes if one.outcome == "failed"}
    assert sorted(failed) == [2 + 2 * number for number in range(len(cases))]
    for number, (_, says) in enumerate(cases):
        assert says in (failed[2 + 2 * number] or "")
    assert [str(one.record) for one in admin.records.list() if one.record.kind != "lead"] == ["customer:1"]
    assert len(list(admin.records.list())) == 1 + len(cases)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("record,name\nlead:1,Müller & Söhne\n".encode(), "Müller & Söhne"),
        ("\ufeffrecord,name\r\nlead:1,Müller\r\n".encode(), "Müller"),
        ("Name;Record\r\nMüller, Hans;lead:1\r\n".encode("windows-1252"), "Müller, Hans"),
        ("record\tname\nlead:1\tMüller; Hans\n".encode("utf-16"), "Müller; Hans"),
        ("record;name\nlead:1;„Zürich“ für 5 €\n".encode("windows-1252"), "„Zürich“ für 5 €"),
        (b'record,name\nlead:1,"12"" screen, flat"', '12" screen, flat'),
        (b" RECORD , Name \n\n;;\n lead:1 ,  Paolo  \n".replace(b";;", b",,"), "Paolo"),
        (b"record;name;language;state;email;relate\rlead:1;Paolo\r", "Paolo"),
    ],
    ids=["utf-8", "bom", "excel", "utf-16", "1252", "quoted", "spaces", "short rows, CR"],
)
def test_files_of_all_sorts_are_read_rightly(admin: Admin, file: bytes, name: str) -> None:
    (outcome,) = admin.imports.records(io.BytesIO(file), actor=ACTOR)
    assert outcome.outcome == "added", outcome.error
    assert admin.records.show(RecordRef.parse("lead:1")).name == name


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (b"", "the file has no header"),
        (b"\nrecord,name\n", "the file has no header"),
        (b"record,nmae\nlead:1,x\n", "unknown column 'nmae': the columns are record, name, language"),
        (b"record,name,Name\n", "column name stands twice"),
        (b"name\nx\n", "no column record in the header"),
        (b"email,name\nx,y\n", "no column record"),
        (b"\x00\x01\x02\xff", "unknown column"),
    ],
)
def test_a_file_without_the_right_header_does_nothing(admin: Admin, file: bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        admin.imports.records(io.BytesIO(file), actor=ACTOR)


def test_a_lone_bar_takes_all_values_away(admin: Admin) -> None:
    _records(admin, "record,email", "customer:1,|")
    assert admin.records.show(RecordRef.parse("customer:1")).email == ()


def test_rows_may_name_records_further_down_also_in_a_circle(admin: Admin) -> None:
    outcomes = _records(
        admin,
        "record,name,relate,contact",
        "campaign:1,Herbst,customer=customer:7,main=contact:7",
        "customer:7,Optik,,main=contact:7",
        "contact:7,Nora,customer=customer:7,",
        "contact:7,Nora Keller,,",
        "lead:1,Paolo,,",
    )
    assert Counter(one.outcome.value for one in outcomes) == {"added": 4, "changed": 1}
    assert {one.row: one.outcome.value for one in outcomes}[5] == "changed"
    assert [one.row for one in outcomes] == [6, 2, 3, 4, 5]
    assert _shown(admin, "campaign:1") == "Herbst|None|open||customer=customer:7 main=contact:7|"
    assert _shown(admin, "customer:7") == "Optik|None|open||main=contact:7|"
    assert _shown(admin, "contact:7") == "Nora Keller|None|open||customer=customer:7|"


def test_rows_that_wait_for_a_bad_row_fail_with_it_and_leave_nothing(admin: Admin) -> None:
    outcomes = _records(
        admin,
        "record,name,relate",
        "campaign:1,A,x=campaign:2",
        "campaign:2,B,x=campaign:3",
        "campaign:3,,",
        "campaign:4,D,x=campaign:5",
        "campaign:5,E,x=campaign:4",
        "campaign:6,F,x=customer:1|y=campaign:99",
    )
    assert {one.row: one.outcome.value for one in outcomes} == {
        2: "failed",
        3: "failed",
        4: "failed",
        5: "added",
        6: "added",
        7: "failed",
    }
    assert _errors(iter(outcomes))[7].startswith("no record campaign:99")
    assert [str(one.record) for one in admin.records.list()] == ["campaign:4", "campaign:5", "customer:1"]


def test_a_key_that_stands_twice_is_added_then_changed(admin: Admin) -> None:
    outcomes = _records(admin, "record,name,email", "lead:1,A,a@a.example", "lead:1,B,", "lead:1,B,")
    assert [one.outcome.value for one in outcomes] == ["added", "changed", "unchanged"]
    assert _shown(admin, "lead:1") == "B|None|open|a@a.example||"


def test_a_dry_run_writes_nothing(admin: Admin) -> None:
    outcomes = _records(admin, "record,name", "lead:1,A", "customer:1,B", dry_run=True)
    assert [one.outcome.value for one in outcomes] == ["added", "changed"]
    assert [one.name for one in admin.records.list()] == ["Optik"]


def test_the_edition_holds_for_imports_too(database: Database) -> None:
    with administering(database, Edition.PUBLISHER) as admin:
        outcomes = _records(admin, "record,name,language", "publisher_contract:1,N,de", "lead:1,N,de")
    assert [one.outcome.value for one in outcomes] == ["failed", "added"]
    assert "edition publisher" in (outcomes[0].error or "")


def test_what_an_import_does_is_audited(admin: Admin) -> None:
    _records(admin, "record,name", "lead:1,A", "customer:1,B", "lead:1,A")
    with admin.database.read() as connection:
        rows = connection.execute(select(audit.c.action, audit.c.subject).order_by(audit.c.id)).all()
    assert [tuple(row) for row in rows[-2:]] == [("record added", "lead:1"), ("record changed", "customer:1")]


# -- users ----------------------------------------------------------------------------------------------------------


def test_users_are_added_changed_and_left(admin: Admin) -> None:
    outcomes = _users(
        admin,
        "email;aliases;roles;name;kind;language",
        "Luca@muster.example;l@muster.example|lr@muster.example;;Luca Rossi;;it",
        "support@muster.example;;;Support;shared;",
        "crm@muster.example;;;CRM;system;",
        "anna@muster.example;;administer|record_activities;;;",
        "anna@muster.example;;;Anna;;",
    )
    assert [one.outcome.value for one in outcomes] == ["added", "added", "added", "changed", "unchanged"]
    assert outcomes[0].key == "Luca@muster.example"
    assert {user.email: (user.kind.value, sorted(user.roles), user.aliases) for user in admin.users.list()} == {
        ANNA: ("person", ["administer", "record_activities"], ()),
        "crm@muster.example": ("system", [], ()),
        LUCA: ("person", ["record_activities"], ("l@muster.example", "lr@muster.example")),
        "support@muster.example": ("shared", ["record_activities"], ()),
    }


def test_a_bad_user_row_stops_nothing_else(admin: Admin) -> None:
    outcomes = _users(
        admin,
        "email,name,kind,language,roles,aliases",
        "b@muster.example,B,,,,anna@muster.example",
        "c@muster.example,C,,,,",
        f"x@{DOMAIN},X,,,,",
        "d@muster.example,D,robot,,,",
        "e@muster.example,,,,,",
        "f@muster.example,F,,,boss,",
        "not an address,G,,,,",
        "h@muster.example,H,,,,c@muster.example",
        "i@muster.example,I,,,,",
    )
    assert [one.outcome.value for one in outcomes] == ["failed", "added"] + ["failed"] * 6 + ["added"]
    assert [user.email[0] for user in admin.users.list()] == ["a", "c", "i"]


def test_an_alias_can_move_from_one_user_to_another_in_one_file(admin: Admin) -> None:
    admin.users.set(UserEntry.read(ANNA, aliases=["team@muster.example"]), actor=ACTOR)
    outcomes = _users(
        admin,
        "email,name,aliases",
        "anna@muster.example,,|",
        "luca@muster.example,Luca,team@muster.example",
        "team@muster.example,Team,",
    )
    assert [one.outcome.value for one in outcomes] == ["changed", "added", "failed"]
    assert admin.users.show("team@muster.example").email == LUCA


# -- much -----------------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_records_take_bounded_memory(sqlite_url: str, tmp_path: Path) -> None:
    rows = 100_000
    path = tmp_path / "much.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("record,name,email,relate\n")
        for number in range(rows):
            customer = f"customer=customer:{number - number % 10}" if number % 10 else ""
            kind = "contact" if number % 10 else "customer"
            file.write(f"{kind}:{number},Name of {number},n{number}@optik.example,{customer}\n")
    database = open_database(sqlite_url, create=False)
    imports = Imports(database, Users(database, DOMAIN), Records(database, Edition.MARKETER, DOMAIN))
    counts: Counter[str] = Counter()
    grown = 0
    with path.open("rb") as opened:
        for number, outcome in enumerate(imports.records(opened, actor=ACTOR)):
            counts[outcome.outcome.value] += 1
            if number == 1000:
                tracemalloc.start()  # what a chunk takes is freed from here on: the memory must not grow with the rows
            if number == 21_000:
                grown, _ = tracemalloc.get_traced_memory()
                tracemalloc.stop()
    assert counts == {"added": rows}
    assert 0 < grown < 8 * MIB  # twenty thousand rows were read meanwhile
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(record)) == rows
    database.close()
