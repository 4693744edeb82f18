"""Reminders by the installed program: to real receivers, by two runs at once, and killed at the worst moment."""

import asyncio
import email
import email.policy
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from mailgate import app
from mailgate.domain.entry import RecordEntry, UserEntry
from mailgate.domain.handmade import HandmadeEntry
from mailgate.domain.record import RecordRef
from mailgate.store.database import open_database
from tests.acceptance.postfix import answers, free_port, wait_for
from tests.acceptance.program import MAILGATE, Program
from tests.daytime import zone_by_day
from tests.dialogue.conftest import make_certificate
from tests.dialogue.mail_server import PASSWORD, USERNAME, mail_server

ANNA, LUCA = "anna@muster.example", "luca@muster.example"
CAMPAIGN = "campaign:4711"
SINK = "/usr/sbin/smtp-sink"


@pytest.fixture
def reminding(served: Program) -> Program:
    """A program in whose time zone it is noon, with two users on a campaign."""
    served.environment.update(
        {
            "MAILGATE_INSTANCE__TIMEZONE": zone_by_day(),
            "MAILGATE_OUTBOUND__SMTP__HOST": "localhost",
            "MAILGATE_OUTBOUND__SMTP__FROM": "mailgate@muster.example",
            "MAILGATE_OUTBOUND__SMTP__STARTTLS": "false",
        }
    )
    with app.open_desk(served.settings()) as desk:
        desk.users.add(UserEntry.read(ANNA, name="Anna Muster", language="de"), actor="test")
        desk.users.add(UserEntry.read(LUCA, name="Luca Rossi", language="it"), actor="test")
        users = [f"sales={ANNA}", f"sales={LUCA}"]
        desk.records.add(RecordEntry.read(CAMPAIGN, name="Herbst", user=users), actor="test")
    return served


def by(program: Program, port: int, **more: str) -> Program:
    """Name the mail server."""
    program.environment["MAILGATE_OUTBOUND__SMTP__PORT"] = str(port)
    program.environment.update(more)
    return program


def tasks(program: Program, count: int, *users: str) -> set[str]:
    """Make tasks that are due, and give their ids."""
    made = set()
    day = date(2026, 1, 2).isoformat()
    with app.open_desk(program.settings()) as desk:
        for number in range(count):
            entry = HandmadeEntry.read(
                type_="task", topic="offer", subject=f"Aufgabe {number}", remind=day, users=users or None
            )
            made.add(desk.handmade.add(RecordRef.parse(CAMPAIGN), entry, as_email=ANNA).id)
    return made


def logged(program: Program) -> list[dict[str, Any]]:
    """List what was logged by the program itself."""
    found = program.facts("activity", "list", CAMPAIGN, "--limit", "1000")
    return [one for one in found if one["origin"] == "system"]


# -- real receivers ---------------------------------------------------------------------------------------------------


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that Postfix's own user can write in."""
    made = Path(tempfile.mkdtemp(prefix="mailgate-sink-"))
    shutil.chown(made, "postfix")
    yield made
    shutil.rmtree(made)


@contextmanager
def smtp_sink(folder: Path, *options: str) -> Iterator[int]:
    """Run Postfix's test server, which writes each mail to a file in the folder; give its port."""
    port = free_port()
    command = [SINK, "-u", "postfix", *options, "-d", f"{folder}/mail.", f"127.0.0.1:{port}", "10"]
    with subprocess.Popen(command, cwd=folder) as process:
        try:
            wait_for(lambda: process.poll() is not None or answers(port))
            assert process.poll() is None
            yield port
        finally:
            process.terminate()


def mails_in(folder: Path) -> list[EmailMessage]:
    """Read what the test server wrote."""
    files = sorted(folder.glob("mail.*"))
    return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]


@pytest.mark.acceptance
def test_postfix_takes_reminders_in_the_languages_of_their_readers(reminding: Program, folder: Path) -> None:
    made = tasks(reminding, 1, ANNA, LUCA)
    with smtp_sink(folder) as port:
        lines = by(reminding, port).facts("remind")
    assert [(line["to"], line["state"]) for line in lines] == [(ANNA, "sent"), (LUCA, "sent")]
    assert {line["task"] for line in lines} == made
    # smtp-sink writes the envelope on top
    mails = {mail["X-Rcpt-Args"]: mail for mail in mails_in(folder)}
    assert set(mails) == {f"<{ANNA}>", f"<{LUCA}>"}
    assert {mail["X-Mail-Args"] for mail in mails.values()} == {"<mailgate@muster.example>"}
    german, italian = mails[f"<{ANNA}>"], mails[f"<{LUCA}>"]
    assert (german["Subject"], italian["Subject"]) == ("Erinnerung: Aufgabe 0", "Promemoria: Aufgabe 0")
    assert "Datensatz: Herbst (campaign:4711)" in german.get_content()
    assert "Scheda: Herbst (campaign:4711)" in italian.get_content()
    assert (german["Auto-Submitted"], german["Content-Language"]) == ("auto-generated", "de")
    assert {one["message_id"] for one in logged(reminding)} == {german["Message-ID"], italian["Message-ID"]}


@pytest.mark.acceptance
@pytest.mark.parametrize(("option", "said", "times"), [("-r", (75, "later"), 1), ("-f", (65, "refused"), 0)])
def test_postfix_says_no(reminding: Program, folder: Path, option: str, said: tuple[int, str], times: int) -> None:
    """``-r`` answers 4xx, ``-f`` 5xx; afterwards the mail server takes everything."""
    tasks(reminding, 1)
    with smtp_sink(folder, option, "rcpt") as port:
        done = by(reminding, port).run("remind", "--json")
    assert (done.returncode, json.loads(done.stdout)["state"]) == said
    with smtp_sink(folder) as port:
        assert len(by(reminding, port).facts("remind")) == times
    assert len(mails_in(folder)) == len(logged(reminding)) == times


def test_a_login_over_tls(reminding: Program, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "localhost")
    (tmp_path / "password").write_text(f"{PASSWORD}\n", "utf-8")
    tasks(reminding, 3)
    with mail_server(tls=certificate) as server:
        login = {"MAILGATE_OUTBOUND__SMTP__USERNAME": USERNAME, "SSL_CERT_FILE": str(certificate.cert)}
        login |= {"MAILGATE_OUTBOUND__SMTP__PASSWORD_FILE": str(tmp_path / "password")}
        by(reminding, server.port, MAILGATE_OUTBOUND__SMTP__STARTTLS="true", **login)
        assert [line["state"] for line in reminding.facts("remind")] == ["sent"] * 3
        assert server.logins == [(USERNAME, PASSWORD)]
        assert len(server.connections) == 1
        assert not any("MAIL" in line or PASSWORD in line for line in server.plain)


# -- two runs at once -------------------------------------------------------------------------------------------------


class Together:
    """Takes mails, the first one only when two clients are there; so both runs are at it at once."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, str]] = []  # to, Message-ID
        self.clients: set[int] = set()
        self.both = asyncio.Event()

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Wait for the other one."""
        self.clients.add(id(session))
        if len(self.clients) > 1:
            self.both.set()
        await asyncio.wait_for(self.both.wait(), 60)
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
        """Take a mail, not too quickly."""
        await asyncio.sleep(0.02)
        mail = email.message_from_bytes(envelope.original_content or b"")
        self.mails.append((envelope.rcpt_tos[0], mail["Message-ID"]))
        return "250 OK"


def test_two_runs_at_once_send_each_mail_exactly_once(reminding: Program) -> None:
    made = tasks(reminding, 15, ANNA, LUCA)
    together = Together()
    controller = Controller(together, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        by(reminding, controller.port)
        with ExitStack() as stack:
            command = [MAILGATE, "remind", "--json"]
            runs = [
                stack.enter_context(subprocess.Popen(command, env=reminding.environment, stdout=subprocess.PIPE))
                for _ in range(2)
            ]
            said = [[json.loads(line) for line in run.communicate(timeout=100)[0].splitlines()] for run in runs]
    finally:
        controller.stop()
    assert [run.returncode for run in runs] == [0, 0]
    assert all(said)  # each of them sent some
    lines = [line for one in said for line in one]
    assert {line["state"] for line in lines} == {"sent"}
    assert sorted((line["task"], line["to"]) for line in lines) == sorted(
        (one, to) for one in made for to in (ANNA, LUCA)
    )
    assert len(together.mails) == len(set(together.mails)) == 30
    assert {one["message_id"] for one in logged(reminding)} == {name for _, name in together.mails}
    assert {line["activity"] for line in lines} == {one["id"] for one in logged(reminding)}


# -- killed -----------------------------------------------------------------------------------------------------------


@contextmanager
def nobody_settles(program: Program) -> Iterator[None]:
    """Hold what a run needs to write down what became of a mail."""
    settings = program.settings()
    database = open_database(settings.store.url, create=False, allow_unsafe=True)
    try:
        with database.write() as connection:
            if database.kind == "postgresql":
                connection.exec_driver_sql("LOCK TABLE reminder IN EXCLUSIVE MODE")
            yield
    finally:
        database.close()


def kill_after_hand_over(program: Program) -> list[tuple[str, bytes]]:
    """Run it, and kill it once the mail server has said yes, before that can be written down."""
    with ExitStack() as stack:
        taken = threading.Event()

        def lock() -> None:
            stack.enter_context(nobody_settles(program))
            taken.set()

        server = stack.enter_context(mail_server(before_yes=lock))
        by(program, server.port)
        process = stack.enter_context(subprocess.Popen([MAILGATE, "remind"], env=program.environment))
        wait_for(lambda: taken.is_set() and server.mails)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    return server.mails


def remind_at(program: Program, when: Callable[[], datetime]) -> list[tuple[str, str]]:
    """Run it in this process at another time."""
    return [(line.key.email, line.state) for line in app.remind(program.settings(), when)]


def test_a_run_that_is_killed_after_the_hand_over_is_listed_as_unknown_and_its_mail_not_sent_again(
    reminding: Program,
) -> None:
    tasks(reminding, 1, LUCA)
    assert [to for to, _ in kill_after_hand_over(reminding)] == [LUCA]
    assert logged(reminding) == []
    with mail_server() as server:
        by(reminding, server.port)
        assert reminding.facts("remind") == []  # that run may live still: left alone
        later = datetime.now(UTC) + timedelta(minutes=20)
        assert remind_at(reminding, lambda: later) == [(LUCA, "unknown")]
        assert remind_at(reminding, lambda: later + timedelta(hours=1)) == []
        assert reminding.facts("remind") == []
        assert (server.mails, server.connections) == ([], [])
        tasks(reminding, 1, ANNA)  # and others are sent as ever
        assert [line["to"] for line in reminding.facts("remind")] == [ANNA]


def test_a_run_that_is_asked_to_end_finishes_the_mail_that_is_on_its_way(reminding: Program) -> None:
    tasks(reminding, 3)
    running: list[subprocess.Popen[bytes]] = []

    def ask() -> None:
        wait_for(lambda: running)
        running[0].terminate()

    with mail_server(before_yes=ask) as server:
        by(reminding, server.port)
        command = [MAILGATE, "remind", "--json"]
        with subprocess.Popen(command, env=reminding.environment, stdout=subprocess.PIPE) as process:
            running.append(process)
            out, _ = process.communicate(timeout=100)
        assert (process.returncode, len(server.mails)) == (0, 1)
    (line,) = [json.loads(one) for one in out.splitlines()]
    assert line["state"] == "sent"
    assert [one["id"] for one in logged(reminding)] == [line["activity"]]
    with mail_server() as server:
        assert [one["state"] for one in by(reminding, server.port).facts("remind")] == ["sent", "sent"]
