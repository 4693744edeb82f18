"""``mailgate ingest``, ``explain`` and ``ledger``: where is my mail, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailgate import wire
from mailgate.cli.opening import AsJson, Config, load, open_desk, read_input
from mailgate.cli.printing import document, line, listing
from mailgate.errors import BadInput

if TYPE_CHECKING:
    from mailgate.ingest import Caps
    from mailgate.settings import Settings

REFUSED = 65
TRY_LATER = 75

ledger_app = typer.Typer(rich_markup_mode=None)

LEDGER = ("id", "at", "verdict", "reason", "record", "relay", "queue_id", "author", "message_id", "activity", "count")
INGESTED = ("to", "verdict", "reason", "code", "text", "activity")

From = Annotated[str | None, typer.Option("--from", metavar="ENVELOPE", help="Envelope sender; default: the author.")]
Relay = Annotated[str, typer.Option("--relay", metavar="IP|NAME", help="The mail server that it comes from.")]
Client = Annotated[str | None, typer.Option("--client", metavar="IP", help="Who sent it, for SPF; default: the relay.")]
Helo = Annotated[str, typer.Option("--helo", metavar="NAME", help="What that client said to EHLO.")]
To = Annotated[list[str] | None, typer.Option("--to", metavar="ADDRESS", help="May be repeated.")]


def register(cli: typer.Typer) -> None:
    """Add the commands that stand for themselves."""
    cli.command("ingest")(ingest)
    cli.command("explain")(explain)


def ingest(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A mail; - reads it from stdin.")],
    more: Annotated[list[str] | None, typer.Argument(metavar="[ADDRESS]...", help="More recipients.")] = None,
    to: To = None,
    from_: From = None,
    relay: Relay = "127.0.0.1",
    client: Client = None,
    helo: Helo = "",
    config: Config = "",
    as_json: AsJson = False,
) -> int:
    """Take a mail from a file as if it came over SMTP; one answer per recipient."""
    recipients = [*(to or ()), *(more or ())]
    if not recipients:
        raise BadInput("no recipient: give at least one --to ADDRESS")
    settings = load(config)
    from mailgate import app  # noqa: PLC0415 - slow to import; only when a command runs
    from mailgate import ingest as handing  # noqa: PLC0415 - the same

    caps = _caps(settings)
    handed = handing.Handed(
        raw=read_input(file, caps.max_size),
        recipients=recipients,
        sender=from_,
        relay=relay,
        client=client,
        helo=helo,
    )  # before the store is opened
    with app.open_desk(settings) as desk:
        outcomes = handing.ingest(desk.intake, handed, caps)
    listing((wire.ingested(one, *app.answer(one, settings)) for one in outcomes), INGESTED, as_json=as_json)
    verdicts = {one.verdict.value for one in outcomes}
    return TRY_LATER if "deferred" in verdicts else REFUSED if "refused" in verdicts else 0


def explain(
    *,
    what: Annotated[str, typer.Argument(metavar="FILE|ADDRESS", help="A mail (- is stdin), or a record address.")],
    to: To = None,
    from_: From = None,
    relay: Relay = "127.0.0.1",
    client: Client = None,
    helo: Helo = "",
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Tell every rule in order and what it said; stores nothing."""
    settings = load(config)
    from mailgate import app  # noqa: PLC0415 - slow to import; only when a command runs
    from mailgate import ingest as handing  # noqa: PLC0415 - the same

    rules: list[dict[str, str]] = []

    def tell(rule: str, said: str) -> None:
        rules.append({"rule": rule, "said": said})

    caps = _caps(settings)
    # a mail is read before the store is opened
    raw = None if "@" in what and not Path(what).exists() else read_input(what, caps.max_size)
    with app.open_desk(settings) as desk:
        if raw is None:
            outcome = handing.explain_recipient(desk.intake, what, tell)
        else:
            handed = handing.Handed(raw=raw, recipients=to or (), sender=from_, relay=relay, client=client, helo=helo)
            outcome = handing.explain(desk.intake, handed, caps, tell)
    code, text = app.answer(outcome, settings)
    if outcome.reason:
        tell(outcome.reason.value, f"{outcome.verdict.value}: {code} {text}")
    said = wire.explained(outcome, rules, code, text)
    if as_json:
        document(said, as_json=True)
        return
    listing(rules, ("rule", "said"), as_json=False)
    line(f"{said['verdict']}: {code} {text}")


@ledger_app.callback(invoke_without_command=True)
def ledger(
    *,
    context: typer.Context,
    message_id: Annotated[str | None, typer.Option("--message-id", metavar="ID")] = None,
    record: Annotated[str | None, typer.Option("--record", metavar="KIND:REF")] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="T", help="A day or time, in UTC.")] = None,
    verdict: Annotated[str | None, typer.Option("--verdict", metavar="V")] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="R")] = None,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """What became of every mail at every recipient, newest first."""
    if context.invoked_subcommand is not None:
        return
    with open_desk(config) as desk:
        found = desk.ledger.list(
            message_id=message_id,
            record=None if record is None else wire.record_ref(record),
            since=None if since is None else wire.read_moment(since, "--since"),
            verdict=verdict,
            reason=reason,
        )
        listing(map(wire.ledger, found), LEDGER, as_json=as_json)


@ledger_app.command("show")
def show(
    *,
    entry: Annotated[str, typer.Argument(metavar="ID", help="As the ledger and the replies name it.")],
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Show one entry."""
    with open_desk(config) as desk:
        document(wire.ledger(desk.ledger.show(entry)), as_json=as_json)


def _caps(settings: "Settings") -> "Caps":
    from mailgate.ingest import Caps  # noqa: PLC0415 - slow to import; only when a command runs

    smtp = settings.smtp
    return Caps(max_size=smtp.max_size, max_header_size=smtp.max_header_size, max_recipients=smtp.max_recipients)
