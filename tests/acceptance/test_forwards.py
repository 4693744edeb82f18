"""Old mails handed to a record by forwarding them as attachments, through the running program."""

import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256
from pathlib import Path

import pytest

from mailgate import app
from mailgate.domain.entry import RecordEntry
from tests.acceptance.program import Program, daemon

ANNA, LUCA = "anna@muster.example", "luca@muster.example"
NORA, CLIENT = "nora@optik.example", "stranger@else.example"
CAMPAIGN, CUSTOMER, CONTACT = "campaign:4711", "customer:1", "contact:12"


def old_mail(number: int, sender: str = NORA) -> bytes:
    lines = [
        f"From: Nora Keller <{sender}>",
        f"To: Anna Muster <{ANNA}>",
        f"Subject: Frage {number}",
        f"Date: Mon, 05 Oct 2026 10:{number:02}:00 +0200",
        f"Message-ID: <frage-{number}@optik.example>",
        "",
        "Wann kommt die Offerte?",
    ]
    return "\r\n".join(lines).encode()


def forwarding(to: str, *mails: bytes, text: str = "", number: int = 1) -> bytes:
    """A mail of Anna's as her mail program writes it, with these attached byte by byte."""
    cover = EmailMessage(policy=SMTP)
    cover["From"], cover["To"], cover["Subject"] = f"Anna Muster <{ANNA}>", to, "WG: Fragen"
    cover["Date"], cover["Message-ID"] = "Mon, 02 Nov 2026 10:00:00 +0100", f"<wg-{number}@muster.example>"
    cover.set_content(text)
    cover.make_mixed(boundary="wg")
    end = b"--wg--\r\n"
    parts = b"".join(b"--wg\r\nContent-Type: message/rfc822\r\n\r\n" + mail + b"\r\n" for mail in mails)
    return cover.as_bytes().removesuffix(b"\r\n").removesuffix(b"--wg--") + parts + end


@dataclass
class Office:
    """A running mailgate and the address of a campaign whose customer has Nora as its contact."""

    program: Program
    address: str

    def send(self, mail: bytes, sender: str = ANNA, to: str = "") -> str:
        """Hand a mail over as the mail server does; gives the reply."""
        with smtplib.SMTP("127.0.0.1", self.program.smtp_port) as client:
            client.ehlo()
            client.mail(sender)
            client.rcpt(to or self.address)
            code, said = client.data(mail)
        assert code == 250
        return said.decode()

    def listed(self) -> list[tuple[str, str]]:
        """Subject and day of what is on the campaign, newest first."""
        return [
            (each["subject"], each["occurred_at"][:10]) for each in self.program.facts("activity", "list", CAMPAIGN)
        ]


@pytest.fixture
def office(served: Program, tmp_path: Path) -> Iterator[Office]:
    (address,) = served.settle(ANNA, CAMPAIGN)
    served.settle(LUCA)
    with app.open_desk(served.settings()) as desk:
        desk.records.add(RecordEntry.read(CUSTOMER, name="Optik Keller"), actor="test")
        contact = RecordEntry.read(CONTACT, name="Nora", email=[NORA], relate=[f"customer={CUSTOMER}"])
        desk.records.add(contact, actor="test")
        desk.records.set(RecordEntry.read(CAMPAIGN, relate=[f"customer={CUSTOMER}"]), actor="test")
    with daemon(served, tmp_path / "log"):
        yield Office(served, address)


def test_thirty_old_mails_are_logged_as_themselves_and_are_their_forwarder_s(office: Office) -> None:
    run = office.program
    mails = [old_mail(number) for number in range(30)]

    assert "[MG-KEPT]" in office.send(forwarding(office.address, *mails))
    assert office.listed() == [(f"Frage {number}", "2026-10-05") for number in reversed(range(30))]

    # each is the mail as it was
    newest, second, *_ = run.facts("activity", "list", CAMPAIGN)
    (shown,) = run.facts("activity", "show", newest["id"])
    assert run.run("activity", "raw", newest["id"]).stdout == mails[29]
    assert (shown["raw_sha256"], shown["raw_size"]) == (sha256(mails[29]).hexdigest(), len(mails[29]))
    assert (shown["text"].strip(), shown["trust"], shown["origin"]) == ("Wann kommt die Offerte?", "none", "bcc")
    assert (shown["recorder"], shown["message_id"], shown["read_only"]) == (ANNA, "<frage-29@optik.example>", True)
    assert [(each["email"], each["side"], each["record"]) for each in shown["participants"]] == [
        (NORA, "external", CONTACT),
        (ANNA, "internal", None),
    ]
    assert [note["code"] for note in shown["notes"]] == ["forwarded_by"]
    assert "<wg-1@muster.example>" in shown["notes"][0]["text"]

    # where is my mail?
    (row,) = run.facts("ledger", "--message-id", "<frage-29@optik.example>")
    assert (row["verdict"], row["activity"], row["record"]) == ("kept", newest["id"], CAMPAIGN)
    (row,) = run.facts("ledger", "--message-id", "<wg-1@muster.example>")
    assert (row["verdict"], row["record"]) == ("kept", CAMPAIGN)

    # the forwarder deletes one, nobody else; it stays away, and nothing else comes twice
    assert run.run("activity", "delete", second["id"], "--as", LUCA).returncode == 65
    run.facts("activity", "delete", second["id"], "--as", ANNA)
    assert "[MG-DUPLICATE]" in office.send(forwarding(office.address, *mails, number=2))
    assert len(office.listed()) == 29
    assert ("Frage 28", "2026-10-05") not in office.listed()


def test_a_user_s_own_copy_is_kept_though_a_colleague_forwarded_that_mail_first(office: Office) -> None:
    run = office.program
    sent = old_mail(1, ANNA).replace(f"To: Anna Muster <{ANNA}>".encode(), f"To: {NORA}".encode())
    by_luca = forwarding(office.address, sent).replace(f"Anna Muster <{ANNA}>".encode(), LUCA.encode(), 1)
    assert "[MG-KEPT]" in office.send(by_luca, LUCA)
    assert "[MG-KEPT]" in office.send(sent)
    own, lucas = sorted(
        (run.facts("activity", "show", each["id"])[0] for each in run.facts("activity", "list", CAMPAIGN)),
        key=lambda shown: str(shown["recorder"]),
    )
    assert (own["recorder"], own["trust"], lucas["recorder"], lucas["trust"]) == (ANNA, "vouched", LUCA, "none")
    assert [[note["code"] for note in each["notes"]] for each in (own, lucas)] == [
        ["same_message_id"],
        ["forwarded_by"],
    ]
    for again, sender in ((sent, ANNA), (by_luca, LUCA)):
        assert "[MG-DUPLICATE]" in office.send(again, sender)

    # whoever forwarded it deletes what they forwarded, and that alone
    run.facts("activity", "delete", lucas["id"], "--as", LUCA)
    assert [each["id"] for each in run.facts("activity", "list", CAMPAIGN)] == [own["id"]]
    assert run.run("activity", "raw", own["id"]).stdout == sent + b"\r\n"  # SMTP ends it so


def test_a_cover_that_says_something_is_kept_and_what_is_not_known_here_is_noted(office: Office) -> None:
    mail = forwarding(office.address, old_mail(1), old_mail(2, CLIENT), text="Zur Ablage\n")
    office.send(mail)
    assert office.listed() == [("WG: Fragen", "2026-11-02"), ("Frage 2", "2026-10-05"), ("Frage 1", "2026-10-05")]
    cover, stranger, known = office.program.facts("activity", "list", CAMPAIGN)
    assert office.program.run("activity", "raw", cover["id"]).stdout == mail
    assert (cover["trust"], len(cover["documents"])) == ("vouched", 2)
    assert [note["code"] for note in stranger["notes"]] == ["forwarded_by", "no_known_participant"]
    assert [note["code"] for note in known["notes"]] == ["forwarded_by"]


def test_a_mail_to_a_client_with_a_mail_attached_stays_one(office: Office) -> None:
    office.send(forwarding(NORA, old_mail(1)))
    assert office.listed() == [("WG: Fragen", "2026-11-02")]


def test_a_forward_of_20_mib_is_taken(office: Office) -> None:
    big = [old_mail(number) + b"\r\n" + (b"x" * 70 + b"\r\n") * 100_000 for number in range(3)]
    assert "[MG-KEPT]" in office.send(forwarding(office.address, *big))
    (*_, first) = office.program.facts("activity", "list", CAMPAIGN)
    assert first["subject"] == "Frage 0"
    assert office.program.run("activity", "raw", first["id"]).stdout == big[0]


def test_explain_tells_it_beforehand(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "forward.eml"
    file.write_bytes(forwarding(office.address, old_mail(1), old_mail(2)))
    told = office.program.run("explain", str(file), "--to", office.address)
    assert told.returncode == 0
    assert b"attached mails that would be logged as themselves: 2; not the covering mail" in told.stdout
    assert office.listed() == []
