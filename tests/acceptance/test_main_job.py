"""The main job, seen from outside: a mail that a real Postfix relays is an activity, or its sender is told why not."""

import contextlib
import smtplib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from tests.acceptance.postfix import Postfix, postfix, wait_for
from tests.acceptance.program import DOMAIN, Program, daemon
from tests.acceptance.recorder import Recording, recording, tcp, tcp_listener, unix, unix_listener
from tests.acceptance.sink import Sink, sink

pytestmark = pytest.mark.acceptance

ANNA = "anna@muster.example"
STRANGER = "eve@muster.example"
CLIENT = "kunde@kunde.example"


def a_mail(sender: str, message_id: str) -> bytes:
    """Write a mail to a client: no header names a record address."""
    return (
        f"From: Anna Muster <{sender}>\r\nTo: Kunde <{CLIENT}>\r\nSubject: =?utf-8?q?Gr=C3=BCsse?=\r\n"
        f"Date: Mon, 02 Nov 2026 10:00:00 +0100\r\nMessage-ID: {message_id}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        "Guten Tag\r\n.\r\n..Punkte bleiben Punkte.\r\n"
    ).encode()


@dataclass
class World:
    """A company: its Postfix, its mailgate, what passed between them, and where all other mail went."""

    program: Program
    postfix: Postfix
    recording: Recording
    elsewhere: Sink
    campaign: str
    customer: str

    def send(self, sender: str, recipients: list[str], mail: bytes) -> None:
        """Hand a mail to Postfix as a mail program does, and wait until Postfix is done with it."""
        with smtplib.SMTP("127.0.0.1", self.postfix.port) as client:
            client.sendmail(sender, recipients, mail, mail_options=["BODY=8BITMIME"])
        wait_for(self.postfix.queue_is_empty)


@pytest.fixture(params=["smtp", "lmtp"])
def world(request: pytest.FixtureRequest, served: Program, tmp_path: Path) -> Iterator[World]:
    campaign, customer = served.settle(ANNA, "campaign:4711", "customer:1")
    with contextlib.ExitStack() as stack:
        # Postfix's lmtp client opens the socket as user postfix, who may not look into pytest's folders
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailgate-lmtp-")))
        folder.chmod(0o755)
        if request.param == "smtp":
            listener, reach = tcp_listener(), tcp(served.smtp_port)
            transport = f"smtp:[127.0.0.1]:{listener.getsockname()[1]}"
        else:
            listener, reach = unix_listener(folder / "lmtp"), unix(served.lmtp_path)
            transport = f"lmtp:unix:{folder / 'lmtp'}"
        elsewhere = stack.enter_context(sink())
        stack.enter_context(daemon(served, tmp_path / "log"))
        recorded = stack.enter_context(recording(listener, reach))
        relay = stack.enter_context(
            postfix(
                name="mta",
                record_domain=DOMAIN,
                transport=transport,
                elsewhere=f"smtp:[127.0.0.1]:{elsewhere.port}",
            )
        )
        yield World(served, relay, recorded, elsewhere, campaign, customer)


def test_a_mail_in_bcc_is_kept_once_and_its_refusals_come_back(world: World) -> None:
    run = world.program
    unknown = f"zzzz2222zzzz2222zzzz2222zz@{DOMAIN}"
    mail = a_mail(ANNA, "<one@muster.example>")

    world.send(ANNA, [CLIENT, world.campaign, world.customer, unknown], mail)

    # the client has the mail, and nothing in it names a record address
    assert len(world.elsewhere.mails[CLIENT]) == 1
    assert world.campaign.encode() not in world.elsewhere.mails[CLIENT][0]

    # each record lists it, and its raw bytes are what Postfix sent
    (sent,) = world.recording.mails()
    (activity,) = run.facts("activity", "list", "campaign:4711")
    (other,) = run.facts("activity", "list", "customer:1")
    assert activity["subject"] == other["subject"] == "Grüsse"
    assert activity["read_only"] is True
    assert activity["recorder"] == ANNA
    assert activity["trust"] == "vouched"
    assert activity["raw_sha256"] == other["raw_sha256"] == sha256(sent).hexdigest()
    assert run.run("activity", "raw", activity["id"]).stdout == sent
    external = [person for person in activity["participants"] if person["side"] == "external"]
    assert [(person["email"], person["record"]) for person in external] == [(CLIENT, None)]

    # the bad address came back to the sender, with our code
    wait_for(lambda: ANNA in world.elsewhere.mails)
    assert b"[MG-ADDRESS]" in world.elsewhere.mails[ANNA][0]
    assert world.postfix.statuses(unknown) == ["bounced"]

    # the same mail again changes nothing
    with contextlib.ExitStack() as again:
        client = again.enter_context(_client(world))
        client.sendmail(ANNA, [world.campaign], sent, mail_options=["BODY=8BITMIME"])
    assert run.facts("activity", "list", "campaign:4711") == [activity]

    # an unknown sender's mail comes back to them, with our reason
    world.send(STRANGER, [world.campaign], a_mail(STRANGER, "<two@muster.example>"))
    wait_for(lambda: STRANGER in world.elsewhere.mails)
    notice = world.elsewhere.mails[STRANGER][0]
    assert b"[MG-SENDER]" in notice
    assert STRANGER.encode() in notice

    # and the ledger tells all of it, each mail with Postfix's own id
    entries = run.facts("ledger")
    assert all(f" with ESMTP id {entry['queue_id']}".encode() in sent + notice for entry in entries if entry["record"])
    told = [(entry["verdict"], entry["reason"], entry["record"]) for entry in entries]
    assert sorted(told, key=str) == sorted(
        [
            ("kept", None, "campaign:4711"),
            ("kept", None, "customer:1"),
            ("refused", "unknown_address", None),
            ("duplicate", "duplicate", "campaign:4711"),
            ("refused", "unknown_sender", "campaign:4711"),
        ],
        key=str,
    )


def test_a_forged_from_is_not_believed(world: World) -> None:
    world.send(STRANGER, [world.campaign], a_mail(ANNA, "<three@muster.example>"))

    wait_for(lambda: STRANGER in world.elsewhere.mails)
    assert b"[MG-TRUST]" in world.elsewhere.mails[STRANGER][0]
    assert world.program.facts("activity", "list", "campaign:4711") == []


def test_a_store_without_users_defers_and_postfix_tries_again(world: World) -> None:
    world.program.must("user", "remove", ANNA)
    mail = a_mail(ANNA, "<four@muster.example>")
    with smtplib.SMTP("127.0.0.1", world.postfix.port) as client:
        client.sendmail(ANNA, [world.campaign], mail, mail_options=["BODY=8BITMIME"])
    wait_for(lambda: "deferred" in world.postfix.statuses(world.campaign))

    world.program.must("user", "add", ANNA, "--name", "Anna Muster")
    world.postfix.wait_for_retry(world.campaign)

    assert len(world.program.facts("activity", "list", "campaign:4711")) == 1


@contextlib.contextmanager
def _client(world: World) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP("127.0.0.1", world.program.smtp_port) as client:
        yield client
