"""``mailgate reread``: a better reader over kept mails. A bar on a terminal; what became of them in one document.

Exit 0, also where some could not be read; 65 where the bytes of some are damaged, each named on stderr, or for a note
that nobody knows. SIGTERM ends it after the mail that is on its way, with the document; whatever else ends it leaves
each mail either as it was or done.
"""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from mailgate import wire
from mailgate.cli.ending import asked_to_end
from mailgate.cli.opening import AsJson, Config, open_desk
from mailgate.cli.printing import document

if TYPE_CHECKING:
    from mailgate.domain.rereading import MailReread, Reread

DAMAGED_SOME = 65

Since = Annotated[
    str | None, typer.Option("--since", metavar="T", help="Only mails recorded since a day or time, in UTC.")
]
Note = Annotated[
    str | None,
    typer.Option(
        "--note",
        metavar="CODE",
        help="Only mails with this note, such as unreadable; also those that this version read. One that is neither "
        "known nor in the store is refused, and the known ones are named.",
    ),
]
Again = Annotated[bool, typer.Option("--again", help="Also mails that this version has read.")]


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command("reread")(reread)


def reread(
    *, since: Since = None, note: Note = None, again: Again = False, config: Config = "", as_json: AsJson = False
) -> int:
    """Read kept mails again that an older version read; the mails themselves stay as they are.

    May be interrupted at any time, and run beside the service: another run goes on where this one was. With --note or
    --again it begins anew, as mails are meant then that this version has read: after one that was unreadable because
    the machine was short of memory, say.
    """
    wish = wire.reread_wish(since=since, note=note, again=again)
    became: dict[Reread, int] = {}
    with open_desk(config) as desk, asked_to_end() as asked:
        for one in _shown(desk.rereading.run(wish), desk.rereading.count(wish)):
            became[one.became] = became.get(one.became, 0) + 1
            _tell(one)
            if asked:
                break
    document(wire.reread(became), as_json=as_json)
    if not became and sys.stderr.isatty():
        sys.stderr.write("mailgate: there is nothing to read again\n")
    return DAMAGED_SOME if any(one.value == "damaged" for one in became) else 0


def _tell(one: "MailReread") -> None:
    if one.became.value == "damaged":
        sys.stderr.write(
            f"mailgate: the bytes of the mail with SHA-256 {one.sha256} are damaged: bring them back from a backup\n"
        )


def _shown(mails: "Iterator[MailReread]", total: int) -> "Iterator[MailReread]":
    if not sys.stderr.isatty():
        yield from mails
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only a terminal needs it
    from rich.progress import Progress  # noqa: PLC0415 - the same

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("mails", total=total)
        for one in mails:
            bar.update(task, completed=one.walked)
            yield one
