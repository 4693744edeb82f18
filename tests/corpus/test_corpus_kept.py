"""Every message of the corpus, sent by a registered user over SMTP, is kept with the bytes that were sent.

And our own fixtures, cut at every byte (of long ones at every few), are kept or refused by a rule: no prefix makes the
path stumble.
"""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailgate import app
from mailgate.domain.entry import RecordEntry, UserEntry
from mailgate.domain.ledger import Verdict
from mailgate.domain.mail import Delivery, Envelope
from mailgate.domain.trust import Relay
from mailgate.errors import Reason
from mailgate.intake import Intake, Policy
from mailgate.settings import load
from tests.acceptance.program import Program, daemon, program
from tests.corpus import messages
from tests.fakes import FakeArchive, FakeAuthenticator, FakeDirectory
from tests.worlds import ANNA, DOMAIN, NOW, WORLD

AUTHOR = "anna@muster.example"

# What the corpus holds that is refused although its author is registered: bytes that no mail may hold, and machine
# mail, which says so or is a delivery report as a whole. Everything else must be kept.
NEWLINE, MACHINE = "554 5.6.0 [MG-NEWLINE]", "550 5.7.1 [MG-MACHINE]"
REPORTS = "mikel/spec/fixtures/emails/multipart_report_emails"
REFUSED = {
    **{f"cpython/Lib/test/test_email/data/msg_{n}.txt": MACHINE for n in ("05", "25", "43")},
    f"{REPORTS}/multi_address_bounce1.eml": MACHINE,
    f"{REPORTS}/multi_address_bounce2.eml": MACHINE,
    f"{REPORTS}/multipart_report_multiple_status.eml": MACHINE,
    f"{REPORTS}/report_422.eml": MACHINE,
    f"{REPORTS}/report_530.eml": MACHINE,
    "25-delivery-report.eml": MACHINE,  # our own, where the corpus is missing
    "spamscope/tests/mails/mail_malformed_2": MACHINE,
    "stalwart-mail-parser/resources/eml/thirdparty/005.eml": NEWLINE,  # a CR alone
}
PREFIXES = 4000  # of one fixture: of few of them not all are tried
# what a fixture that was cut short may end as: its author, its mark as machine mail or its body are cut off
RULES = frozenset(
    {
        None,
        Reason.DUPLICATE,
        Reason.NO_AUTHOR,
        Reason.AMBIGUOUS_AUTHOR,
        Reason.UNKNOWN_SENDER,
        Reason.NOT_BELIEVED,
        Reason.MACHINE_MAIL,
    }
)


@contextmanager
def client(port: int) -> Iterator["Client"]:
    """Speak plain SMTP."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as link:
        speaking = Client(link)
        speaking.reply()
        speaking.ask(b"EHLO corpus.example")
        yield speaking


class Client:
    """One connection; replies of one or more lines."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._replies = link.makefile("rb")

    def reply(self) -> str:
        while (line := self._replies.readline())[3:4] == b"-":
            pass
        return line.decode("ascii").rstrip()

    def ask(self, line: bytes) -> str:
        self._link.sendall(line + b"\r\n")
        return self.reply()

    def send(self, recipient: str, mail: bytes) -> str:
        """Send a mail whose last line ends with CRLF."""
        self.ask(f"MAIL FROM:<{AUTHOR}> BODY=8BITMIME".encode())
        self.ask(f"RCPT TO:<{recipient}>".encode())
        self.ask(b"DATA")
        self._link.sendall(re.sub(rb"(?:^|(?<=\r\n))\.", b"..", mail))
        return self.ask(b".")


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[Program]:
    unsafe = {"MAILGATE_STORE__ALLOW_UNSAFE": "true"}  # nothing here is about durability
    settled = program(tmp_path, database_url, **unsafe)
    with daemon(settled, tmp_path / "log"):
        yield settled


def test_every_message_of_a_registered_user_is_kept_byte_for_byte(served: Program) -> None:
    answers: dict[str, str] = {}
    with app.open_desk(load(None, served.environment)) as desk, client(served.smtp_port) as smtp:
        desk.users.add(UserEntry.read(AUTHOR, name="Anna"), actor="test")
        for n, path in enumerate(messages.messages()):
            # each on a record of its own: some messages of the corpus are there twice
            record = RecordEntry.read(f"lead:{n}", name=f"Lead {n}")
            desk.records.add(record, actor="test")
            mail = messages.with_author(path.read_bytes(), AUTHOR)
            mail += b"" if mail.endswith(b"\r\n") else b"\r\n"
            reply = smtp.send(desk.addresses.show(record.record, actor="test").address, mail)
            kept = [desk.activities.raw(activity.id) for activity in desk.activities.list(record.record)]
            if kept != [mail] or not reply.startswith("250 2.0.0 [MG-KEPT]"):
                answers[messages.name(path)] = reply
                assert kept == [], path
    named = {messages.name(path) for path in messages.messages()}
    expected = {name: reply for name, reply in REFUSED.items() if name in named}
    assert {name: reply[: len(expected.get(name, reply))] for name, reply in answers.items()} == expected


@pytest.mark.parametrize("path", messages.fixtures(), ids=messages.name)
def test_every_truncation_of_a_fixture_is_kept_or_refused_by_a_rule(path: Path) -> None:
    relay = Relay(name="office", unix=True)
    archive = FakeArchive()
    intake = Intake(
        FakeDirectory(WORLD), archive, FakeAuthenticator(), Policy(domain=DOMAIN, relays=(relay,)), lambda: NOW
    )
    addressee = intake.check_recipient(relay, f"aaaa@{DOMAIN}")
    envelope = Envelope(relay=relay, sender=ANNA.email, addressees=(addressee,))
    whole = messages.with_author(path.read_bytes(), ANNA.email)
    slowest = 0.0
    for end in range(0, len(whole) + 1, 1 + len(whole) // PREFIXES):
        start = time.monotonic()
        (outcome,) = intake.receive(Delivery(envelope=envelope, raw=whole[:end], received_at=NOW))
        slowest = max(slowest, time.monotonic() - start)
        assert outcome.verdict is not Verdict.DEFERRED, (end, outcome)
        assert outcome.reason in RULES, (end, outcome)
    assert slowest < 5  # milliseconds; the bound is against hanging
    assert archive.mails
