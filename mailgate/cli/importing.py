"""Imports at the command line: a progress bar on a terminal, one outcome per row, 65 if any failed."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from mailgate import wire
from mailgate.cli.opening import STDIO, login
from mailgate.cli.printing import listing

if TYPE_CHECKING:
    from mailgate.domain.entry import RowOutcome

FAILED_SOME = 65
COLUMNS = ("row", "key", "outcome", "error")

File = Annotated[str, typer.Argument(metavar="FILE.csv", help="- reads from stdin.")]


def run(read: "Callable[..., Iterator[RowOutcome]]", file: BinaryIO, name: str, *, dry_run: bool, as_json: bool) -> int:
    """Import an open file and print what became of its rows; on a terminal a bar, and only the rows that failed."""
    counts: dict[str, int] = {}
    outcomes = _counted(read(file, actor=login(), dry_run=dry_run), counts)  # a bad header ends here, before any bar
    if sys.stderr.isatty():
        outcomes = _with_bar(outcomes, file, name)
        if sys.stdout.isatty() and not as_json:
            outcomes = (one for one in outcomes if one.error)
    listing(map(wire.row_outcome, outcomes), COLUMNS, as_json=as_json)
    summary = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "no rows"
    sys.stderr.write(f"mailgate: {summary}{' (dry run: nothing was written)' if dry_run else ''}\n")
    return FAILED_SOME if "failed" in counts else 0


def _counted(outcomes: "Iterator[RowOutcome]", counts: dict[str, int]) -> "Iterator[RowOutcome]":
    for one in outcomes:
        counts[one.outcome.value] = counts.get(one.outcome.value, 0) + 1
        yield one


def _with_bar(outcomes: "Iterator[RowOutcome]", file: BinaryIO, name: str) -> "Iterator[RowOutcome]":
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only a terminal needs it
    from rich.progress import Progress  # noqa: PLC0415 - the same

    total = None if name == STDIO else Path(name).stat().st_size
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("rows", total=total or None)
        for one in outcomes:
            bar.update(task, completed=None if name == STDIO else file.tell())
            yield one
