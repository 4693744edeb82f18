"""One line for a person about one problem: the key, the value (never a secret), what to do."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import ErrorDetails

from mailgate.settings.model import KeyPath, Pair, Relay, keys
from mailgate.settings.values import POSTGRESQL

MAX_SHOWN = 120

_SCHEME = re.compile(r"[a-z0-9+]{1,30}")
_SECRET_IN_QUERY = re.compile(r"((?:^|&)[^=&]*(?:password|passphrase)[^=&]*=)[^&]*", re.IGNORECASE)

_WHAT_TO_WRITE = {
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "string_type": "write text in quotes",
    "path_type": "write a path in quotes",
    "tuple_type": "write a list",
    "model_type": "write a table of keys and values",
    "too_short": "write at least one",
}


def one_line(detail: ErrorDetails, values: dict[str, Any], variables: Mapping[KeyPath, str], file: Path | None) -> str:
    """Tell one problem of pydantic's. ``values`` is what was checked, ``variables`` which of it came from where."""
    parts = tuple(str(part) for part in detail["loc"] if isinstance(part, str))
    source = next((name for path, name in variables.items() if path == parts[: len(path)]), file)
    key = plain(".".join(_with_relay(detail["loc"], values)))
    return f"{key}: {_what(detail, parts)}{from_source(source)}"


def _what(detail: ErrorDetails, parts: KeyPath) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown(detail["loc"], parts)
    if kind == "missing":
        advice = 'trust = "vouched", "stamped" or "verified"' if parts[-1] == "trust" else f"{parts[-1]} = ..."
        return f"is missing: write {advice}"
    text = _scheme(detail["input"]) if parts == ("store", "url") else shown(detail["input"])
    if kind == "value_error":
        return f"{text} {detail['ctx']['error']}"
    if kind == "literal_error":
        return f"{text} is not right: write one of {detail['ctx']['expected']}"
    return f"{text} is not right: {_WHAT_TO_WRITE.get(kind, detail['msg'])}"


def _unknown(loc: tuple[int | str, ...], parts: KeyPath) -> str:
    if any(isinstance(part, int) for part in loc):
        entry = Relay if parts[0] == "relays" else Pair
        return f"names no setting{meant(parts[-1], entry.model_fields)}"
    known = {".".join(path[:depth]) for path in keys() for depth in range(1, len(path) + 1)}
    return f"names no setting{meant('.'.join(parts), sorted(known))}"


def _with_relay(loc: tuple[int | str, ...], values: dict[str, Any]) -> Iterator[str]:
    """Give the parts of the key, with the relay's name in place of its number."""
    for place, part in enumerate(loc):
        if isinstance(part, str):
            yield part
        elif loc[:place] == ("relays",):
            relay = values["relays"][part]
            name = relay.get("name") if isinstance(relay, dict) else None
            yield name if isinstance(name, str) else f"[{part + 1}]"


def meant(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Ask whether the nearest known name was meant, or say nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {prefix}{close[0]}?)" if close else ""


def from_source(source: str | Path | None) -> str:
    """Say in which variable or file a value stood."""
    return f" (in {plain(str(source))})" if source else ""


def shown(value: object) -> str:
    """Show a value on one line, cut."""
    return json.dumps(value, default=str)[:MAX_SHOWN]


def plain(text: str) -> str:
    """Keep a key or path as it is unless it would break the line."""
    return text[:MAX_SHOWN] if text.isprintable() else shown(text)


def _scheme(url: object) -> str:
    """Show what of a store.url can't be a secret."""
    scheme, colon, _ = str(url).partition("://")
    return f'"{scheme}://..."' if colon and _SCHEME.fullmatch(scheme) else "its value"


def masked(url: str) -> str:
    """Show a checked ``store.url`` without its passwords."""
    match = POSTGRESQL.fullmatch(url)
    if match is None:
        return url  # SQLite: a path
    user = f"{match['user']}{':***' if match['password'] else ''}@" if match["user"] is not None else ""
    database = f"/{match['database']}" if match["database"] is not None else ""
    query = "?" + _SECRET_IN_QUERY.sub(r"\1***", match["query"]) if match["query"] else ""
    return f"{match['scheme']}{user}{match['host']}{database}{query}"
