import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ran, Run
from tests.store.admin import ANNA, LUCA, a_mail

NEEDED = ("--type", "note", "--topic", "other", "--subject", "Call them back", "--as", ANNA)


@pytest.fixture
def crm(world: Run) -> Run:
    """Run commands where Anna is on the campaign, and Nora is a contact of its customer."""
    assert world("record", "set", "campaign:4711", "--user", f"sales={ANNA}").code == 0
    assert world("record", "set", "customer:1", "--contact", "main=contact:12").code == 0
    return world


def _add(run: Run, *options: str) -> dict[str, Any]:
    """Add a note, or what these options make of it, and give its JSON."""
    (made,) = run("activity", "add", "campaign:4711", *NEEDED, *options, "--json").facts
    return made


def _counts() -> dict[str, int]:
    database = sqlite3.connect(Path(os.environ["MAILGATE_DATA_DIR"]) / "mailgate.db")
    try:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: database.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables}
    finally:
        database.close()


def _refused(ran: Ran, code: int = 65) -> str:
    assert (ran.code, ran.out) == (code, ""), ran
    (said,) = ran.err.splitlines()
    return said.removeprefix("mailgate: ")


# -- the commands ---------------------------------------------------------------------------------------------------


def test_a_meeting_is_added_with_everything_and_shown(crm: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "offer.pdf").write_bytes(b"%PDF")
    (tmp_path / "notes.txt").write_bytes(b"later")
    ran = crm(
        *(
            "activity",
            "add",
            "campaign:4711",
            "--type",
            "meeting",
            "--topic",
            "offer",
            "--as",
            "a.muster@muster.example",
        ),
        *("--subject", "Kick-off", "--text", "One\nTwo", "--at", "2026-11-20T09:30:00+01:00", "--place", "Bern"),
        *("--contact", "contact:12", "--user", ANNA, "--document", "folder/../folder/offer.pdf"),
        *("--document", str(tmp_path / "notes.txt"), "--document", "-"),
        *("--link", "https://muster.example/1", "--link", "mailto:nora@optik.example", "--json"),
        stdin=b"\x00\xff",
    )
    (made,) = ran.facts
    assert crm("activity", "show", made["id"], "--json").facts == [made]
    assert [crm("activity", "attachment", made["id"], n, "--output", f"out{n}").code for n in "123"] == [0, 0, 0]
    assert [(tmp_path / f"out{n}").read_bytes() for n in "123"] == [b"%PDF", b"later", b"\x00\xff"]
    assert {key: made[key] for key in made if key not in {"id", "recorded_at", "documents"}} == {
        "record": "campaign:4711",
        "type": "meeting",
        "topic": "offer",
        "origin": "manual",
        "read_only": False,
        "subject": "Kick-off",
        "text": "One\nTwo",
        "html": None,
        "folds": [],
        "languages": [],
        "content": {},
        "sent_languages": {},
        "occurred_at": "2026-11-20T08:30:00Z",
        "sent_at": None,
        "recorder": ANNA,
        "envelope_from": None,
        "place": "Bern",
        "due_on": None,
        "remind_on": None,
        "done": None,
        "done_at": None,
        "participants": [
            {
                "email": "nora@optik.example",
                "name": "Nora Keller",
                "header": None,
                "side": "external",
                "record": "contact:12",
            },
            {"email": ANNA, "name": "Anna Muster", "header": None, "side": "internal", "record": None},
        ],
        "links": ["https://muster.example/1", "mailto:nora@optik.example"],
        "message_id": None,
        "raw_sha256": None,
        "raw_size": None,
        "trust": "none",
        "notes": [],
    }
    assert [(one["n"], one["name"], one["type"], one["size"]) for one in made["documents"]] == [
        (1, "offer.pdf", "application/pdf", 4),
        (2, "notes.txt", "text/plain", 5),
        (3, "stdin", "application/octet-stream", 2),
    ]
    assert "Bern" in crm("activity", "show", made["id"]).out
    assert "no mail" in _refused(crm("activity", "raw", made["id"]), 66)


def test_add_and_set_print_what_show_does(crm: Run) -> None:
    ran = crm("activity", "add", "campaign:4711", *NEEDED, "--text", "Text")
    shown = dict(line.split("\t", 1) for line in ran.out.splitlines() if "\t" in line)
    assert ran.out == crm("activity", "show", shown["id"]).out
    changed = crm("activity", "set", shown["id"], "--as", ANNA, "--subject", "Other")
    assert changed.out == crm("activity", "show", shown["id"]).out
    assert "subject\tOther" in changed.out


def test_a_task_is_changed_done_undone_and_deleted(crm: Run) -> None:
    made = _add(crm, "--type", "task", "--due", "2026-12-24", "--remind", "2026-12-20", "--link", "https://a.example")
    assert (made["due_on"], made["remind_on"], made["done"]) == ("2026-12-24", "2026-12-20", False)
    by_anna = (made["id"], "--as", ANNA, "--json")
    (changed,) = crm("activity", "set", *by_anna, "--remind", "", "--link", "", "--text", "New").facts
    assert {key for key in made if changed[key] != made[key]} == {"remind_on", "links", "text"}
    assert (changed["remind_on"], changed["links"], changed["text"]) == (None, [], "New")
    (done,) = crm("activity", "done", *by_anna).facts
    assert (done["done"], done["done_at"] is None) == (True, False)
    assert crm("activity", "done", *by_anna).facts == [done]
    assert crm("activity", "undone", *by_anna).facts == [changed]
    (gone,) = crm("activity", "delete", made["id"], "--as", ANNA, "--json").facts
    assert (gone["removed"], gone["note"]) == ("subject, text, due date", "No mail had brought it: it can't come back.")
    assert f"deleted by {ANNA}" in _refused(crm("activity", "done", *by_anna), 66)


def test_a_mail_by_bcc_gets_a_topic(crm: Run) -> None:
    address = crm("address", "show", "campaign:4711").out.strip()
    (said,) = crm("ingest", "-", "--to", address, "--json", stdin=a_mail()).facts
    (shown,) = crm("activity", "topic", said["activity"], "offer", "--as", LUCA, "--json").facts
    assert (shown["topic"], shown["read_only"], shown["recorder"]) == ("offer", True, ANNA)
    assert "read-only" in _refused(crm("activity", "set", said["activity"], "--as", ANNA, "--subject", "x"))


def test_topics_are_listed_with_their_labels(crm: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = crm("activity", "topics", "publisher_contract", "--json").facts
    assert listed == [
        {"topic": "payout", "de": "Payout", "en": "Payout", "fr": "Payout", "it": "Payout"},
        {
            "topic": "negotiation",
            "de": "Verhandlungen",
            "en": "Negotiations",
            "fr": "Négociations",
            "it": "Trattative",
        },
        {"topic": "other", "de": "Sonstiges", "en": "Other", "fr": "Autre", "it": "Altro"},
    ]
    assert crm("activity", "topics", "Lead").out.splitlines()[-1] == "other\tSonstiges\tOther\tAutre\tAltro"
    assert "'invoice' is no kind of record" in _refused(crm("activity", "topics", "invoice"))
    monkeypatch.setenv("MAILGATE_INSTANCE__EDITION", "publisher")
    for command in (("topics", "publisher_contract"), ("add", "publisher_contract:1", *NEEDED)):
        assert "edition publisher" in _refused(crm("activity", *command))


# -- bad input ------------------------------------------------------------------------------------------------------

BAD: list[tuple[tuple[str, ...], str]] = [
    (("--type", "fax"), "type: 'fax' is none"),
    (("--type", "task", "--due", "2026-02-30"), "due: '2026-02-30' is no day of the calendar"),
    (("--type", "task", "--remind", "soon"), "remind: 'soon' is no day of the calendar"),
    (("--type", "task", "--due", "2026-12-24", "--remind", "2026-12-25"), "remind: 2026-12-25 is after the due date"),
    (("--place", "Bern"), "place: an activity of type note has none, only lunch and meeting"),
    (("--due", "2026-12-24"), "due: an activity of type note has none, only task"),
    (("--at", "yesterday"), "at: 'yesterday' is no time"),
    (("--at", ""), "at: '' is no time"),
    (("--at", "2026-02-30"), "at: '2026-02-30' is no time"),
    (("--at", "0001-01-01T00:00:00+14:00"), "at: "),
    (("--at", "1000-01-01"), "at: the year 1000 is a slip"),
    (("--topic", "payout"), "topic 'payout'"),
    (("--subject", ""), "subject: can't be empty"),
    (("--subject", "a\x1bb"), "subject: holds the control character"),
    (("--text", "a\x08b"), "text: holds the control character"),
    (("--text", "a\udcffb"), "text: holds the control character"),
    (("--contact", "contact:99"), "contact: contact:99 is no contact of campaign:4711"),
    (("--contact", "Nora"), "contact: 'Nora' is no record"),
    (("--user", LUCA), f"user: {LUCA} is not on campaign:4711: choose among {ANNA}"),
    (("--link", "ftp://a.example/x"), "link: 'ftp://a.example/x' is no link"),
    (("--link", "https://a.example/ b"), "link: 'https://a.example/ b' is no link"),
    (tuple(f"--link=https://a.example/{n}" for n in range(1, 5)), "link 4, https://a.example/4: "),
    (tuple(f"--document={n}.pdf" for n in "abcx"), "document 4, x.pdf: "),
    (("--document", "-", "--document", "-"), "document: - stands there twice"),
    (("--document", "big.bin"), "document 1, big.bin: is above 1 KiB"),
    (("--document", "/dev/zero"), "document 1, zero: is above 1 KiB"),
    (("--document", "a.pdf", "--document", "a\nb"), "document 2: 'a\\nb' holds '\\n'"),
]


@pytest.mark.parametrize("command", ["add", "set"])
@pytest.mark.parametrize(("options", "says"), BAD)
def test_bad_input_is_refused_with_the_fields_name_and_nothing_is_written(
    crm: Run, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], says: str, command: str
) -> None:
    monkeypatch.setenv("MAILGATE_ACTIVITIES__MAX_DOCUMENT_SIZE", "1 KiB")
    Path("a.pdf").write_bytes(b"%PDF")
    Path("a\nb").write_bytes(b"x")
    Path("big.bin").write_bytes(b"x" * 1025)
    made = _add(crm, "--document", "a.pdf", "--link", "https://b.example")
    before = _counts()
    given = ("campaign:4711", *NEEDED) if command == "add" else (made["id"], "--as", ANNA)
    assert _refused(crm("activity", command, *given, *options)).startswith(says)
    assert _counts() == before
    assert crm("activity", "show", made["id"], "--json").facts == [made]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("campaign:1", *NEEDED), 66, "no record campaign:1"),
        (("campaign", *NEEDED), 65, "KIND:REF"),
        (("campaign:4711", *NEEDED[:-1], "nobody@muster.example"), 66, "no user nobody@muster.example"),
        (("campaign:4711", *NEEDED, "--document", "missing.pdf"), 66, "missing.pdf can't be read"),
        (("campaign:4711", *NEEDED, "--document", "."), 66, ". "),
        (("campaign:4711", *NEEDED[2:]), 2, "--type"),
        (("campaign:4711", *NEEDED[:2], *NEEDED[4:]), 2, "--topic"),
        (("campaign:4711", *NEEDED[:-2]), 2, "--as"),
    ],
)
def test_what_is_missing_is_named(crm: Run, options: tuple[str, ...], code: int, says: str) -> None:
    before = _counts()
    assert says in _refused(crm("activity", "add", *options), code)
    assert _counts() == before


def test_without_the_role_nothing_is_recorded_and_the_role_is_named(crm: Run) -> None:
    made = _add(crm, "--type", "task")
    assert crm("user", "set", ANNA, "--no-role", "record_activities").code == 0
    for command in (("add", "campaign:4711", *NEEDED), ("set", made["id"], "--as", ANNA, "--subject", "x")):
        assert "lacks the role record_activities" in _refused(crm("activity", *command))
    assert crm("activity", "done", made["id"], "--as", ANNA).code == 0
    assert crm("activity", "delete", made["id"], "--as", ANNA).code == 0


def test_a_path_is_read_and_only_its_last_element_is_kept(crm: Run, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"here")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").mkdir()
    os.chdir(tmp_path / "a" / "b")
    made = _add(crm, "--document", "../../x")
    assert [one["name"] for one in made["documents"]] == ["x"]


def test_a_document_as_large_as_the_limit_is_taken(crm: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILGATE_ACTIVITIES__MAX_DOCUMENT_SIZE", "3 MiB")
    Path("big.bin").write_bytes(b"x" * (3 << 20))
    assert _add(crm, "--document", "big.bin")["documents"][0]["size"] == 3 << 20


@pytest.mark.parametrize(
    ("given", "read"),
    [("2026-11-20", "2026-11-20T00:00:00Z"), ("2026-11-20T09:30:00.25-05:00", "2026-11-20T14:30:00.250000Z")],
)
def test_times_are_read_as_everywhere(crm: Run, given: str, read: str) -> None:
    assert _add(crm, "--at", given)["occurred_at"] == read


def test_the_installed_program_does_it_too(crm: Run) -> None:
    command = [
        sys.executable,
        "-m",
        "mailgate",
        "activity",
        "add",
        "campaign:4711",
        *NEEDED,
        "--document",
        "-",
        "--json",
    ]
    done = subprocess.run(command, input=b"x", capture_output=True, check=True)
    made = json.loads(done.stdout)
    assert crm("activity", "show", made["id"], "--json").facts == [made]
    refused = subprocess.run([*command, "--text", b"\xff"], input=b"x", capture_output=True, check=False)
    assert (refused.returncode, refused.stdout) == (65, b"")
    assert refused.stderr == b"mailgate: text: holds the control character '\\udcff': take it out\n"


@pytest.mark.parametrize("command", ["add", "set", "done", "undone", "topic", "topics"])
def test_each_command_has_its_help(crm: Run, command: str) -> None:
    assert f"Usage: mailgate activity {command}" in crm("activity", command, "--help").out
