import re
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from mailgate.mime import dates

MORNING = datetime(2026, 11, 16, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Mon, 16 Nov 2026 09:30:00 +0100", MORNING),
        (b"16 Nov 2026 08:30 GMT", MORNING),
        (b"Mon, 16 Nov 26 03:30:00 EST", MORNING),
        (b"Mon (a (nested) comment), 16 Nov 2026 08:30:00 -0000", MORNING),
        (b"Tue, 16 Nov 2026 08:30:00 +0000", MORNING),
        (b"Mon, 16 Nov 2026 08:30:00", MORNING),
        (b"2026-11-16 08:30:00", MORNING),
        (b"2026-11-16T09:30:00+01:00", MORNING),
        (b"Mon, 16 Nov 2026 08:30:t <anna@haus.example>", MORNING),
        (b"Mon, 45 Foo 2026 99:99", None),
        (b"Mon, 31 Feb 2026 08:30:00 +0000", None),
        (b"Mon, 16 Nov 99999 08:30:00 +0000", None),
        (b"Mon, 16 Nov 2026 09:30:00 CET", MORNING),
        (b"Mon, 16 Nov 2026 10:30:00 CEST", MORNING),
        (b"Mon, 16 Nov 2026 17:30:00 JST", MORNING),
        (b"Mon Nov 16 09:30:00 CET 2026", MORNING),
        (b"Mon, 16 Nov 2026 09:30:00 GMT+1", MORNING),
        (b"Mon, 16 Nov 2026 09:30:00 UTC+01:00", MORNING),
        (b"Mon, 16 Nov 2026 08:30:00 QQQ", MORNING),
        (b"Mon, 16 Nov 2026 09:30:00 +0100Received: from mx.haus.example by mx.bauer.test", MORNING),
        (b"Sat, 10 Sep 2022 12:59:19 -1234567890123456789", datetime(2022, 9, 10, 12, 59, 19, tzinfo=UTC)),
        (b"16 Nov 26 03:30:00 AM -05:00 (GMT -05:00)", MORNING),
        (b"Nov 16, 2026 9:30:00 a.m. +0100", MORNING),
        (b"Monday, November 16, 2026 08:30 PM", MORNING + timedelta(hours=12)),
        (b"16 Nov 2026 12:30:00 AM", MORNING - timedelta(hours=8)),
        (b"Mon, 16 Nov. 2026 09:30:00.123 +0100", MORNING),
        ("lun., 16 févr. 2026 09:30:00 +0100".encode(), datetime(2026, 2, 16, 8, 30, tzinfo=UTC)),
        (b"Mi, 16 Dez 2026 09:30:00 +0100", datetime(2026, 12, 16, 8, 30, tzinfo=UTC)),
        (b"16 de noviembre de 2026 09:30:00 +0100", MORNING),
        (b"16.11.2026 09:30:00 +0100", MORNING),
        (b"16-11-2026 08:30", MORNING),
        (b"2026/11/16 08:30:00", MORNING),
        (b"2026-11-16 09:30:00 CET", MORNING),
        (b"11/16/2026 08:30:00", MORNING),
        (b"11/12/2026 08:30:00", None),
        (b"Mon, 16 Nov 2026", datetime(2026, 11, 16, tzinfo=UTC)),
        (b"Mon, 16, Nov 2026 09:30:00 +0100 10:00 +0200", MORNING),
        (b"Mon, 16 Nov 2026 09:30:00 =?utf-8?Q?=2B0100?=", MORNING),
        (b"Sat, 9 May flies bit my arms", None),
        (b"yesterday", None),
        (b"", None),
        (b"\xff\x00", None),
        (b"(" * 100_000, None),
    ],
)
def test_a_date_is_read_in_utc_or_not_at_all(value: bytes, expected: datetime | None) -> None:
    assert dates.sent(value) == expected


def test_a_date_in_the_usual_form_is_read_as_one_in_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    days = ("Sun, 1 Nov", "Mon, 01 Jan", "31 Dec", "29 Feb", "Abc, 30 Feb", "0 Mar", "32 May", "Sun,1 Jun", "1 Foo")
    years = ("2026", "1970", "1000", "2999", "0001", "9999", "26")
    times = ("10:00:00", "23:59:59", "23:59:60", "24:00:00", "00:00:00", "9:00:00", "10:60:00", "10:00")
    zones = (
        "+0100",
        "-0330",
        "+0000",
        "-0000",
        "+1400",
        "+1960",
        "+2400",
        "+0100 (CET)",
        "-0500 (EST)",
        "+0000 (PM)",
        "",
    )
    written = [" ".join(chosen).encode() for chosen in product(days, years, times, zones)]
    read = list(map(dates.sent, written))
    monkeypatch.setattr(dates, "_PLAIN", re.compile(rb"(?!)"))
    assert read == list(map(dates.sent, written))
    assert sum(moment is not None for moment in read) > 1000
