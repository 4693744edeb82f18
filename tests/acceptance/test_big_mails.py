"""A mail that its reader dies of is kept, with a note; the service and other mails feel nothing."""

import json
import os
import signal
import smtplib
import threading
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from mailgate import reading
from tests.acceptance.postfix import wait_for
from tests.acceptance.program import Program, daemon

ANNA = "anna@muster.example"


def a_mail(subject: str, body: str) -> bytes:
    return (
        f"From: Anna Muster <{ANNA}>\r\nTo: kunde@kunde.example\r\nSubject: {subject}\r\n"
        f"Date: Mon, 02 Nov 2026 10:00:00 +0100\r\nMessage-ID: <{subject}@muster.example>\r\n\r\n{body}\r\n"
    ).encode()


def send(served: Program, address: str, mail: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", served.smtp_port, timeout=60) as client:
        client.sendmail(ANNA, [address], mail)


def readers(service: int) -> list[int]:
    """List the processes that read mails for a service, be it one process or several."""
    above: dict[int, int] = {}
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, parent = (place / "stat").read_text().rpartition(")")[2].split()[:2]
            above[int(place.name)] = int(parent)
            if state != "Z" and b"mailgate.mime.worker" in (place / "cmdline").read_bytes():
                found.append(int(place.name))
    return [each for each in found if service in {above.get(each), above.get(above.get(each, 0))}]


def codes(activity: dict[str, Any]) -> list[str]:
    return [note["code"] for note in activity["notes"]]


def shown(served: Program, subject: str) -> dict[str, object]:
    (found,) = [one for one in served.facts("activity", "list", "campaign:1") if one["subject"] == subject]
    (activity,) = served.facts("activity", "show", str(found["id"]))
    return activity


def test_a_mail_that_its_reader_dies_of_is_kept_and_others_are_taken_meanwhile(served: Program, tmp_path: Path) -> None:
    (address,) = served.settle(ANNA, "campaign:1")
    big = "x" * 70 + "\r\n"
    with daemon(served, tmp_path / "log") as process:
        # its reader stands still, as one that hangs does
        sender = threading.Thread(target=send, args=(served, address, a_mail("big", big * 100_000)))
        sender.start()
        wait_for(lambda: bool(readers(process.pid)))
        (worker,) = readers(process.pid)
        os.kill(worker, signal.SIGSTOP)
        for n in range(5):
            send(served, address, a_mail(f"small-{n}", "Guten Tag"))
        assert sender.is_alive()
        os.kill(worker, signal.SIGKILL)
        sender.join(60)
        assert not sender.is_alive()

        send(served, address, a_mail("next", big * 20_000))  # read by a new one
        send(served, address, a_mail("small-5", "Guten Tag"))
        last = readers(process.pid)
        assert last
        assert worker not in last
        ready = urllib.request.urlopen(f"http://127.0.0.1:{served.metrics_port}/readyz", timeout=20)
        assert ready.status == 200
    assert not Path(f"/proc/{process.pid}").exists()
    wait_for(lambda: not any(Path(f"/proc/{each}").exists() for each in last))

    kept = shown(served, "big")
    assert codes(kept) == ["unreadable", "no_known_participant"]
    raw = served.run("activity", "raw", str(kept["id"])).stdout
    assert raw == a_mail("big", big * 100_000)
    assert codes(shown(served, "next")) == ["no_known_participant"]
    assert len(str(shown(served, "next")["text"])) > reading.PLAIN_SIZE
    assert {f"small-{n}" for n in range(6)} < {one["subject"] for one in served.facts("activity", "list", "campaign:1")}
    assert "Guten Tag" not in (tmp_path / "log").read_text()
    whys = [json.loads(line)["why"] for line in (tmp_path / "log").read_text().splitlines() if '"reading"' in line]
    assert len(whys) == 1
