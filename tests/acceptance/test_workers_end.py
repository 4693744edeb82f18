"""How several processes end: told to, asked for a word, killed, or before they began; and who holds which door then."""

import os
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.postfix import accepts, wait_for
from tests.acceptance.program import MAILGATE, Program, daemon, program
from tests.acceptance.test_signals import new_certificate, shown_certificate
from tests.acceptance.test_workers import ANNA, WORKERS, a_mail, asked, children, metric, send, subjects


@pytest.fixture
def served(tmp_path: Path, postgres_url: str) -> Program:
    return program(tmp_path, postgres_url, MAILGATE_SMTP__WORKERS=str(WORKERS), MAILGATE_STORE__ALLOW_UNSAFE="true")


@contextmanager
def half_a_mail(served: Program, address: str, name: str) -> Iterator[Callable[[], bytes]]:
    """Send a mail but for its end; what is given sends that, and returns the answer."""
    with smtplib.SMTP("127.0.0.1", served.smtp_port, timeout=60) as client:
        client.ehlo()
        client.mail(ANNA)
        client.rcpt(address)
        client.putcmd("data")
        assert client.getreply()[0] == 354
        client.send(a_mail(name))

        def end() -> bytes:
            client.send(b".\r\n")
            answer = client.getreply()[1]
            client.close()  # no QUIT: it may have been told that we end
            return answer

        yield end


def test_while_mails_are_let_finish_no_door_is_open(served: Program, tmp_path: Path) -> None:
    (address,) = served.settle(ANNA, "campaign:1")
    with daemon(served, tmp_path / "log") as process, half_a_mail(served, address, "last") as end:
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: not accepts(served.smtp_port))
        assert not served.lmtp_path.exists()
        assert process.poll() is None
        assert end().startswith(b"2.0.0 [MG-KEPT]")
        assert process.wait(60) == 0
    assert subjects(served) == ["last"]


def test_a_supervisor_that_dies_leaves_its_doors_to_the_next(served: Program, tmp_path: Path) -> None:
    (address,) = served.settle(ANNA, "campaign:1")
    with daemon(served, tmp_path / "log") as process, half_a_mail(served, address, "last") as end:
        process.kill()
        process.wait()
        wait_for(lambda: not accepts(served.smtp_port) and not accepts(served.metrics_port))
        with daemon(served, tmp_path / "log"):
            send(served, address, "first")
            assert end().startswith(b"2.0.0 [MG-KEPT]")
            assert asked(served, "readyz") == "ready\n"
    assert subjects(served) == ["first", "last"]


def test_a_worker_that_is_told_to_end_takes_no_door_with_it(served: Program, tmp_path: Path) -> None:
    (address,) = served.settle(ANNA, "campaign:1")
    with daemon(served, tmp_path / "log") as process:
        for pid in sorted(children(process.pid))[:WORKERS]:
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: metric(served, "mailgate_worker_restarts_total") == WORKERS)
        wait_for(lambda: asked(served, "readyz") == "ready\n")
        send(served, address, "by SMTP")
        with smtplib.LMTP(str(served.lmtp_path)) as client:
            client.sendmail(ANNA, [address], a_mail("by LMTP"))
    assert subjects(served) == ["by LMTP", "by SMTP"]


def test_workers_that_hang_keep_no_answer_back(served: Program, tmp_path: Path) -> None:
    (address,) = served.settle(ANNA, "campaign:1")
    with daemon(served, tmp_path / "log") as process:
        for name in ("one", "two", "three"):
            send(served, address, name)
        wait_for(lambda: metric(served, "mailgate_mails_total") == 3)
        hanging = sorted(children(process.pid))[: WORKERS - 1]
        for pid in hanging:
            os.kill(pid, signal.SIGSTOP)
        assert metric(served, "mailgate_mails_total") == 3
        assert (asked(served, "healthz"), asked(served, "readyz")) == ("alive\n", "ready\n")
        for pid in hanging:
            os.kill(pid, signal.SIGCONT)
        assert process.poll() is None


def test_a_reload_is_done_when_all_have_done_it(served: Program, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    first = new_certificate(cert, key)
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, (tmp_path / "log").open("wb") as log:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)

        def hear(line: str) -> bool:
            try:
                while True:
                    told.extend(systemd.recv(1000).decode().splitlines())
            except BlockingIOError:
                return line in told

        environment = served.environment | {
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "MAILGATE_SMTP__TLS_CERT": str(cert),
            "MAILGATE_SMTP__TLS_KEY": str(key),
        }
        process = subprocess.Popen([MAILGATE, "serve"], env=environment, stderr=log)
        try:
            wait_for(lambda: hear("READY=1"))
            slow = sorted(children(process.pid))[0]
            os.kill(slow, signal.SIGSTOP)
            told.clear()
            second = new_certificate(cert, key)
            process.send_signal(signal.SIGHUP)
            wait_for(lambda: shown_certificate(served.smtp_port) == second)
            assert hear("RELOADING=1")
            assert not hear("READY=1")
            os.kill(slow, signal.SIGCONT)
            wait_for(lambda: hear("READY=1"))
            assert {shown_certificate(served.smtp_port) for _ in range(10)} == {second} != {first}
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def spoilt(served: Program, how: str, log: Path) -> "subprocess.Popen[bytes]":
    """Run ``serve`` with something in the workers changed."""
    program = f"import sys; {how}\nfrom mailgate.__main__ import main; sys.argv[1:] = ['serve']; sys.exit(main())"
    with log.open("wb") as sink:
        return subprocess.Popen([sys.executable, "-c", program], env=served.environment, stderr=sink)


def test_told_to_end_before_it_has_begun_it_ends_well(served: Program, tmp_path: Path) -> None:
    served.settle(ANNA, "campaign:1")
    begun = tmp_path / "begun"
    slow = f"import pathlib, time; from mailgate import app\ndef slow(*_): pathlib.Path({str(begun)!r}).touch(); time.sleep(60)\napp._serve_alone = slow"  # noqa: E501 - one program
    process = spoilt(served, slow, tmp_path / "log")
    wait_for(begun.exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0, (tmp_path / "log").read_text()


def test_what_no_worker_can_begin_without_is_said_in_one_line(served: Program, tmp_path: Path) -> None:
    served.settle(ANNA, "campaign:1")
    broken = (
        "from mailgate import app; from mailgate.errors import Misconfigured\n"
        "def broken(*_): raise Misconfigured('store.url: no such thing')\n"
        "app._serve_alone = broken"
    )
    process = spoilt(served, broken, tmp_path / "log")
    assert process.wait(60) == os.EX_CONFIG
    assert (tmp_path / "log").read_text() == "mailgate: store.url: no such thing\n"
