"""A time zone in which it is about noon, for what the program does by day only."""

from datetime import UTC, datetime


def zone_by_day() -> str:
    """Name a zone in which it is between noon and one now."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"  # by POSIX, minus is east
