"""``mailgate activity``: what was logged; shown, handed out, taken away."""

from typing import Annotated

import typer

from mailgate import wire
from mailgate.cli.opening import STDIO, AsJson, Config, login, open_desk, whole, write_output
from mailgate.cli.printing import body, document, line, listing
from mailgate.cli.records import Ref

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

COLUMNS = ("id", "occurred_at", "type", "topic", "recorder", "subject")
# shown after the other keys, each for itself
_SEVERAL = ("participants", "documents", "links", "notes")
_APART = ("text", "html", "content", "folds", *_SEVERAL)

Id = Annotated[str, typer.Argument(metavar="ID", help="As activity list prints it.")]
As = Annotated[str, typer.Option("--as", metavar="EMAIL", help="Who you are.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Is kept.")]


@app.command("list")
def list_(
    *,
    record: Ref,
    affiliation: Annotated[
        list[str] | None,
        typer.Option("--affiliation", metavar="KIND", help="Also those of related records of a kind; may be repeated."),
    ] = None,
    without_own: Annotated[bool, typer.Option("--without-own", help="Only those of the related records.")] = False,
    type_: Annotated[str | None, typer.Option("--type", metavar="T", help="For example email.")] = None,
    topic: Annotated[str | None, typer.Option("--topic", metavar="T", help="For example offer.")] = None,
    external: Annotated[
        str | None,
        typer.Option("--external", metavar="WHO", help="EMAIL, contact:REF or lead:REF: it took part."),
    ] = None,
    internal: Annotated[str | None, typer.Option("--internal", metavar="EMAIL", help="A user took part.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="T", help="A day or time, in UTC: happened then or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="T", help="A day or time, in UTC: happened before it.")
    ] = None,
    done: Annotated[bool, typer.Option("--done", help="Only tasks that are done.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="Only tasks that aren't done.")] = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", parser=whole)] = 50,
    after: Annotated[str | None, typer.Option("--after", metavar="ID", help="Go on behind this one.")] = None,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """List the activities of a record, newest first."""
    wanted = wire.wish(
        affiliation=affiliation or (),
        without_own=without_own,
        type=type_,
        topic=topic,
        external=external,
        internal=internal,
        since=None if since is None else wire.read_moment(since, "--since"),
        until=None if until is None else wire.read_moment(until, "--until"),
        done=done,
        open=open_,
    )
    with open_desk(config) as desk:
        found = desk.activities.list(wire.record_ref(record), wanted, limit=limit, after=after)
        listing(map(wire.activity_line, found), COLUMNS, as_json=as_json)


@app.command()
def show(
    *,
    activity: Id,
    inline: Annotated[
        bool, typer.Option("--inline", help="List the pictures too that the HTML shows; JSON always does.")
    ] = False,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Show one activity."""
    with open_desk(config) as desk:
        print_activity(wire.activity(desk.activities.show(activity)), as_json=as_json, inline=inline)


def print_activity(shown: wire.Json, *, as_json: bool, inline: bool = False) -> None:
    """Print an activity whole; without ``inline`` logos and the like are left out."""
    if as_json:
        document(shown, as_json=True)
        return
    document({key: value for key, value in shown.items() if key not in _APART}, as_json=False)
    for key in _SEVERAL:
        for one in shown[key]:
            if key != "documents":
                document({key: _said(one)}, as_json=False)
            elif inline or not one["inline"]:
                _print_document(one)
    line("")
    body(shown["text"] or "")


def _print_document(one: wire.Json) -> None:
    """Print a document without what says nothing to people; a calendar is summed up in a line behind it."""
    listed = [one[key] for key in ("n", "name", "type", "size", "sha256")]
    document({"documents": [*listed, *([f"cid:{one['content_id']}"] if one["inline"] else [])]}, as_json=False)
    if one["appointment"]:
        document({"appointment": _summed_up(one["appointment"])}, as_json=False)


def _said(one: object) -> object:
    """Leave out what is empty."""
    return [value for value in one.values() if value is not None] if isinstance(one, dict) else one


def _summed_up(calendar: wire.Json) -> str:
    """Say what a calendar asks for in one line, without what it doesn't say."""
    starts, ends, zone = (calendar[key] for key in ("starts", "ends", "zone"))
    until = f"until {ends}" if not starts else f"{starts} to {ends}" if ends and ends != starts else starts
    when = (until if starts or ends else "") + (f" ({zone})" if zone else "")
    shown = (
        ("", calendar["title"]),
        ("", when.strip()),
        ("at ", calendar["place"]),
        ("by ", calendar["organiser"]),
        ("sent as ", calendar["method"]),
    )
    return "; ".join(word + value for word, value in shown if value)


@app.command()
def raw(*, activity: Id, config: Config = "") -> None:
    """Write the mail's bytes, as they came, to stdout."""
    with open_desk(config) as desk:
        write_output(STDIO, desk.activities.raw(activity))


@app.command()
def attachment(
    *,
    activity: Id,
    n: Annotated[int, typer.Argument(metavar="N", parser=whole, help="As activity show numbers them.")],
    output: Annotated[str, typer.Option("--output", metavar="FILE", help="A new file; - is stdout.")],
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Write one attachment to a file of your choice; the name it came with is never used."""
    with open_desk(config) as desk:
        found, content = desk.activities.attachment(activity, n)
    write_output(output, content)
    if output != STDIO:
        shown = wire.document(found)
        calendar = shown["appointment"]
        document(shown if as_json or not calendar else shown | {"appointment": _summed_up(calendar)}, as_json=as_json)


@app.command()
def delete(*, activity: Id, as_: As, config: Config = "", as_json: AsJson = False) -> None:
    """Take an activity away wholly, as its recorder."""
    with open_desk(config) as desk:
        document(wire.removed(desk.activities.delete(activity, as_email=as_)), as_json=as_json)


@app.command()
def erase(
    *,
    activity: Id,
    reason: Reason,
    as_: Annotated[str | None, typer.Option("--as", metavar="EMAIL", help="A user who may administer.")] = None,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Take an activity away for legal reasons, as an administrator; that it happened is kept."""
    with open_desk(config) as desk:
        gone = desk.activities.erase(activity, reason=reason, actor=login(), as_email=as_)
        document(wire.removed(gone), as_json=as_json)


@app.command("forget-deletion")
def forget_deletion(*, activity: Id, reason: Reason, config: Config = "", as_json: AsJson = False) -> None:
    """Let a deleted mail be logged again."""
    with open_desk(config) as desk:
        gone = desk.activities.forget_deletion(activity, reason=reason, actor=login())
        document(wire.removed(gone, forgotten=True), as_json=as_json)
