"""A colleague who is no user yet: Postfix keeps their mail, and the line that ``user add`` prints brings it."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.company import settled_by
from tests.acceptance.office import DORA, office
from tests.acceptance.postfix import wait_for

pytestmark = pytest.mark.acceptance("sasl")

# so that it is the printed line that brings the mail, not Postfix's own retry
PATIENT = "minimal_backoff_time = 1000s\nmaximal_backoff_time = 2000s\nqueue_run_delay = 1000s\n"


def test_their_mail_waits_until_they_are_registered(tmp_path: Path) -> None:
    with office(tmp_path, PATIENT, MAILGATE_SENDERS__DOMAINS='["muster.example"]') as running:
        record, address = running.company.record()
        running.send(DORA, DORA, DORA, address)
        assert settled_by(running.postfix, address) == ["deferred"]
        assert "450 4.7.1" in running.postfix.log
        assert "[MG-WAIT]" in running.postfix.log
        assert DORA in running.company.program.must("user", "pending")

        printed = running.company.program.must("user", "add", DORA, "--name", "Dora Muster")
        line = re.search(r"postqueue -i (\w+)", printed)
        assert line, printed
        command = ["postqueue", "-c", str(running.postfix.base / "etc"), "-i", line.group(1)]
        subprocess.run(command, check=True, capture_output=True)
        wait_for(lambda: running.postfix.statuses(address)[-1] == "sent")

        assert running.company.kept(record) == [(DORA, "vouched")]


def test_their_own_server_tells_them_that_it_waits(tmp_path: Path) -> None:
    with office(tmp_path, "delay_warning_time = 1s\n", MAILGATE_SENDERS__DOMAINS='["muster.example"]') as running:
        _, address = running.company.record()
        running.send(DORA, DORA, DORA, address)

        notice = running.company.notice(DORA, address)

    assert "Subject: Delayed Mail" in notice
    assert "450 4.7.1" in notice
    assert "[MG-WAIT]" in notice
