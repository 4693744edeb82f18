"""What monitors see: the three paths, and that nobody who asks wrongly or slowly is in the way of others."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.request import urlopen

import pytest

from mailgate import events, http
from mailgate.errors import Misconfigured

Ask = Callable[[bytes], tuple[bytes, bytes]]


class Service:
    """Stands for the service behind the server; tests change what it says."""

    def __init__(self) -> None:
        self.why: str | None = None
        self.bug: Exception | None = None

    def ready(self) -> str | None:
        if self.bug:
            raise self.bug
        return self.why

    def render(self) -> bytes:
        if self.bug:
            raise self.bug
        return b"mailgate_mails_total 1\n"


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def address(service: Service) -> Iterator[tuple[str, int]]:
    sock = http.bind("127.0.0.1:0")
    where = sock.getsockname()
    server = http.start(sock, service.ready, service.render)
    yield where
    server.close()


@pytest.fixture
def ask(address: tuple[str, int]) -> Ask:
    def over_the_wire(request: bytes) -> tuple[bytes, bytes]:
        with socket.create_connection(address, timeout=60) as client:
            client.sendall(request)
            answer = read_all(client)
        head, _, body = answer.partition(b"\r\n\r\n")
        return head, body

    return over_the_wire


def read_all(client: socket.socket) -> bytes:
    answer = b""
    while chunk := client.recv(65536):
        answer += chunk
    return answer


def dribble(client: socket.socket, *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        client.sendall(b"x")
        time.sleep(0.05)


def status(head: bytes) -> int:
    return int(head.split()[1])


@pytest.mark.parametrize(
    ("request_line", "code", "body"),
    [
        (b"GET /healthz HTTP/1.1", 200, b"alive\n"),
        (b"GET /readyz HTTP/1.1", 200, b"ready\n"),
        (b"GET /readyz HTTP/1.0", 200, b"ready\n"),
        (b"GET /readyz?verbose HTTP/1.1", 200, b"ready\n"),
        (b"GET /metrics HTTP/1.1", 200, b"mailgate_mails_total 1\n"),
        (b"HEAD /healthz HTTP/1.1", 200, b""),
        (b"HEAD /metrics HTTP/1.1", 200, b""),
        (b"GET / HTTP/1.1", 404, b"not found\n"),
        (b"GET /metrics/ HTTP/1.1", 404, b"not found\n"),
        (b"GET /../metrics HTTP/1.1", 404, b"not found\n"),
        (b"GET http://x.example/metrics HTTP/1.1", 404, b"not found\n"),
        (b"POST /metrics HTTP/1.1", 405, b"method not allowed\n"),
        (b"DELETE /healthz HTTP/1.1", 405, b"method not allowed\n"),
        (b"<script> / HTTP/1.1", 405, b"method not allowed\n"),
        (b"GET", 400, b"bad request\n"),
        (b"GET /healthz HTTP/9", 400, b"bad request\n"),
        (b"\xff\xfe\x00 \x00 \x00", 400, b"bad request\n"),
    ],
)
def test_answers(request_line: bytes, code: int, body: bytes, ask: Ask) -> None:
    head, said = ask(request_line + b"\r\nHost: localhost\r\n\r\n")
    assert (status(head), said) == (code, body)


def test_an_answer_says_how_long_it_is_of_which_type_and_nothing_of_what_is_under_it(ask: Ask) -> None:
    head, _ = ask(b"HEAD /metrics HTTP/1.1\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert fields[b"content-length"] == b"23"
    assert fields[b"content-type"] == events.METRICS_TYPE.lower().encode()
    assert fields[b"cache-control"] == b"no-store"
    assert fields[b"connection"] == b"close"
    assert fields[b"server"] == b"mailgate"


def test_a_refused_method_is_told_which_there_are(ask: Ask) -> None:
    head, _ = ask(b"PUT /metrics HTTP/1.1\r\n\r\n")
    assert b"\r\nAllow: GET, HEAD" in head


def test_not_ready_is_503_with_one_line_that_says_why(ask: Ask, service: Service) -> None:
    service.why = "the store is down:\r\nno connection"
    head, body = ask(b"GET /readyz HTTP/1.1\r\n\r\n")
    assert (status(head), body) == (503, b"the store is down: no connection\n")
    assert status(ask(b"GET /healthz HTTP/1.1\r\n\r\n")[0]) == 200
    service.why = None
    assert status(ask(b"GET /readyz HTTP/1.1\r\n\r\n")[0]) == 200


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        (b"/readyz", 503, b"it could not be found out: see the log\n"),
        (b"/metrics", 500, b"an error of ours: see the log\n"),
        (b"/healthz", 200, b"alive\n"),
    ],
)
def test_a_bug_behind_it_is_told_without_its_text(
    path: bytes, code: int, said: bytes, ask: Ask, service: Service
) -> None:
    service.bug = RuntimeError("postgresql://mg:secret@db.example")
    head, body = ask(b"GET " + path + b" HTTP/1.1\r\n\r\n")
    assert (status(head), body) == (code, said)


def test_the_metrics_are_those_of_the_events() -> None:
    sock = http.bind("127.0.0.1:0")
    server = http.start(sock, lambda: None, events.render_metrics)
    try:
        with urlopen(f"http://127.0.0.1:{sock.getsockname()[1]}/metrics", timeout=60) as answer:
            text = answer.read().decode()
    finally:
        server.close()
    assert "mailgate_build_info{version=" in text


def test_a_request_over_the_limit_is_refused_and_one_at_the_limit_is_answered(ask: Ask) -> None:
    start, end = b"GET /healthz HTTP/1.1\r\nX: ", b"\r\n\r\n"
    room = http.MAX_REQUEST - len(start) - len(end)
    assert status(ask(start + b"x" * room + end)[0]) == 200
    assert status(ask(start + b"x" * (room + 5))[0]) == 431


def test_slow_clients_hold_nobody_up_and_are_dropped(
    address: tuple[str, int], ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SECONDS", 1.0)
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(10)]
        for client in slow:
            client.sendall(b"GET /healthz")
        assert status(ask(b"GET /healthz HTTP/1.1\r\n\r\n")[0]) == 200
        assert [read_all(client) for client in slow] == [b""] * 10


def test_sending_byte_by_byte_does_not_stretch_the_deadline(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SECONDS", 0.5)
    with socket.create_connection(address, timeout=60) as client, pytest.raises(ConnectionError):
        dribble(client, seconds=30)


def test_more_clients_than_there_are_places_are_closed_and_the_places_come_free_again(
    address: tuple[str, int], ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SECONDS", 2.0)
    with ExitStack() as stack:
        many = [
            stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(http.MAX_CONNECTIONS + 8)
        ]
        assert [read_all(client) for client in many] == [b""] * len(many)
    assert status(ask(b"GET /healthz HTTP/1.1\r\n\r\n")[0]) == 200


def test_a_client_that_goes_away_early_leaves_no_trace(
    address: tuple[str, int], ask: Ask, capfd: pytest.CaptureFixture[str]
) -> None:
    for request in (b"", b"GET /met", b"GET /metrics HTTP/1.1\r\n\r\n"):
        with socket.create_connection(address, timeout=60) as client:
            client.sendall(request)
    assert status(ask(b"GET /healthz HTTP/1.1\r\n\r\n")[0]) == 200
    assert capfd.readouterr() == ("", "")


def test_a_closed_server_gives_its_port_back() -> None:
    sock = http.bind("127.0.0.1:0")
    host, port = sock.getsockname()
    server = http.start(sock, lambda: None, bytes)
    server.close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, port), timeout=60)
    http.bind(f"{host}:{port}").close()


@pytest.mark.parametrize("spec", ["127.0.0.1:0", "[::1]:0", "localhost:0"])
def test_every_form_of_address_can_be_bound(spec: str) -> None:
    server = http.start(sock := http.bind(spec), lambda: None, bytes)
    with socket.create_connection(sock.getsockname()[:2], timeout=60) as client:
        client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert read_all(client).endswith(b"alive\n")
    server.close()


def test_a_port_in_use_is_named_with_its_key() -> None:
    with http.bind("127.0.0.1:0") as taken:
        spec = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Misconfigured) as refused:
            http.bind(spec)
    why = f"can't listen on {spec} (Address already in use): stop what listens there, or name another port"
    assert str(refused.value) == f"metrics.listen: {why}"


@pytest.mark.parametrize("spec", ["192.0.2.1:9925", "no-such-host.invalid:9925", "127.0.0.1:port"])
def test_what_can_not_be_bound_is_named_with_its_key(spec: str) -> None:
    with pytest.raises(Misconfigured, match=rf"^metrics\.listen: can't listen on {spec} \(.+\): "):
        http.bind(spec)
