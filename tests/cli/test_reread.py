"""``mailgate reread``, by a command line that has read mails already and one that had read less."""

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from mailgate.settings import load
from mailgate.store.database import open_database
from mailgate.store.rereading import Rereading
from tests.cli.conftest import Run
from tests.store.admin import a_mail
from tests.store.rereader import BETTER, Better, all_better, grow_old

NOTHING = {"read": 0, "changed": 0, "unchanged": 0, "unreadable": 0, "skipped": 0, "damaged": 0}


def logged(run: Run, number: int = 1, **given: str) -> str:
    address = run("address", "show", "campaign:4711").out.strip()
    (said,) = run("ingest", "-", "--to", address, "--json", stdin=a_mail(number, **given)).facts
    return str(said["activity"])


def grown_old() -> None:
    database = open_database(load(None, os.environ).store.url, create=False)
    grow_old(database)
    database.close()


@pytest.fixture
def better(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Rereading.__init__

    def make(self: Rereading, database: object, domain: str, _reader: object) -> None:
        made(self, database, domain, Better(all_better), rest=lambda _: None)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(Rereading, "__init__", make)


def test_it_says_what_became_of_the_mails(world: Run, better: None) -> None:
    activity = logged(world)
    (before,) = world("activity", "show", activity, "--json").facts
    assert world("reread", "--json").facts == [NOTHING]
    grown_old()
    assert world("reread", "--json").facts == [NOTHING | {"read": 1, "changed": 1}]
    (after,) = world("activity", "show", activity, "--json").facts
    assert after["subject"] == BETTER + before["subject"]
    same = ("id", "record", "topic", "recorded_at", "recorder", "envelope_from", "trust", "raw_sha256", "raw_size")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert world("reread").out.splitlines()[:2] == ["read\t0", "changed\t0"]


def test_a_run_with_again_reads_all_of_them(world: Run) -> None:
    logged(world)
    assert world("reread", "--again", "--json").facts == [NOTHING | {"read": 1, "unchanged": 1}]


def test_mails_are_chosen_by_their_notes_and_by_when_they_came(world: Run) -> None:
    logged(world, 1)
    logged(world, 2, sent="Mon, 02 Nov 1970 10:00:00 +0000")
    found = world("reread", "--note", "date_absurd", "--json").facts
    assert found == [NOTHING | {"read": 1, "unchanged": 1}]
    grown_old()
    assert world("reread", "--since", "2099-01-01", "--json").facts == [NOTHING]
    assert world("reread", "--since", "2020-01-01", "--json").facts == [NOTHING | {"read": 2, "unchanged": 2}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "yesterday"), "--since 'yesterday' is no time"),
        (("--note", "No Code"), "--note 'No Code' is no code of a note"),
        (
            ("--note", "bogus"),
            "--note 'bogus' is no note that is known here; known are address_exposed, ambiguous_structure, ",
        ),
    ],
)
def test_what_was_mistyped_is_named(world: Run, arguments: tuple[str, ...], said: str) -> None:
    ran = world("reread", *arguments)
    assert (ran.code, ran.out) == (65, "")
    assert said in ran.err


def test_damaged_bytes_are_65_and_named(world: Run) -> None:
    activity = logged(world)
    (shown,) = world("activity", "show", activity, "--json").facts
    grown_old()
    database = open_database(load(None, os.environ).store.url, create=False)
    with database.bare() as connection:
        connection.exec_driver_sql("DROP TRIGGER mailgate_keep_piece_update")
        connection.exec_driver_sql("UPDATE piece SET bytes = x'78'")
        connection.exec_driver_sql("PRAGMA wal_checkpoint")
    database.close()
    assert world("migrate").code == 0
    ran = world("reread", "--json")
    assert ran.code == 65
    assert '"damaged": 1' in ran.out
    assert f"SHA-256 {shown['raw_sha256']} are damaged" in ran.err


def test_a_terminal_shows_a_bar_and_the_facts_stay_apart(world: Run, tmp_path: Path) -> None:
    for number in range(3):
        logged(world, number)
    grown_old()
    master, slave = pty.openpty()
    out = tmp_path / "out"
    with out.open("wb") as facts:
        command = [str(Path(sys.executable).with_name("mailgate")), "reread", "--json"]
        done = subprocess.run(command, stdout=facts, stderr=slave, check=False, timeout=60)
    os.close(slave)
    seen = b""
    with contextlib.suppress(OSError):  # how Linux says that nobody has the other end open
        while more := os.read(master, 65536):
            seen += more
    os.close(master)
    assert done.returncode == 0
    assert b"mails" in seen
    assert b"100%" in seen
    assert out.read_text().count("\n") == 1
    assert '"read": 3' in out.read_text()
