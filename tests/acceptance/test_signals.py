"""What systemd and an admin say to the running program, and what it tells them: readiness, watchdog, reload, drain."""

import hashlib
import os
import signal
import smtplib
import socket
import ssl
import subprocess
from pathlib import Path

from tests.acceptance.postfix import answers, wait_for
from tests.acceptance.program import MAILGATE, Program


def new_certificate(cert: Path, key: Path) -> str:
    """Write a self-signed certificate and give its fingerprint."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=log.muster.example",
         "-keyout", str(key), "-out", str(cert)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(cert.read_text())).hexdigest()


def shown_certificate(port: int) -> str:
    """Say which certificate a new connection is shown at STARTTLS."""
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        client.starttls(context=trusting)
        assert isinstance(client.sock, ssl.SSLSocket)
        return hashlib.sha256(client.sock.getpeercert(binary_form=True) or b"").hexdigest()


def test_the_program_is_ready_alive_reloads_its_certificate_and_drains(served: Program, tmp_path: Path) -> None:
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
            "WATCHDOG_USEC": "200000",
            "MAILGATE_SMTP__TLS_CERT": str(cert),
            "MAILGATE_SMTP__TLS_KEY": str(key),
        }
        process = subprocess.Popen([MAILGATE, "serve"], env=environment, stderr=log)
        try:
            wait_for(lambda: hear("READY=1"))
            assert answers(served.smtp_port)
            wait_for(lambda: hear("WATCHDOG=1"))
            assert shown_certificate(served.smtp_port) == first

            told.clear()
            second = new_certificate(cert, key)
            process.send_signal(signal.SIGHUP)
            wait_for(lambda: hear("READY=1"))
            assert "RELOADING=1" in told
            assert shown_certificate(served.smtp_port) == second != first

            with socket.create_connection(("127.0.0.1", served.smtp_port), timeout=60) as idle:
                assert idle.recv(1000).startswith(b"220 ")
                process.send_signal(signal.SIGTERM)
                assert idle.recv(1000).startswith(b"421 4.3.2 ")
            assert process.wait(60) == os.EX_OK
            assert hear("STOPPING=1")
        finally:
            process.kill()
            process.wait()
