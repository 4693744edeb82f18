"""``mailgate activity add, set, done, undone, topic, topics``: what people make and mark by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mailgate import wire
from mailgate.cli.activities import As, Id, print_activity
from mailgate.cli.opening import STDIO, AsJson, Config, load, open_desk, read_input
from mailgate.cli.printing import listing
from mailgate.cli.records import Ref
from mailgate.errors import BadInput

COLUMNS = ("topic", "de", "en", "fr", "it")
STDIN_NAME = "stdin"  # of a document that comes by it

Type = typer.Option("--type", metavar="T", help="task, email, lunch, meeting, call, video_call or note.")
Topic = typer.Option("--topic", metavar="T", help="See mailgate activity topics KIND.")
Subject = typer.Option("--subject", metavar="TEXT", help="One line.")
Text = Annotated[str | None, typer.Option("--text", metavar="TEXT", help="May hold several lines.")]
At = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="TIME", help="When it happened, in UTC unless it says an offset. A new one: now, unless told."
    ),
]
Place = Annotated[str | None, typer.Option("--place", metavar="P", help="Of a lunch or meeting.")]
Due = Annotated[str | None, typer.Option("--due", metavar="DATE", help="Of a task, such as 2026-11-22.")]
Remind = Annotated[str | None, typer.Option("--remind", metavar="DATE", help="Of a task: a mail on this day.")]
Contacts = Annotated[
    list[str] | None,
    typer.Option("--contact", metavar="contact:REF", help="Took part; one of the record's. May be repeated."),
]
UsersOf = Annotated[
    list[str] | None,
    typer.Option("--user", metavar="EMAIL", help="Took part; a user on the record. May be repeated."),
]
Documents = Annotated[
    list[str] | None, typer.Option("--document", metavar="FILE", help="At most three; - is stdin, once.")
]
Links = Annotated[list[str] | None, typer.Option("--link", metavar="URL", help="At most three: http, https or mailto.")]


def register(app: typer.Typer) -> None:
    """Add the commands to those on activities."""
    for name, command in (("add", add), ("set", set_), ("done", done), ("undone", undone), ("topic", topic)):
        app.command(name)(command)
    app.command("topics")(topics)


def add(
    *,
    record: Ref,
    type_: Annotated[str, Type],
    topic: Annotated[str, Topic],
    as_: As,
    subject: Annotated[str, Subject],
    text: Text = None,
    at: At = None,
    place: Place = None,
    due: Due = None,
    remind: Remind = None,
    contact: Contacts = None,
    user: UsersOf = None,
    document: Documents = None,
    link: Links = None,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Make an activity by hand."""
    words = {"type_": type_, "topic": topic, "subject": subject, "text": text, "place": place}
    days = {"at": at, "due": due, "remind": remind}
    lists = {"contacts": contact, "users": user, "links": link}
    settings = load(config)
    entry = _entry(settings.activities.max_document_size, document, lists, **words, **days)
    with open_desk(settings) as desk:
        made = desk.handmade.add(wire.record_ref(record), entry, as_email=as_)
        print_activity(wire.activity(made), as_json=as_json)


def set_(
    *,
    activity: Id,
    as_: As,
    type_: Annotated[str | None, Type] = None,
    topic: Annotated[str | None, Topic] = None,
    subject: Annotated[str | None, Subject] = None,
    text: Text = None,
    at: At = None,
    place: Place = None,
    due: Due = None,
    remind: Remind = None,
    contact: Contacts = None,
    user: UsersOf = None,
    document: Documents = None,
    link: Links = None,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Change what is given of a hand-made activity, as its recorder.

    A list that is given replaces the whole list; "" takes a text, place, date or list away.
    """
    words = {"type_": type_, "topic": topic, "subject": subject, "text": text, "place": place}
    days = {"at": at, "due": due, "remind": remind}
    lists = {"contacts": contact, "users": user, "links": link}
    settings = load(config)
    entry = _entry(settings.activities.max_document_size, document, lists, **words, **days)
    with open_desk(settings) as desk:
        print_activity(wire.activity(desk.handmade.set(activity, entry, as_email=as_)), as_json=as_json)


def done(*, activity: Id, as_: As, config: Config = "", as_json: AsJson = False) -> None:
    """Mark a task done, as its recorder or an internal participant."""
    with open_desk(config) as desk:
        print_activity(wire.activity(desk.handmade.done(activity, as_email=as_)), as_json=as_json)


def undone(*, activity: Id, as_: As, config: Config = "", as_json: AsJson = False) -> None:
    """Undo done."""
    with open_desk(config) as desk:
        print_activity(wire.activity(desk.handmade.undone(activity, as_email=as_)), as_json=as_json)


def topic(
    *,
    activity: Id,
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="See mailgate activity topics KIND.")],
    as_: As,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Give a mail that was logged by BCC its topic; who and when is kept."""
    with open_desk(config) as desk:
        print_activity(wire.activity(desk.handmade.topic(activity, topic, as_email=as_)), as_json=as_json)


def topics(
    *,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="For example campaign.")],
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """List the topics that activities on a kind of record may have."""
    found = wire.topics(kind, load(config).instance.edition)
    listing(map(wire.topic, found), COLUMNS, as_json=as_json)


# -- what was typed -------------------------------------------------------------------------------------------------


def _entry(
    limit: int, documents: Sequence[str] | None, lists: Mapping[str, Sequence[str] | None], **fields: str | None
) -> Any:
    """Read what was typed; an option that may be repeated and wasn't given is no list."""
    given: dict[str, Any] = {name: values or None for name, values in lists.items()}
    return wire.handmade_entry(documents=_documents(limit, documents), **given, **fields)


def _documents(limit: int, paths: Sequence[str] | None) -> list[Any] | None:
    """Read the files; one "" is an empty list. None is read beyond the limit, none at all if they are too many."""
    if not paths:
        return None
    if list(paths) == [""]:
        return []
    names = [_name(path) for path in paths]
    wire.check_documents(names)
    if list(paths).count(STDIO) > 1:
        raise BadInput(f"document: {STDIO} stands there twice, and stdin can be read only once: name a file")
    return [
        wire.new_document(n, name, read_input(path, limit), limit)
        for n, (path, name) in enumerate(zip(paths, names, strict=True), start=1)
    ]


def _name(path: str) -> str:
    return STDIN_NAME if path == STDIO else Path(path).name
