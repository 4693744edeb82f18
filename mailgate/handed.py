"""A system mail as a job hands it over in JSON (contract 2): checked key by key, and read into a ``Dispatch``.

    {"kind": "invoice", "record": "campaign:4711", "triggered_by": "anna@firma.example",
     "recipients": ["kunde@kunde.example"], "sent_at": "2026-11-22T09:30:00Z", "message_id": "<1@firma.example>",
     "content": {"de": {"subject": "", "text": "", "html": ""}},
     "sent_languages": {"kunde@kunde.example": ["de"]}, "documents": [{"name": "", "type": "", "base64": ""}],
     "task": "id of the task, for the kind task_reminder"}

``html``, ``sent_languages``, ``documents`` and ``task`` may be left out, or be ``null``. Anything else ends in
``BadInput`` that names the key by its path, as in ``documents[0].name``: bytes that are no UTF-8 or no JSON, keys that
are unknown, missing or there twice, values of another type (nothing is a number, nothing else is null), base64 with
anything but its alphabet.

Total: no other exception leaves ``read``. Time and memory are linear in the bytes; whoever reads them bounds them. More
than ``MAX_VALUES`` values are refused before any is made: a value costs up to 60 times its bytes.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mailgate.domain.content import Content
from mailgate.domain.dispatch import Dispatch, check_text
from mailgate.domain.document import NewDocument
from mailgate.errors import BadInput

REQUIRED = ("kind", "record", "triggered_by", "recipients", "sent_at", "message_id", "content")
OPTIONAL = ("sent_languages", "documents", "task")

MAX_VALUES = 500_000  # what fits in no mail: 10,000 recipients and 1,000 documents are some 60,000

_SHOWN = 80
# atomic and ending at the end too, so that no byte is looked at twice
_TEXTS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


class _Pairs(list[tuple[str, Any]]):
    """An object as it stands, keys that are there twice too."""

    __slots__ = ()


class _Number:
    """A number, whatever its size: no key takes one, so none is worked out."""


_NUMBER = _Number()
_TYPES: Mapping[type, str] = {
    str: "a text",
    list: "a list",
    _Pairs: "an object",
    _Number: "a number",
    bool: "true or false",
    type(None): "null",
}


def read(raw: bytes, domain: str) -> Dispatch:
    """Read a dispatch; ``domain`` is that of the record addresses, folded."""
    given = _object(_parsed(raw), "", required=REQUIRED, optional=OPTIONAL)
    return Dispatch.read(
        kind=_text(given["kind"], "kind"),
        record=_text(given["record"], "record"),
        triggered_by=_text(given["triggered_by"], "triggered_by"),
        recipients=_texts(given["recipients"], "recipients"),
        sent_at=_moment(_text(given["sent_at"], "sent_at")),
        message_id=_text(given["message_id"], "message_id"),
        content={
            code: _content(one, _path("content", code)) for code, one in _any(given["content"], "content").items()
        },
        sent_languages=_sent(given["sent_languages"]) if "sent_languages" in given else None,
        documents=_documents(given.get("documents", [])),
        task=_text(given["task"], "task") if "task" in given else None,
        domain=domain,
    )


def _parsed(raw: bytes) -> object:
    if _values(raw) > MAX_VALUES and _values(_TEXTS.sub(b"", raw)) > MAX_VALUES:
        raise BadInput(f"this JSON holds more than {MAX_VALUES} values: no mail has so many")
    try:
        return json.loads(
            raw.decode("utf-8-sig"),
            object_pairs_hook=_Pairs,
            parse_int=_number,
            parse_float=_number,
            parse_constant=_number,
        )
    except UnicodeDecodeError as error:
        raise BadInput(f"this is no UTF-8: see the octet at {error.start}") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"this is no JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise BadInput("this JSON is nested deeper than anything that is taken") from None


def _values(raw: bytes) -> int:
    """Count what can begin a value; more where texts hold such signs."""
    return sum(map(raw.count, (b",", b"[", b"{")))


def _number(_digits: str) -> _Number:
    return _NUMBER


# -- shapes ---------------------------------------------------------------------------------------------------------


def _object(value: object, path: str, *, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Take an object with these keys; an optional one that is ``null`` is not there."""
    found = _any(value, path)
    if unknown := [key for key in found if key not in required and key not in optional]:
        known = ", ".join((*required, *optional))
        raise BadInput(f"{_path(path, unknown[0])}: no such key is known: leave it out; there are {known}")
    if missing := [key for key in required if key not in found]:
        raise BadInput(f"{_path(path, missing[0])}: this key is missing")
    return {key: one for key, one in found.items() if one is not None or key in required}


def _any(value: object, path: str) -> dict[str, Any]:
    """Take an object with any keys."""
    if not isinstance(value, _Pairs):
        raise _wrong(value, path, "an object")
    found: dict[str, Any] = {}
    for key, one in value:
        if key in found:
            raise BadInput(f"{_path(path, key)}: this key is there twice")
        found[key] = one
    return found


def _list(value: object, path: str) -> list[Any]:
    if isinstance(value, _Pairs) or not isinstance(value, list):
        raise _wrong(value, path, "a list")
    return value


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise _wrong(value, path, "a text")
    check_text(value, path)
    return value


def _texts(value: object, path: str) -> list[str]:
    return [_text(one, f"{path}[{n}]") for n, one in enumerate(_list(value, path))]


def _wrong(value: object, path: str, wanted: str) -> BadInput:
    return BadInput(f"{path or 'the whole'}: {_TYPES[type(value)]} stands here: write {wanted}")


def _path(path: str, key: str) -> str:
    shown = key if key.isprintable() and len(key) <= _SHOWN else ascii(key[:_SHOWN])
    return f"{path}.{shown}" if path else shown


# -- values ---------------------------------------------------------------------------------------------------------


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"sent_at: {text[:_SHOWN]!a} is no time that exists: write 2026-11-22T09:30:00Z") from None


def _content(value: object, path: str) -> Content:
    given = _object(value, path, required=("subject", "text"), optional=("html",))
    return Content(**{name: _text(one, f"{path}.{name}") for name, one in given.items()})


def _sent(value: object) -> dict[str, list[str]]:
    return {email: _texts(one, _path("sent_languages", email)) for email, one in _any(value, "sent_languages").items()}


def _documents(value: object) -> list[NewDocument]:
    return [_document(one, f"documents[{n}]") for n, one in enumerate(_list(value, "documents"))]


def _document(value: object, path: str) -> NewDocument:
    given = _object(value, path, required=("name", "type", "base64"))
    texts = {name: _text(one, f"{path}.{name}") for name, one in given.items()}
    try:
        content = base64.b64decode(texts["base64"], validate=True)
    except (binascii.Error, ValueError):
        raise BadInput(f"{path}.base64: this is no base64 (RFC 4648 4): no line breaks, padded with =") from None
    return NewDocument(name=texts["name"], type=texts["type"], content=content)
