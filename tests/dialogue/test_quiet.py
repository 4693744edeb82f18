import logging

import pytest

from mailgate.smtp.tls import TlsFiles
from tests.dialogue.running import running
from tests.dialogue.test_tls import trusting


def test_nothing_that_a_client_said_is_logged(caplog: pytest.LogCaptureFixture, tls: TlsFiles) -> None:
    caplog.set_level(logging.DEBUG)
    with running(tls=tls) as server:
        client = server.connect()
        client.greet()
        client.ask("STARTTLS")
        client.start_tls(trusting(tls))
        client.ask("EHLO secret-host.test")
        client.ask("MAIL FROM:<secret-sender@example.test>")
        client.ask("RCPT TO:<secret-token@log.test>")
        client.ask("RCPT TO:<bug@log.test>")
        client.ask("SECRET command")
        client.ask("DATA")
        client.send(b"Subject: secret\r\nThen: bug\r\n\r\nsecret\r\n.\r\n")
        assert client.reply().startswith("451 ")
    assert any(record.name == "asyncio" for record in caplog.records)
    assert "secret" not in caplog.text.lower()


def test_nobody_asks_the_dns_for_our_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> str:
        pytest.fail("getfqdn was called")

    monkeypatch.setattr("socket.getfqdn", asked)
    with running() as server:
        server.connect().greet()
