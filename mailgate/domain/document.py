"""Documents that are handed over by themselves, not in a mail: a name that is one, a type, the bytes.

Refuses, with ``BadInput`` that names the field: a name that leads somewhere (``../../x``), holds characters that can't
be seen, or is longer than file systems take; a type that is none. Names are only ever shown; no file is made by them.
"""

import re
import unicodedata
from dataclasses import dataclass
from hashlib import sha256

from mailgate.errors import BadInput

MAX_NAME = 255  # octets of UTF-8: what file systems take
_MAX_TYPED = 4 * MAX_NAME  # characters: sorting combining marks takes quadratic time
DEFAULT_TYPE = "application/octet-stream"

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")  # RFC 6838 4.2
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document on its way to the store."""

    name: str
    type: str
    content: bytes

    @property
    def sha256(self) -> str:
        """Hash the content."""
        return sha256(self.content).hexdigest()


def read_name(text: str, field: str) -> str:
    """Return the name of a document: NFC, one path element, nothing that can't be seen."""
    if len(text) > _MAX_TYPED:
        raise BadInput(f"{field}: {text[:80]!a}... has {len(text)} characters: shorten it")
    name = unicodedata.normalize("NFC", text).strip()
    if "/" in name or "\\" in name or name in {"", ".", ".."}:
        raise BadInput(f"{field}: {text[:80]!a} is no file name: give the bare name, without folders")
    if bad := next((char for char in name if unicodedata.category(char) in _UNSEEN), None):
        raise BadInput(f"{field}: {text[:80]!a} holds {bad!a}, which can't be seen: take it out")
    if len(name.encode()) > MAX_NAME:
        raise BadInput(f"{field}: {text[:80]!a}... has more than {MAX_NAME} octets: shorten it")
    return name


def read_type(text: str, field: str) -> str:
    """Return a media type in lower case, without parameters (RFC 6838 4.2)."""
    kind = text.partition(";")[0].strip().lower()
    if not _TYPE.fullmatch(kind):
        raise BadInput(f"{field}: {text[:80]!a} is no type: write one such as application/pdf")
    return kind
