"""The date that a mail says it was sent.

Read as mail programs do, which is far looser than RFC 5322 section 3.3 with the obsolete forms of 4.3: names of zones
and months that programs write, also in other languages than English, twelve hours with AM and PM, dates in figures, no
time at all. Such spellings are put into the usual one first; that is read by mail-parser's reader of dates, then by the
standard library's looser one. A date without a zone, or with an unknown one, is taken as UTC. Of figures with slashes,
what could be the day or the month is not guessed.

Returns ``None`` for what can't be read; raises nothing. At most ``MAX_BYTES`` are read, in linear time.
"""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

from mailparser.dates import parse_mail_date  # type: ignore[import-untyped]  # it ships no types

from mailgate.mime import words

MAX_BYTES = 500

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# the first letters of their names in German, French, Italian, Spanish, Portuguese, Dutch
_ABROAD = (
    "ene=Jan gen=Jan fev=Feb fév=Feb mär=Mar mrz=Mar mrt=Mar avr=Apr abr=Apr mai=May mag=May mei=May juin=Jun giu=Jun"
    " juil=Jul lug=Jul aou=Aug aoû=Aug ago=Aug set=Sep okt=Oct ott=Oct out=Oct dez=Dec déc=Dec dic=Dec"
)
_MONTH = dict(pair.split("=") for pair in _ABROAD.split()) | {month.lower(): month for month in _MONTHS}
# RFC 5322 section 4.3, and what programs write beside it, each as the most common of its meanings
_NAMED = (
    "EST=-0500 EDT=-0400 CST=-0600 CDT=-0500 MST=-0700 MDT=-0600 PST=-0800 PDT=-0700 AKST=-0900 AKDT=-0800 HST=-1000"
    " AST=-0400 ADT=-0300 NST=-0330 NDT=-0230 ART=-0300 BRT=-0300 WET=+0000 WEST=+0100 BST=+0100 CET=+0100 MET=+0100"
    " MEZ=+0100 CEST=+0200 MEST=+0200 MESZ=+0200 EET=+0200 EEST=+0300 SAST=+0200 MSK=+0300 TRT=+0300 IDT=+0300"
    " PKT=+0500 IST=+0530 WIB=+0700 HKT=+0800 SGT=+0800 AWST=+0800 JST=+0900 KST=+0900 ACST=+0930 ACDT=+1030"
    " AEST=+1000 AEDT=+1100 NZST=+1200 NZDT=+1300"
)
_ZONES = dict(pair.split("=") for pair in _NAMED.split())
_NUMBER = {month.encode(): n for n, month in enumerate(_MONTHS, start=1)}
_PLAIN = re.compile(
    rb"(?:[A-Z][a-z]{2}, )?(\d{1,2}) (%b) ([12]\d{3}) (\d\d):(\d\d):(\d\d) ([+-])([01]\d)([0-5]\d)(?: \([A-Z]{3,5}\))?"
    % b"|".join(_NUMBER)
)
_TIME = re.compile(
    r"(?<![\d:])T?(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?(?:[.,]\d{1,9})?(?:\s*([AaPp])\.?[Mm]\b\.?)?"
    r"(?:\s*(?:(?:GMT|UTC?)?([+-]\d{1,2}):?(\d{2})?(?!\d)|[+-]\d{5,}+|([A-Za-z]{3,4})\b))?"
)
_WITH_MONTH = re.compile(r"(?<!\d)(\d{1,2})\.?[\s-]+(?:de\s+)?([^\W\d_]{3,10})\.?,?[\s-]+(?:de\s+)?(\d{2,4})(?!\d)")
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})([-./])(\d{1,2})\2(\d{1,2})(?:\b|(?=T))")
_DAY_FIRST = re.compile(r"(?<!\d)(\d{1,2})([-./])(\d{1,2})\2(\d{4})(?!\d)")


def sent(value: bytes) -> datetime | None:
    """Read an unfolded Date field, in UTC."""
    return _plainly(value) or _oddly(value)


def _plainly(value: bytes) -> datetime | None:
    """Read a date that is in the usual form by the letter, as nearly all are."""
    found = _PLAIN.fullmatch(value)
    if found is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
    ahead = timedelta(hours=int(hours), minutes=int(minutes))
    with suppress(ValueError, OverflowError):
        zone = timezone(-ahead if sign == b"-" else ahead)
        moment = datetime(int(year), _NUMBER[month], int(day), int(hour), int(minute), int(second), tzinfo=zone)
        return moment.astimezone(UTC)
    return None


def _oddly(value: bytes) -> datetime | None:
    told = words.decode(value[:MAX_BYTES]).text
    usual = _usual(told)
    found = parse_mail_date(usual).value
    return _utc(found) if found else _loosely(usual) or _loosely(told)


def _loosely(told: str) -> datetime | None:
    with suppress(Exception):  # it raises TypeError, IndexError and more on broken dates
        return _utc(parsedate_to_datetime(told))
    with suppress(ValueError, OverflowError):
        return _utc(datetime.fromisoformat(told.strip()))
    return None


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def _usual(told: str) -> str:
    """Put a date in the form ``16 Nov 2026 09:30:00 +0100``, as far as it is understood."""
    told = _YEAR_FIRST.sub(_from_year, told, count=1)
    told = _DAY_FIRST.sub(_from_day, told, count=1)
    date = _WITH_MONTH.search(told)
    if date:
        before = told[: date.start()]
        # the name of a day says nothing new, and may be in any language
        told = (before if any(letter.isdigit() for letter in before) else "") + _named(date) + told[date.end() :]
    if date and not _TIME.search(told):
        return f"{told} 00:00:00 +0000"
    return _TIME.sub(_clock, told, count=1)


def _named(date: re.Match[str]) -> str:
    month = date[2].casefold()
    return f"{date[1]} {_MONTH.get(month[:4]) or _MONTH.get(month[:3]) or date[2]} {date[3]}"


def _from_year(date: re.Match[str]) -> str:
    return _dated(date[4], date[3], date[1]) or date[0]


def _from_day(date: re.Match[str]) -> str:
    day, month = date[1], date[3]
    if date[2] == "/" and int(day) <= len(_MONTHS):
        if int(month) <= len(_MONTHS):
            return date[0]
        day, month = month, day
    return _dated(day, month, date[4]) or date[0]


def _dated(day: str, month: str, year: str) -> str:
    return f"{day} {_MONTHS[int(month) - 1]} {year} " if 1 <= int(month) <= len(_MONTHS) else ""


def _clock(time: re.Match[str]) -> str:
    hour, zone = int(time[1]), time[7] or ""
    if time[4] and 1 <= hour <= 12:  # noqa: PLR2004 - hours of half a day
        hour = hour % 12 + (12 if time[4] in "Pp" else 0)
    if time[5]:
        zone = f"{time[5][0]}{time[5][1:]:0>2}{time[6] or '00'}"
    return f" {hour:02}:{time[2]}:{time[3] or '00'} {_ZONES.get(zone.upper(), zone)} "
