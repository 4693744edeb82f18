"""A campaign's three kinds of activity, through the running program: by BCC, by the system, by hand."""

import json
import smtplib
from pathlib import Path
from typing import Any

import pytest

from mailgate import app
from mailgate.domain.entry import RecordEntry, UserEntry
from mailgate.domain.record import RecordRef
from tests.acceptance.program import Program, daemon

ANNA, LUCA = "anna@muster.example", "luca@muster.example"
NORA = "nora@optik.example"
CAMPAIGN, CUSTOMER, CONTACT = "campaign:4711", "customer:1", "contact:12"
LANGUAGES = ("de", "en", "fr", "it")

BY_BCC = (
    f"From: Anna Muster <{ANNA}>\r\nTo: Nora Keller <{NORA}>\r\nSubject: Offerte\r\n"
    "Date: Mon, 02 Nov 2026 10:00:00 +0100\r\nMessage-ID: <offer@muster.example>\r\n\r\nGuten Tag\r\n"
).encode()

INVOICE = {
    "kind": "invoice",
    "record": CAMPAIGN,
    "triggered_by": LUCA,
    "recipients": [NORA],
    "sent_at": "2026-11-03T09:00:00+01:00",
    "message_id": "<invoice@muster.example>",
    "content": {language: {"subject": f"Invoice {language}", "text": f"In {language}"} for language in LANGUAGES},
}


@pytest.fixture
def activities(served: Program, tmp_path: Path) -> dict[str, str]:
    """A campaign of a customer with a contact, and one activity of each origin on it, by id."""
    with app.open_desk(served.settings()) as desk:
        for user in (ANNA, LUCA):
            desk.users.add(UserEntry.read(user, name=user, give=["administer"]), actor="test")
        desk.records.add(RecordEntry.read(CUSTOMER, name="Optik Keller"), actor="test")
        for record, email in ((CONTACT, [NORA]), (CAMPAIGN, [])):
            entry = RecordEntry.read(record, name=record, email=email, relate=[f"customer={CUSTOMER}"])
            desk.records.add(entry, actor="test")
        address = desk.addresses.show(RecordRef.parse(CAMPAIGN), actor="test").address
    with daemon(served, tmp_path / "log"), smtplib.SMTP("127.0.0.1", served.smtp_port) as client:
        client.sendmail(ANNA, [address], BY_BCC)
    (by_bcc,) = served.facts("activity", "list", CAMPAIGN)
    (made,) = served.facts(
        *("activity", "add", CAMPAIGN, "--type", "meeting", "--topic", "offer", "--as", ANNA),
        *("--subject", "Besprechung", "--place", "Bern", "--at", "2026-11-04T14:00:00Z", "--contact", CONTACT),
    )
    return {"bcc": by_bcc["id"], "system": log(served)["id"], "manual": made["id"]}


def log(served: Program) -> dict[str, Any]:
    """Log the invoice and give its activity."""
    logged = served.run("outbound", "log", "-", "--json", stdin=json.dumps(INVOICE).encode())
    assert logged.returncode == 0, logged.stderr.decode()
    shown: dict[str, Any] = json.loads(logged.stdout)
    return shown


def test_all_three_are_listed_on_the_customer_by_affiliation_and_the_recorder_alone_deletes_two(
    served: Program, activities: dict[str, str]
) -> None:
    newest_first = [activities[origin] for origin in ("manual", "system", "bcc")]
    narrowed = ("--affiliation", "campaign", "--external", NORA)
    listed = served.facts("activity", "list", CUSTOMER, *narrowed)
    assert [line["id"] for line in listed] == newest_first
    assert [line["origin"] for line in listed] == ["manual", "system", "bcc"]
    assert all(CONTACT in {person["record"] for person in line["participants"]} for line in listed)
    assert served.facts("activity", "list", CUSTOMER) == []
    for origin, recorder, other in (("bcc", ANNA, LUCA), ("system", LUCA, ANNA)):
        refused = served.run("activity", "delete", activities[origin], "--as", other)
        assert refused.returncode == 65
        assert f"recorded by {recorder}: {other} can't delete it".encode() in refused.stderr
        (receipt,) = served.facts("activity", "delete", activities[origin], "--as", recorder)
        assert (receipt["state"], receipt["actor"]) == ("deleted", recorder)
    assert [line["id"] for line in served.facts("activity", "list", CUSTOMER, *narrowed)] == newest_first[:1]


def test_a_system_mail_in_four_languages_is_read_whole_and_each_alone_and_logged_once(
    served: Program, activities: dict[str, str]
) -> None:
    shown = log(served)
    assert shown["id"] == activities["system"]
    assert shown["languages"] == list(LANGUAGES)
    assert shown["subject"] == "Invoice de / Invoice en / Invoice fr / Invoice it"
    assert [shown["content"][language]["text"] for language in LANGUAGES] == ["In de", "In en", "In fr", "In it"]
    assert shown["text"] == "Deutsch\n\nIn de\n\nEnglish\n\nIn en\n\nFrançais\n\nIn fr\n\nItaliano\n\nIn it"
