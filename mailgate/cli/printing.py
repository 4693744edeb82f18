"""Facts on stdout: JSON for scripts, tables on a terminal, tabbed lines elsewhere.

Text of mails is a stranger's: outside JSON, whatever isn't printable is shown as an escape, so that no terminal obeys
it. JSON is UTF-8, or escaped to ASCII where stdout is something else.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

Json = Mapping[str, Any]

TABLE = 200  # rows of one table: a terminal sees the first of them at once


def document(one: Json, *, as_json: bool) -> None:
    """Print one thing: a JSON document on one line, or a line per key."""
    if as_json:
        _print(_dumped(one))
        return
    for key, value in one.items():
        _print(f"{key}\t{_cell(value)}")


def listing(rows: Iterable[Json], columns: Sequence[str], *, as_json: bool) -> None:
    """Print a list: JSON Lines with all keys, or these columns."""
    if as_json:
        for row in rows:
            _print(_dumped(row))
    elif sys.stdout.isatty():
        _tables(iter(rows), columns)
    else:
        for row in rows:
            _print("\t".join(_cell(row[column]) for column in columns))


def line(text: str) -> None:
    """Print a line of text."""
    _print(escaped(text))


def body(text: str) -> None:
    """Print the text of a mail."""
    for one in text.splitlines():
        _print(escaped(one.expandtabs()))


def escaped(text: str) -> str:
    """Show text without anything that a terminal obeys."""
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")


def _tables(rows: Iterator[Json], columns: Sequence[str]) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only a terminal needs it
    from rich.table import Table  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    console = Console()
    while page := list(islice(rows, TABLE)):
        table = Table(*columns, box=None, pad_edge=False)
        for row in page:
            table.add_row(*(Text(_cell(row[column])) for column in columns))
        console.print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_cell(one) for one in value)
    if isinstance(value, Mapping):
        return "=".join(_cell(one) for one in value.values())
    return escaped(str(value))


def _dumped(one: Json) -> str:
    return json.dumps(one, ensure_ascii=sys.stdout.encoding.lower().replace("-", "") != "utf8")


def _print(text: str) -> None:
    try:
        sys.stdout.write(f"{text}\n")
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        sys.stdout.write(f"{text.encode(encoding, 'backslashreplace').decode(encoding)}\n")
