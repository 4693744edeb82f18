"""What every command needs first: its settings, the desk it works at, files, and who is asking."""

import os
import pwd
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from mailgate.errors import BadInput, NotFound

if TYPE_CHECKING:
    from mailgate.app import Desk
    from mailgate.settings import Settings

STDIO = "-"

Config = Annotated[str, typer.Option("--config", metavar="FILE", help="The settings; - reads them from stdin.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be done and write nothing.")]


def load(config: str) -> "Settings":
    """Read the settings; an empty name means ``MAILGATE_CONFIG``, else the default place."""
    from mailgate import app  # noqa: PLC0415 - importing everything takes 0.65 s: only when a command runs

    if config != STDIO:
        return app.load(Path(config) if config else None)
    with tempfile.NamedTemporaryFile(suffix=".toml") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        return app.load(Path(copy.name))


def whole(text: str) -> int:
    """Read a number typed as an option."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no whole number") from None


@contextmanager
def open_desk(config: "str | Settings") -> Iterator["Desk"]:
    """Open the store for one command. Files are opened before: a pipe that nobody fills must not hold it."""
    from mailgate import app  # noqa: PLC0415 - see load

    with app.open_desk(load(config) if isinstance(config, str) else config) as desk:
        yield desk


def login() -> str:
    """Name who runs the command: the login of the system, for the audit."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


@contextmanager
def open_input(name: str) -> Iterator[BinaryIO]:
    """Open a file to read; ``-`` is stdin."""
    if name == STDIO:
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed below; only opening may fail like this
        if Path(name).is_dir():
            raise NotFound(f"{name} is a folder: name a file, or - for stdin")
    except OSError as error:
        raise NotFound(f"{name} can't be read ({error.strerror}): name a file that is there, or - for stdin") from None
    with file:
        yield file


def read_within(file: BinaryIO, name: str, limit: int) -> bytes:
    """Read a file that was opened; of one that is too large only so much that this shows."""
    try:
        return file.read(limit + 1)
    except OSError as error:
        raise NotFound(f"{name} can't be read ({error.strerror}): name another file, or - for stdin") from None


def read_input(name: str, limit: int) -> bytes:
    """Open a file and read it; ``-`` is stdin."""
    with open_input(name) as file:
        return read_within(file, name, limit)


def write_output(name: str, content: bytes) -> None:
    """Write a new file, never over one that is there; ``-`` is stdout."""
    if name == STDIO:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        with Path(name).open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise BadInput(f"{name} is there already: choose another name") from None
    except OSError as error:
        raise BadInput(f"{name} can't be written ({error.strerror}): choose another place") from None
