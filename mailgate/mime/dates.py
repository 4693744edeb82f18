"""The date that a mail says it was sent.

mail-parser's reader of RFC 5322 dates, section 4.3 with its obsolete forms included, then the standard library's looser
one, for dates such as ``2026-11-22 10:00`` that mail programs show all the same; then whatever has a day and a time
with something broken around them. A date without a zone is taken as UTC.
Returns ``None`` for what both can't read; raises nothing.
"""

import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mailparser.dates import parse_mail_date  # type: ignore[import-untyped]  # it ships no types

MAX_BYTES = 500

_DAY_AND_TIME = re.compile(
    r"\b[0-9]{1,2}\s{1,3}[A-Z][a-z]{2}\s{1,3}(?:19|20)[0-9]{2}\s{1,3}[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"
)


def sent(value: bytes) -> datetime | None:
    """Read an unfolded Date field, in UTC."""
    told = value[:MAX_BYTES].decode("ascii", "replace")
    found = parse_mail_date(told).value
    return _utc(found) if found else _loosely(told)


def _loosely(told: str) -> datetime | None:
    with suppress(Exception):  # it raises TypeError, IndexError and more on broken dates
        return _utc(parsedate_to_datetime(told))
    with suppress(ValueError, OverflowError):
        return _utc(datetime.fromisoformat(told.strip()))
    day = _DAY_AND_TIME.search(told)
    with suppress(Exception):
        return _utc(parsedate_to_datetime(day[0])) if day else None
    return None


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)
