import shutil
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path

import pytest

from mailgate.errors import Misconfigured
from mailgate.smtp.limits import Limits
from mailgate.smtp.tls import Certificates, TlsFiles
from tests.dialogue.conftest import make_certificate
from tests.dialogue.running import PATIENCE, Running, running


def trusting(tls: TlsFiles) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(tls.cert))


def wait_until_nobody_is_connected(server: Running) -> None:
    until = time.monotonic() + PATIENCE
    while server.server.connections:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_mail_over_tls(tls: TlsFiles) -> None:
    with running(tls=tls) as server:
        client = server.connect()
        assert client.reply().startswith("220 ")
        assert "|250-STARTTLS|" in client.ask("EHLO client.test")
        assert client.ask("STARTTLS") == "220 2.0.0 Ready to start TLS"
        client.start_tls(trusting(tls))
        said = client.ask("EHLO client.test")
        assert "STARTTLS" not in said
        assert "AUTH" not in said
        client.open_mail()
        assert client.ask("DATA").startswith("354 ")
        body = b"From: anna@example.test\r\n\r\n" + b"x" * 3_000_000 + b"\r\n"
        client.send(body + b".\r\n")
        assert client.reply() == "250 2.0.0 [MG-KEPT] L0"
        assert server.intake.deliveries[0].raw == body
        assert client.ask("STARTTLS").startswith("503 ")
        assert client.ask("QUIT").startswith("221 ")
        client.close()
        wait_until_nobody_is_connected(server)


def test_what_was_sent_ahead_of_the_handshake_is_dropped_and_the_state_is_new(tls: TlsFiles) -> None:
    with running(tls=tls) as server:
        client = server.connect()
        client.greet()
        client.open_mail()
        client.send(b"STARTTLS\r\nMAIL FROM:<evil@example.test>\r\nRCPT TO:<two@log.test>\r\n")
        assert client.reply().startswith("220 ")
        client.start_tls(trusting(tls))
        assert client.ask("NOOP") == "250 2.0.0 OK"
        assert client.ask("RCPT TO:<two@log.test>").startswith("503 ")
        assert client.ask("MAIL FROM:<anna@example.test>").startswith("503 ")
        assert client.ask("EHLO client.test").startswith("250-")
        assert client.ask("DATA").startswith("503 ")
        client.open_mail()
        assert server.intake.asked == ["one@log.test", "one@log.test"]


@pytest.mark.parametrize("then", [b"this is no TLS\r\n", b"\x16\x03\x01\x00", b""])
def test_a_handshake_that_fails_holds_nothing(tls: TlsFiles, then: bytes) -> None:
    with running(tls=tls, limits=Limits(drain_seconds=2, max_connections=1, close_seconds=3 * PATIENCE)) as server:
        for _ in range(3):
            client = server.connect()
            client.greet()
            assert client.ask("STARTTLS").startswith("220 ")
            client.send(then)
            client.sock.shutdown(socket.SHUT_WR)
            while client.sock.recv(1000):
                pass
            client.close()
            wait_until_nobody_is_connected(server)
        server.connect().greet()


def test_a_tls_client_that_just_leaves_holds_nothing(tls: TlsFiles) -> None:
    with running(tls=tls) as server:
        for leave in (socket.socket.close, lambda sock: sock.shutdown(socket.SHUT_RDWR)):
            client = server.connect()
            client.greet()
            client.ask("STARTTLS")
            client.start_tls(trusting(tls))
            client.ask("EHLO client.test")
            leave(client.sock)
            wait_until_nobody_is_connected(server)


def test_a_client_that_does_not_answer_the_end_of_tls_is_not_waited_for(tls: TlsFiles) -> None:
    with running(tls=tls, limits=Limits(drain_seconds=2, close_seconds=0.2)) as server:
        client = server.connect()
        client.greet()
        client.ask("STARTTLS")
        client.start_tls(trusting(tls))
        assert client.ask("QUIT").startswith("221 ")
        with socket.socket(fileno=client.sock.detach()) as plain:
            plain.settimeout(PATIENCE)  # asyncio alone would wait for 30 seconds
            with suppress(ConnectionResetError):
                while plain.recv(1000):
                    pass


def test_new_connections_get_the_new_certificate_and_a_broken_one_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    before, after = make_certificate(old), make_certificate(new)
    files = TlsFiles(tmp_path / "cert.pem", tmp_path / "key.pem")

    def put(source: TlsFiles) -> None:
        shutil.copy(source.cert, files.cert)
        shutil.copy(source.key, files.key)

    def greeted_by(certificate: TlsFiles) -> None:
        client = server.connect()
        client.greet()
        client.ask("STARTTLS")
        client.start_tls(trusting(certificate))
        assert client.ask("NOOP").startswith("250 ")

    put(before)
    with running(tls=files) as server:
        waiting = server.connect()
        waiting.greet()
        greeted_by(before)
        put(after)
        server.server.reload_tls()
        greeted_by(after)
        waiting.ask("STARTTLS")
        waiting.start_tls(trusting(before))
        files.key.write_text("broken")
        server.server.reload_tls()
        greeted_by(after)
        files.cert.unlink()
        server.server.reload_tls()
        greeted_by(after)
        with pytest.raises(ssl.SSLCertVerificationError):
            greeted_by(before)


def test_a_broken_certificate_at_start_is_refused_by_the_name_of_its_key(tmp_path: Path, tls: TlsFiles) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    other = make_certificate(tmp_path)
    for files, message in (
        (TlsFiles(tmp_path / "none.pem", tls.key), r"^smtp\.tls_cert: .*none\.pem can't be read"),
        (TlsFiles(tls.cert, tmp_path / "none.pem"), r"^smtp\.tls_key: .*none\.pem can't be read"),
        (TlsFiles(junk, tls.key), r"^smtp\.tls_cert, smtp\.tls_key: "),
        (TlsFiles(tls.cert, junk), r"^smtp\.tls_cert, smtp\.tls_key: "),
        (TlsFiles(tls.cert, other.key), r"^smtp\.tls_cert, smtp\.tls_key: "),
    ):
        with pytest.raises(Misconfigured, match=message):
            Certificates(files)


def test_tls_before_1_2_is_not_spoken(tls: TlsFiles) -> None:
    assert Certificates(tls).context.minimum_version is ssl.TLSVersion.TLSv1_2
