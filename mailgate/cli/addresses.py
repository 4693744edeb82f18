"""``mailgate address``: the secret addresses that users put in BCC."""

from typing import Annotated

import typer

from mailgate import wire
from mailgate.cli.opening import AsJson, Config, login, open_desk, whole
from mailgate.cli.printing import document, line, listing
from mailgate.cli.records import Ref

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

COLUMNS = ("address", "record", "state", "created_at", "expires_at", "exposed_at", "last_used_at")

Grace = Annotated[int | None, typer.Option("--grace", metavar="DAYS", parser=whole, help="Take the old one so long.")]


@app.command()
def show(*, record: Ref, config: Config = "", as_json: AsJson = False) -> None:
    """Print the address of a record and nothing else; it is made on first asking."""
    with open_desk(config) as desk:
        shown = desk.addresses.show(wire.record_ref(record), actor=login())
        if as_json:
            document(wire.address(shown), as_json=True)
        else:
            line(shown.address)


@app.command()
def rotate(
    *,
    record: Ref,
    grace: Grace = None,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Give a record a new address; without --grace the old one is revoked at once."""
    with open_desk(config) as desk:
        fresh = desk.addresses.rotate(wire.record_ref(record), grace_days=grace, actor=login())
        if as_json:
            document(wire.address(fresh), as_json=True)
        else:
            line(fresh.address)


@app.command()
def close(*, record: Ref, config: Config = "", as_json: AsJson = False) -> None:
    """Take no mail by the addresses of a record; can be undone."""
    with open_desk(config) as desk:
        changed = desk.addresses.close(wire.record_ref(record), actor=login())
        listing(map(wire.address, changed), COLUMNS, as_json=as_json)


@app.command()
def reopen(*, record: Ref, config: Config = "", as_json: AsJson = False) -> None:
    """Undo close."""
    with open_desk(config) as desk:
        changed = desk.addresses.reopen(wire.record_ref(record), actor=login())
        listing(map(wire.address, changed), COLUMNS, as_json=as_json)


@app.command()
def revoke(*, record: Ref, config: Config = "", as_json: AsJson = False) -> None:
    """Make the addresses of a record unknown; can't be undone."""
    with open_desk(config) as desk:
        changed = desk.addresses.revoke(wire.record_ref(record), actor=login())
        listing(map(wire.address, changed), COLUMNS, as_json=as_json)


@app.command("list")
def list_(
    *,
    record: Annotated[str | None, typer.Argument(metavar="[KIND:REF]")] = None,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """List the addresses of a record, or all, with those that are no longer taken."""
    with open_desk(config) as desk:
        ref = None if record is None else wire.record_ref(record)
        listing(map(wire.address, desk.addresses.list(ref)), COLUMNS, as_json=as_json)
