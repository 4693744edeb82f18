"""Relays that are known by a client certificate: real TLS, with certificates that openssl makes as the tests begin."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from mailgate import app, events
from mailgate import settings as config
from mailgate.domain.trust import Relay
from mailgate.errors import Misconfigured, Reason
from mailgate.smtp.limits import Limits
from mailgate.smtp.tls import Certificates, TlsFiles
from tests.dialogue.running import Client, Running, running
from tests.dialogue.scripted import ScriptedIntake, ScriptedPolicy
from tests.dialogue.test_limits import wait_for

LOOPBACK = (ip_network("127.0.0.1"),)
ANNA = Relay(name="anna", networks=LOOPBACK, client_certificates=frozenset({"mx1.anna.example", "mx2.anna.example"}))
BERT = Relay(name="bert", networks=LOOPBACK, client_certificates=frozenset({"mx.bert.example"}))
OPEN = Relay(name="open", networks=LOOPBACK)

TLS_NEEDED = "530 5.7.0 Must issue a STARTTLS command first"
NO_RELAY = (
    "554 5.7.1 [MG-RELAY] Mail is taken from registered relays only: show a relay's certificate. "
    "https://help.example/bcc"
)


@dataclass(frozen=True)
class Authority:
    """A CA of one test run."""

    folder: Path

    @property
    def cert(self) -> Path:
        return self.folder / "ca.pem"

    def issue(self, name: str, *sans: str, usage: str = "clientAuth", days: int = 30) -> TlsFiles:
        """Make a certificate whose common name is ``name``."""
        made = TlsFiles(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        request = self.folder / f"{name}.csr"
        extensions = self.folder / f"{name}.ext"
        alternative = f"subjectAltName={','.join(sans)}\n" if sans else ""
        extensions.write_text(f"extendedKeyUsage={usage}\n{alternative}")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", made.key, "-out", request)
        signing = ["-CA", self.cert, "-CAkey", self.folder / "ca.key", "-CAcreateserial", "-days", days]
        openssl("x509", "-req", "-in", request, *signing, "-extfile", extensions, "-out", made.cert)
        return made


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def authority(folder: Path) -> Authority:
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 30, "-subj", "/CN=Test CA",
            "-keyout", folder / "ca.key", "-out", folder / "ca.pem")  # fmt: skip
    return Authority(folder)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("theirs"))


@pytest.fixture
def server(tls: TlsFiles, ours: Authority) -> Iterator[Running]:
    with serving(tls, ours) as alive:
        yield alive


def serving(tls: TlsFiles, ours: Authority, *relays: Relay, soft: bool = False) -> AbstractContextManager[Running]:
    policy = ScriptedPolicy(soft_refuse=soft, relays=relays or (ANNA, BERT))
    return running(ScriptedIntake(policy=policy), tls=replace(tls, client_ca=ours.cert))


def over_tls(server: Running, tls: TlsFiles, shown: TlsFiles | None) -> Client:
    client = server.connect()
    client.greet()
    assert client.ask("STARTTLS") == "220 2.0.0 Ready to start TLS"
    context = ssl.create_default_context(cafile=str(tls.cert))
    if shown:
        context.load_cert_chain(shown.cert, shown.key)
    client.start_tls(context)
    assert client.ask("EHLO client.test").startswith("250-")
    return client


def mail(client: Client) -> str:
    said = client.ask("MAIL FROM:<anna@example.test>")
    if said != "250 2.1.0 OK":
        return said
    assert client.ask("RCPT TO:<one@log.test>") == "250 2.1.5 OK"
    client.ask("DATA")
    client.send(b".\r\n")
    return client.reply()


def from_relays(server: Running) -> list[str]:
    return [delivery.envelope.relay.name for delivery in server.intake.deliveries]


def test_two_relays_behind_one_address_are_told_apart_by_their_certificates(
    server: Running, tls: TlsFiles, ours: Authority
) -> None:
    for shown in (
        ours.issue("bert", "DNS:other.example", "DNS:mx.bert.example"),
        ours.issue("anna", "DNS:MX2.Anna.Example"),
        ours.issue("both", "DNS:mx.bert.example", "DNS:mx1.anna.example"),
    ):
        client = over_tls(server, tls, shown)
        assert mail(client).startswith("250 ")
        assert mail(client).startswith("250 "), "and the next mail of the connection"
    assert from_relays(server) == ["bert", "bert", "anna", "anna", "anna", "anna"]
    assert not server.intake.turned_away


def test_without_tls_the_client_is_told_to_begin_it_and_nothing_else_is_taken(server: Running) -> None:
    client = server.connect()
    client.greet()
    assert client.ask("MAIL FROM:<anna@example.test>") == TLS_NEEDED
    assert client.ask("RCPT TO:<one@log.test>").startswith("503 ")
    assert client.ask("DATA").startswith("503 ")
    assert client.ask("NOOP").startswith("250 ")
    assert not server.intake.asked


@pytest.mark.parametrize(
    "shown",
    [
        (),
        ("DNS:mx3.anna.example",),
        ("DNS:anna.example",),
        ("DNS:*.anna.example",),
        ("DNS:mx1.anna.example.test",),
        ("DNS:x.mx1.anna.example",),
        ("email:mx1@anna.example",),
        ("URI:https://mx1.anna.example",),
        ("IP:127.0.0.1",),
    ],
)
def test_a_certificate_for_another_name_is_no_relays(
    server: Running, tls: TlsFiles, ours: Authority, shown: tuple[str, ...]
) -> None:
    """The common name is that of a relay every time: it never counts."""
    client = over_tls(server, tls, ours.issue("mx1.anna.example", *shown))
    assert mail(client) == NO_RELAY
    assert server.intake.turned_away == [("unknown", Reason.BAD_RELAY)]
    assert not server.intake.asked


def test_without_a_certificate_a_client_is_no_relay(server: Running, tls: TlsFiles) -> None:
    client = over_tls(server, tls, None)
    assert mail(client) == NO_RELAY
    assert client.ask("RCPT TO:<one@log.test>").startswith("503 ")
    said = [client.ask("MAIL FROM:<anna@example.test>") for _ in range(Limits().max_errors - 2)]
    assert set(said) == {NO_RELAY}
    assert client.reply() == "421 4.7.0 Too many errors", "who goes on all the same is shown out"
    assert client.line() == ""


def test_a_certificate_that_does_not_verify_ends_the_connection_and_the_log_says_so(
    server: Running, tls: TlsFiles, ours: Authority, theirs: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[dict[str, str]] = []
    monkeypatch.setattr(events, "protocol_trouble", lambda **fields: logged.append(fields))
    forged = theirs.issue("forged", "DNS:mx1.anna.example")
    server_only = ours.issue("server", "DNS:mx1.anna.example", usage="serverAuth")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=self", "-keyout", ours.folder / "self.key",
            "-addext", "subjectAltName=DNS:mx1.anna.example", "-out", ours.folder / "self.pem")  # fmt: skip
    self_signed = TlsFiles(ours.folder / "self.pem", ours.folder / "self.key")
    for shown in (forged, server_only, self_signed):
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            mail(over_tls(server, tls, shown))
    assert not server.intake.asked
    wait_for(lambda: len(logged) >= 3)  # the client hears of it before the log does
    assert logged == [{"relay": "unknown", "what": "TLS handshake failed CERTIFICATE_VERIFY_FAILED"}] * 3
    assert mail(over_tls(server, tls, ours.issue("right", "DNS:mx1.anna.example"))).startswith("250 ")


def test_a_relay_that_needs_no_certificate_goes_on_without_one(tls: TlsFiles, ours: Authority) -> None:
    with serving(tls, ours, ANNA, OPEN) as server:
        client = server.connect()
        client.greet()
        assert mail(client).startswith("250 ")
        assert mail(over_tls(server, tls, None)).startswith("250 ")
        assert mail(over_tls(server, tls, ours.issue("anna", "DNS:mx1.anna.example"))).startswith("250 ")
        assert from_relays(server) == ["open", "open", "anna"]


def test_which_relay_it_is_shows_at_mail_and_again_after_tls(tls: TlsFiles, ours: Authority) -> None:
    shown = ours.issue("anna", "DNS:mx1.anna.example")
    with serving(tls, ours, ANNA, OPEN) as server:
        client = server.connect()
        client.greet()
        assert mail(client).startswith("250 ")
        client.open_mail()
        client.ask("STARTTLS")
        context = ssl.create_default_context(cafile=str(tls.cert))
        context.load_cert_chain(shown.cert, shown.key)
        client.start_tls(context)
        client.ask("EHLO client.test")
        assert mail(client).startswith("250 ")
        assert from_relays(server) == ["open", "anna"]


def test_softly_both_are_deferrals(tls: TlsFiles, ours: Authority) -> None:
    with serving(tls, ours, soft=True) as server:
        client = server.connect()
        client.greet()
        assert mail(client) == TLS_NEEDED.replace("530 5.", "450 4.")
        assert mail(over_tls(server, tls, None)) == NO_RELAY.replace("554 5.", "451 4.")


def test_a_stranger_is_turned_away_at_connect_as_ever(server: Running) -> None:
    assert server.connect(source="127.0.0.9").reply().startswith("554 [MG-RELAY] ")


def test_a_new_authority_holds_for_new_connections_and_a_broken_one_changes_nothing(
    tls: TlsFiles, ours: Authority, theirs: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trusted = tmp_path / "clients.pem"
    trusted.write_bytes(ours.cert.read_bytes())
    first, second = (one.issue("anna", "DNS:mx1.anna.example") for one in (ours, theirs))
    policy = ScriptedPolicy(relays=(ANNA,))
    with running(ScriptedIntake(policy=policy), tls=replace(tls, client_ca=trusted)) as server:
        assert mail(over_tls(server, tls, first)).startswith("250 ")
        trusted.write_bytes(theirs.cert.read_bytes())
        server.server.reload_tls()
        assert mail(over_tls(server, tls, second)).startswith("250 ")
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            mail(over_tls(server, tls, first))
        trusted.write_text("broken")
        server.server.reload_tls()
        assert mail(over_tls(server, tls, second)).startswith("250 ")


def test_an_authority_that_is_none_is_refused_by_the_name_of_its_key(tls: TlsFiles, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    for path, message in (
        (tmp_path / "none.pem", r"^smtp\.tls_client_ca: .*none\.pem can't be read"),
        (junk, r"^smtp\.tls_client_ca: .*junk\.pem holds no certificate"),
        (tls.key, r"^smtp\.tls_client_ca: .* holds no certificate"),
    ):
        with pytest.raises(Misconfigured, match=message):
            Certificates(replace(tls, client_ca=path))


def test_clients_are_asked_for_a_certificate_only_where_one_counts(tls: TlsFiles, ours: Authority) -> None:
    assert Certificates(tls).context.verify_mode is ssl.CERT_NONE
    assert Certificates(replace(tls, client_ca=ours.cert)).context.verify_mode is ssl.CERT_OPTIONAL


SETTINGS = """
smtp.tls_cert = "{cert}"
smtp.tls_key = "{key}"
smtp.tls_client_ca = "{ca}"
relays = [
  {{name = "a", networks = ["192.0.2.1"], trust = "vouched", client_certificates = {a}}},
  {{name = "b", networks = ["{b}"], trust = "vouched"}},
]
"""


@pytest.mark.parametrize(("names", "b", "asks"), [("['MX.a.example']", "192.0.2.1", True), ("[]", "192.0.2.2", False)])
def test_the_settings_say_whether_clients_are_asked_and_for_what(
    tls: TlsFiles, ours: Authority, tmp_path: Path, *, names: str, b: str, asks: bool
) -> None:
    """Below a relay with certificates there may be another at the same address."""
    file = tmp_path / "mailgate.toml"
    file.write_text(SETTINGS.format(cert=tls.cert, key=tls.key, ca=ours.cert, a=names, b=b))
    settings = config.load(file, {"MAILGATE_DATA_DIR": str(tmp_path)})
    app.check_config(settings)
    assert app._tls_files(settings) == replace(tls, client_ca=ours.cert if asks else None)
    assert app.policy(settings).relays[0].client_certificates == ({"mx.a.example"} if asks else frozenset())
