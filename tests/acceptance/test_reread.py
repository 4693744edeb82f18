"""Kept mails are read again beside a service that takes mails, and it may be killed whenever one likes."""

import os
import random
import signal
import smtplib
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from mailgate import app
from mailgate.domain.mail import Delivery, Envelope
from mailgate.store import tables, triggers
from mailgate.store.database import Database, open_database
from mailgate.store.migrations import migrate
from tests.acceptance.program import MAILGATE, Program, daemon, program
from tests.acceptance.test_main_job import ANNA, a_mail
from tests.store.test_rereading import check_whole, the_rest

# REREAD_MAILS=20000 REREAD_KILLS=20 is the long form
MAILS = int(os.environ.get("REREAD_MAILS", "120"))
KILLS = int(os.environ.get("REREAD_KILLS", "3"))
PATIENCE = 240  # seconds, on a machine that has much else to do
OLD = "as an older reader saw it"

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def kept(database_url: str, tmp_path: Path) -> Iterator[tuple[Program, Database, str]]:
    """A program whose store holds many mails that an older reader read; that store; and a record address."""
    made = program(tmp_path, database_url, MAILGATE_STORE__ALLOW_UNSAFE="true")
    (address,) = made.settle(ANNA, "campaign:4711")
    _fill(made, address)
    database = open_database(database_url, create=False, allow_unsafe=True)
    migrate(database)
    with database.write() as connection:
        triggers.drop(connection)
        connection.execute(update(tables.reading).values(reader=1, subject=OLD))
        triggers.create(connection)
    yield made, database, address
    database.close()


def _fill(made: Program, address: str) -> None:
    with app.open_desk(made.settings()) as desk, ThreadPoolExecutor(8) as threads:
        relay = desk.policy.relays[0]
        to = (desk.intake.check_recipient(relay, address),)
        envelope = Envelope(relay=relay, sender=ANNA, addressees=to)

        def log(number: int) -> str:
            raw = a_mail(ANNA, f"<{number}@muster.example>")
            (outcome,) = desk.intake.receive(Delivery(envelope=envelope, raw=raw, received_at=datetime.now(UTC)))
            return outcome.verdict.value

        assert set(threads.map(log, range(MAILS))) == {"kept"}


@dataclass
class Sender:
    """Sends one mail after the other to the running service; ``slowest`` is how long one of them took, in seconds."""

    port: int
    address: str
    sent: list[str] = field(default_factory=list)
    slowest: float = 0.0
    failed: list[Exception] = field(default_factory=list)

    def run(self, ended: threading.Event) -> None:
        try:
            with smtplib.SMTP("127.0.0.1", self.port) as client:
                while not ended.wait(0.02):
                    name = f"<live-{len(self.sent)}@muster.example>"
                    began = time.monotonic()
                    client.sendmail(ANNA, [self.address], a_mail(ANNA, name))  # raises unless the answer is 250
                    self.slowest = max(self.slowest, time.monotonic() - began)
                    self.sent.append(name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it fails the test
            self.failed.append(error)


@contextmanager
def sending(port: int, address: str) -> Iterator[Sender]:
    sender, ended = Sender(port, address), threading.Event()
    thread = threading.Thread(target=sender.run, args=(ended,))
    thread.start()
    try:
        yield sender
    finally:
        ended.set()
        thread.join()


def _old(database: Database) -> int:
    with database.read() as connection:
        there = select(func.count()).select_from(tables.reading).where(tables.reading.c.reader == 1)
        return connection.scalar(there.where(tables.reading.c.subject == OLD)) or 0


@contextmanager
def rereading(made: Program, database: Database) -> Iterator[subprocess.Popen[bytes]]:
    """Run it until it got somewhere; it is waited for at the end."""
    left = _old(database)
    with subprocess.Popen(
        [MAILGATE, "reread"], env=made.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        until = time.monotonic() + PATIENCE
        while _old(database) == left and process.poll() is None:
            assert time.monotonic() < until, "it gets nowhere"
            time.sleep(0.02)
        yield process
        process.wait(timeout=PATIENCE)


def test_mails_are_taken_while_it_runs_and_is_killed(
    kept: tuple[Program, Database, str], tmp_path: Path, engine: str
) -> None:
    made, database, address = kept
    before = the_rest(database)
    chance = random.Random(engine)
    left = [_old(database)]
    assert left == [MAILS]
    with daemon(made, tmp_path / "log"), sending(made.smtp_port, address) as sender:
        for _ in range(KILLS):
            with rereading(made, database) as process:
                time.sleep(chance.uniform(0, 0.2))
                process.kill()
            assert process.returncode == -signal.SIGKILL
            left.append(_old(database))
            check_whole(database)
        killed_for = len(sender.sent)
        with rereading(made, database) as process:
            pass
        assert process.returncode == 0
    print(f"{engine}: {left}, {killed_for} + {len(sender.sent) - killed_for} mails, slowest {sender.slowest:.3f} s")
    assert sender.failed == []
    assert killed_for > KILLS
    assert left == sorted(set(left), reverse=True)  # each goes on where the one before it was
    assert left[-1] > 0
    assert _old(database) == 0
    (summary,) = made.facts("reread")
    assert set(summary.values()) == {0}
    check_whole(database)
    _check_rest(before, the_rest(database))
    with database.read() as connection:
        names = set(connection.scalars(select(tables.activity.c.message_id)))
    assert names == {f"<{number}@muster.example>" for number in range(MAILS)} | set(sender.sent)


def _check_rest(before: dict[str, list[dict[str, object]]], after: dict[str, list[dict[str, object]]]) -> None:
    """Whatever was there is there as it was; addresses were used meanwhile."""
    for name, rows in before.items():
        if name not in {"address", "alembic_version"}:
            there = {repr(row) for row in after[name]}
            assert [row for row in rows if repr(row) not in there] == [], name


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_it_ends_when_it_is_told_to(kept: tuple[Program, Database, str], number: int, code: int) -> None:
    made, database, _ = kept
    with rereading(made, database) as process:
        process.send_signal(number)
    assert process.returncode == code
    assert 0 < _old(database) < MAILS
    check_whole(database)
