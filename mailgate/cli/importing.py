"""Imports at the command line: a progress bar on a terminal, one outcome per row, 65 if any failed."""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from mailgate import wire
from mailgate.cli.opening import STDIO, login, open_input
from mailgate.cli.printing import listing

if TYPE_CHECKING:
    from mailgate.domain.entry import RowOutcome

FAILED_SOME = 65
COLUMNS = ("row", "key", "outcome", "error")

File = Annotated[str, typer.Argument(metavar="FILE.csv", help="- reads from stdin.")]


def run(read: "Callable[..., Iterator[RowOutcome]]", name: str, *, dry_run: bool, as_json: bool) -> int:
    """Import a file and print what became of its rows."""
    counts: dict[str, int] = {}
    with open_input(name) as file:
        outcomes = read(file, actor=login(), dry_run=dry_run)  # a bad header ends here, before any bar
        with _progress(file, name) as show:
            listing(map(wire.row_outcome, _counted(outcomes, counts, show)), COLUMNS, as_json=as_json)
    summary = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "no rows"
    sys.stderr.write(f"mailgate: {summary}{' (dry run: nothing was written)' if dry_run else ''}\n")
    return FAILED_SOME if "failed" in counts else 0


def _counted(
    outcomes: "Iterator[RowOutcome]", counts: dict[str, int], show: Callable[[], None]
) -> "Iterator[RowOutcome]":
    for one in outcomes:
        counts[one.outcome.value] = counts.get(one.outcome.value, 0) + 1
        show()
        yield one


@contextmanager
def _progress(file: BinaryIO, name: str) -> Iterator[Callable[[], None]]:
    """Show a bar on a terminal, unless the outcomes themselves go there."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only a terminal needs it
    from rich.progress import Progress  # noqa: PLC0415 - the same

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("rows", total=_size(file, name))

        def show() -> None:
            bar.update(task, completed=None if name == STDIO else file.tell())

        yield show


def _size(file: BinaryIO, name: str) -> int | None:
    if name == STDIO:
        return None
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None
