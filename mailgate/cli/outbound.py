"""``mailgate outbound``: mail that the CRM sends; in which languages, and its log."""

from typing import Annotated

import typer

from mailgate import wire
from mailgate.cli.activities import print_activity
from mailgate.cli.opening import AsJson, Config, open_desk, open_input, read_within
from mailgate.cli.printing import document

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="For example invoice; with --eml.")]
On = Annotated[str | None, typer.Option("--record", metavar="KIND:REF", help="What it is logged on; with --eml.")]
By = Annotated[str | None, typer.Option("--as", metavar="EMAIL", help="Who triggered it; with --eml.")]
In = Annotated[
    list[str] | None,
    typer.Option(
        "--language",
        metavar="LL",
        help="What it is written in; each shows the whole mail. With --eml. May be repeated.",
    ),
]
Eml = Annotated[
    str | None, typer.Option("--eml", metavar="FILE", help="A finished mail, kept whole; - reads it from stdin.")
]
Task = Annotated[str | None, typer.Option("--task", metavar="ID", help="What a task_reminder is about; with --eml.")]


@app.command()
def languages(
    *,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="For example invoice; a wrong one lists all.")],
    record: Annotated[str, typer.Option("--record", metavar="KIND:REF", help="What it is to be logged on.")],
    as_: Annotated[str | None, typer.Option("--as", metavar="EMAIL", help="Who triggers it.")] = None,
    to: Annotated[list[str] | None, typer.Option("--to", metavar="EMAIL", help="May be repeated.")] = None,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Say in which languages a mail goes to each recipient, and in which ones it is logged."""
    with open_desk(config) as desk:
        chosen = desk.outbound.languages(kind, record=record, triggered_by=as_, recipients=to or ())
    shown = wire.chosen(chosen)
    if as_json:
        document(shown, as_json=True)
        return
    for email, codes in shown["send"].items():
        document({email: codes}, as_json=False)
    document({"log": shown["log"]}, as_json=False)


@app.command()
def log(
    *,
    file: Annotated[str | None, typer.Argument(metavar="[FILE]", help="JSON; - reads it from stdin.")] = None,
    eml: Eml = None,
    kind: Kind = None,
    record: On = None,
    as_: By = None,
    language: In = None,
    task: Task = None,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Log a mail that was sent: described in JSON, or finished. The same again gives the first activity."""
    options = {"--kind": kind, "--record": record, "--as": as_, "--language": language, "--task": task}
    if (file is None) == (eml is None):
        raise typer.BadParameter("give either FILE with JSON, or --eml FILE")
    if file is not None and (odd := [name for name, value in options.items() if value]):
        raise typer.BadParameter(f"{odd[0]} goes with --eml: the JSON says it itself")
    name = file or eml or ""
    with open_input(name) as given, open_desk(config) as desk:
        raw = read_within(given, name, desk.outbound.limit)
        if eml is None:
            logged = desk.outbound.log_json(raw)
        else:
            logged = desk.outbound.log_mail(
                raw,
                kind=_needed(kind, "--kind"),
                record=_needed(record, "--record"),
                triggered_by=_needed(as_, "--as"),
                languages=language or [_needed(None, "--language")],
                task=task,
            )
        print_activity(wire.activity(logged), as_json=as_json)


def _needed(value: str | None, name: str) -> str:
    if value is None:
        raise typer.BadParameter(f"--eml needs {name} too")
    return value
