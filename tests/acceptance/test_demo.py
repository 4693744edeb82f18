"""What a newcomer does: load the demo, start the service, paste the line that was printed."""

import json
import subprocess
from pathlib import Path

from mailgate.domain.record import RecordKind
from tests.acceptance.program import daemon, program


def test_the_line_that_the_demo_prints_sends_a_mail_and_shows_its_activity(tmp_path: Path) -> None:
    served = program(tmp_path, MAILGATE_INSTANCE__EDITION="marketer")
    printed = served.must("demo").splitlines()
    assert [line.partition(":")[0] for line in printed[: len(RecordKind)]] == list(RecordKind)

    with daemon(served, tmp_path / "log"):
        pasted = subprocess.run(
            printed[-1].strip(), shell=True, env=served.environment, capture_output=True, text=True, check=False
        )

    assert pasted.returncode == 0, pasted.stderr
    assert "[MG-KEPT]" in pasted.stderr
    assert "Ihre Brillen für den Herbst" in pasted.stdout


def test_each_demo_mail_is_an_activity_of_its_own(tmp_path: Path) -> None:
    served = program(tmp_path, MAILGATE_INSTANCE__EDITION="marketer")
    served.must("demo")
    with daemon(served, tmp_path / "log"):
        first = json.loads(served.must("demo", "--send", "--json"))
        served.must("user", "add", "eve@else.example", "--name", "Eve")  # the demo goes on beside what one tries out
        second = json.loads(served.must("demo", "--send", "--json"))
    assert [activity["id"] for activity in served.facts("activity", "list", "campaign:4711")] == [
        second["id"],
        first["id"],
    ]
    assert first["participants"][1]["record"] == "contact:2001"


def test_the_demo_is_loaded_only_where_nothing_else_is(tmp_path: Path) -> None:
    served = program(tmp_path, MAILGATE_INSTANCE__EDITION="marketer")
    served.must("migrate")
    served.must("user", "add", "eve@else.example", "--name", "Eve")
    refused = served.run("demo")
    assert refused.returncode == 65
    assert b"eve@else.example" in refused.stderr


def test_the_demo_that_is_there_is_shown_again_whatever_else_was_added(tmp_path: Path) -> None:
    served = program(tmp_path, MAILGATE_INSTANCE__EDITION="marketer")
    first = served.must("demo")
    assert served.must("demo") == first
    served.must("user", "add", "eve@else.example", "--name", "Eve")
    assert served.must("demo") == first


def test_the_edition_publisher_has_six_kinds(tmp_path: Path) -> None:
    records = [each["record"] for each in program(tmp_path).facts("demo")]
    assert [record.partition(":")[0] for record in records] == list(RecordKind)[:-1]


def test_a_demo_mail_without_a_service_says_what_is_missing(tmp_path: Path) -> None:
    served = program(tmp_path, MAILGATE_INSTANCE__EDITION="marketer")
    served.must("demo")
    done = served.run("demo", "--send")
    assert done.returncode == 65
    assert f"127.0.0.1:{served.smtp_port}".encode() in done.stderr
