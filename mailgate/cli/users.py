"""``mailgate user``: who may have mail logged, and from which addresses."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mailgate import wire
from mailgate.cli import importing
from mailgate.cli.opening import AsJson, Config, DryRun, login, open_desk, open_input
from mailgate.cli.printing import document, line, listing
from mailgate.errors import BadInput

if TYPE_CHECKING:
    from mailgate.app import Desk
    from mailgate.domain.pending import PendingSender
    from mailgate.domain.user import User

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

COLUMNS = ("email", "name", "kind", "language", "enabled", "roles", "aliases")
PENDING = ("email", "relay", "envelope_from", "record", "queue_id", "tries", "first_at", "last_at", "until")

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="Any address of the user.")]
Kind = Annotated[str | None, typer.Option("--kind", metavar="person|shared|system")]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME")]
Language = Annotated[str | None, typer.Option("--language", metavar="LL", help="de, en, fr or it.")]
Give = Annotated[list[str] | None, typer.Option("--role", metavar="ROLE", help="Give this role; may be repeated.")]
Automatic = Annotated[
    bool | None,
    typer.Option(
        "--accept-automatic/--no-accept-automatic",
        help="Of a system: keep its mail although it says that it is automatic (gives record_activities).",
    ),
]
Take = Annotated[
    list[str] | None, typer.Option("--no-role", metavar="ROLE", help="Take this role away; may be repeated.")
]


@app.command()
def add(
    *,
    email: Email,
    name: Annotated[str, typer.Option("--name", metavar="NAME")],
    kind: Kind = None,
    language: Language = None,
    role: Give = None,
    no_role: Take = None,
    accept_automatic: Automatic = None,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Register a user; persons and shared addresses may have mail logged, unless you say otherwise."""
    entry = wire.user_entry(
        email,
        name=name,
        kind=kind,
        language=language,
        give=role or (),
        take=no_role or (),
        accept_automatic=accept_automatic,
    )
    with open_desk(config) as desk:
        _registered(desk, desk.users.add(entry, actor=login()), as_json=as_json)


@app.command("set")
def set_(
    *,
    email: Email,
    name: Name = None,
    kind: Kind = None,
    language: Language = None,
    no_language: Annotated[bool, typer.Option("--no-language", help="Use the instance's language.")] = False,
    role: Give = None,
    no_role: Take = None,
    accept_automatic: Automatic = None,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Change what is given, and nothing else."""
    if language is not None and no_language:
        raise BadInput("--language and --no-language contradict each other: give one")
    wanted = "" if no_language else language
    entry = wire.user_entry(
        email,
        name=name,
        kind=kind,
        language=wanted,
        give=role or (),
        take=no_role or (),
        accept_automatic=accept_automatic,
    )
    with open_desk(config) as desk:
        document(wire.user(desk.users.set(entry, actor=login())), as_json=as_json)


@app.command()
def alias(
    *,
    email: Email,
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="A further sender address.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take the address away.")] = False,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Give a user a further sender address."""
    with open_desk(config) as desk:
        _registered(desk, desk.users.alias(email, alias, remove=remove, actor=login()), as_json=as_json)


@app.command("list")
def list_(*, config: Config = "", as_json: AsJson = False) -> None:
    """List all users."""
    with open_desk(config) as desk:
        listing(map(wire.user, desk.users.list()), COLUMNS, as_json=as_json)


@app.command()
def pending(*, config: Config = "", as_json: AsJson = False) -> None:
    """List who waits to be registered, whoever waits longest first: their mail is tried again until then."""
    with open_desk(config) as desk:
        listing(map(wire.pending, desk.pending.list()), PENDING, as_json=as_json)


@app.command()
def show(*, email: Email, config: Config = "", as_json: AsJson = False) -> None:
    """Show one user."""
    with open_desk(config) as desk:
        document(wire.user(desk.users.show(email)), as_json=as_json)


@app.command()
def disable(*, email: Email, config: Config = "", as_json: AsJson = False) -> None:
    """Let no mail of the user be logged; what is there stays."""
    with open_desk(config) as desk:
        document(wire.user(desk.users.disable(email, actor=login())), as_json=as_json)


@app.command()
def enable(*, email: Email, config: Config = "", as_json: AsJson = False) -> None:
    """Undo disable."""
    with open_desk(config) as desk:
        document(wire.user(desk.users.enable(email, actor=login())), as_json=as_json)


@app.command()
def remove(*, email: Email, config: Config = "", as_json: AsJson = False) -> None:
    """Take a user out who never did anything; disable all others."""
    with open_desk(config) as desk:
        document(wire.user(desk.users.remove(email, actor=login())), as_json=as_json)


@app.command("import")
def import_(*, file: importing.File, dry_run: DryRun = False, config: Config = "", as_json: AsJson = False) -> int:
    """Add and change users from a CSV file with the columns email,name,kind,language,roles,aliases.

    Several values of a cell have | between them: record_activities|administer.
    """
    with open_input(file) as given, open_desk(config) as desk:
        code = importing.run(desk.imports.users, given, file, dry_run=dry_run, as_json=as_json)
        for hurry in [] if dry_run else _hurry(desk.pending.release()):
            sys.stderr.write(f"mailgate: mail waits: {hurry}\n")
        return code


def _registered(desk: "Desk", user: "User", *, as_json: bool) -> None:
    """Show a user who has new addresses, and how the mails are hurried that waited for them."""
    waited = desk.pending.release([user.email, *user.aliases])
    document(wire.registered(user, waited) if as_json else wire.user(user), as_json=as_json)
    if not as_json:
        for hurry in _hurry(waited):
            line(hurry)


def _hurry(waited: Sequence["PendingSender"]) -> list[str]:
    """Give a line for each mail: a shell at the relay takes it as it stands."""
    lines = [
        f"{one.hurry}  # at {one.relay}" if one.hurry else f"# {one.relay} tries again by itself" for one in waited
    ]
    return list(dict.fromkeys(lines))
