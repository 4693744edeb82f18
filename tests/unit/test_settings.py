"""Settings: where values come from, what each may be, and the one line that tells a person what is wrong."""

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

import mailgate.settings
from mailgate.domain import address
from mailgate.errors import BadInput
from mailgate.settings import Settings, SettingsError, load, printable
from mailgate.settings.model import keys
from mailgate.settings.values import fold_address, fold_domain
from mailgate.settings.wording import MAX_SHOWN

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mailgate.settings, "DEFAULT_FILE", tmp_path / "no-such.toml")
    monkeypatch.setattr(mailgate.settings, "DEFAULT_DATA_DIR", tmp_path / "no-such-directory")


def from_toml(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    file = tmp_path / "mailgate.toml"
    file.write_text(text, "utf-8")
    return load(file, environ or {})


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(SettingsError) as refused:
        from_toml(tmp_path, text)
    assert str(refused.value).isprintable()
    assert "secret" not in str(refused.value)
    return str(refused.value)


def value_at(settings: Settings, key: str) -> object:
    value: object = printable(settings)
    for part in key.split("."):
        assert isinstance(value, dict)
        value = value[part]
    return value


DEFAULTS = {
    "data_dir": "data",
    "soft_refuse": False,
    "store.url": "sqlite:///./data/mailgate.db",
    "store.allow_unsafe": False,
    "smtp.listen": "127.0.0.1:8025",
    "smtp.max_size": 50 * 1024 * 1024,
    "smtp.max_header_size": 4 * 1024 * 1024,
    "smtp.max_recipients": 100,
    "smtp.max_connections": 500,
    "smtp.max_connections_per_peer": 100,
    "smtp.bytes_in_flight": 1024 * 1024 * 1024,
    "smtp.command_seconds": 300,
    "smtp.data_seconds": 600,
    "smtp.drain_seconds": 30,
    "smtp.tls_cert": None,
    "smtp.tls_key": None,
    "smtp.tls_client_ca": None,
    "smtp.workers": 0,
    "lmtp.listen": "",
    "metrics.listen": "127.0.0.1:9925",
    "addresses.domain": "log.localhost",
    "activities.max_document_size": 25 * 1024 * 1024,
    "replies.help_url": "",
    "senders.domains": [],
    "senders.wait": True,
    "senders.pairs": [],
    "dns.servers": [],
    "dns.timeout_seconds": 5,
    "outbound.smtp.host": "",
    "outbound.smtp.port": 587,
    "outbound.smtp.starttls": True,
    "outbound.smtp.username": "",
    "outbound.smtp.password_file": None,
    "outbound.smtp.from": "",
    "instance.language": "en",
    "instance.edition": "publisher",
    "instance.timezone": "UTC",
    "retention.ledger_days": 400,
    "retention.refused_days": 30,
    "retention.pending_days": 30,
    "retention.deleted_days": 30,
    "relays": [
        {
            "name": "local",
            "networks": ["127.0.0.0/8", "::1/128", "unix"],
            "trust": "vouched",
            "envelope_must_match": True,
            "login": "",
            "client_certificates": [],
            "authserv_id": "",
            "received": None,
            "stamp": "",
            "sealers": [],
            "proxies": [],
            "queue_days": 5,
        }
    ],
}


def test_without_file_and_variables_every_key_has_the_default_of_the_contract() -> None:
    settings = load(None, {})
    assert {key: value_at(settings, key) for key in DEFAULTS} == DEFAULTS
    assert {".".join(path) for path in keys()} == set(DEFAULTS)


# -- where a value comes from -----------------------------------------------------------------------------------------


def test_a_variable_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    settings = from_toml(
        tmp_path, "[smtp]\nmax_recipients = 7\nmax_connections = 300\n", {"MAILGATE_SMTP__MAX_RECIPIENTS": "8"}
    )
    assert (settings.smtp.max_recipients, settings.smtp.max_connections) == (8, 300)
    assert settings.smtp.max_connections_per_peer == 100


def test_every_key_can_be_set_by_its_variable() -> None:
    for key, default in DEFAULTS.items():
        path = mailgate.settings.PREFIX + key.replace(".", "__").upper()
        text = json.dumps(default) if isinstance(default, list) else "" if default is None else str(default)
        settings = load(None, {path: text})
        assert value_at(settings, key) == default, key


def test_a_list_in_a_variable_stands_in_place_of_the_list_of_the_file(tmp_path: Path) -> None:
    settings = from_toml(
        tmp_path, '[senders]\ndomains = ["a.example"]\n', {"MAILGATE_SENDERS__DOMAINS": '["b.example", "c.example"]'}
    )
    assert settings.senders.domains == ("b.example", "c.example")


@pytest.mark.parametrize("how", ["argument", "variable", "default"])
def test_the_file_is_the_one_named_else_that_of_the_variable_else_the_default(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["argument", "variable", "default"]
    for name in names:
        (tmp_path / name).write_text(f'[addresses]\ndomain = "{name}.example"\n')
    monkeypatch.setattr(mailgate.settings, "DEFAULT_FILE", tmp_path / "default")
    environ = {} if how == "default" else {"MAILGATE_CONFIG": str(tmp_path / "variable")}
    settings = load(tmp_path / "argument" if how == "argument" else None, environ)
    assert settings.addresses.domain == f"{how}.example"


@pytest.mark.parametrize(
    ("environ", "data_dir", "url"),
    [
        ({"STATE_DIRECTORY": "/srv/state"}, "/srv/state", "sqlite:////srv/state/mailgate.db"),
        ({"STATE_DIRECTORY": "/srv/one:/srv/two"}, "/srv/one", "sqlite:////srv/one/mailgate.db"),
        ({}, "data", "sqlite:///./data/mailgate.db"),
        ({"MAILGATE_DATA_DIR": "/srv/d"}, "/srv/d", "sqlite:////srv/d/mailgate.db"),
        ({"MAILGATE_DATA_DIR": "/srv/d", "STATE_DIRECTORY": "/srv/s"}, "/srv/d", "sqlite:////srv/d/mailgate.db"),
        ({"MAILGATE_STORE__URL": "sqlite:////srv/x.db"}, "data", "sqlite:////srv/x.db"),
    ],
)
def test_the_store_lies_in_the_data_directory_unless_told(environ: dict[str, str], data_dir: str, url: str) -> None:
    settings = load(None, environ)
    assert (str(settings.data_dir), settings.store.url) == (data_dir, url)


def test_the_system_directory_is_used_where_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailgate.settings, "DEFAULT_DATA_DIR", tmp_path)
    assert load(None, {}).store.url == f"sqlite:///{tmp_path}/mailgate.db"
    assert str(load(None, {"STATE_DIRECTORY": "/srv/state"}).data_dir) == "/srv/state"


def test_the_environment_of_the_process_is_not_looked_at_behind_the_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILGATE_ADDRESSES__DOMAIN", "other.example")
    monkeypatch.setenv("addresses", '{"domain": "other.example"}')
    monkeypatch.setenv("soft_refuse", "true")
    settings = load(None, {"PATH": "/bin", "MAILGATEX": "1", "NOT_MAILGATE_X": "1"})
    assert (settings.addresses.domain, settings.soft_refuse) == ("log.localhost", False)


def test_settings_can_not_be_changed() -> None:
    settings = load(None, {})
    with pytest.raises(ValidationError, match="frozen"):
        settings.smtp.max_size = 1  # type: ignore[misc]  # that it can't be done is what is shown
    with pytest.raises(ValidationError, match="frozen"):
        settings.soft_refuse = True


# -- what is taken, in which spelling ---------------------------------------------------------------------------------

TAKEN = [
    ("smtp.max_size", '"50 MiB"', 52428800),
    ("smtp.max_size", '"52428800"', 52428800),
    ("smtp.max_size", "52428800", 52428800),
    ("smtp.max_size", '"512MiB"', 536870912),
    ("smtp.bytes_in_flight", '"4 GiB"', 4294967296),
    ("smtp.max_header_size", '"64 KiB"', 65536),
    ("smtp.max_header_size", '"900 B"', 900),
    ("smtp.max_recipients", '"12"', 12),
    ("smtp.listen", '""', ""),
    ("smtp.listen", '"0.0.0.0:25"', "0.0.0.0:25"),
    ("smtp.listen", '"[::]:25"', "[::]:25"),
    ("smtp.listen", '"[0:0:0::1]:25"', "[::1]:25"),
    ("smtp.listen", '"Mail.Muster.EXAMPLE:25"', "mail.muster.example:25"),
    ("smtp.listen", '"127.0.0.1:0"', "127.0.0.1:0"),
    ("lmtp.listen", '"127.0.0.1:24"', "127.0.0.1:24"),
    ("lmtp.listen", '"unix:/var/spool/postfix/mailgate/lmtp"', "unix:/var/spool/postfix/mailgate/lmtp"),
    ("metrics.listen", '""', ""),
    ("addresses.domain", '"Log.Muster.EXAMPLE."', "log.muster.example"),
    ("addresses.domain", '"straße.example"', "xn--strae-oqa.example"),
    ("addresses.domain", '"xn--strae-oqa.example"', "xn--strae-oqa.example"),
    ("senders.domains", '["Muster.EXAMPLE", "bücher.example"]', ["muster.example", "xn--bcher-kva.example"]),
    (
        "senders.pairs",
        '[{envelope = "Support@Muster.example", author = "Anna.Muster@Muster.example"}]',
        [{"envelope": "support@muster.example", "author": "anna.muster@muster.example"}],
    ),
    ("dns.servers", '["192.0.2.53", "2001:db8::53", "192.0.2.53:5353", "[2001:db8::53]:5353"]', ...),
    ("replies.help_url", '"https://intranet.example/mail?x=1#mg"', "https://intranet.example/mail?x=1#mg"),
    ("instance.timezone", '"Europe/Zurich"', "Europe/Zurich"),
    ("instance.edition", '"marketer_light"', "marketer_light"),
    ("instance.language", '"it"', "it"),
    ("store.url", '"sqlite:///rel/x.db"', "sqlite:///rel/x.db"),
    ("store.url", '"sqlite+pysqlite:////abs/x.db?timeout=5"', "sqlite+pysqlite:////abs/x.db?timeout=5"),
    ("store.url", '"postgresql://mailgate@db.example/mailgate"', "postgresql://mailgate@db.example/mailgate"),
    ("store.url", '"postgresql:///mailgate?host=/run/postgresql"', "postgresql:///mailgate?host=/run/postgresql"),
    ("store.url", '"postgresql+psycopg://mg@[::1]:5432/mg"', "postgresql+psycopg://mg@[::1]:5432/mg"),
    ("soft_refuse", "true", True),
    ("data_dir", '"/srv/mailgate"', "/srv/mailgate"),
]


@pytest.mark.parametrize(("key", "toml", "value"), TAKEN)
def test_taken(key: str, toml: str, value: object, tmp_path: Path) -> None:
    settings = from_toml(tmp_path, f"{key} = {toml}\n")
    assert value_at(settings, key) == (json.loads(toml) if value is ... else value)


@pytest.mark.parametrize(
    "text",
    ["Muster.EXAMPLE", "muster.example.", "log.localhost", "localhost", "straße.example", "STRASSE.example",
     "a_b.example", "xn--strae-oqa.example",
     "xn--a.example", "xn--80ak6aa92e.example", "ex\ufe0fample.com", "ex\u00adample.com",
     "ex\u200bample.com", "ex\u0301.example", "-a.example", "a-.example", "a..example", "", ".", "ex ample.com",
     "a" * 63 + ".example", "a" * 64 + ".example", "例え.テスト"],
)  # fmt: skip
def test_a_domain_is_spelled_as_the_domain_spells_it(text: str) -> None:
    try:
        expected = address.fold_domain(text)
    except BadInput:
        with pytest.raises(ValueError, match="no domain"):
            fold_domain(text)
    else:
        assert fold_domain(text) == expected


@pytest.mark.parametrize(
    "text",
    ["Anna@Muster.example", "anna.muster+x@muster.example", "Müller@Bücher.example", "STRAẞE@x.example",
     "o'hara@x.example", "n\u0303@x.example", "{a|b}~^`!#$%&*/=?@x.example"],
)  # fmt: skip
def test_an_address_is_spelled_as_the_domain_spells_it(text: str) -> None:
    assert fold_address(text) == address.fold(text)


# -- what is refused, and the one line --------------------------------------------------------------------------------

ONE_TO_MILLION = "is not right: write a whole number from 1 to 1000000"
SECONDS = "is not right: write a whole number from 1 to 86400"
DAYS = "is not right: write a whole number from 1 to 36500"
SIZE = 'is no size: write a number of bytes, or for example "50 MiB" (B, KiB, MiB, GiB)'
LISTEN = "can't be listened on: write HOST:PORT or [V6]:PORT, such as 127.0.0.1:8025"
SOCKET = "is no unix socket: write unix: and an absolute path of at most 107 bytes"
HOST_NAME = "is no host name: write one such as log.muster.example"
HELP = "is not right: write an http(s) address of at most 200 ASCII characters"
BOOL = "is not right: write true or false"
LANGUAGE = "is not right: write one of 'de', 'en', 'fr' or 'it'"
EDITION = "is not right: write one of 'publisher', 'marketer' or 'marketer_light'"
ZONE = "is no time zone: write one such as Europe/Zurich or UTC"
HOST = "is not right: write a host name, an IPv4 address or a [V6] address"
ADDRESS = "is no e-mail address: write it as name@domain"
DIRECTORY = "is no directory: write its path, without ? and %"
NO_FILE = "can't be read (No such file or directory): name a file that this user can read"
A_DIRECTORY = "can't be read (Is a directory): name a file that this user can read"

VALUES = [
    ("soft_refuse", ["'maybe'", "3"], BOOL),
    ("store.allow_unsafe", ["3"], BOOL),
    ("data_dir", ["7"], "is not right: write a path in quotes"),
    ("data_dir", ["''", "'/srv/100%'", "'/srv/a?b'"], DIRECTORY),
    ("smtp.max_recipients", ["0", "-5", "true", "1.5", "'x'", "''", "[]", "1000001"], ONE_TO_MILLION),
    ("smtp.max_connections", ["0"], ONE_TO_MILLION),
    ("smtp.max_connections_per_peer", ["0"], ONE_TO_MILLION),
    ("smtp.drain_seconds", ["0"], SECONDS),
    ("smtp.command_seconds", ["0"], SECONDS),
    ("smtp.data_seconds", ["0"], SECONDS),
    ("dns.timeout_seconds", ["0"], SECONDS),
    ("retention.ledger_days", ["0"], DAYS),
    ("retention.refused_days", ["0"], DAYS),
    ("retention.pending_days", ["0"], DAYS),
    ("retention.deleted_days", ["0", "99999"], DAYS),
    ("outbound.smtp.port", ["0", "70000"], "is not right: write a whole number from 1 to 65535"),
    ("smtp.workers", ["-1", "201", "1.5"], "is not right: write a whole number from 0 to 200"),
    ("smtp.max_size", ["'50 MB'", "'-1'", "0", "true", "1.5", "''"], SIZE),
    ("smtp.max_header_size", ["0"], SIZE),
    ("smtp.bytes_in_flight", ["'1.5 GiB'", "'99999999 GiB'", "0"], SIZE),
    ("smtp.listen", ["25"], "is not right: write text in quotes"),
    ("smtp.listen", ["'8025'", "':8025'", "'::1:8025'", "'[::1]'", "'127.0.0.1:65536'", "'127.0.0.300:25'"], LISTEN),
    ("smtp.listen", ["'host_name:25'", "'unix:/run/x'", "'127.0.0.1:-1'", "'127.0.0.1:x'"], LISTEN),
    ("metrics.listen", ["'x'", "'unix:/run/x'"], LISTEN),
    ("lmtp.listen", ["'24'"], LISTEN),
    ("lmtp.listen", ["'unix:run/x'", "'unix:'", f"'unix:/{'x' * 107}'"], SOCKET),
    ("addresses.domain", ["''", "'log muster.example'", "'a@log.muster.example'", "'log_1.muster.example'"], HOST_NAME),
    ("addresses.domain", ["'192.0.2.1'", "'[192.0.2.1]'", "'log..muster.example'", "'-log.muster.example'"], HOST_NAME),
    ("replies.help_url", ["'ftp://x.example'", "'https://x.example/ä'", "'https://'", "'x'"], HELP),
    ("replies.help_url", [r'"https://x.example/\r\n250 ok"', f"'https://x.example/{'x' * 200}'"], HELP),
    ("instance.language", ["'es'", "'DE'"], LANGUAGE),
    ("instance.edition", ["'gold'"], EDITION),
    ("instance.timezone", ["'Mars/Olympus'", "'../../etc/passwd'", "''", "'/etc/localtime'"], ZONE),
    ("outbound.smtp.host", ["'a b'", "'mail.example:25'"], HOST),
    ("outbound.smtp.from", ["'mailgate'", "'Mail Gate <mg@x.example>'"], ADDRESS),
    ("smtp.tls_cert", ["'/no/such.pem'"], NO_FILE),
    ("smtp.tls_key", ["'/no/such.pem'"], NO_FILE),
    ("outbound.smtp.password_file", ["'/'"], A_DIRECTORY),
]


@pytest.mark.parametrize(
    ("key", "toml", "advice"), [(key, toml, advice) for key, tomls, advice in VALUES for toml in tomls]
)
def test_a_wrong_value_is_shown_with_its_key_and_what_to_write(
    key: str, toml: str, advice: str, tmp_path: Path
) -> None:
    value = json.dumps(tomllib.loads(f"value = {toml}")["value"])[:120]
    assert refusal(tmp_path, f"{key} = {toml}") == f"{key}: {value} {advice} (in {tmp_path}/mailgate.toml)"


SCHEMES = "is neither SQLite nor PostgreSQL: write sqlite:///FILE or postgresql://USER@HOST/DATABASE"
SQLITE = "names no file: write sqlite:///FILE, or sqlite:////FILE for an absolute path"
POSTGRESQL = (
    "can't be read: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, characters such as @ : / in the password as "
    "%40 %3A %2F, several hosts as postgresql://USER:PASSWORD@/DATABASE?host=A:5432&host=B:5432"
)


@pytest.mark.parametrize(
    ("url", "shown", "advice"),
    [
        ("mysql://u:secret@h/d", '"mysql://..."', SCHEMES),
        ("postgres://u:secret@h/d", '"postgres://..."', SCHEMES),
        ("postgresql+psycopg2://u:secret@h/d", '"postgresql+psycopg2://..."', SCHEMES),
        ("u:secret@h", "its value", SCHEMES),
        ("secret@://h", "its value", SCHEMES),
        ("", "its value", SCHEMES),
        ("sqlite://", '"sqlite://..."', SQLITE),
        ("sqlite:x.db", "its value", SQLITE),
        ("sqlite:///:memory:", '"sqlite://..."', SQLITE),
        ("sqlite:///file:x?mode=memory", '"sqlite://..."', SQLITE),
        ("postgresql:u:secret@h", "its value", POSTGRESQL),
        ("postgresql://u:secret@a:5432,b:5432/d", '"postgresql://..."', POSTGRESQL),
        ("postgresql://u:sec@ret@h/d", '"postgresql://..."', POSTGRESQL),
        ("postgresql://u:secret", '"postgresql://..."', POSTGRESQL),
    ],
)
def test_a_wrong_store_is_told_without_what_may_be_a_password(
    url: str, shown: str, advice: str, tmp_path: Path
) -> None:
    line = refusal(tmp_path, f"store.url = '{url}'")
    assert line == f"store.url: {shown} {advice} (in {tmp_path}/mailgate.toml)"


NETWORK = 'is no network: write one such as 192.0.2.0/24 (no bits set behind the /) or "unix"'
SERVER = "is no name server: write its IP address, IP:PORT or [V6]:PORT"
NO_NAME = "is no name of a relay: write up to 64 of a-z, 0-9, dot, dash and underscore"
DOMAIN = "is no domain: write one such as muster.example"


def relay(more: str, networks: str = '"192.0.2.0/24"') -> str:
    return f'relays = [{{name = "mx", networks = [{networks}], {more}}}]'


def pair(envelope: str, more: str = "") -> str:
    return f'senders.pairs = [{{envelope = "{envelope}", author = "a@b.example"{more}}}]'


NO_CERTIFICATES = (
    "needs smtp.tls_cert, smtp.tls_key and smtp.tls_client_ca: without them no client can show a certificate"
)
NO_AUTHSERV_ID = "is no authserv-id: write the word right after Authentication-Results: in the relay's mails"
INTERNET = (
    "is the internet, and everybody there would be believed as the relay: name its own addresses, "
    'or write trust = "verified"'
)
ANY_CLIENT = "is the internet, and everybody there could claim any client's address: name the proxy's own"
MEANS = "means nothing with trust ="
MEASURE = "is missing: send a mail through the relay and ask `mailgate doctor relay FILE` what to write"
REFUSED = [
    # unknown keys
    ("smtp.max_sise = 1", "smtp.max_sise: names no setting (did you mean smtp.max_size?)"),
    ("colour = 1", "colour: names no setting"),
    ("[stroe]\nurl = 'sqlite:///x.db'", "stroe: names no setting (did you mean store?)"),
    ("outbound.smtp.password = 'secret'",
     "outbound.smtp.password: names no setting (did you mean outbound.smtp.password_file?)"),
    ('"a\\nb" = 1', '"a\\nb": names no setting'),
    (pair("x@b.example", ", also = 1"), "senders.pairs.also: names no setting"),
    (relay('trust = "vouched", envelop_must_match = false'),
     "relays.mx.envelop_must_match: names no setting (did you mean envelope_must_match?)"),
    # shapes
    ("smtp = 5", "smtp: is a section: write [smtp] and its keys"),
    ("outbound.smtp = true", "outbound.smtp: is a section: write [outbound.smtp] and its keys"),
    ("senders.domains = 'a.example'", 'senders.domains: "a.example" is not right: write a list'),
    ("senders.pairs = ['a']", 'senders.pairs: "a" is not right: write a table of keys and values'),
    ("senders.pairs = [{envelope = 'a@b.example'}]", "senders.pairs.author: is missing: write author = ..."),
    ("store.url = 5432", "store.url: its value is not right: write text in quotes"),
    # lists
    ("senders.domains = ['ok.example', '@bad.example']", f'senders.domains: "@bad.example" {DOMAIN}'),
    (pair("x"), f'senders.pairs.envelope: "x" {ADDRESS}'),
    (pair("a b@b.example"), f'senders.pairs.envelope: "a b@b.example" {ADDRESS}'),
    (pair("x@b..example"),
     'senders.pairs.envelope: "x@b..example" is no e-mail address: what follows the @ is no domain'),
    ("dns.servers = ['dns.example']", f'dns.servers: "dns.example" {SERVER}'),
    ("dns.servers = ['192.0.2.1:0']", f'dns.servers: "192.0.2.1:0" {SERVER}'),
    # relays
    ("relays = []", "relays: [] is not right: write at least one"),
    ('relays = [{name = "mx", networks = ["unix"]}]',
     'relays.mx.trust: is missing: write trust = "vouched", "stamped" or "verified"'),
    ('relays = [{networks = ["unix"], trust = "vouched"}]', "relays.[1].name: is missing: write name = ..."),
    ('relays = [{name = "mx", trust = "vouched"}]', "relays.mx.networks: is missing: write networks = ..."),
    ('relays = [{name = "MX 1", networks = ["unix"], trust = "vouched"}]', f'relays.MX 1.name: "MX 1" {NO_NAME}'),
    (relay('trust = "vouched"', ""), "relays.mx.networks: [] is not right: write at least one"),
    (relay('trust = "vouched"', '"192.0.2.1/24"'), f'relays.mx.networks: "192.0.2.1/24" {NETWORK}'),
    (relay('trust = "vouched"', '"unix", "mx.example"'), f'relays.mx.networks: "mx.example" {NETWORK}'),
    (relay('trust = "vouched"', '"::ffff:192.0.2.0/120"'),
     'relays.mx.networks: "::ffff:192.0.2.0/120" would never match: write the IPv4 network'),
    (relay('trust = "blind"'),
     "relays.mx.trust: \"blind\" is not right: write one of 'vouched', 'stamped' or 'verified'"),
    (relay('trust = "vouched", login = "from"'),
     "relays.mx.login: \"from\" is not right: write one of '' or 'received'"),
    (relay('trust = "stamped", authserv_id = "mx; x", received = 1, stamp = "above"'),
     f'relays.mx.authserv_id: "mx; x" {NO_AUTHSERV_ID}'),
    (relay('trust = "stamped", authserv_id = "mx", received = 51, stamp = "above"'),
     "relays.mx.received: 51 is not right: write a whole number from 0 to 50"),
    (relay('trust = "stamped", authserv_id = "mx", received = 1, stamp = "beside"'),
     "relays.mx.stamp: \"beside\" is not right: write one of '', 'above' or 'below'"),
    (relay('trust = "vouched", envelope_must_match = 7'),
     "relays.mx.envelope_must_match: 7 is not right: write true or false"),
]  # fmt: skip


@pytest.mark.parametrize(("toml", "line"), REFUSED)
def test_refused_in_the_file(toml: str, line: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, toml) == f"{line} (in {tmp_path}/mailgate.toml)"


A_AND_B = (
    '[{{name = "a", networks = ["{}"], trust = "vouched"}}, {{name = "{}", networks = ["{}"], trust = "vouched"}}]'
)

CONTRADICTIONS = [
    ("smtp.tls_cert = 'FILE'", "smtp.tls_key: is missing while smtp.tls_cert is set: set both or none"),
    ("smtp.tls_key = 'FILE'", "smtp.tls_cert: is missing while smtp.tls_key is set: set both or none"),
    ("smtp.max_size = '1 MiB'", "smtp.max_header_size: 4194304 is above smtp.max_size (1048576): lower it"),
    ("smtp.max_size = '1 GiB'", "smtp.max_size: 1073741824 is more than a database row holds: write at most 536870912"),
    ("smtp.bytes_in_flight = '1 MiB'", "smtp.bytes_in_flight: 1048576 is below smtp.max_size (52428800): raise it"),
    ("smtp.max_connections = 50", "smtp.max_connections_per_peer: 100 is above smtp.max_connections (50): lower it"),
    (
        "smtp.workers = 2",
        (
            "smtp.workers: 2 is too much for SQLite, whose file one process writes: write 0 or 1, or name a PostgreSQL "
            "in store.url"
        ),
    ),
    (
        "outbound.smtp.host = 'mail.example'",
        "outbound.smtp.from: is missing while outbound.smtp.host is set: write the address that mails come from",
    ),
    (
        "outbound.smtp.username = 'mg'",
        "outbound.smtp.password_file: is missing while outbound.smtp.username is set: set both or none",
    ),
    (
        "outbound.smtp.password_file = 'FILE'",
        "outbound.smtp.username: is missing while outbound.smtp.password_file is set: set both or none",
    ),
    (
        "relays = " + A_AND_B.format("192.0.2.0/24", "a", "unix"),
        "relays.a.name: is there twice: give each relay a name of its own",
    ),
    (
        "relays = " + A_AND_B.format("192.0.2.0/24", "b", "192.0.2.7"),
        (
            'relays.b.networks: "192.0.2.7/32" would never match, relay a comes first and holds it: '
            "put the narrower network first"
        ),
    ),
    (
        "relays = " + A_AND_B.format("2001:db8::/32", "b", "2001:db8:1::/48"),
        (
            'relays.b.networks: "2001:db8:1::/48" would never match, relay a comes first and holds it: '
            "put the narrower network first"
        ),
    ),
    (
        "relays = " + A_AND_B.format("unix", "b", "unix"),
        'relays.b.networks: "unix" would never match, relay a comes first and holds it: put the narrower network first',
    ),
    (relay('trust = "vouched", authserv_id = "mx"'), f'relays.mx.authserv_id: {MEANS} "vouched", only with stamped'),
    (relay('trust = "vouched", stamp = "above"'), f'relays.mx.stamp: {MEANS} "vouched", only with stamped'),
    (relay('trust = "vouched", proxies = ["unix"]'), f'relays.mx.proxies: {MEANS} "vouched", only with verified'),
    (
        relay('trust = "verified", proxies = ["unix"]'),
        "relays.mx.proxies: a proxy has an IP address: write that instead of unix",
    ),
    *[
        (
            relay(f'trust = "verified", proxies = ["192.0.2.9", "{wide}"]'),
            f'relays.mx.proxies: "{wide}" {ANY_CLIENT}',
        )
        for wide in ("0.0.0.0/0", "12.0.0.0/7", "::/0", "2000::/3")
    ],
    (
        relay('trust = "vouched", received = 1'),
        'relays.mx.received: means nothing without login = "received": remove it',
    ),
    (
        relay('trust = "vouched", login = "received", received = 0'),
        "relays.mx.received: 0 is no Received field: write which one carries the login, 1 the topmost",
    ),
    (
        relay('trust = "vouched", client_certificates = ["mx.example"]'),
        f"relays.mx.client_certificates: {NO_CERTIFICATES}",
    ),
    (relay('trust = "stamped", authserv_id = "mx", stamp = "above"'), f"relays.mx.received: {MEASURE}"),
    (relay('trust = "stamped", authserv_id = "mx", received = 1'), f"relays.mx.stamp: {MEASURE}"),
    (
        relay('trust = "stamped", received = 1, stamp = "above"'),
        "relays.mx.authserv_id: is missing: `mailgate doctor relay FILE` tells the relay's",
    ),
    (
        relay('trust = "stamped", authserv_id = "mx", received = 1, stamp = "above", login = "received"'),
        f'relays.mx.login: {MEANS} "stamped", only with vouched',
    ),
    (relay('trust = "verified", authserv_id = "mx"'), f'relays.mx.authserv_id: {MEANS} "verified", only with stamped'),
    (
        relay('trust = "verified", envelope_must_match = false'),
        f'relays.mx.envelope_must_match: {MEANS} "verified", only with vouched',
    ),
]


@pytest.mark.parametrize(("toml", "line"), CONTRADICTIONS)
def test_values_that_contradict_each_other(toml: str, line: str, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("x")
    assert refusal(tmp_path, toml.replace("FILE", str(there))) == line


@pytest.mark.parametrize("given", ['authserv_id = "mx"', "", 'stamp = "above"', 'authserv_id = "mx", stamp = "below"'])
def test_where_the_relay_adds_no_received_there_is_but_one_place(given: str, tmp_path: Path) -> None:
    parts = ['trust = "stamped"', "received = 0", *filter(None, [given])]
    (read,) = from_toml(tmp_path, relay(", ".join(parts))).relays
    assert read.received == 0


def test_a_narrow_network_before_a_wide_one_is_right(tmp_path: Path) -> None:
    settings = from_toml(tmp_path, "relays = " + A_AND_B.format("192.0.2.7", "b", "192.0.2.0/24"))
    assert [relay.networks for relay in settings.relays] == [("192.0.2.7/32",), ("192.0.2.0/24",)]


REFUSED_IN_ENVIRON = [
    ("MAILGATE_STROE__URL", "x",
     "MAILGATE_STROE__URL: names no setting (did you mean MAILGATE_STORE__URL?): mend or unset it"),
    ("MAILGATE_STORE_URL", "x",
     "MAILGATE_STORE_URL: names no setting (did you mean MAILGATE_STORE__URL?): mend or unset it"),
    ("MAILGATE_Store__Url", "x",
     "MAILGATE_Store__Url: names no setting (did you mean MAILGATE_STORE__URL?): mend or unset it"),
    ("MAILGATE_STORE", '{"url": "sqlite:///x.db"}',
     "MAILGATE_STORE: names no setting (did you mean MAILGATE_STORE__URL?): mend or unset it"),
    ("MAILGATE_", "x", "MAILGATE_: names no setting: mend or unset it"),
    ("MAILGATE_CONFIGS", "x", "MAILGATE_CONFIGS: names no setting: mend or unset it"),
    ("MAILGATE_SMTP__MAX_SIZE", "big", f'smtp.max_size: "big" {SIZE} (in MAILGATE_SMTP__MAX_SIZE)'),
    ("MAILGATE_SMTP__MAX_RECIPIENTS", "",
     f'smtp.max_recipients: "" {ONE_TO_MILLION} (in MAILGATE_SMTP__MAX_RECIPIENTS)'),
    ("MAILGATE_SENDERS__DOMAINS", "a.example",
     'senders.domains: "a.example" is no list: write it as JSON, [] if empty (in MAILGATE_SENDERS__DOMAINS)'),
    ("MAILGATE_SENDERS__DOMAINS", '{"a": 1}',
     'senders.domains: "{\\"a\\": 1}" is no list: write it as JSON, [] if empty (in MAILGATE_SENDERS__DOMAINS)'),
    ("MAILGATE_SENDERS__DOMAINS", "[" * 100_000,
     ('senders.domains: "' + "[" * (MAX_SHOWN - 1)
      + " is no list: write it as JSON, [] if empty (in MAILGATE_SENDERS__DOMAINS)")),
    ("MAILGATE_SENDERS__DOMAINS", "[7]",
     "senders.domains: 7 is not right: write text in quotes (in MAILGATE_SENDERS__DOMAINS)"),
    ("MAILGATE_RELAYS", '[{"name": "mx", "networks": ["unix"]}]',
     'relays.mx.trust: is missing: write trust = "vouched", "stamped" or "verified" (in MAILGATE_RELAYS)'),
    ("MAILGATE_STORE__URL", "mysql://u:secret@h/d",
     f'store.url: "mysql://..." {SCHEMES} (in MAILGATE_STORE__URL)'),
    ("MAILGATE_CONFIG", "/no/such.toml", '"/no/such.toml": there is no such file: name one that is there'),
    ("MAILGATE_CONFIG", "/", '"/": can\'t be read (Is a directory): mend its rights'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "line"), REFUSED_IN_ENVIRON)
def test_refused_in_the_environment(name: str, value: str, line: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(None, {name: value})
    assert str(refused.value) == line


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[smtp\n", "Expected ']' at the end of a table declaration (at line 1, column 6)"),
        (b"a = 1\na = 2\n", "Cannot overwrite a value (at line 2, column 6)"),
        (b'data_dir = "\xff"\n', "it is not UTF-8"),
    ],
)
def test_a_file_that_is_no_toml_is_named_with_the_place(content: bytes, why: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        load(file, {})
    assert str(refused.value) == f'"{file}": is no TOML: {why}'


# -- what check-config prints -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://mg:secret@db.example:5432/mg", "postgresql://mg:***@db.example:5432/mg"),
        (
            "postgresql://mg:se%40cret@db.example/mg?sslmode=require",
            "postgresql://mg:***@db.example/mg?sslmode=require",
        ),
        ("postgresql://mg:secret/x@db.example/mg", "postgresql://mg:***@db.example/mg"),
        ("postgresql://:secret@/mg?host=a:1&host=b:2", "postgresql://:***@/mg?host=a:1&host=b:2"),
        ("postgresql:///mg?host=a&password=secret&user=u", "postgresql:///mg?host=a&password=***&user=u"),
        ("postgresql:///mg?sslpassword=secret", "postgresql:///mg?sslpassword=***"),
        ("postgresql:///mg", "postgresql:///mg"),
        ("sqlite:////srv/mg.db", "sqlite:////srv/mg.db"),
    ],
)
def test_printed_without_the_password(url: str, shown: str) -> None:
    settings = load(None, {"MAILGATE_STORE__URL": url})
    assert settings.store.url == url
    assert printable(settings)["store"]["url"] == shown
    assert "secret" not in json.dumps(printable(settings)) + repr(settings) + str(settings)


def test_what_is_printed_is_plain_json(tmp_path: Path) -> None:
    settings = from_toml(tmp_path, f"data_dir = '{tmp_path}'\n" + relay('trust = "vouched"'))
    assert json.loads(json.dumps(printable(settings))) == printable(settings)


# -- who pays for it --------------------------------------------------------------------------------------------------


def test_settings_import_nothing_else_of_ours() -> None:
    for file in (ROOT / "mailgate" / "settings").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mailgate"):
                assert (node.module or "").startswith("mailgate.settings"), file


def test_the_path_of_a_mail_does_not_load_pydantic() -> None:
    script = "import sys, mailgate.ports, mailgate.events; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=ROOT).returncode == 0
