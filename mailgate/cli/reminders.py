"""``mailgate remind``: sends the task reminders that are due.

SIGTERM ends it after the reminder that is on its way: that one is handed over and written down first.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from mailgate import wire
from mailgate.cli.ending import asked_to_end
from mailgate.cli.opening import AsJson, Config, load
from mailgate.cli.printing import listing

if TYPE_CHECKING:
    from mailgate.settings import Settings

REFUSED = 65
TRY_LATER = 75

REMINDED = ("task", "record", "to", "remind_on", "state", "text", "activity")


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command("remind")(remind)


def remind(*, config: Config = "", as_json: AsJson = False) -> int:
    """Send the task reminders that are due, each once; one line per reminder. Two runs at once do no harm."""
    states: set[str] = set()
    with asked_to_end() as asked:
        listing(_lines(load(config), states, asked), REMINDED, as_json=as_json)
    return TRY_LATER if "later" in states else REFUSED if "refused" in states else 0


def _lines(settings: "Settings", states: set[str], asked: list[int]) -> Iterator[dict[str, Any]]:
    from mailgate import app  # noqa: PLC0415 - slow to import; only when a command runs

    for one in app.remind(settings, lambda: datetime.now(UTC)):
        states.add(one.state)
        yield wire.reminded(one)
        if asked:
            return
