"""Several processes take mail for one PostgreSQL: nothing is lost or doubled, whoever of them dies."""

import os
import signal
import smtplib
import subprocess
import sys
import threading
import time
import urllib.request
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.postfix import answers, wait_for
from tests.acceptance.program import Program, daemon, program

ANNA = "anna@muster.example"
WORKERS = 3


@pytest.fixture
def served(tmp_path: Path, postgres_url: str) -> Program:
    return program(tmp_path, postgres_url, MAILGATE_SMTP__WORKERS=str(WORKERS), MAILGATE_STORE__ALLOW_UNSAFE="true")


def a_mail(name: str) -> bytes:
    return (
        f"From: {ANNA}\r\nTo: kunde@kunde.example\r\nSubject: {name}\r\nDate: Sun, 22 Nov 2026 10:00:00 +0100\r\n"
        f"Message-ID: <{name}@muster.example>\r\n\r\nGuten Tag {name}\r\n"
    ).encode()


def send(served: Program, address: str, name: str) -> None:
    with smtplib.SMTP("127.0.0.1", served.smtp_port, timeout=60) as client:
        client.sendmail(ANNA, [address], a_mail(name))


def children(parent: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def asked(served: Program, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{served.metrics_port}/{path}", timeout=20) as answer:
        return str(answer.read(), "utf-8")


def metric(served: Program, name: str) -> float:
    lines = asked(served, "metrics").splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def subjects(served: Program) -> list[str]:
    return sorted(each["subject"] for each in served.facts("activity", "list", "campaign:1", "--limit", "100000"))


class Load:
    """Sends mails from several connections until it is told to stop; remembers which got their 250."""

    def __init__(self, served: Program, address: str) -> None:
        self.kept: list[str] = []
        self._served = served
        self._address = address
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(6)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        n = 0
        while not self._stop.is_set():
            name = f"mail-{number}-{n}"
            try:
                send(self._served, self._address, name)
            except (smtplib.SMTPException, OSError):
                time.sleep(0.05)  # as a mail server would: the same mail again
                continue
            self.kept.append(name)
            n += 1


def test_all_take_mail_and_the_numbers_of_all_add_up(served: Program, tmp_path: Path) -> None:
    (address,) = served.settle(ANNA, "campaign:1")
    with daemon(served, tmp_path / "log") as process:
        assert len(children(process.pid)) == WORKERS + 1  # and the one that answers monitors
        with Load(served, address) as load:
            wait_for(lambda: len(load.kept) >= 200)
        assert subjects(served) == sorted(load.kept)
        assert metric(served, 'mailgate_mails_total{reason="",verdict="kept"}') == len(load.kept)
        assert metric(served, "mailgate_reply_seconds_count") == len(load.kept)
        assert metric(served, "mailgate_build_info") == metric(served, "mailgate_store_up") == 1
        assert (asked(served, "healthz"), asked(served, "readyz")) == ("alive\n", "ready\n")
    assert process.returncode == 0
    assert not answers(served.smtp_port)


def test_a_worker_that_is_killed_loses_nothing_and_comes_back(served: Program, tmp_path: Path) -> None:
    (address,) = served.settle(ANNA, "campaign:1")
    with daemon(served, tmp_path / "log") as process:
        first = sorted(children(process.pid))[:WORKERS]
        with Load(served, address) as load:
            for pid in first[:2]:
                before = len(load.kept)
                wait_for(partial(has_more, load, before + 50))
                counted = metric(served, "mailgate_mails_total")
                os.kill(pid, signal.SIGKILL)
                wait_for(partial(is_replaced, process.pid, pid))
                wait_for(lambda: asked(served, "readyz") == "ready\n")
                assert metric(served, "mailgate_mails_total") >= counted  # what it had counted isn't forgotten
        assert metric(served, "mailgate_worker_restarts_total") == 2
        kept = subjects(served)
        assert len(kept) == len(set(kept))
        assert set(load.kept) <= set(kept)
        assert len(set(kept) - set(load.kept)) <= 12  # committed, and the 250 lost: tried again, it was a duplicate


def has_more(load: Load, than: int) -> bool:
    return len(load.kept) >= than


def is_replaced(parent: int, killed: int) -> bool:
    there = children(parent)
    return killed not in there and len(there) == WORKERS + 1


def test_when_the_supervisor_dies_nobody_holds_the_door(served: Program, tmp_path: Path) -> None:
    (address,) = served.settle(ANNA, "campaign:1")
    with daemon(served, tmp_path / "log") as process:
        send(served, address, "before")
        others = children(process.pid)
        process.kill()
        process.wait()
        wait_for(lambda: not any(alive(pid) for pid in others))
    assert not answers(served.smtp_port)
    assert not answers(served.metrics_port)
    with daemon(served, tmp_path / "log"):
        send(served, address, "after")
    assert subjects(served) == ["after", "before"]


def alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return status != "Z"


def test_what_cannot_begin_is_said_and_ends_all(served: Program) -> None:
    spoilt = (
        "import sys; from mailgate import app; from mailgate.errors import Misconfigured\n"
        "def broken(*_): raise Misconfigured('the worker: no')\n"
        "app._serve_alone = broken\n"
        "from mailgate.__main__ import main; sys.argv[1:] = ['serve']; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", spoilt], env=served.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 78
    assert "mailgate: the worker: no\n" in done.stderr
    assert not answers(served.smtp_port)


def test_one_that_ends_again_and_again_is_not_started_without_a_rest(served: Program, tmp_path: Path) -> None:
    spoilt = (
        "import os, sys; from mailgate import app\n"
        "def ends(*_):\n"
        f"    os.write(os.open({str(tmp_path / 'begun')!r}, os.O_APPEND | os.O_CREAT | os.O_WRONLY), b'x')\n"
        "    return 1\n"
        "app._serve_alone = ends\n"
        "from mailgate.__main__ import main; sys.argv[1:] = ['serve']; sys.exit(main())"
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", spoilt], env=served.environment, stderr=log)
    begun = tmp_path / "begun"
    wait_for(lambda: begun.exists() and len(begun.read_bytes()) >= 3 * WORKERS)
    time.sleep(2)
    assert len(begun.read_bytes()) <= 5 * WORKERS
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) in {0, 1}  # 1: it was told while one was ending
