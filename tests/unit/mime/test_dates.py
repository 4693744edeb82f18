from datetime import UTC, datetime

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
        (b"yesterday", None),
        (b"", None),
        (b"\xff\x00", None),
        (b"(" * 100_000, None),
    ],
)
def test_a_date_is_read_in_utc_or_not_at_all(value: bytes, expected: datetime | None) -> None:
    assert dates.sent(value) == expected
