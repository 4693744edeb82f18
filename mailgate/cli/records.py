"""``mailgate record``: what activities belong to, as the CRM knows it."""

from collections.abc import Sequence
from typing import Annotated

import typer

from mailgate import wire
from mailgate.cli import importing
from mailgate.cli.opening import AsJson, Config, DryRun, login, open_desk, open_input
from mailgate.cli.printing import document, listing
from mailgate.errors import BadInput

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

COLUMNS = ("record", "name", "language", "state", "email", "last_activity")

Ref = Annotated[str, typer.Argument(metavar="KIND:REF", help="For example campaign:4711.")]
Language = Annotated[str | None, typer.Option("--language", metavar="LL", help="de, en, fr or it.")]
Emails = Annotated[list[str] | None, typer.Option("--email", metavar="EMAIL", help="May be repeated.")]
Relate = Annotated[list[str] | None, typer.Option("--relate", metavar="ROLE=KIND:REF", help="May be repeated.")]
Contacts = Annotated[list[str] | None, typer.Option("--contact", metavar="ROLE=contact:REF", help="May be repeated.")]
UsersOn = Annotated[list[str] | None, typer.Option("--user", metavar="ROLE=EMAIL", help="May be repeated.")]


@app.command()
def add(
    *,
    record: Ref,
    name: Annotated[str, typer.Option("--name", metavar="NAME")],
    language: Language = None,
    email: Emails = None,
    relate: Relate = None,
    contact: Contacts = None,
    user: UsersOn = None,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Register a record."""
    entry = wire.record_entry(
        record, name=name, language=language, email=email, relate=relate, contact=contact, user=user
    )
    with open_desk(config) as desk:
        document(wire.record(desk.records.add(entry, actor=login())), as_json=as_json)


@app.command("set")
def set_(
    *,
    record: Ref,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME")] = None,
    language: Language = None,
    no_language: Annotated[bool, typer.Option("--no-language", help="Take the language away.")] = False,
    email: Emails = None,
    no_email: Annotated[bool, typer.Option("--no-email", help="Take all e-mails away.")] = False,
    relate: Relate = None,
    no_relate: Annotated[bool, typer.Option("--no-relate", help="Take all relations away.")] = False,
    contact: Contacts = None,
    no_contact: Annotated[bool, typer.Option("--no-contact", help="Take all contacts away.")] = False,
    user: UsersOn = None,
    no_user: Annotated[bool, typer.Option("--no-user", help="Take all users away.")] = False,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Change what is given, and nothing else; a list that is given replaces the whole list."""
    if language is not None and no_language:
        raise BadInput("--language and --no-language contradict each other: give one")
    entry = wire.record_entry(
        record,
        name=name,
        language="" if no_language else language,
        email=_list("email", email, none=no_email),
        relate=_list("relate", relate, none=no_relate),
        contact=_list("contact", contact, none=no_contact),
        user=_list("user", user, none=no_user),
    )
    with open_desk(config) as desk:
        document(wire.record(desk.records.set(entry, actor=login())), as_json=as_json)


def _list(option: str, given: Sequence[str] | None, *, none: bool) -> Sequence[str] | None:
    if given and none:
        raise BadInput(f"--{option} and --no-{option} contradict each other: give one")
    return () if none else given or None


@app.command("list")
def list_(*, config: Config = "", as_json: AsJson = False) -> None:
    """List all records."""
    with open_desk(config) as desk:
        listing(map(wire.record, desk.records.list()), COLUMNS, as_json=as_json)


@app.command()
def show(*, record: Ref, config: Config = "", as_json: AsJson = False) -> None:
    """Show one record."""
    with open_desk(config) as desk:
        document(wire.record(desk.records.show(wire.record_ref(record))), as_json=as_json)


@app.command()
def close(*, record: Ref, config: Config = "", as_json: AsJson = False) -> None:
    """Take no more mail for a record; all else still works."""
    with open_desk(config) as desk:
        document(wire.record(desk.records.close(wire.record_ref(record), actor=login())), as_json=as_json)


@app.command()
def reopen(*, record: Ref, config: Config = "", as_json: AsJson = False) -> None:
    """Undo close."""
    with open_desk(config) as desk:
        document(wire.record(desk.records.reopen(wire.record_ref(record), actor=login())), as_json=as_json)


@app.command()
def rename(
    *,
    old: Annotated[str, typer.Argument(metavar="OLD")],
    new: Annotated[str, typer.Argument(metavar="NEW")],
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Give a record the CRM's new reference; a lead may become a contact or customer."""
    with open_desk(config) as desk:
        renamed = desk.records.rename(wire.record_ref(old), wire.record_ref(new), actor=login())
        document(wire.record(renamed), as_json=as_json)


@app.command()
def merge(
    *,
    source: Annotated[str, typer.Argument(metavar="FROM")],
    into: Annotated[str, typer.Argument(metavar="INTO")],
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Put everything of one record on another, activities and addresses too, and take the first one out."""
    with open_desk(config) as desk:
        merged = desk.records.merge(wire.record_ref(source), wire.record_ref(into), actor=login())
        document(wire.record(merged), as_json=as_json)


@app.command()
def remove(*, record: Ref, config: Config = "", as_json: AsJson = False) -> None:
    """Take a record out that has no activities."""
    with open_desk(config) as desk:
        document(wire.record(desk.records.remove(wire.record_ref(record), actor=login())), as_json=as_json)


@app.command("import")
def import_(*, file: importing.File, dry_run: DryRun = False, config: Config = "", as_json: AsJson = False) -> int:
    """Add and change records from a CSV file with the columns record,name,language,state,email,relate,contact,user.

    Several values of a cell have | between them: customer=customer:1001|agency=customer:1002.
    """
    with open_input(file) as given, open_desk(config) as desk:
        return importing.run(desk.imports.records, given, file, dry_run=dry_run, as_json=as_json)
