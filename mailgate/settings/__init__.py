"""Settings: environment over one TOML file over defaults, read once and checked at load.

``load`` gives one frozen ``Settings``, whose values are in their one spelling: sizes in bytes, domains as A-labels in
lower case, networks without host bits. The file is the one named, else ``MAILGATE_CONFIG``, else
``/etc/mailgate/mailgate.toml`` if there. A variable is ``MAILGATE_`` and the key in capitals with ``__`` between
section and key (``MAILGATE_SMTP__MAX_SIZE``); lists are JSON and stand in place of the file's list.

Refuses, by raising ``SettingsError`` with one line that names the key, the value (never a secret) and what to do: a key
or a ``MAILGATE_`` variable that names no setting (a misspelt store must never mean the default store), a value of the
wrong shape, values that contradict each other, a file that can't be read, and what this version can't do yet
(``wording.NOT_YET``) where taking it would weaken what people rely on. A few keys of later parts are checked and have
no effect yet; ``config/mailgate.toml`` says so at each.

Limits: tells one problem at a time. Looks no name up and opens no port. Importing pydantic takes 0.4 s: import this
module only where settings are needed.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from mailgate.settings.model import KeyPath, Relay, Settings, Smtp, keys, section_of
from mailgate.settings.wording import from_source, masked, meant, one_line, plain, shown

__all__ = ["Settings", "SettingsError", "load", "printable"]

PREFIX = "MAILGATE_"
CONFIG = "MAILGATE_CONFIG"
DEFAULT_FILE = Path("/etc/mailgate/mailgate.toml")
DEFAULT_DATA_DIR = Path("/var/lib/mailgate")
MAX_MAIL = 512 * 2**20  # bytes: what both databases can still hold and dump in one piece


class SettingsError(Exception):
    """The settings can't be used; the text is one line that names the key and says what to do."""


def load(config: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read and check all settings. ``SettingsError`` says in one line what is wrong."""
    file, values = _read_file(config, environ)
    _check_sections(Settings, values, (), file)
    variables = _read_environ(environ, values)
    data_dir = values.setdefault("data_dir", _data_dir(environ))
    values.setdefault("store", {}).setdefault("url", f"sqlite:///{data_dir}/mailgate.db")
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError(one_line(error.errors(include_url=False)[0], values, variables, file)) from None
    for trouble in (*_smtp_contradictions(settings.smtp), *_others(settings)):
        raise SettingsError(trouble)
    return settings


def printable(settings: Settings) -> dict[str, Any]:
    """Give the settings as plain values for JSON, without any password."""
    plain_values: dict[str, Any] = settings.model_dump(mode="json", by_alias=True)
    plain_values["store"]["url"] = masked(settings.store.url)
    return plain_values


def _read_file(config: Path | None, environ: Mapping[str, str]) -> tuple[Path | None, dict[str, Any]]:
    named = config or (Path(environ[CONFIG]) if environ.get(CONFIG) else None)
    path = named or DEFAULT_FILE
    try:
        return path, tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if named is None:
            return None, {}
        raise SettingsError(f"{shown(str(path))}: there is no such file: name one that is there") from None
    except OSError as error:
        raise SettingsError(f"{shown(str(path))}: can't be read ({error.strerror}): mend its rights") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise SettingsError(f"{shown(str(path))}: is no TOML: {why}") from None


def _check_sections(model: type[BaseModel], values: dict[str, Any], above: KeyPath, file: Path | None) -> None:
    for name, field in model.model_fields.items():
        if (section := section_of(field.annotation)) and name in values:
            path = (*above, name)
            if not isinstance(values[name], dict):
                key = ".".join(path)
                raise SettingsError(f"{key}: is a section: write [{key}] and its keys{from_source(file)}")
            _check_sections(section, values[name], path, file)


def _read_environ(environ: Mapping[str, str], values: dict[str, Any]) -> dict[KeyPath, str]:
    """Put the variables over the file's values; give the name of each that was there."""
    known = {_variable(path): path for path in keys()}
    lists = {path for path, is_list in keys().items() if is_list}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name != CONFIG and name not in known:
            bare = name.removeprefix(PREFIX).upper()
            hint = meant(bare, (other.removeprefix(PREFIX) for other in known), PREFIX)
            raise SettingsError(f"{plain(name)}: names no setting{hint}: mend or unset it")
    found = {path: name for name, path in known.items() if name in environ}
    for path, name in found.items():
        section = values
        for part in path[:-1]:
            section = section.setdefault(part, {})
        section[path[-1]] = _json_list(path, name, environ[name]) if path in lists else environ[name]
    return found


def _variable(path: KeyPath) -> str:
    return PREFIX + "__".join(path).upper()


def _json_list(path: KeyPath, name: str, text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list):
        raise SettingsError(f"{'.'.join(path)}: {shown(text)} is no list: write it as JSON, [] if empty (in {name})")
    return value


def _data_dir(environ: Mapping[str, str]) -> str:
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd joins several by colons
    return given or (str(DEFAULT_DATA_DIR) if DEFAULT_DATA_DIR.is_dir() else "./data")


# -- values that contradict each other --------------------------------------------------------------------------------


def _smtp_contradictions(smtp: Smtp) -> Iterator[str]:
    if bool(smtp.tls_cert) != bool(smtp.tls_key):
        missing, there = ("tls_key", "tls_cert") if smtp.tls_cert else ("tls_cert", "tls_key")
        yield f"smtp.{missing}: is missing while smtp.{there} is set: set both or none"
    if smtp.max_size > MAX_MAIL:
        yield f"smtp.max_size: {smtp.max_size} is more than a database row holds: write at most {MAX_MAIL}"
    if smtp.max_header_size > smtp.max_size:
        yield f"smtp.max_header_size: {smtp.max_header_size} is above smtp.max_size ({smtp.max_size}): lower it"
    if smtp.bytes_in_flight < smtp.max_size:
        yield f"smtp.bytes_in_flight: {smtp.bytes_in_flight} is below smtp.max_size ({smtp.max_size}): raise it"
    if smtp.max_connections_per_peer > smtp.max_connections:
        yield (
            f"smtp.max_connections_per_peer: {smtp.max_connections_per_peer} is above smtp.max_connections "
            f"({smtp.max_connections}): lower it"
        )


def _others(settings: Settings) -> Iterator[str]:
    yield from _relay_contradictions(settings.relays)
    for relay in settings.relays:
        yield from _kind_contradictions(relay)
        if relay.client_certificates and not (settings.smtp.tls_cert and settings.smtp.tls_client_ca):
            yield (
                f"relays.{relay.name}.client_certificates: needs smtp.tls_cert, smtp.tls_key and smtp.tls_client_ca: "
                "without them no client can show a certificate"
            )
    if settings.smtp.workers > 1 and settings.store.url.startswith("sqlite"):
        yield (
            f"smtp.workers: {settings.smtp.workers} is too much for SQLite, whose file one process writes: "
            "write 0 or 1, or name a PostgreSQL in store.url"
        )
    mail = settings.outbound.smtp
    if mail.host and not mail.from_:
        yield "outbound.smtp.from: is missing while outbound.smtp.host is set: write the address that mails come from"
    if bool(mail.username) != bool(mail.password_file):
        missing, there = ("password_file", "username") if mail.username else ("username", "password_file")
        yield f"outbound.smtp.{missing}: is missing while outbound.smtp.{there} is set: set both or none"


def _relay_contradictions(relays: tuple[Relay, ...]) -> Iterator[str]:
    names: set[str] = set()
    claimed: dict[str, str] = {}
    for relay in relays:
        if relay.name in names:
            yield f"relays.{relay.name}.name: is there twice: give each relay a name of its own"
        names.add(relay.name)
        for network in relay.networks:
            if owner := next((name for other, name in claimed.items() if _covers(other, network)), None):
                yield (
                    f"relays.{relay.name}.networks: {shown(network)} would never match, relay {owner} comes first "
                    "and holds it: put the narrower network first"
                )
        if not relay.client_certificates:  # without one of them a client there may be a relay further down
            claimed |= dict.fromkeys(relay.networks, relay.name)


# a network with a shorter prefix is nobody's own
WIDE = {4: 8, 6: 16}
# which keys of a relay mean something with which kinds of trust
KINDS = {
    "envelope_must_match": {"vouched"},
    "login": {"vouched"},
    "client_certificates": {"vouched"},
    "received": {"vouched", "stamped"},
    "authserv_id": {"stamped"},
    "stamp": {"stamped"},
    "sealers": {"stamped", "verified"},
    "proxies": {"verified"},
}


def _kind_contradictions(relay: Relay) -> Iterator[str]:
    given = {key for key in KINDS if getattr(relay, key) != Relay.model_fields[key].default}
    for key, kinds in KINDS.items():
        if key in given and relay.trust not in kinds:
            meant_for = " or ".join(sorted(kinds))
            yield f"relays.{relay.name}.{key}: means nothing with trust = {shown(relay.trust)}, only with {meant_for}"
    if "unix" in relay.proxies:
        yield f"relays.{relay.name}.proxies: a proxy has an IP address: write that instead of unix"
    yield from _too_wide(relay)
    if relay.trust == "vouched" and "received" in given and not relay.login:
        yield f'relays.{relay.name}.received: means nothing without login = "received": remove it'
    if relay.trust == "vouched" and relay.received == 0:
        yield f"relays.{relay.name}.received: 0 is no Received field: write which one carries the login, 1 the topmost"
    if relay.trust == "stamped":
        for key in ("received", "stamp"):
            if key not in given and not (key == "stamp" and relay.received == 0):
                yield (
                    f"relays.{relay.name}.{key}: is missing: send a mail through the relay and ask "
                    "`mailgate doctor relay FILE` what to write"
                )
        if not relay.authserv_id and relay.stamp != "below" and relay.received != 0:
            yield f"relays.{relay.name}.authserv_id: is missing: `mailgate doctor relay FILE` tells the relay's"


def _too_wide(relay: Relay) -> Iterator[str]:
    for proxy in _wide(relay.proxies):
        yield (
            f"relays.{relay.name}.proxies: {shown(proxy)} is the internet, and everybody there could claim any "
            "client's address: name the proxy's own"
        )
    if relay.trust == "verified" or relay.client_certificates:
        return
    for network in _wide(relay.networks):
        yield (
            f"relays.{relay.name}.networks: {shown(network)} is the internet, and everybody there would be "
            'believed as the relay: name its own addresses, or write trust = "verified"'
        )


def _wide(networks: tuple[str, ...]) -> Iterator[str]:
    found = (ip_network(text) for text in networks if text != "unix")
    return (str(network) for network in found if network.prefixlen < WIDE[network.version])


def _covers(wide: str, narrow: str) -> bool:
    if "unix" in {wide, narrow}:
        return wide == narrow
    outer, inner = ip_network(wide), ip_network(narrow)
    if isinstance(outer, IPv4Network):
        return isinstance(inner, IPv4Network) and inner.subnet_of(outer)
    return isinstance(inner, IPv6Network) and inner.subnet_of(outer)
