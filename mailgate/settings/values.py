"""One setting's value at a time: its shape checked, its one spelling given back.

Each function raises ``ValueError`` with what follows ``KEY: VALUE`` in the line that a person gets: what the value is
not, and what to write. Files are opened to see that they can be read; nothing else is touched.
"""

import os
import re
import unicodedata
from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import idna

MAX_HELP_URL = 200  # octets: leaves room for code, text and value in a reply of 400
UNITS = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

_SIZE = re.compile(r"([0-9]{1,15}) ?(|B|KiB|MiB|GiB)")
_WHOLE = re.compile(r"-?[0-9]{1,15}")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_LOCAL = re.compile(r"[^\s\x00-\x20\x7f\"(),.:;<>@\[\\\]]+(?:\.[^\s\x00-\x20\x7f\"(),.:;<>@\[\\\]]+)*")
_RELAY_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_AUTHSERV_ID = re.compile(r"[!#-'*+./0-9A-Z^_`a-z{|}~-]{1,255}")
_SQLITE_FILE = re.compile(r"sqlite(?:\+pysqlite)?:///(?!:memory:|file:)[^?]+(?:\?.*)?")
POSTGRESQL = re.compile(
    r"(?P<scheme>postgresql(?:\+psycopg)?://)"
    r"(?:(?P<user>[^:/@]*)(?P<password>:[^@]*)?@)?"
    r"(?P<host>(?:\[[^\]/?]+\]|[^:/?@,]*)(?::[0-9]*)?)"
    r"(?:/(?P<database>[^?/@]*))?(?:\?(?P<query>.*))?"
)
_TO_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def whole(low: int, high: int) -> Callable[[object], int]:
    """Make the check for a whole number from ``low`` to ``high``, both taken; a variable's text is read too."""

    def check(value: object) -> int:
        number = int(value) if isinstance(value, str) and _WHOLE.fullmatch(value.strip()) else value
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            raise ValueError(f"is not right: write a whole number from {low} to {high}")
        return number

    return check


def size(value: object) -> int:
    """Read bytes as a number or as text with a unit: ``50 MiB``."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    match = _SIZE.fullmatch(text.strip())
    amount = int(match[1]) * UNITS[match[2]] if match else 0
    if not 0 < amount <= 2**50:
        raise ValueError('is no size: write a number of bytes, or for example "50 MiB" (B, KiB, MiB, GiB)')
    return amount


def fold_domain(text: str) -> str:
    """Return a domain as A-labels in lower case (IDNA 2008, UTS 46); ``ValueError`` where it is none.

    The same spelling as ``domain.address.fold_domain``, which settings may not import.
    """
    try:
        mapped = text.lower() if text.isascii() else _mapped(text)
        labels = [_fold_label(label) for label in mapped.removesuffix(".").split(".")]
    except (idna.IDNAError, UnicodeError):
        labels = []
    folded = ".".join(labels)
    if not 0 < len(folded) <= 253 or labels[-1].isdigit():  # noqa: PLR2004 - RFC 1035 2.3.4 without the root
        raise ValueError("is no domain: write one such as muster.example")
    return folded


def _mapped(text: str) -> str:
    if not text.isprintable() or not all(idna.uts46_remap(char, std3_rules=False) for char in text):
        raise idna.IDNAError("a character that mapping drops can't be seen")
    return idna.uts46_remap(text, std3_rules=False)


def _fold_label(label: str) -> str:
    folded = label if label.isascii() else idna.alabel(label).decode("ascii")
    if folded.startswith("xn--") and idna.alabel(idna.ulabel(folded)).decode("ascii") != folded:
        raise idna.IDNAError(label)
    if not _LABEL.fullmatch(folded):
        raise idna.IDNAError(label)
    return folded


def host_name(text: str) -> str:
    """Fold a domain that is a host's name too: without underscore."""
    try:
        folded = fold_domain(text)
    except ValueError:
        folded = "_"
    if "_" in folded:  # RFC 1123 2.1
        raise ValueError("is no host name: write one such as log.muster.example")
    return folded


def fold_address(text: str) -> str:
    """Return an address as ``domain.address.fold`` spells it; a quoted local part is not taken here."""
    local, _, domain = text.rpartition("@")
    local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).translate(_TO_LOWER))
    if not _LOCAL.fullmatch(local) or not local.isprintable():
        raise ValueError("is no e-mail address: write it as name@domain")
    try:
        return f"{local}@{fold_domain(domain)}"
    except ValueError:
        raise ValueError("is no e-mail address: what follows the @ is no domain") from None


def optional_address(text: str) -> str:
    """Fold an address; empty stays empty."""
    return fold_address(text) if text else ""


def optional_host(text: str) -> str:
    """Fold a host; empty stays empty."""
    return _host(text) if text else ""


def _host(text: str) -> str:
    """Return a host as it stands before ``:PORT``: name, IPv4 or bracketed IPv6 address."""
    try:
        if text.startswith("[") and text.endswith("]"):
            return f"[{IPv6Address(text[1:-1])}]"
        return str(ip_address(text)) if text.replace(".", "").isdigit() else host_name(text)
    except ValueError:
        raise ValueError("is not right: write a host name, an IPv4 address or a [V6] address") from None


def _tcp(text: str, low: int) -> str:
    host, _, port = text.rpartition(":")
    try:
        return f"{_host(host)}:{whole(low, 65535)(port)}"
    except ValueError:
        raise ValueError("can't be listened on: write HOST:PORT or [V6]:PORT, such as 127.0.0.1:8025") from None


def listen(text: str) -> str:
    """Check ``HOST:PORT`` or ``[V6]:PORT``; empty is off, port 0 any free one."""
    return _tcp(text, 0) if text else ""


def listen_lmtp(text: str) -> str:
    """Check what ``listen`` takes, or ``unix:/path``."""
    path = text.removeprefix("unix:")
    if path == text:
        return listen(text)
    if not path.startswith("/") or "\0" in path or len(os.fsencode(path)) > 107:  # noqa: PLR2004 - sun_path less NUL
        raise ValueError("is no unix socket: write unix: and an absolute path of at most 107 bytes")
    return text


def name_server(text: str) -> str:
    """Check ``IP``, ``IP:PORT``, ``V6`` or ``[V6]:PORT``."""
    host, _, port = text.rpartition(":")
    try:
        if "]" in text or text.count(":") == 1:
            ip_address(host.strip("[]"))
            whole(1, 65535)(port)
        else:
            ip_address(text)
    except ValueError:
        raise ValueError("is no name server: write its IP address, IP:PORT or [V6]:PORT") from None
    return text


def network(text: str) -> str:
    """Check a network or single address in CIDR form, or ``unix``."""
    if text == "unix":
        return text
    try:
        found = ip_network(text)
    except ValueError:
        raise ValueError('is no network: write one such as 192.0.2.0/24 (no bits set behind the /) or "unix"') from None
    if isinstance(found, IPv6Network) and found.network_address.ipv4_mapped is not None:
        raise ValueError("would never match: write the IPv4 network")
    return str(found)


def optional_whole(low: int, high: int) -> Callable[[object], int | None]:
    """Make the check for a whole number that may be left out."""
    check = whole(low, high)
    return lambda value: None if value is None else check(value)


def authserv_id(text: str) -> str:
    """Check the name under which a relay writes its results (RFC 8601 2.5); empty is Microsoft 365's way: none."""
    if text and not _AUTHSERV_ID.fullmatch(text):
        raise ValueError("is no authserv-id: write the word right after Authentication-Results: in the relay's mails")
    return text


def relay_name(text: str) -> str:
    """Check a name that logs, metrics and ledger can hold."""
    if not _RELAY_NAME.fullmatch(text):
        raise ValueError("is no name of a relay: write up to 64 of a-z, 0-9, dot, dash and underscore")
    return text


def store_url(text: str) -> str:
    """Check for SQLite with a file, or PostgreSQL, as SQLAlchemy reads them: several hosts stand in the query."""
    scheme = text.partition(":")[0]
    if scheme in {"sqlite", "sqlite+pysqlite"}:
        if not _SQLITE_FILE.fullmatch(text):
            raise ValueError("names no file: write sqlite:///FILE, or sqlite:////FILE for an absolute path")
    elif scheme not in {"postgresql", "postgresql+psycopg"}:
        raise ValueError("is neither SQLite nor PostgreSQL: write sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    elif not POSTGRESQL.fullmatch(text):
        raise ValueError(
            "can't be read: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, characters such as @ : / in the "
            "password as %40 %3A %2F, several hosts as postgresql://USER:PASSWORD@/DATABASE?host=A:5432&host=B:5432"
        )
    return text


def directory(value: object) -> object:
    """Check a directory's path; it need not be there yet. ``?`` and ``%`` have a meaning in ``store.url``."""
    if value == "" or (isinstance(value, str) and set(value) & set("?%\0")):
        raise ValueError("is no directory: write its path, without ? and %")
    return value


def no_path(value: object) -> object:
    """Take empty as no file at all: TOML has no null."""
    return None if value == "" else value


def readable(path: Path | None) -> Path | None:
    """See that a file can be read now, by this user."""
    if path is not None:
        try:
            path.open("rb").close()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "no path"
            raise ValueError(f"can't be read ({why}): name a file that this user can read") from None
    return path


def help_url(text: str) -> str:
    """Check an address that fits in a reply; empty is none."""
    parts = urlsplit(text) if text.isascii() and text.isprintable() and " " not in text else None
    if text and not (parts and parts.scheme in {"http", "https"} and parts.netloc and len(text) <= MAX_HELP_URL):
        raise ValueError(f"is not right: write an http(s) address of at most {MAX_HELP_URL} ASCII characters")
    return text


def timezone(text: str) -> str:
    """Check a name of the IANA time zones."""
    try:
        if text != "UTC":  # there even where the system has no time zones
            ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no time zone: write one such as Europe/Zurich or UTC") from None
    return text
