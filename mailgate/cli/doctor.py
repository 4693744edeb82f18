"""``mailgate doctor``: what is wrong, and what to do."""

from typing import Annotated

import typer

from mailgate import wire
from mailgate.cli.opening import AsJson, Config, load, read_input
from mailgate.cli.printing import document, line, listing
from mailgate.errors import BadInput

REFUSED = 65

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

HOPS = ("n", "by", "with", "id", "login")
STAMPS = ("below", "authserv_id", "results", "proves")
KNOWN = {True: "yes", False: "no", None: "not known"}

From = Annotated[
    str | None, typer.Option("--from", metavar="ENVELOPE", help="The envelope sender that it came with, if known.")
]


@app.callback()
def _doctor() -> None:
    """Look for what is wrong."""


@app.command("relay")
def relay(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A mail as it reached us; - reads it from stdin.")],
    from_: From = None,
    config: Config = "",
    as_json: AsJson = False,
) -> int:
    """Say which kinds of trust a mail that came through a relay supports, and what to change when none."""
    settings = load(config)
    from mailgate import app as program  # noqa: PLC0415 - slow to import; only when a command runs

    limit = settings.smtp.max_size
    raw = read_input(file, limit)
    if len(raw) > limit:
        raise BadInput(f"{file} is larger than smtp.max_size: send a short mail through the relay")
    found = wire.diagnosis(program.examine_relay(settings, raw, from_))
    supported = any(kind["supported"] for kind in found["kinds"])
    if as_json:
        document(found, as_json=True)
        return 0 if supported else REFUSED
    line(f"From is {found['author']}, the envelope sender {found['sender'] or 'not known'}")
    line("")
    line("Received fields, the topmost first:")
    listing(found["received"], HOPS, as_json=False)
    line("")
    line("Authentication-Results fields, each below so many Received fields:")
    listing(found["stamps"], STAMPS, as_json=False)
    for kind in found["kinds"]:
        line("")
        line(f"{kind['trust']}: {KNOWN[kind['supported']]}: {kind['why']}")
        line(f"    {kind['todo']}")
        for setting in kind["settings"]:
            line(f"        {setting}")
    return 0 if supported else REFUSED
