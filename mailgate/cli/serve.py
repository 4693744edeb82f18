"""``mailgate serve``, ``check-config``, ``migrate``, ``demo``."""

import shlex
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from mailgate import wire
from mailgate.cli.opening import AsJson, Config, load
from mailgate.cli.printing import document, line, listing
from mailgate.errors import BadInput

YES = range(200, 300)  # the replies of SMTP that say so


def register(cli: typer.Typer) -> None:
    """Add these commands."""
    cli.command("serve")(serve)
    cli.command("check-config")(check_config)
    cli.command("migrate")(migrate)
    cli.command("demo")(demo)


def serve(*, config: Config = "") -> int:
    """Take mail until SIGTERM."""
    settings = load(config)
    from mailgate import app  # noqa: PLC0415 - slow to import; only when a command runs

    return app.serve(settings)


def check_config(*, config: Config = "", as_json: AsJson = False) -> None:
    """Read and check the settings, and show what holds, without secrets."""
    settings = load(config)
    from mailgate import app  # noqa: PLC0415 - slow to import; only when a command runs
    from mailgate.settings import printable  # noqa: PLC0415 - the same

    app.check_config(settings)
    shown = printable(settings)
    document(shown if as_json else dict(_flat(shown)), as_json=as_json)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value and isinstance(value, list) and isinstance(value[0], Mapping):
            for n, each in enumerate(value, start=1):
                yield from _flat(each, f"{prefix}{key}.{each.get('name', n)}.")
        else:
            yield f"{prefix}{key}", value


def migrate(*, config: Config = "") -> None:
    """Bring the database to the schema of this version; makes a SQLite file where there is none."""
    from mailgate import app  # noqa: PLC0415 - slow to import; only when a command runs

    app.migrate(load(config))


def demo(
    *,
    send: Annotated[bool, typer.Option("--send", help="Send a mail through the running service.")] = False,
    config: Config = "",
    as_json: AsJson = False,
) -> None:
    """Load a small invented world and print a record address of each kind."""
    from mailgate import app  # noqa: PLC0415 - slow to import; only when a command runs

    settings = load(config)
    if send:
        code, text, became = app.demo_mail(settings, datetime.now(UTC))
        sys.stderr.write(f"{code} {text}\n")
        if became is None or code not in YES:
            raise BadInput(f"the mail was answered {code}: see the reply codes in README.md")
        document(wire.activity(became), as_json=as_json)
        return
    listing((wire.demo(ref, address) for ref, address in app.demo(settings)), ("record", "address"), as_json=as_json)
    if not as_json:
        again = [sys.argv[0], "demo", "--send", *(["--config", config] if config else [])]
        line("")
        line("Once mailgate serves, paste this into another terminal to send a mail and see its activity:")
        line(f"    cd {shlex.quote(str(Path.cwd()))} && {shlex.join(again)}")
