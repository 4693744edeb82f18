"""What people see of a mail's insides: documents by default without logos, and calendars summed up."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.corpus.messages import FIXTURES, with_author
from tests.store.admin import ANNA


def logged(run: Run, fixture: str) -> str:
    """Log a fixture as Anna's on the campaign, and give the id of its activity."""
    return _log(run, (FIXTURES / f"{fixture}.eml").read_bytes())


def sent(run: Run, mail: str) -> str:
    """Log a mail likewise."""
    return _log(run, mail.encode())


def _log(run: Run, raw: bytes) -> str:
    address = run("address", "show", "campaign:4711").out.strip()
    mail = with_author(raw, ANNA)
    (said,) = run("ingest", "-", "--to", address, "--json", stdin=mail).facts
    return str(said["activity"])


def documents(out: str) -> list[str]:
    return [line.split("\t", 1)[1] for line in out.splitlines() if line.startswith("documents\t")]


def test_pictures_that_the_html_shows_are_left_out_of_the_documents_unless_asked_for(world: Run) -> None:
    activity = logged(world, "03-alternative-related-logo")
    (shown,) = world("activity", "show", activity, "--json").facts
    assert [one["inline"] for one in shown["documents"]] == [True, False]
    assert shown["documents"][0]["content_id"] == "logo@haus.example"
    assert 'src="cid:logo@haus.example"' in shown["html"]
    (offer,) = documents(world("activity", "show", activity).out)
    assert shown["documents"][1]["name"] in offer
    logo, offer = documents(world("activity", "show", activity, "--inline").out)
    assert "cid:logo@haus.example" in logo
    assert "cid:" not in offer


def test_a_calendar_is_summed_up_and_stays_a_document(world: Run, tmp_path: Path) -> None:
    activity = logged(world, "70-invitation")
    (shown,) = world("activity", "show", activity, "--json").facts
    assert [one["appointment"]["title"][:8] for one in shown["documents"]] == ["Kick-off", "Ferien"]
    assert shown["documents"][1]["appointment"]["place"] is None
    lines = world("activity", "show", activity).out.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("documents\t"))
    assert [line.split("\t", 1) for line in lines[first : first + 4]] == [
        ["documents", f"1, document-1.ics, text/calendar, 788, {shown['documents'][0]['sha256']}"],
        [
            "appointment",
            (
                "Kick-off: Übergabe an das Team mit einem Titel, der in eine zweite Zeile reicht; "
                "2026-11-25T10:00:00 to 2026-11-25T11:30:00 (W. Europe Standard Time); at Sitzungszimmer 3, 2. Stock; "
                "by Muster, Anna <anna@haus.example>; sent as request"
            ),
        ],
        ["documents", f"2, ferien.ics, application/octet-stream, 128, {shown['documents'][1]['sha256']}"],
        ["appointment", "Ferien; 2026-12-24 to 2026-12-26"],
    ]
    out = world("activity", "attachment", activity, "2", "--output", "ferien.ics").out
    assert "appointment\tFerien; 2026-12-24 to 2026-12-26" in out.splitlines()
    assert (tmp_path / "ferien.ics").read_bytes().startswith(b"BEGIN:VCALENDAR")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("DTSTART;VALUE=DATE:20261224", "2026-12-24"),
        ("DTSTART:20261125T090000Z", "2026-11-25T09:00:00Z (UTC)"),
        ("SUMMARY:{0} {zone}\r\nDTSTART;TZID={1}:20261125T090000", "{0} {zone}; 2026-11-25T09:00:00 ({1})"),
        ("DTEND:20261125T090000Z", "until 2026-11-25T09:00:00Z"),
        ("LOCATION:Bern", "at Bern"),
    ],
)
def test_what_a_calendar_does_not_say_leaves_no_gap(world: Run, lines: str, said: str) -> None:
    calendar = f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    shown = world("activity", "show", sent(world, f"Content-Type: text/calendar\r\n\r\n{calendar}")).out
    assert [line.split("\t")[1] for line in shown.splitlines() if line.startswith("appointment\t")] == [said]


def test_a_participant_s_line_has_no_blank_slots(world: Run) -> None:
    activity = sent(world, "To: Nora Keller <nora@optik.example>, x@else.example\r\nCc: nobody at all\r\n\r\nGuten Tag")
    shown = world("activity", "show", activity).out
    assert [line.split("\t")[1] for line in shown.splitlines() if line.startswith("participants\t")] == [
        f"{ANNA}, from, internal",
        "nora@optik.example, Nora Keller, to, external, contact:12",
        "x@else.example, to, external",
        "nobody at all, cc, external",
    ]


def test_what_was_said_of_its_sending_stands_beside_when_it_counts(world: Run) -> None:
    address = world("address", "show", "campaign:4711").out.strip()
    mail = with_author(b"Date: Mon, 1 Jan 1601 00:00:00 +0000\r\nSubject: Offer\r\n\r\nHere it is\r\n", ANNA)
    (said,) = world("ingest", "-", "--to", address, "--json", stdin=mail).facts
    (shown,) = world("activity", "show", said["activity"], "--json").facts
    assert shown["sent_at"] == "1601-01-01T00:00:00Z"
    assert shown["occurred_at"] == shown["recorded_at"]
    assert "date_absurd" in [note["code"] for note in shown["notes"]]
