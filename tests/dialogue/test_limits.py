"""Caps and deadlines. Lower bounds of times are asserted; upper ones only by the patience of the client."""

import errno
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from mailgate.errors import Reason
from mailgate.smtp.limits import Limits
from tests.dialogue.running import PATIENCE, Client, Running, running


def limits(**changes: float) -> Limits:
    return Limits(**{"drain_seconds": 2, **changes})  # type: ignore[arg-type]  # names are checked by the call


def wait_for(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)


def says_nothing(client: Client) -> bool:
    client.sock.settimeout(0.2)
    try:
        client.sock.recv(1)
    except TimeoutError:
        return True
    finally:
        client.sock.settimeout(PATIENCE)
    return False


def send_mail(client: Client, body: bytes = b"a: b\r\n\r\nbody\r\n") -> str:
    client.open_mail()
    assert client.ask("DATA").startswith("354 ")
    client.send(body + b".\r\n")
    return client.reply()


def send_without_end(client: Client) -> None:
    for _ in range(1000):
        client.send(b"x" * 1_000_000)


# -- connections ------------------------------------------------------------------------------------------------------


def test_at_max_connections_the_next_client_waits_for_its_turn() -> None:
    with running(limits=limits(max_connections=2)) as server:
        first, second = server.connect(), server.connect()
        first.greet()
        second.greet()
        third = server.connect()
        assert says_nothing(third)
        assert first.ask("QUIT").startswith("221 ")
        third.greet()
        assert send_mail(third).startswith("250 ")


def test_strangers_that_leave_make_room() -> None:
    with running(limits=limits(max_connections=1)) as server:
        for _ in range(5):
            stranger = server.connect(source="127.0.0.9")
            assert stranger.reply().startswith("554 ")
            stranger.close()
        server.connect().greet()


def test_above_its_own_cap_a_peer_is_told_421_and_another_is_served() -> None:
    with running(limits=limits(max_connections_per_peer=2)) as server:
        held = [server.connect(), server.connect()]
        for client in held:
            client.greet()
        busy = server.connect()
        assert busy.reply() == "421 4.7.0 [MG-BUSY] Too many connections from your address; try later"
        assert busy.line() == ""
        assert server.intake.turned_away == [("mx", Reason.BUSY)]
        server.connect(source="127.0.0.2").greet()
        held[0].reset()
        wait_for(lambda: server.server.connections == 2)
        server.connect().greet()


def test_when_the_system_has_no_descriptors_left_accepting_goes_on_later(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [OSError(errno.EMFILE, "Too many open files")] * 3
    accept = socket.socket.accept

    def failing(sock: socket.socket) -> tuple[socket.socket, Any]:
        if failures:
            raise failures.pop()
        return accept(sock)

    monkeypatch.setattr(socket.socket, "accept", failing)
    monkeypatch.setattr("mailgate.smtp.server._BREATH", 0.05)
    with running() as server:
        server.connect().greet()
        assert not failures


def test_many_clients_at_once_each_get_their_own_answers() -> None:
    wrong: list[str] = []

    def talk(server: Running, number: int) -> None:
        client = server.connect()
        client.greet()
        for n in range(5):
            body = f"From: {number}@example.test\r\n\r\n{number} {n}\r\n".encode() + b"y" * 50_000 + b"\r\n"
            client.open_mail(f"to-{number}-{n}@log.test")
            client.ask("DATA")
            client.send(body + b".\r\n")
            if client.reply() != "250 2.0.0 [MG-KEPT] L0":
                wrong.append(f"{number} {n}")
        client.ask("QUIT")

    with running() as server:
        threads = [threading.Thread(target=talk, args=(server, number)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert len(server.intake.deliveries) == 200
        for delivery in server.intake.deliveries:
            _, number, n = delivery.envelope.addressees[0].recipient.partition("@")[0].split("-")
            assert delivery.raw.startswith(f"From: {number}@example.test\r\n\r\n{number} {n}\r\n".encode())
            assert len(delivery.raw) > 50_000


def test_a_mail_that_takes_long_to_keep_holds_up_nobody_else() -> None:
    with running() as server:
        slow = server.connect()
        slow.greet()
        slow.open_mail()
        slow.ask("DATA")
        server.intake.may_go_on.clear()
        slow.send(b".\r\n")
        assert server.intake.receiving.wait(PATIENCE)
        other = server.connect()
        other.greet()
        other.open_mail()
        server.intake.may_go_on.set()
        assert slow.reply().startswith("250 ")


# -- recipients -------------------------------------------------------------------------------------------------------


def test_from_the_21st_bad_recipient_of_a_connection_on_answers_come_later() -> None:
    with running(limits=limits(bad_recipient_seconds=0.3)) as server:
        client = server.connect()
        client.greet()
        client.ask("MAIL FROM:<anna@example.test>")
        for _ in range(19):
            assert client.ask("RCPT TO:<unknown@log.test>").startswith("550 5.1.1 ")
        client.ask("RSET")
        client.ask("MAIL FROM:<anna@example.test>")
        assert client.ask("RCPT TO:<not an address>").startswith("501 ")
        began = time.monotonic()
        assert client.ask("RCPT TO:<unknown@log.test>").startswith("550 5.1.1 ")
        assert client.ask("RCPT TO:<foreign@log.test>").startswith("550 5.7.1 ")
        assert time.monotonic() - began >= 0.6
        assert client.ask("RCPT TO:<one@log.test>").startswith("250 ")


def test_those_before_the_late_one_have_their_answers_at_once() -> None:
    with running(limits=limits(bad_recipients=1, bad_recipient_seconds=3 * PATIENCE)) as server:
        client = server.connect()
        client.greet()
        client.send(b"MAIL FROM:<anna@example.test>\r\n" + b"RCPT TO:<unknown@log.test>\r\n" * 2)
        assert client.reply() == "250 2.1.0 OK"
        assert client.reply().startswith("550 ")


def test_a_no_that_is_not_the_recipients_fault_makes_nobody_slower() -> None:
    with running(limits=limits(bad_recipients=1, bad_recipient_seconds=PATIENCE)) as server:
        client = server.connect()
        client.greet()
        client.ask("MAIL FROM:<anna@example.test>")
        assert client.ask("RCPT TO:<unknown@log.test>").startswith("550 ")
        for local, code in (("down", 451), ("full", 452), ("waiting", 450), ("bug", 451)):
            assert client.ask(f"RCPT TO:<{local}@log.test>").startswith(f"{code} ")


def test_the_intake_is_told_the_envelope_sender_with_each_recipient() -> None:
    with running() as server:
        client = server.connect()
        client.greet()
        client.open_mail("one@log.test", "two@log.test")
        client.ask("RSET")
        client.ask("MAIL FROM:<>")
        client.ask("RCPT TO:<one@log.test>")
        assert server.intake.senders == ["anna@example.test", "anna@example.test", ""]


def test_the_answer_to_the_21st_is_a_second_late_by_default() -> None:
    assert (Limits().bad_recipients, Limits().bad_recipient_seconds) == (20, 1)


def test_a_flood_of_recipients_is_answered_and_counted_off() -> None:
    with running() as server:
        client = server.connect()
        client.greet()
        client.ask("MAIL FROM:<anna@example.test>")
        client.send(b"RCPT TO:<one@log.test>\r\n" * 10_000)
        answers = [client.reply() for _ in range(10_000)]
        assert answers[:100] == ["250 2.1.5 OK"] * 100
        assert set(answers[100:]) == {"452 4.5.3 [MG-RCPTS] A mail may have 100 recipients at most."}
        client.ask("DATA")
        client.send(b".\r\n")
        assert client.reply().startswith("250 ")
        assert len(server.intake.deliveries[0].envelope.addressees) == 100


# -- bytes ------------------------------------------------------------------------------------------------------------


def test_what_a_lost_client_had_reserved_is_free_again() -> None:
    with running(limits=limits(bytes_in_flight=1000, max_size=1000)) as server:
        for leave in (Client.close, Client.reset):
            client = server.connect()
            client.greet()
            client.open_mail(parameters=" SIZE=900")
            client.ask("DATA")
            client.send(b"half a ma")
            assert server.server.bytes_in_flight == 900
            leave(client)
            wait_for(lambda: server.server.bytes_in_flight == 0)
        assert not server.intake.deliveries
        assert not server.intake.turned_back


def test_bytes_of_a_lost_client_stay_reserved_while_they_are_being_kept() -> None:
    with running() as server:
        client = server.connect()
        client.greet()
        client.open_mail(parameters=" SIZE=100000")
        client.ask("DATA")
        server.intake.may_go_on.clear()
        client.send(b"a: b\r\n\r\n.\r\n")
        assert server.intake.receiving.wait(PATIENCE)
        client.reset()
        wait_for(lambda: server.server.connections == 0)
        assert server.server.bytes_in_flight == 100_000
        server.intake.may_go_on.set()
        wait_for(lambda: server.server.bytes_in_flight == 0)
        assert len(server.intake.deliveries) == 1, "what is being kept is kept"


def test_endless_data_is_not_gathered() -> None:
    with running(limits=limits(max_size=1_000_000)) as server:
        client = server.connect()
        client.greet()
        client.open_mail()
        client.ask("DATA")
        with pytest.raises(ConnectionError):
            send_without_end(client)
        wait_for(lambda: server.server.connections == 0)
        assert server.server.bytes_in_flight == 0
        assert [(reason, len(head)) for reason, head, *_ in server.intake.turned_back] == [(Reason.TOO_LARGE, 0)]


def test_an_endless_command_line_is_not_gathered() -> None:
    with running() as server:
        client = server.connect()
        client.greet()
        with pytest.raises(ConnectionError):
            send_without_end(client)
        wait_for(lambda: server.server.connections == 0)
        server.connect().greet()


@pytest.mark.parametrize("step", [1, 7, 1460, 65_536, 10_000_000])
def test_a_mail_is_kept_byte_for_byte_however_it_is_cut(step: int) -> None:
    lines = b"".join(b"." * (n % 5) + b"x" * (n % 97) + b"\r\n" for n in range(300 if step < 1000 else 100_000))
    body = b"a: b\r\n\r\n" + b"y" * 999 + b"\r\n" + lines
    stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in body.split(b"\r\n"))
    with running() as server:
        client = server.connect()
        client.greet()
        client.open_mail()
        client.ask("DATA")
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        whole = stuffed + b".\r\n"
        for start in range(0, len(whole), step):
            client.send(whole[start : start + step])
        assert client.reply().startswith("250 ")
        assert server.intake.deliveries[0].raw == body


# -- time -------------------------------------------------------------------------------------------------------------


def test_a_command_has_one_deadline_however_it_drips() -> None:
    with running(limits=limits(command_seconds=0.5)) as server:
        client = server.connect()
        client.greet()
        began = time.monotonic()
        try:
            while time.monotonic() - began < PATIENCE:
                client.send(b"x")
                time.sleep(0.05)
        except ConnectionError:
            pass
        else:
            pytest.fail("it may drip for ever")
        wait_for(lambda: server.server.connections == 0)


def test_a_transaction_has_one_deadline_whatever_is_said_in_it() -> None:
    with running(limits=limits(data_seconds=0.5)) as server:
        client = server.connect()
        client.greet()
        client.open_mail(parameters=" SIZE=1000")
        began = time.monotonic()
        while (said := client.ask("NOOP")) == "250 2.0.0 OK":
            assert time.monotonic() - began < PATIENCE
            time.sleep(0.05)
        assert said == "421 4.4.2 Too slow"
        wait_for(lambda: server.server.bytes_in_flight == 0)


def test_a_mail_that_drips_is_cut_and_one_that_keeps_its_pace_is_not() -> None:
    with running(limits=limits(data_seconds=0.6, data_pace=1000)) as server:
        honest, slow = server.connect(), server.connect()
        for client in (honest, slow):
            client.greet()
            client.open_mail()
            client.ask("DATA")
        for n in range(15):
            honest.send(b"x" * 400)
            if n < 5:
                slow.send(b"x")
            time.sleep(0.1)
        honest.send(b"\r\n.\r\n")
        assert honest.reply().startswith("250 ")
        assert slow.reply() == "421 4.4.2 Too slow"
        assert slow.line() == ""
        assert len(server.intake.deliveries) == 1
        assert server.server.bytes_in_flight == 0


def test_a_client_that_does_not_read_is_cut() -> None:
    with running(limits=limits(write_seconds=0.3, close_seconds=3 * PATIENCE)) as server:
        client = server.connect()
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.greet()
        client.sock.settimeout(1)
        try:
            while True:
                client.send(b"NOOP\r\n" * 10_000)
        except (TimeoutError, ConnectionError):
            pass
        wait_for(lambda: server.server.connections == 0)
        server.connect().greet()


def test_many_idle_and_slow_clients_keep_nobody_from_being_served() -> None:
    with running(limits=limits(command_seconds=1)) as server:
        slow = [server.connect(source="127.0.0.2") for _ in range(90)]
        client = server.connect()
        client.greet()
        assert send_mail(client).startswith("250 ")
        for one in slow:
            assert one.reply().startswith("220 ")
            assert one.reply() == "421 4.4.2 Too slow"
