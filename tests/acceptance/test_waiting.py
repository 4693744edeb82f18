"""A colleague who is no user yet: Postfix keeps their mail, and the line that ``user add`` prints brings it."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.acceptance.company import settled_by
from tests.acceptance.office import DORA, Office, office
from tests.acceptance.postfix import wait_for

pytestmark = pytest.mark.acceptance("sasl")

# so that it is the printed line that brings the mail, not Postfix's own retry
PATIENT = "minimal_backoff_time = 1000s\nmaximal_backoff_time = 2000s\nqueue_run_delay = 1000s\n"


def queue(running: Office) -> list[str]:
    return ["-c", str(running.postfix.base / "etc")]


def test_their_mail_waits_until_they_are_registered(tmp_path: Path) -> None:
    with office(tmp_path, PATIENT, MAILGATE_SENDERS__DOMAINS='["muster.example"]') as running:
        record, address = running.company.record()
        running.send(DORA, DORA, DORA, address)
        assert settled_by(running.postfix, address) == ["deferred"]
        assert "450 4.7.1" in running.postfix.log
        assert "[MG-WAIT]" in running.postfix.log
        assert DORA in running.company.program.must("user", "pending")

        # what waits can be looked at as it would come to us, before anything is decided
        queue_id = re.findall(r"(\w+): to=<", running.postfix.log)[-1]
        mail = subprocess.run(["postcat", *queue(running), "-bhq", queue_id], check=True, capture_output=True).stdout
        told = running.company.program.run("doctor", "relay", "-", "--from", DORA, "--json", stdin=mail)
        (advised,) = (kind for kind in json.loads(told.stdout)["kinds"] if kind["trust"] == "vouched")
        assert {'login = "received"', "received = 1"} <= set(advised["settings"])

        printed = running.company.program.must("user", "add", DORA, "--name", "Dora Muster")
        line = re.search(r"postqueue -i (\w+)", printed)
        assert line, printed
        hurry = ["postqueue", *queue(running), "-i", line.group(1)]
        subprocess.run(hurry, check=True, capture_output=True)

        def sent() -> bool:
            # a mail that its delivery agent still holds open is skipped, and wants to be asked for again
            if running.postfix.statuses(address)[-1] == "sent":
                return True
            time.sleep(1)
            subprocess.run(hurry, check=False, capture_output=True)
            return False

        wait_for(sent)

        assert running.company.kept(record) == [(DORA, "vouched")]


def test_their_own_server_tells_them_that_it_waits(tmp_path: Path) -> None:
    with office(tmp_path, "delay_warning_time = 1s\n", MAILGATE_SENDERS__DOMAINS='["muster.example"]') as running:
        _, address = running.company.record()
        running.send(DORA, DORA, DORA, address)

        notice = running.company.notice(DORA, address)

    assert "Subject: Delayed Mail" in notice
    assert "450 4.7.1" in notice
    assert "[MG-WAIT]" in notice
