"""Registered proxies: how long they are waited for, how their clients are counted, TLS behind them, a real HAProxy."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from mailgate.domain.trust import Client as SmtpClient
from mailgate.domain.trust import Relay, Trust
from mailgate.errors import Reason
from mailgate.smtp.limits import Limits
from mailgate.smtp.proxy import V2
from mailgate.smtp.tls import TlsFiles
from tests.dialogue.running import HOSTNAME, PATIENCE, Client, Running, running
from tests.dialogue.scripted import EDGE, PROXY, ScriptedIntake, ScriptedPolicy
from tests.dialogue.test_limits import says_nothing, wait_for
from tests.dialogue.test_tls import trusting

BUSY = "421 4.7.0 [MG-BUSY] Too many connections from your address; try later"


def limits(**changes: float) -> Limits:
    return Limits(**{"drain_seconds": 2, "proxy_seconds": 0.1, **changes})  # type: ignore[arg-type]  # names are checked by the call


def line_for(client: str) -> bytes:
    return f"PROXY TCP4 {client} 198.51.100.1 56324 25\r\n".encode()


def send_mail(client: Client) -> None:
    client.open_mail()
    client.ask("DATA")
    client.send(b".\r\n")
    assert client.reply().startswith("250 ")


def seen(server: Running) -> list[SmtpClient]:
    return [delivery.envelope.client for delivery in server.intake.deliveries]


# -- waiting ----------------------------------------------------------------------------------------------------------


def test_only_a_registered_proxy_is_waited_for() -> None:
    with running(limits=limits(proxy_seconds=3 * PATIENCE)) as server:
        server.connect().greet()
        server.connect(source="127.0.0.4").greet()
        proxy = server.connect(source=PROXY)
        assert says_nothing(proxy)
        proxy.send(line_for("192.0.2.7"))
        proxy.greet()


def test_a_proxy_that_says_nothing_is_greeted_after_a_moment() -> None:
    assert 1 <= Limits().proxy_seconds <= 3
    with running(limits=limits(proxy_seconds=0.3)) as server:
        began = time.monotonic()
        server.connect(source=PROXY).greet()
        assert time.monotonic() - began >= 0.3


def test_a_proxy_that_speaks_at_once_is_greeted_at_once() -> None:
    with running(limits=limits(proxy_seconds=3 * PATIENCE)) as server:
        client = server.connect(source=PROXY)
        client.send(b"EHLO early.test\r\n")
        assert client.reply().startswith("220 ")
        assert "|250-XCLIENT " in client.reply()


@pytest.mark.parametrize("header", [line_for("192.0.2.7"), V2 + b"\x21\x11\x00\x0c\xc0\x00\x02\x07" + bytes(8)])
def test_a_header_may_come_octet_by_octet(header: bytes) -> None:
    with running(limits=limits(proxy_seconds=PATIENCE)) as server:
        client = server.connect(source=PROXY)
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for n in range(len(header)):
            client.send(header[n : n + 1])
            time.sleep(0.005)
        client.greet()
        send_mail(client)
        assert seen(server) == [SmtpClient(ip_address("192.0.2.7"), "client.test")]


@pytest.mark.parametrize("begun", [b"", b"P", b"PROXY TCP4 192", V2, V2 + b"\x21\x11\x00\x0c"])
def test_a_proxy_that_leaves_before_its_header_is_whole_holds_nothing(begun: bytes) -> None:
    with running(limits=limits(proxy_seconds=PATIENCE, max_connections=1)) as server:
        for leave in (Client.close, Client.reset):
            client = server.connect(source=PROXY)
            client.send(begun)
            leave(client)
        server.connect().greet()


def test_a_drain_does_not_wait_for_a_proxy_for_ever() -> None:
    with running(limits=limits(proxy_seconds=3 * PATIENCE, drain_seconds=1, fresh_seconds=0.2)) as server:
        client = server.connect(source=PROXY)
        assert says_nothing(client)
        server.call(server.server.drain())
        assert client.line() == ""


# -- counting ---------------------------------------------------------------------------------------------------------


def by_header(server: Running, address: str) -> Client:
    client = server.connect(source=PROXY)
    client.send(line_for(address))
    return client


def by_xclient(server: Running, address: str) -> Client:
    client = server.connect(source=PROXY)
    client.greet()
    client.send(f"XCLIENT ADDR={address}\r\n".encode())
    return client


@pytest.mark.parametrize("connect", [by_header, by_xclient])
def test_each_client_behind_a_proxy_has_a_cap_of_its_own(connect: Callable[[Running, str], Client]) -> None:
    with running(limits=limits(max_connections_per_peer=2)) as server:
        many = [connect(server, f"192.0.2.{n // 2}") for n in range(10)]
        for client in many:
            client.greet()
        busy = connect(server, "192.0.2.0")
        assert busy.reply() == BUSY
        assert busy.line() == ""
        assert server.intake.turned_away == [("edge", Reason.BUSY)]
        many[0].close()
        wait_for(lambda: server.server.connections == 9)
        connect(server, "192.0.2.0").greet()


def test_a_proxy_that_hands_nothing_over_is_bounded_by_all_connections_only() -> None:
    with running(limits=limits(max_connections_per_peer=2, max_connections=5)) as server:
        held = [server.connect(source=PROXY) for _ in range(5)]
        for client in held:
            client.greet()
        assert says_nothing(server.connect())
        for client in held:
            client.close()
        wait_for(lambda: server.server.connections == 1)


# -- TLS --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [line_for("192.0.2.7"), b""])
def test_tls_behind_a_proxy_keeps_the_client(tls: TlsFiles, ahead: bytes) -> None:
    with running(tls=tls, limits=limits()) as server:
        client = server.connect(source=PROXY)
        client.send(ahead)
        client.greet()
        if not ahead:
            assert client.ask("XCLIENT ADDR=192.0.2.7").startswith("220 ")
        assert client.ask("STARTTLS").startswith("220 ")
        client.start_tls(trusting(tls))
        said = client.ask("EHLO inside.test")
        assert "XCLIENT" not in said
        assert client.ask("XCLIENT ADDR=192.0.2.8").startswith("550 ")
        send_mail(client)
        assert seen(server) == [SmtpClient(ip_address("192.0.2.7"), "inside.test")]


def test_the_client_of_a_mail_is_who_connected_where_no_proxy_is_in_front(tmp_path: Path) -> None:
    with running(folder=tmp_path) as server:
        direct = server.connect(source="127.0.0.4")
        direct.greet()
        send_mail(direct)
        local = server.connect("lmtp")
        local.greet("LHLO")
        send_mail(local)
        assert seen(server) == [SmtpClient(ip_address("127.0.0.4"), "client.test"), SmtpClient(None, "client.test")]
        assert [delivery.envelope.relay.name for delivery in server.intake.deliveries] == ["edge", "mx"]


def test_a_proxy_is_its_relay_although_another_ones_networks_hold_it() -> None:
    wide = Relay(name="wide", networks=(ip_network("127.0.0.0/8"),))
    with running(ScriptedIntake(policy=ScriptedPolicy(relays=(wide, EDGE))), limits()) as server:
        client = by_header(server, "127.0.0.1")  # nor is it another for the address that it hands over
        client.greet()
        send_mail(client)
        delivery = server.intake.deliveries[0]
        assert (delivery.envelope.relay.name, delivery.envelope.client.address) == ("edge", ip_address("127.0.0.1"))


# -- HAProxy ----------------------------------------------------------------------------------------------------------

CONFIG = """
global
  maxconn 50
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen smtp
  bind {bound}
  server mailgate {host}:{port} source 127.0.0.3 {send}
"""


@contextmanager
def haproxy(server: Running, folder: Path, send: str, host: str = "127.0.0.1") -> Iterator[tuple[str, int]]:
    """Run Debian's HAProxy in front of the server; gives where it listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as probe:
        port = probe.getsockname()[1]
    to = server.listeners[0].sock.getsockname()
    config = folder / "haproxy.cfg"
    config.write_text(CONFIG.format(bound=f"{host}:{port}", host=to[0], port=to[1], send=send))
    program = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    assert program, "haproxy is not installed (.ci/run installs it)"
    with subprocess.Popen([program, "-db", "-f", str(config)], stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: _answers((host, port)) or process.poll() is not None)
            assert process.poll() is None
            yield host, port
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _answers(where: tuple[str, int]) -> bool:
    try:
        socket.create_connection(where, PATIENCE).close()
    except OSError:
        return False
    return True


def through(server: Running, where: tuple[str, int], source: str) -> Client:
    client = Client(socket.create_connection(where, PATIENCE, source_address=(source, 0)))
    server.clients.append(client)
    return client


@pytest.mark.haproxy
@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options unique-id,crc32c"])
def test_haproxy_hands_over_its_clients(tls: TlsFiles, tmp_path: Path, send: str) -> None:
    with (
        running(tls=tls, limits=limits(proxy_seconds=PATIENCE, max_connections_per_peer=2)) as server,
        haproxy(server, tmp_path, send) as where,
    ):
        clients = [through(server, where, source) for source in ("127.0.0.21", "127.0.0.22", "127.0.0.21")]
        for client in clients:
            client.greet()
            assert client.ask("XCLIENT ADDR=127.0.0.1").startswith("550 ")
            client.ask("STARTTLS")
            client.start_tls(trusting(tls))
            client.ask("EHLO inside.test")
            send_mail(client)
        assert through(server, where, "127.0.0.21").reply() == BUSY
        through(server, where, "127.0.0.23").greet()
        assert [str(client.address) for client in seen(server)] == ["127.0.0.21", "127.0.0.22", "127.0.0.21"]
        for client in clients:
            client.close()


@pytest.mark.haproxy
def test_haproxy_hands_over_ipv6_clients(tmp_path: Path) -> None:
    with running(limits=limits(proxy_seconds=PATIENCE)) as server:
        for send in ("send-proxy", "send-proxy-v2"):
            with haproxy(server, tmp_path, send, "::1") as where:
                client = through(server, where, "::1")
                client.greet()
                send_mail(client)
                client.close()
        assert seen(server) == [SmtpClient(ip_address("::1"), "client.test")] * 2


@pytest.mark.haproxy
def test_a_client_behind_haproxy_cannot_forge_a_header(tmp_path: Path) -> None:
    with running(limits=limits(proxy_seconds=PATIENCE)) as server, haproxy(server, tmp_path, "send-proxy-v2") as where:
        for forged in (line_for("127.0.0.1"), V2 + b"\x21\x11\x00\x0c\x7f\x00\x00\x01" + bytes(8)):
            client = through(server, where, "127.0.0.21")
            client.send(forged)
            assert client.reply() == f"220 {HOSTNAME} ESMTP mailgate"
            assert client.reply().startswith("421 4.7.0 A PROXY header ")
            assert client.line() == ""
        assert not server.intake.deliveries


@pytest.mark.haproxy
def test_haproxy_that_is_not_registered_is_not_believed(tmp_path: Path) -> None:
    plain = replace(EDGE, networks=(ip_network(PROXY),), proxies=(), trust=Trust.VERIFIED)
    intake = ScriptedIntake(policy=ScriptedPolicy(relays=(plain,)))
    with running(intake, limits()) as server:
        for send in ("send-proxy", "send-proxy-v2"):
            with haproxy(server, tmp_path, send) as where:
                client = through(server, where, "127.0.0.21")
                client.send(b"EHLO client.test\r\n")
                assert client.reply() == f"220 {HOSTNAME} ESMTP mailgate"
                assert client.reply().startswith("421 4.7.0 A PROXY header ")
                assert client.line() == ""
