"""New colleagues at the command line: who waits, and what brings their mail."""

import json
import re
from pathlib import Path

import pytest

from mailgate.wire import read_moment
from tests.cli.conftest import Ran, Run

NEW = "new@muster.example"
ID = "4dFq2Z3kQxz9sT"


def a_mail(sender: str = NEW, queue_id: str = ID, *fields: str) -> bytes:
    lines = [
        f"Received: from pc by mail.muster.example (Postfix) with ESMTPSA id {queue_id}; now",
        *fields,
        f"From: Somebody <{sender}>",
        "To: nora@optik.example",
        "Subject: Offer",
        "Date: Sun, 22 Nov 2026 12:00:00 +0100",
        f"Message-ID: <{sender}>",
        "",
        "Hello",
        "",
    ]
    return "\r\n".join(lines).encode()


@pytest.fixture
def office(world: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MAILGATE_SENDERS__DOMAINS", '["muster.example"]')
    return world


def ingest(run: Run, mail: bytes, *more: str, to: str = "campaign:4711") -> Ran:
    address = run("address", "show", to).out.strip()
    return run("ingest", "-", "--to", address, "--json", *more, stdin=mail)


def answer(ran: Ran) -> tuple[str, str | None, int]:
    (line,) = map(json.loads, ran.out.splitlines())
    return line["verdict"], line["reason"], ran.code


def test_a_mail_waits_is_counted_and_comes_once_its_sender_is_registered(office: Run) -> None:
    assert office("user", "pending", "--json").facts == []
    for _ in range(3):
        ran = ingest(office, a_mail())
        assert answer(ran) == ("deferred", "pending_sender", 75)
        assert f"4.7.1 [MG-WAIT] {NEW} is not registered here yet" in ran.out
    (entry,) = office("user", "pending", "--json").facts
    assert " ".join(entry) == "email relay envelope_from record queue_id tries first_at last_at until"
    assert entry["email"] == entry["envelope_from"] == NEW
    assert (entry["relay"], entry["record"], entry["queue_id"], entry["tries"]) == ("local", "campaign:4711", ID, 3)
    first, until = read_moment(entry["first_at"], "first"), read_moment(entry["until"], "until")
    assert (until - first).days == 5
    assert office("user", "pending").out.split("\t")[:2] == [NEW, "local"]

    (added,) = office("user", "add", NEW, "--name", "New", "--json").facts
    assert added["waiting"] == [{"relay": "local", "queue_id": ID, "hurry": f"postqueue -i {ID}"}]
    assert office("user", "pending", "--json").facts == []
    assert answer(ingest(office, a_mail())) == ("kept", None, 0)


def test_the_line_that_hurries_stands_alone_so_that_a_shell_takes_it(office: Run) -> None:
    ingest(office, a_mail())
    ingest(office, a_mail(), to="customer:1")
    printed = office("user", "add", NEW, "--name", "New").out.splitlines()
    assert printed[-1] == f"postqueue -i {ID}  # at local"
    assert [line for line in printed if "postqueue" in line] == printed[-1:]


def test_an_alias_releases_what_waited_for_it(office: Run) -> None:
    ingest(office, a_mail())
    (changed,) = office("user", "alias", "anna@muster.example", NEW, "--json").facts
    assert [one["hurry"] for one in changed["waiting"]] == [f"postqueue -i {ID}"]
    (removed,) = office("user", "alias", "anna@muster.example", NEW, "--remove", "--json").facts
    assert removed["waiting"] == []


def test_whoever_waited_for_nothing_has_nothing_to_hurry(office: Run) -> None:
    ingest(office, a_mail())
    (added,) = office("user", "add", "other@muster.example", "--name", "Other", "--json").facts
    assert added["waiting"] == []
    assert "postqueue" not in office("user", "add", "third@muster.example", "--name", "Third").out
    assert len(office("user", "pending", "--json").facts) == 1


@pytest.mark.parametrize("dry", [True, False])
def test_an_import_says_what_hurries_the_mails_of_all_whom_it_registered(office: Run, dry: bool) -> None:
    ingest(office, a_mail())
    ingest(office, a_mail("alias@muster.example", "4bKxyz"))
    ingest(office, a_mail("third@muster.example", "4bKabc"))
    rows = f"email,name,aliases\n{NEW},New,\nluca@muster.example,,alias@muster.example\n".encode()
    ran = office("user", "import", "-", *(["--dry-run"] if dry else []), stdin=rows)
    assert ran.code == 0, ran.err
    hurried = re.findall(r"postqueue -i (\w+)", ran.err)
    assert hurried == ([] if dry else [ID, "4bKxyz"])
    assert len(office("user", "pending", "--json").facts) == (3 if dry else 1)


@pytest.mark.parametrize("queue_id", ["-f", "1abcde-000000001-2AbC", "4bK.x"])
def test_what_postfix_never_calls_a_mail_is_put_in_no_line(office: Run, queue_id: str) -> None:
    ingest(office, a_mail(queue_id=queue_id))
    ran = office("user", "add", NEW, "--name", "New")
    assert "postqueue" not in ran.out + ran.err
    assert ran.out.splitlines()[-1] == "# local tries again by itself"


def test_a_stranger_is_refused_as_ever(office: Run) -> None:
    assert answer(ingest(office, a_mail("eve@else.example"))) == ("refused", "unknown_sender", 65)
    assert answer(ingest(office, a_mail(), "--from", "eve@muster.example")) == ("refused", "not_believed", 65)
    assert office("user", "pending", "--json").facts == []


def test_explain_tells_that_it_waits_and_counts_nothing(office: Run, tmp_path: Path) -> None:
    ingest(office, a_mail())
    file = tmp_path / "mail.eml"
    file.write_bytes(a_mail())
    address = office("address", "show", "campaign:4711").out.strip()
    (said,) = office("explain", str(file), "--to", address, "--json").facts
    assert (said["verdict"], said["reason"], said["code"]) == ("deferred", "pending_sender", 450)
    (told,) = [rule["said"] for rule in said["rules"] if rule["rule"] == "pending"]
    assert re.fullmatch(r"waits since \S+Z, tried 1 times", told)
    assert office("user", "pending", "--json").facts[0]["tries"] == 1


def test_an_instance_without_users_lets_its_first_one_wait(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILGATE_SENDERS__DOMAINS", '["muster.example"]')
    run("record", "add", "campaign:4711", "--name", "Herbst")
    assert answer(ingest(run, a_mail())) == ("deferred", "pending_sender", 75)


def test_settings_say_whether_and_how_long_it_waits(office: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = {"name": "quick", "networks": ["127.0.0.1"], "trust": "vouched", "queue_days": 2}
    monkeypatch.setenv("MAILGATE_RELAYS", json.dumps([relay]))
    ingest(office, a_mail())
    (entry,) = office("user", "pending", "--json").facts
    assert entry["relay"] == "quick"
    assert (read_moment(entry["until"], "until") - read_moment(entry["first_at"], "first")).days == 2
    monkeypatch.delenv("MAILGATE_RELAYS")
    (entry,) = office("user", "pending", "--json").facts
    assert entry["until"] is None  # nobody knows that relay any more
    monkeypatch.setenv("MAILGATE_SENDERS__WAIT", "false")
    assert answer(ingest(office, a_mail())) == ("refused", "unknown_sender", 65)


def test_a_scanner_is_let_send_automatic_mail(office: Run) -> None:
    scanner = "scanner@muster.example"
    mail = a_mail(scanner, ID, "Auto-Submitted: auto-generated")
    assert answer(ingest(office, mail)) == ("refused", "machine_mail", 65)
    wrong = office("user", "add", scanner, "--name", "Scanner", "--accept-automatic")
    assert (wrong.code, wrong.out) == (65, "")
    assert "--kind system" in wrong.err
    (added,) = office(
        "user", "add", scanner, "--name", "Scanner", "--kind", "system", "--accept-automatic", "--json"
    ).facts
    assert (added["accept_automatic"], added["roles"]) == (True, ["record_activities"])
    assert answer(ingest(office, mail)) == ("kept", None, 0)
    (changed,) = office("user", "set", scanner, "--no-accept-automatic", "--json").facts
    assert changed["accept_automatic"] is False
    other = a_mail(scanner, "4bKxyz", "Auto-Submitted: auto-generated", "Reply-To: x@muster.example")
    assert answer(ingest(office, other)) == ("refused", "machine_mail", 65)
