"""What an operator sees of the program that runs: health, readiness, metrics and one log line per mail."""

import json
import smtplib
import urllib.error
import urllib.request
from pathlib import Path

from tests.acceptance.program import Program, daemon

ANNA = "anna@muster.example"


def get(served: Program, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{served.metrics_port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as no:
        with no:
            return no.code, no.read().decode()


def send(served: Program, recipient: str) -> tuple[int, bytes]:
    with smtplib.SMTP("127.0.0.1", served.smtp_port) as client:
        client.ehlo()
        client.mail(ANNA)
        code, text = client.rcpt(recipient)
        return client.data(f"From: {ANNA}\r\nSubject: Secret\r\n\r\nHush\r\n".encode()) if code == 250 else (code, text)


def test_readiness_follows_what_the_store_holds(served: Program, tmp_path: Path) -> None:
    with daemon(served, tmp_path / "log"):
        assert get(served, "/healthz") == (200, "alive\n")
        code, why = get(served, "/readyz")
        assert (code, "no user is registered" in why) == (503, True)
        served.must("user", "add", ANNA, "--name", "Anna")
        code, why = get(served, "/readyz")
        assert (code, "no record address was made" in why) == (503, True)
        served.must("record", "add", "lead:1", "--name", "Lead")
        served.must("address", "show", "lead:1")
        assert get(served, "/readyz") == (200, "ready\n")


def test_each_verdict_is_counted_and_logged_once_without_content_or_secret(served: Program, tmp_path: Path) -> None:
    served.must("user", "add", ANNA, "--name", "Anna")
    served.must("record", "add", "lead:1", "--name", "Lead")
    address = served.must("address", "show", "lead:1")
    with daemon(served, tmp_path / "log"):
        assert [send(served, address)[0], send(served, address)[0]] == [250, 250]
        assert send(served, address.replace("@", "x@"))[0] == 550
        metrics = get(served, "/metrics")[1]
    counted = {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in metrics.splitlines()}
    assert counted['mailgate_mails_total{reason="",verdict="kept"}'] == "1.0"
    assert counted['mailgate_mails_total{reason="duplicate",verdict="duplicate"}'] == "1.0"
    assert counted['mailgate_mails_total{reason="unknown_address",verdict="refused"}'] == "1.0"
    assert counted['mailgate_bad_recipients_total{reason="unknown_address"}'] == "1.0"
    assert counted["mailgate_reply_seconds_count"] == counted["mailgate_mail_bytes_count"] == "2.0"
    assert counted["mailgate_commit_mails_sum"] == "2.0"
    assert float(counted["mailgate_last_kept_timestamp_seconds"]) > 0
    log = (tmp_path / "log").read_text()
    events = [json.loads(line) for line in log.splitlines()]
    assert [(event["event"], event.get("verdict")) for event in events] == [
        ("started", None),
        ("mail", "kept"),
        ("mail", "duplicate"),
        ("recipient", "refused"),
        ("stopping", None),
        ("stopped", None),
    ]
    for secret in ("Secret", "Hush", address.partition("@")[0]):
        assert secret not in log + metrics
