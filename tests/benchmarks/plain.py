"""What a user would write instead: plain aiosmtpd, the mail parsed, one commit per mail. Run by the benchmark.

python -m tests.benchmarks.plain PORT DATABASE
"""

import sqlite3
import sys
import time

import mailparser  # type: ignore[import-untyped]  # mail-parser ships no types
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Keeper:
    """Parses a mail and commits it before saying 250."""

    def __init__(self, path: str) -> None:
        self._path = path
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE mail (recipient TEXT, subject TEXT, body TEXT, raw BLOB)")
        database.close()
        self._database: sqlite3.Connection | None = None

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep one mail."""
        if self._database is None:  # in the thread that aiosmtpd runs in
            self._database = sqlite3.connect(self._path)
            self._database.execute("PRAGMA synchronous=FULL")
        raw = envelope.original_content or b""
        mail = mailparser.parse_from_bytes(raw)
        for recipient in envelope.rcpt_tos:
            self._database.execute("INSERT INTO mail VALUES (?, ?, ?, ?)", (recipient, mail.subject, mail.body, raw))
        self._database.commit()
        return "250 OK"


def main() -> None:
    """Serve until killed."""
    Controller(Keeper(sys.argv[2]), hostname="127.0.0.1", port=int(sys.argv[1]), decode_data=False).start()
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
