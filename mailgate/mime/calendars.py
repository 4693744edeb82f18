"""The appointment in a calendar (iCalendar, RFC 5545): what it is called, when and where it is, and who asks to it.

The first event that a calendar holds, else its first task. Times are given as they are said, in ISO 8601: local to a
named zone, in UTC with a Z, or bare days; of an event of whole days the last day is given (a calendar says the day
behind it), and a duration becomes an end. Zones keep the name that the calendar gives them. Only an end in another zone
than the start is converted, to that of the start; it is left out where one of the two is no zone of the tz database.
Repetitions aren't spread out.

Read by rules of our own: of the format only lines, names and five values are needed, and libraries raise on what mail
programs send. Raises nothing; linear; ``MAX_BYTES`` are read.
"""

import re
from binascii import a2b_qp
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from mailgate.domain.mail import Appointment
from mailgate.mime import text

MAX_BYTES = 512 * 1024
MAX_VALUE = 1000

_FOLD = re.compile(r"(?:\r\n|\n|\r)[ \t]")
_LINE = re.compile(r"\r\n|\n|\r")
_HEAD = re.compile(r"""([A-Za-z0-9-]{1,60})((?:;(?:"[^"]*+"|[^":])*+)?):""")
_PARAMETER = re.compile(r""";([A-Za-z0-9-]{1,60})=(?:"([^"]*)"|([^;:"]*))""")
_WHEN = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z?))?")
_DURATION = re.compile(r"\+?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?")
_ESCAPED = re.compile(r"\\([\\;,nN])")
_ZONE_PATH = re.compile(r"/[^/]+/[^/]+/([A-Z]\w+/\S+)")  # /mozilla.org/20070129_1/Europe/Berlin
_KNOWN_ZONE = re.compile(r"UTC|[A-Z][A-Za-z_]{1,30}(?:/[A-Z][A-Za-z0-9_+-]{1,30}){1,2}")
_SHOWN = {"VEVENT": 0, "VTODO": 1}


@dataclass(slots=True)
class _Property:
    """A value with its parameters, as they are written."""

    value: str
    parameters: dict[str, str] = field(default_factory=dict)


def appointment(content: bytes, charset: str = "") -> Appointment | None:
    """Read the first event of a calendar; ``None`` where it holds none."""
    method, component = _component(text.decode(content[:MAX_BYTES], charset or "utf-8").text)
    if not component:
        return None
    starts, zone = _moment(component.get("DTSTART") or component.get("DUE"))
    return Appointment(
        method=method.lower(),
        title=_words(component.get("SUMMARY")),
        starts=starts,
        ends=_end(component, starts, zone),
        zone=zone,
        place=_words(component.get("LOCATION")),
        organiser=_organiser(component.get("ORGANIZER")),
    )


def _component(calendar: str) -> tuple[str, dict[str, _Property]]:
    """Collect the properties of the component to show, without those of what stands inside it; with the METHOD."""
    method = ""
    found: dict[str, dict[str, _Property]] = {}
    inside: list[str] = []
    for name, one in _properties(calendar):
        if name == "BEGIN":
            inside.append(one.value.strip().upper())
            if len(inside) > 100:  # noqa: PLR2004 - no calendar has more than four levels
                break
        elif name == "END" and inside:
            ended = inside.pop()
            if ended == "VEVENT" and ended in found:
                break
        elif inside and inside[-1] in _SHOWN:
            found.setdefault(inside[-1], {}).setdefault(name, one)
        elif name == "METHOD":
            method = method or text.line(one.value, 40)
    return method, next((found[kind] for kind in _SHOWN if kind in found), {})


def _properties(calendar: str) -> Iterator[tuple[str, _Property]]:
    for row in _LINE.split(_FOLD.sub("", calendar)):
        head = _HEAD.match(row)
        if head:
            said = {found[1].upper(): found[2] or found[3] or "" for found in _PARAMETER.finditer(head[2])}
            yield head[1].upper(), _Property(row[head.end() :], said)


def _words(one: _Property | None) -> str:
    if one is None:
        return ""
    value = one.value
    if one.parameters.get("ENCODING", "").upper() == "QUOTED-PRINTABLE":  # vCalendar 1.0
        octets = a2b_qp(value.encode("utf-8", "replace"))
        value = text.decode(octets, one.parameters.get("CHARSET") or "utf-8").text
    return text.line(_ESCAPED.sub(lambda found: " " if found[1] in "nN" else found[1], value), MAX_VALUE)


def _organiser(one: _Property | None) -> str:
    if one is None:
        return ""
    email = one.value.strip()
    email = email[7:] if email[:7].lower() == "mailto:" else email
    name = one.parameters.get("CN", "").strip()
    return text.line(f"{name} <{email}>" if name and name.lower() != email.lower() else email, MAX_VALUE)


def _moment(one: _Property | None) -> tuple[str, str]:
    """Write a DATE or DATE-TIME (RFC 5545 sections 3.3.4 and 3.3.5) in ISO 8601, with the name of its zone."""
    if one is None:
        return "", ""
    found = _WHEN.match(one.value.strip())
    if found is None:
        return "", ""
    year, month, day, hour, minute, second, utc = found.groups()
    written = f"{year}-{month}-{day}"
    if hour is None:
        return (written, "") if _day(written) else ("", "")
    written += f"T{hour}:{minute}:{second or '00'}"
    if _time(written) is None:
        return "", ""
    return (f"{written}Z", "UTC") if utc else (written, _zone(one.parameters.get("TZID", "")))


def _zone(name: str) -> str:
    path = _ZONE_PATH.fullmatch(name.strip())
    return text.line(path[1] if path else name, 200)


def _end(component: dict[str, _Property], starts: str, zone: str) -> str:
    ends, end_zone = _moment(component.get("DTEND") or component.get("DUE"))
    if zone and end_zone and end_zone not in {zone, "UTC"}:
        ends = _converted(ends, end_zone, zone)
    duration = component.get("DURATION")
    lasts = _lasts(duration.value.strip()) if duration and not ends else None
    first, last = _day(starts), _day(ends)
    try:
        if first and lasts:
            last = first + lasts
        if first and last:
            return (last - timedelta(days=1) if last > first else last).isoformat()
        begins = _time(starts.removesuffix("Z"))
        if begins and lasts:
            return (begins + lasts).isoformat() + ("Z" if starts.endswith("Z") else "")
    except OverflowError:
        return ""
    return ends


def _converted(written: str, zone: str, to: str) -> str:
    """Say when it is in one zone what is written in another; "" where it can't be said."""
    if not (_KNOWN_ZONE.fullmatch(zone) and _KNOWN_ZONE.fullmatch(to)):
        return ""
    with suppress(ValueError, OverflowError, OSError, LookupError):
        moment = datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo(to))
        return moment.replace(tzinfo=None).isoformat() + ("Z" if to == "UTC" else "")
    return ""


def _lasts(written: str) -> timedelta | None:
    found = _DURATION.fullmatch(written)
    if found is None:
        return None
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def _day(written: str) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(written) if "T" not in written else None
    return None


def _time(written: str) -> datetime | None:
    with suppress(ValueError):
        return datetime.fromisoformat(written) if "T" in written else None
    return None
