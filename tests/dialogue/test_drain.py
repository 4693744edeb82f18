import socket
import threading
import time
from pathlib import Path

import pytest

from mailgate.smtp.limits import Limits
from tests.dialogue.running import PATIENCE, Running, running


def draining(server: Running) -> threading.Thread:
    thread = threading.Thread(target=lambda: server.results.append(server.call(server.server.drain())))
    thread.start()
    until = time.monotonic() + PATIENCE
    while not server.server.draining:
        assert time.monotonic() < until
        time.sleep(0.01)
    return thread


def test_idle_clients_are_told_and_nobody_new_is_taken(tmp_path: Path) -> None:
    with running(folder=tmp_path, limits=Limits(drain_seconds=PATIENCE, fresh_seconds=0)) as server:
        idle, fresh, stranger = server.connect(), server.connect("lmtp"), server.connect(source="127.0.0.9")
        idle.greet()
        assert fresh.reply().startswith("220 ")
        assert stranger.reply().startswith("554 ")
        port = idle.sock.getpeername()[1]
        draining(server).join(PATIENCE)
        assert server.results == [0]
        for client in (idle, fresh, stranger):
            assert client.reply() == "421 4.3.2 Shutting down; try again in a moment"
            assert client.line() == ""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), PATIENCE)
        assert not (tmp_path / "lmtp").exists()


def test_who_has_just_come_hands_over_one_mail_and_is_told_then() -> None:
    with running(limits=Limits(drain_seconds=PATIENCE, fresh_seconds=PATIENCE / 2)) as server:
        greeted, unheard = server.connect(), server.connect()
        greeted.greet()
        thread = draining(server)
        for client in (greeted, unheard):
            if client is unheard:
                client.greet()
            client.open_mail()
            client.ask("DATA")
            client.send(b"a: b\r\n\r\n.\r\n")
            assert client.reply().startswith("250 2.0.0 [MG-KEPT] ")
            assert client.reply().startswith("421 4.3.2 ")
        thread.join(PATIENCE)
        assert server.results == [0]


def test_who_has_just_come_and_says_nothing_is_told_after_a_while() -> None:
    with running(limits=Limits(drain_seconds=PATIENCE, fresh_seconds=0.2)) as server:
        silent = server.connect()
        silent.greet()
        draining(server).join(PATIENCE)
        assert server.results == [0]
        assert silent.reply().startswith("421 4.3.2 ")


def test_mails_in_flight_finish_wherever_they_are_and_no_other_begins() -> None:
    with running(limits=Limits(drain_seconds=PATIENCE)) as server:
        at_mail, at_data, keeping = server.connect(), server.connect(), server.connect()
        for client in (at_mail, at_data, keeping):
            client.greet()
            client.open_mail()
        for client in (at_data, keeping):
            client.ask("DATA")
        server.intake.may_go_on.clear()
        keeping.send(b"a: b\r\n\r\n.\r\nMAIL FROM:<anna@example.test>\r\n")
        assert server.intake.receiving.wait(PATIENCE)
        thread = draining(server)
        assert at_mail.ask("RCPT TO:<two@log.test>") == "250 2.1.5 OK"
        assert at_mail.ask("DATA").startswith("354 ")
        server.intake.may_go_on.set()
        for client in (at_mail, at_data):
            client.send(b"a: b\r\n\r\n.\r\n")
        for client in (at_mail, at_data, keeping):
            assert client.reply().startswith("250 2.0.0 [MG-KEPT] ")
            assert client.reply().startswith("421 4.3.2 ")
            assert client.line() == ""
        thread.join(PATIENCE)
        assert server.results == [0]
        assert len(server.intake.deliveries) == 3


def test_who_does_not_finish_in_time_is_cut_off_and_has_no_250() -> None:
    with running(limits=Limits(drain_seconds=0.3)) as server:
        stuck, silent = server.connect(), server.connect()
        for client in (stuck, silent):
            client.greet()
            client.open_mail()
            client.ask("DATA")
        server.intake.may_go_on.clear()
        stuck.send(b"a: b\r\n\r\n.\r\n")
        assert server.intake.receiving.wait(PATIENCE)
        draining(server).join(PATIENCE)
        assert server.results == [2]
        for client in (stuck, silent):
            assert client.line() == ""


def test_a_mail_of_a_lost_client_is_waited_for() -> None:
    with running(limits=Limits(drain_seconds=PATIENCE)) as server:
        lost = server.connect()
        lost.greet()
        lost.open_mail()
        lost.ask("DATA")
        server.intake.may_go_on.clear()
        lost.send(b"a: b\r\n\r\n.\r\n")
        assert server.intake.receiving.wait(PATIENCE)
        lost.reset()
        until = time.monotonic() + PATIENCE
        while server.server.connections:
            assert time.monotonic() < until
            time.sleep(0.01)
        thread = draining(server)
        thread.join(0.2)
        assert thread.is_alive()
        server.intake.may_go_on.set()
        thread.join(PATIENCE)
        assert server.results == [0]
        assert len(server.intake.deliveries) == 1
