"""The command line: ``run`` takes the arguments and gives the exit code.

0 done, 2 usage, 65 refused (bad input or a rule), 66 not found, 75 try later, 78 configuration. What goes wrong is one
line ``mailgate: ...`` on stderr, which names the value and says what to do. Facts go to stdout: ``--json`` gives one
JSON document, lists as JSON Lines; else text, as a table on a terminal. What the program works with is imported when a
command runs, so that help is quick.
"""

import os
import sys
import traceback
from collections.abc import Sequence

import typer

from mailgate import __version__
from mailgate.cli import (
    activities,
    addresses,
    doctor,
    handmade,
    operations,
    outbound,
    records,
    reminders,
    rereading,
    serve,
    users,
)
from mailgate.cli.printing import escaped
from mailgate.errors import BadInput, Deferred, MailgateError, Misconfigured, NotFound, Reason, Refused

USAGE = 2
REFUSED = 65
NOT_FOUND = 66
TRY_LATER = 75
CONFIGURATION = 78
INTERRUPTED = 130  # what a shell gives for SIGINT
PIPE_CLOSED = 141  # what a shell gives for SIGPIPE

_CODES: tuple[tuple[type[MailgateError], int], ...] = (
    (Misconfigured, CONFIGURATION),
    (NotFound, NOT_FOUND),
    (BadInput, REFUSED),
    (Refused, REFUSED),
    (Deferred, TRY_LATER),
)
_LATER = {
    Reason.DISK_FULL: "the disk of the database is full: make room and try again",
    Reason.STORE_DOWN: "the database doesn't answer or is busy: try again later",
}

cli = typer.Typer(
    name="mailgate",
    help="Keeps a mail put in BCC as a read-only activity on the CRM record it was addressed to.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
serve.register(cli)
operations.register(cli)
reminders.register(cli)
rereading.register(cli)
handmade.register(activities.app)
cli.add_typer(users.app, name="user", help="Who may have mail logged.")
cli.add_typer(records.app, name="record", help="What activities belong to.")
cli.add_typer(addresses.app, name="address", help="The secret addresses of records.")
cli.add_typer(
    activities.app, name="activity", help="What is on the records: mails that were logged, and what users made."
)
cli.add_typer(outbound.app, name="outbound", help="Mail that the CRM sends: its languages, and its log.")
cli.add_typer(doctor.app, name="doctor", help="What is wrong, and what to do.")
cli.add_typer(operations.ledger_app, name="ledger", help="What became of every mail.")


@cli.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Show the version.")) -> int:  # noqa: FBT001, FBT003 - typer's way
    if version:
        typer.echo(f"mailgate {__version__}")
    return 0


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        result = typer.main.get_command(cli).main(args=list(argv), prog_name="mailgate", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains at exit
        return PIPE_CLOSED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - one line instead of a traceback, whatever it is
        return _failed(error)
    if result == INTERRUPTED:  # typer swallows the interrupt
        return _failed(KeyboardInterrupt())
    return result if isinstance(result, int) else 0


def _failed(error: BaseException) -> int:
    """Say what went wrong, and give the exit code for it."""
    if isinstance(error, MailgateError):
        return _fail(_words(error), next(code for kind, code in _CODES if isinstance(error, kind)))
    if isinstance(error, typer.TyperException):
        return _misused(error)
    if isinstance(error, KeyboardInterrupt):
        return _fail("interrupted; what was done before is done", INTERRUPTED)
    if isinstance(error, UnicodeEncodeError):
        return _fail("an argument holds bytes that are no text in UTF-8: write it in UTF-8", REFUSED)
    if isinstance(error, OSError):
        return _fail(f"{error.filename or 'a file'}: {error.strerror or error}", REFUSED)
    return _fail(f"this is a bug of mailgate, please report it: {_where(error)}", TRY_LATER)


def _words(error: MailgateError) -> str:
    if isinstance(error, Deferred):
        return _LATER.get(error.reason, f"{error.reason.value}: try again later")
    if isinstance(error, Refused):
        return f"{error.reason.value} {error.value}".strip()
    return str(error)


def _misused(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "mailgate"
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(f"{error.format_message()}\n")
        return USAGE
    return _fail(f"{error.format_message().rstrip('.')}: see {path} --help", USAGE)


def _where(error: BaseException) -> str:
    """Say where it happened; the error's own text may quote a mail."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    path = " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames)
    return f"{type(error).__name__} at {path}"


def _fail(text: str, code: int) -> int:
    sys.stderr.write(f"mailgate: {escaped(' '.join(text.split()))}\n")
    return code
