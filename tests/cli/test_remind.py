"""``mailgate remind``, with a mail server that does what a test tells it to."""

import email
import email.policy
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.cli.conftest import Run
from tests.daytime import zone_by_day
from tests.dialogue.conftest import make_certificate
from tests.dialogue.mail_server import PASSWORD, USERNAME, MailServer, mail_server
from tests.store.admin import ANNA, LUCA

FROM = "mailgate@muster.example"


ZONE = zone_by_day()
TODAY = datetime.now(ZoneInfo(ZONE)).date().isoformat()


@pytest.fixture(autouse=True)
def by_day(bare: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILGATE_INSTANCE__TIMEZONE", ZONE)


def settle(patch: pytest.MonkeyPatch, server: MailServer) -> None:
    patch.setenv("MAILGATE_OUTBOUND__SMTP__HOST", "localhost")
    patch.setenv("MAILGATE_OUTBOUND__SMTP__PORT", str(server.port))
    patch.setenv("MAILGATE_OUTBOUND__SMTP__FROM", FROM)
    patch.setenv("MAILGATE_OUTBOUND__SMTP__STARTTLS", "false")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as running:
        settle(monkeypatch, running)
        yield running


def a_task(run: Run, remind: str, *more: str, subject: str = "Offerte nachfassen") -> str:
    wished = ("--type", "task", "--topic", "offer", "--as", ANNA, "--subject", subject, "--remind", remind)
    (made,) = run("activity", "add", "campaign:4711", *wished, *more, "--json").facts
    return str(made["id"])


def test_a_due_task_is_mailed_once_and_logged_on_its_record(world: Run, server: MailServer) -> None:
    task = a_task(world, TODAY, "--due", "2099-12-04")
    (line,) = world("remind", "--json").facts
    (logged,) = [one for one in world("activity", "list", "campaign:4711", "--json").facts if one["id"] != task]
    assert line == {
        "task": task,
        "record": "campaign:4711",
        "to": ANNA,
        "remind_on": TODAY,
        "state": "sent",
        "text": "250 2.0.0 Queued as 4711",
        "activity": logged["id"],
    }
    ((to, mail),) = server.mails
    assert to == ANNA
    assert b"\r\nSubject: Erinnerung: Offerte nachfassen\r\n" in mail
    assert world("remind", "--json").facts == []
    assert len(server.mails) == 1


def test_what_is_logged_is_what_was_sent_and_nobody_changes_it(world: Run, server: MailServer) -> None:
    task = a_task(world, TODAY, "--due", "2099-12-04")
    (line,) = world("remind", "--json").facts
    (logged,) = world("activity", "show", line["activity"], "--json").facts
    expected = {
        "record": "campaign:4711",
        "type": "email",
        "topic": "offer",
        "origin": "system",
        "read_only": True,
        "subject": "Erinnerung: Offerte nachfassen",
        "languages": ["de"],
        "sent_languages": {ANNA: ["de"]},
        "recorder": ANNA,
    }
    assert {key: logged[key] for key in expected} == expected
    assert "Fällig am: 4. Dezember 2099" in logged["text"]
    assert "Thema: Angebot" in logged["text"]
    assert logged["message_id"].encode() in server.mails[0][1]
    (participant,) = logged["participants"]
    assert (participant["email"], participant["header"], participant["side"]) == (ANNA, "to", "internal")
    assert world("activity", "set", logged["id"], "--as", ANNA, "--subject", "Else").code == 65
    assert world("activity", "delete", logged["id"], "--as", LUCA).code == 65
    assert world("activity", "delete", logged["id"], "--as", ANNA).code == 0
    assert world("remind", "--json").facts == []
    assert world("activity", "show", task).code == 0


def test_internal_participants_are_reminded_in_their_own_languages(
    world: Run, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILGATE_INSTANCE__LANGUAGE", "fr")  # Luca has none
    world("record", "set", "campaign:4711", "--user", f"sales={LUCA}", "--user", f"sales={ANNA}")
    a_task(world, TODAY, "--user", LUCA, "--user", ANNA)
    assert [line["to"] for line in world("remind", "--json").facts] == [ANNA, LUCA]
    mails = {to: email.message_from_bytes(mail, policy=email.policy.default) for to, mail in server.mails}
    subjects = {to: str(mail["Subject"]) for to, mail in mails.items()}
    assert subjects == {ANNA: "Erinnerung: Offerte nachfassen", LUCA: "Rappel\u00a0: Offerte nachfassen"}
    logged = world("activity", "list", "campaign:4711", "--json").facts
    assert sorted(language for one in logged for language in one["languages"]) == ["de", "fr"]


def test_nobody_is_reminded_of_what_is_done(world: Run, server: MailServer) -> None:
    task = a_task(world, TODAY)
    assert world("activity", "done", task, "--as", ANNA).code == 0
    assert world("remind", "--json").facts == []
    assert world("activity", "undone", task, "--as", ANNA).code == 0
    assert [line["task"] for line in world("remind", "--json").facts] == [task]
    assert len(server.mails) == 1


def test_a_task_that_is_moved_is_reminded_of_again(world: Run, server: MailServer) -> None:
    task = a_task(world, "2026-01-02")
    assert [line["remind_on"] for line in world("remind", "--json").facts] == ["2026-01-02"]
    assert world("activity", "set", task, "--as", ANNA, "--remind", TODAY).code == 0
    assert [line["remind_on"] for line in world("remind", "--json").facts] == [TODAY]
    assert len(server.mails) == 2


def test_nothing_is_due_before_its_day(world: Run, server: MailServer) -> None:
    a_task(world, "2099-01-01")
    assert world("remind", "--json").facts == []
    assert server.connections == []


def test_before_six_nothing_goes_out(world: Run, server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    behind = (datetime.now(UTC).hour - 2) % 24
    behind = behind if behind <= 12 else behind - 24
    monkeypatch.setenv("MAILGATE_INSTANCE__TIMEZONE", f"Etc/GMT{behind:+d}" if behind else "Etc/GMT")  # two or three
    a_task(world, "2026-01-02")
    assert world("remind", "--json").facts == []
    assert server.connections == []


OUTCOMES = [
    ({"RCPT": "450 4.2.0 Later"}, ("later", "450 4.2.0 Later"), 75, 2),
    ({"GREETING": "421 4.3.2 Busy"}, ("later", "421 4.3.2 Busy"), 75, 2),
    ({"RCPT": "550 5.1.1 Nobody"}, ("refused", "550 5.1.1 Nobody"), 65, 1),
    ({"CONTENT": "<cut>"}, ("unknown", "connection was lost"), 0, 1),
]


@pytest.mark.parametrize(("script", "told", "code", "times"), OUTCOMES)
def test_what_the_server_says_is_told_and_decides_how_it_ends(  # noqa: PLR0917 - the table's columns
    world: Run, monkeypatch: pytest.MonkeyPatch, script: dict[str, str], told: tuple[str, str], code: int, times: int
) -> None:
    task = a_task(world, TODAY)
    with mail_server(script) as server:
        settle(monkeypatch, server)
        ran = world("remind")
        assert (ran.code, ran.err) == (code, "")
        cells = ran.out.removesuffix("\n").split("\t")
        assert cells[:5] == [task, "campaign:4711", ANNA, TODAY, told[0]]
        assert told[1] in cells[5]
        world("remind")
        assert len(server.connections) == times
    assert len(world("activity", "list", "campaign:4711", "--json").facts) == 1  # the task alone


def test_where_nobody_listens_it_is_tried_later(world: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server() as server:
        settle(monkeypatch, server)
    a_task(world, TODAY)
    ran = world("remind")
    assert ran.code == 75
    assert "can't be reached" in ran.out


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("missing", "named"), [("HOST", "outbound.smtp.host"), ("FROM", "outbound.smtp.from")])
def test_without_a_mail_server_it_says_which_key_is_missing(
    world: Run, server: MailServer, monkeypatch: pytest.MonkeyPatch, missing: str, named: str
) -> None:
    monkeypatch.delenv(f"MAILGATE_OUTBOUND__SMTP__{missing}")
    ran = world("remind")
    assert (ran.code, ran.out) == (78, "")
    assert ran.err.startswith(f"mailgate: {named}: ")
    assert ran.err.count("\n") == 1


def test_over_tls_with_a_login_from_a_file(world: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path, "localhost")
    (tmp_path / "password").write_text(f"{PASSWORD}\r\nnot this\n", "utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.cert))
    monkeypatch.setenv("MAILGATE_OUTBOUND__SMTP__USERNAME", USERNAME)
    monkeypatch.setenv("MAILGATE_OUTBOUND__SMTP__PASSWORD_FILE", str(tmp_path / "password"))
    a_task(world, TODAY)
    with mail_server(tls=certificate) as server:
        settle(monkeypatch, server)
        monkeypatch.setenv("MAILGATE_OUTBOUND__SMTP__STARTTLS", "true")
        assert [line["state"] for line in world("remind", "--json").facts] == ["sent"]
        assert server.logins == [(USERNAME, PASSWORD)]
        assert all(PASSWORD not in line and "MAIL" not in line for line in server.plain)


def test_a_login_that_is_refused_leaves_everything_due(
    world: Run, server: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_task(world, TODAY)
    (tmp_path / "password").write_text("hunter2")
    with monkeypatch.context() as patch:
        patch.setenv("MAILGATE_OUTBOUND__SMTP__USERNAME", USERNAME)
        patch.setenv("MAILGATE_OUTBOUND__SMTP__PASSWORD_FILE", str(tmp_path / "password"))
        ran = world("remind")
    assert (ran.code, ran.out) == (78, "")
    assert ran.err.startswith("mailgate: outbound.smtp.username, outbound.smtp.password_file: localhost:")
    assert "hunter2" not in ran.err
    assert [line["state"] for line in world("remind", "--json").facts] == ["sent"]


@pytest.mark.parametrize("content", [b"", b"\nsecond line", b"\xff\xfe", b"a\0b"])
def test_a_file_without_a_password_in_its_first_line_is_named(
    world: Run, server: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / "password").write_bytes(content)
    monkeypatch.setenv("MAILGATE_OUTBOUND__SMTP__USERNAME", USERNAME)
    monkeypatch.setenv("MAILGATE_OUTBOUND__SMTP__PASSWORD_FILE", str(tmp_path / "password"))
    ran = world("remind")
    assert ran.code == 78
    assert ran.err.startswith(f"mailgate: outbound.smtp.password_file: {tmp_path / 'password'} ")
    assert server.connections == []
