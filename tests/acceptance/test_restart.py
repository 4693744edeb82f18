"""A restart under socket activation refuses nobody; SIGTERM lets mails in flight finish."""

import os
import signal
import smtplib
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.postfix import postfix, wait_for
from tests.acceptance.program import DOMAIN, MAILGATE, Program
from tests.acceptance.sink import sink
from tests.acceptance.test_main_job import ANNA, a_mail

pytestmark = pytest.mark.acceptance


@contextmanager
def activated(served: Program, listener: socket.socket, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start ``mailgate serve`` as systemd would with a socket unit: descriptor 3 is the listening socket."""
    listener.set_inheritable(True)
    environment = served.environment | {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"}
    moved = f'exec 3<&{listener.fileno()}; LISTEN_PID=$$ exec "{MAILGATE}" serve'
    with log.open("ab") as sink_file:
        started = log.read_text().count('"started"')
        process = subprocess.Popen(
            ["bash", "-c", moved], env=environment, stderr=sink_file, stdout=sink_file, pass_fds=[listener.fileno()]
        )
    try:
        wait_for(lambda: log.read_text().count('"started"') > started)  # before, SIGTERM ends it as it ends anything
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0, log.read_text()


def test_a_restart_refuses_nobody(served: Program, tmp_path: Path) -> None:
    (address,) = served.settle(ANNA, "campaign:4711")
    with socket.socket() as listener, sink() as elsewhere:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        port = listener.getsockname()[1]
        with postfix(
            name="mta",
            record_domain=DOMAIN,
            transport=f"smtp:[127.0.0.1]:{port}",
            elsewhere=f"smtp:[127.0.0.1]:{elsewhere.port}",
        ) as relay:
            mails = 0
            for _run in range(3):
                with activated(served, listener, tmp_path / "log"):
                    for _mail in range(5):
                        mails += 1
                        with smtplib.SMTP("127.0.0.1", relay.port) as client:
                            client.sendmail(ANNA, [address], a_mail(ANNA, f"<{mails}@muster.example>"))
            # what came while nothing ran waits in the socket, not in the queue
            with activated(served, listener, tmp_path / "log"):
                wait_for(relay.queue_is_empty)
            assert set(relay.statuses(address)) == {"sent"}
    assert len(served.facts("activity", "list", "campaign:4711")) == mails


def test_a_port_in_use_is_one_line_and_78(served: Program) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", served.smtp_port))
        taken.listen()
        done = served.run("serve")
    assert done.returncode == os.EX_CONFIG
    assert b"smtp.listen" in done.stderr
    assert done.stderr.startswith(b"mailgate: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("MAILGATE_SMTP__LISTEN", "nonsense", b"smtp.listen"),
        ("MAILGATE_STORE__URL", "oracle://db", b"store.url"),
        ("MAILGATE_STORE__URL", "postgresql://nobody@127.0.0.1:1/none", b"store.url"),
        ("MAILGATE_STROE__URL", "sqlite:///x", b"MAILGATE_STROE__URL"),
        ("MAILGATE_RELAYS", '[{"name": "mta", "networks": ["10.0.0.0/8"]}]', b"mta"),
    ],
)
def test_a_wrong_setting_is_one_line_and_78(served: Program, setting: str, value: str, named: bytes) -> None:
    wrong = Program(served.environment | {setting: value}, served.smtp_port, served.metrics_port, served.lmtp_path)
    done = wrong.run("serve")
    assert done.returncode == os.EX_CONFIG
    assert named in done.stderr
    assert done.stderr.startswith(b"mailgate: ")
    assert done.stderr.count(b"\n") == 1
