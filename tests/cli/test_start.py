"""What keeps the service from starting is told before any port is opened, by ``check-config`` too."""

import socket
from pathlib import Path

import pytest

from tests.cli.conftest import Run

CONFIGURATION = 78


@pytest.mark.parametrize("command", ["check-config", "serve"])
def test_a_broken_certificate_is_told_before_any_port_is_opened(
    bare: Run, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.pem").write_text("no certificate", encoding="ascii")
    for key in ("CERT", "KEY"):
        monkeypatch.setenv(f"MAILGATE_SMTP__TLS_{key}", str(tmp_path / "broken.pem"))
    with socket.socket() as taken:  # who opened the port first would tell of it instead
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("MAILGATE_SMTP__LISTEN", f"127.0.0.1:{taken.getsockname()[1]}")
        done = bare(command)
    assert (done.code, done.out) == (CONFIGURATION, "")
    assert done.err.startswith("mailgate: smtp.tls_cert, smtp.tls_key: ")
    assert done.err.count("\n") == 1
    assert not (tmp_path / "data").exists()
