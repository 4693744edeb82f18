import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.domain.mail import Appointment
from mailgate.mime import calendars

INVITATION = """BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VTIMEZONE
TZID:Europe/Zurich
BEGIN:STANDARD
DTSTART:19961027T030000
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:1@haus.example
SUMMARY;LANGUAGE=de:Kick-off: Sommer\\, Herbst\\nund
  Winter
DTSTART;TZID=Europe/Zurich:20261125T100000
DTEND;TZID=Europe/Zurich:20261125T113000
LOCATION:Sitzungszimmer 3\\; 2. Stock
ORGANIZER;CN="Muster, Anna":mailto:anna@haus.example
ATTENDEE;MEMBER="mailto:a@b.example","mailto:c@d.example";CN=Kurt:mailto:kurt@kunde.example
BEGIN:VALARM
SUMMARY:Reminder
TRIGGER:-PT15M
END:VALARM
END:VEVENT
BEGIN:VEVENT
SUMMARY:The second one
END:VEVENT
END:VCALENDAR
"""


def event(*lines: str) -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""]).encode()


def when(*lines: str) -> tuple[str, str, str]:
    found = calendars.appointment(event(*lines))
    assert found is not None
    return found.starts, found.ends, found.zone


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_an_invitation_is_summed_up(end: str) -> None:
    assert calendars.appointment(INVITATION.replace("\n", end).encode()) == Appointment(
        method="request",
        title="Kick-off: Sommer, Herbst und Winter",
        starts="2026-11-25T10:00:00",
        ends="2026-11-25T11:30:00",
        zone="Europe/Zurich",
        place="Sitzungszimmer 3; 2. Stock",
        organiser="Muster, Anna <anna@haus.example>",
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["DTSTART:20261125T090000Z", "DTEND:20261125T100000Z"],
            ("2026-11-25T09:00:00Z", "2026-11-25T10:00:00Z", "UTC"),
        ),
        (["DTSTART:20261125T090000"], ("2026-11-25T09:00:00", "", "")),
        (["DTSTART:20261125T0900"], ("2026-11-25T09:00:00", "", "")),
        (["DTSTART:20261125T090000Z", "DURATION:PT1H30M"], ("2026-11-25T09:00:00Z", "2026-11-25T10:30:00Z", "UTC")),
        # a day, which is one whole day; and two of them
        (["DTSTART;VALUE=DATE:20261125", "DTEND;VALUE=DATE:20261126"], ("2026-11-25", "2026-11-25", "")),
        (["DTSTART;VALUE=DATE:20261125", "DTEND;VALUE=DATE:20261127"], ("2026-11-25", "2026-11-26", "")),
        (["DTSTART;VALUE=DATE:20261125", "DURATION:P2D"], ("2026-11-25", "2026-11-26", "")),
        (["DTSTART;VALUE=DATE:20261125"], ("2026-11-25", "", "")),
        # zones as the programs call them
        (
            ["DTSTART;TZID=W. Europe Standard Time:20261125T090000"],
            ("2026-11-25T09:00:00", "", "W. Europe Standard Time"),
        ),
        (
            ['DTSTART;TZID="(UTC+01:00) Amsterdam, Berlin, Bern":20261125T090000'],
            ("2026-11-25T09:00:00", "", "(UTC+01:00) Amsterdam, Berlin, Bern"),
        ),
        (
            ["DTSTART;TZID=/mozilla.org/20070129_1/Europe/Berlin:20261125T090000"],
            ("2026-11-25T09:00:00", "", "Europe/Berlin"),
        ),
        # an end in another zone than the start: a flight
        (
            ["DTSTART;TZID=Europe/Zurich:20261125T100000", "DTEND;TZID=America/New_York:20261125T120000"],
            ("2026-11-25T10:00:00", "2026-11-25T18:00:00", "Europe/Zurich"),
        ),
        (
            ["DTSTART:20261125T090000Z", "DTEND;TZID=Europe/Zurich:20261125T120000"],
            ("2026-11-25T09:00:00Z", "2026-11-25T11:00:00Z", "UTC"),
        ),
        (
            ["DTSTART;TZID=Europe/Zurich:20261125T100000", "DTEND:20261125T120000Z"],
            ("2026-11-25T10:00:00", "2026-11-25T12:00:00Z", "Europe/Zurich"),
        ),
        *(
            (
                [f"DTSTART;TZID={zone}:20261125T100000", f"DTEND;TZID={other}:20261125T120000"],
                ("2026-11-25T10:00:00", "", zone),
            )
            for zone, other in (
                ("Romance Standard Time", "Europe/Zurich"),
                ("Europe/Zurich", "Nowhere/Land"),
                ("Europe/Zurich", "Europe/../../etc/passwd"),
                ("Europe/Zurich", "Europe"),
            )
        ),
        # what is no time
        (["DTSTART:20261345T090000"], ("", "", "")),
        (["DTSTART:tomorrow"], ("", "", "")),
        (["DTSTART:99991231", "DURATION:P99999D"], ("9999-12-31", "", "")),
    ],
)
def test_times_are_given_as_they_are_said(lines: list[str], expected: tuple[str, str, str]) -> None:
    assert when(*lines) == expected


@pytest.mark.parametrize(
    ("line", "organiser"),
    [
        ("ORGANIZER:MAILTO:anna@haus.example", "anna@haus.example"),
        ("ORGANIZER;CN=anna@haus.example:mailto:anna@haus.example", "anna@haus.example"),
        ('ORGANIZER;CN=Anna Muster;SENT-BY="mailto:s@haus.example":mailto:anna@haus.example',
         "Anna Muster <anna@haus.example>"),
        ("X-OTHER:x", ""),
    ],
)  # fmt: skip
def test_the_organiser_is_named(line: str, organiser: str) -> None:
    found = calendars.appointment(event(line, "SUMMARY:x"))
    assert found is not None
    assert found.organiser == organiser


def test_a_task_stands_in_where_there_is_no_event() -> None:
    found = calendars.appointment(b"BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:Pay\nDUE:20261125\nEND:VTODO\nEND:VCALENDAR")
    assert found is not None
    assert (found.title, found.starts) == ("Pay", "2026-11-25")


def test_the_charset_is_the_declared_one_and_quoted_printable_is_decoded() -> None:
    old = event("SUMMARY;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:Gr=C3=BC=C3=9Fe")
    found = calendars.appointment(old)
    assert found is not None
    assert found.title == "Grüße"
    found = calendars.appointment(event("SUMMARY:Grüße").decode().encode("latin-1"), "iso-8859-1")
    assert found is not None
    assert found.title == "Grüße"


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"BEGIN:VCALENDAR\nEND:VCALENDAR", b"BEGIN:VCARD\nFN:A\nEND:VCARD", b"SUMMARY:x\n"]
)
def test_what_holds_no_event_gives_none(content: bytes) -> None:
    assert calendars.appointment(content) is None


@given(st.binary(max_size=300), st.integers(0, 600))
def test_any_content_is_read(noise: bytes, at: int) -> None:
    whole = INVITATION.encode()
    for content in (noise, whole[:at], whole[:at] + noise + whole[at:]):
        found = calendars.appointment(content)
        assert found is None or all("\n" not in said and "\x00" not in said for said in (found.title, found.place))


@pytest.mark.parametrize(
    "hostile",
    [
        b"BEGIN:VEVENT\n" * 40_000,
        b"SUMMARY" + b";" * 500_000,
        b"SUMMARY" + b';x="' * 120_000,
        b"BEGIN:VEVENT\nSUMMARY:" + b"\n x" * 160_000,
        b"BEGIN:VEVENT\nDTSTART:20261125\nDURATION:P" + b"9" * 400_000 + b"D",
        b"BEGIN:VEVENT\nORGANIZER;CN=" + b"a" * 500_000 + b":x",
    ],
)
def test_hostile_calendars_take_linear_time(hostile: bytes) -> None:
    start = time.monotonic()
    calendars.appointment(hostile)
    assert time.monotonic() - start < 5  # some tenths of a second
