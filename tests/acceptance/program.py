"""The installed program, run as a person or systemd would: a process of its own, with settings by environment."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailgate import app
from mailgate.domain.entry import RecordEntry, UserEntry
from mailgate.domain.record import RecordRef
from mailgate.settings import Settings, load
from tests.acceptance.postfix import answers, free_port, wait_for

MAILGATE = str(Path(sys.executable).with_name("mailgate"))
DOMAIN = "log.muster.example"


@dataclass(frozen=True)
class Program:
    """mailgate with one set of settings."""

    environment: dict[str, str]
    smtp_port: int
    metrics_port: int
    lmtp_path: Path

    def run(self, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run one command to its end."""
        return subprocess.run(
            [MAILGATE, *arguments], env=self.environment, input=stdin, capture_output=True, check=False, timeout=60
        )

    def facts(self, *arguments: str) -> list[dict[str, Any]]:
        """Run a command with --json and read its lines; it must succeed."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.splitlines()]

    def settings(self) -> Settings:
        """Read the settings as the program does."""
        return load(None, self.environment)

    def settle(self, user: str, *records: str) -> list[str]:
        """Set up a user and records, quickly: in this process. Gives the records' addresses."""
        with app.open_desk(self.settings()) as desk:
            desk.users.add(UserEntry.read(user, name="Anna Muster"), actor="test")
            for record in records:
                desk.records.add(RecordEntry.read(record, name=record), actor="test")
            return [desk.addresses.show(RecordRef.parse(record), actor="test").address for record in records]

    def must(self, *arguments: str) -> str:
        """Run a command that must succeed and give what it printed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()


def program(folder: Path, store_url: str | None = None, **settings: str) -> Program:
    """Settle a program in a folder; without ``store_url`` on the embedded SQLite."""
    smtp_port, metrics_port = free_port(), free_port()
    lmtp_path = folder / "lmtp.sock"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAILGATE_")}
    environment |= {
        "MAILGATE_DATA_DIR": str(folder / "data"),
        "MAILGATE_SMTP__LISTEN": f"127.0.0.1:{smtp_port}",
        "MAILGATE_LMTP__LISTEN": f"unix:{lmtp_path}",
        "MAILGATE_METRICS__LISTEN": f"127.0.0.1:{metrics_port}",
        "MAILGATE_ADDRESSES__DOMAIN": DOMAIN,
        **settings,
    }
    if store_url:
        environment["MAILGATE_STORE__URL"] = store_url
    return Program(environment, smtp_port, metrics_port, lmtp_path)


@contextmanager
def daemon(served: Program, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``mailgate serve`` until it greets, and end it by SIGTERM."""
    with log.open("ab") as sink:
        process = subprocess.Popen([MAILGATE, "serve"], env=served.environment, stderr=sink, stdout=sink)
    try:
        wait_for(lambda: process.poll() is not None or answers(served.smtp_port))
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
