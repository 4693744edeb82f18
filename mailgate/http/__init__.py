"""Metrics and health over HTTP, for monitors and load balancers on this machine or in its network.

    /metrics   the Prometheus text of ``events``
    /healthz   200: the process lives, or of several at least one that takes mail; else 503
    /readyz    200: it would take a mail now; 503 with one line that says why not

``bind`` takes the port before anything else runs, ``start`` serves it from a thread of its own. Refuses: other paths
(404), other methods than GET and HEAD (405), requests over ``MAX_REQUEST`` (431). ``bind`` raises ``Misconfigured``
where the port can't be had. A bug in what is asked gives 500 or 503 and a log line, never an end of the service.

Limits: one request per connection; ``SECONDS`` for the whole request and again for the answer, however busily a slow
client sends; at most ``MAX_CONNECTIONS`` at once, what comes on top is closed unanswered. No TLS, no password: bind it
where strangers can't reach.
"""

import io
import os
import socket
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Thread
from typing import Any

from mailgate import events
from mailgate.errors import Misconfigured

MAX_REQUEST = 8192  # bytes: the request line and its header
MAX_CONNECTIONS = 32
SECONDS = 5.0
BACKLOG = 64
PLAIN = "text/plain; charset=utf-8"

Ready = Callable[[], str | None]
Render = Callable[[], bytes]
Alive = Callable[[], bool]


def bind(spec: str) -> socket.socket:
    """Listen on ``HOST:PORT`` or ``[V6]:PORT``, as checked by the settings; ``Misconfigured`` names the key."""
    host, _, port = spec.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, address = found[0][0], found[0][4]
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"metrics.listen: can't listen on {spec} ({_why(error)}): stop what listens there, or name another port"
        ) from error


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, socket.gaierror):
        return "no such host"
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it is no HOST:PORT"


def start(sock: socket.socket, ready: Ready, render: Render, alive: Alive = lambda: True) -> "HealthServer":
    """Serve a bound socket until ``close``. ``ready`` and ``render`` are called in threads, several at once.

    ``ready`` gives ``None``, or one line that says why no mail would be taken now; it must not wait for long. ``alive``
    says whether anybody is there who takes mail.
    """
    server = _Server(sock, ready, render, alive)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="http", daemon=True)
    thread.start()
    return HealthServer(server, thread)


class HealthServer:
    """What runs; ``close`` ends it and gives the port back."""

    def __init__(self, server: "_Server", thread: Thread) -> None:
        self._server = server
        self._thread = thread

    def close(self) -> None:
        """Stop listening. May be called again; answers under way are not waited for."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, sock: socket.socket, ready: Ready, render: Render, alive: Alive) -> None:
        super().__init__(sock.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()  # the base class opens one of its own
        self.socket = sock
        self.ready = ready
        self.render = render
        self.alive = alive
        self._slots = BoundedSemaphore(MAX_CONNECTIONS)

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError:
            time.sleep(0.05)  # out of file descriptors: the client stays in the backlog, don't spin
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):  # OSError: the client went away or was too slow
            events.surprise("http", error)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    default_request_version = "HTTP/1.0"  # 0.9 answers without status

    def handle(self) -> None:
        """Read the whole head within one deadline, then let the library make sense of it."""
        head = self._read_head()
        self.connection.settimeout(SECONDS)
        self.rfile.close()
        self.rfile = io.BytesIO(head[:MAX_REQUEST])
        self.close_connection = True
        self.request_version, self.requestline, self.command = "HTTP/1.0", "", ""
        if len(head) > MAX_REQUEST:
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif head:
            self.handle_one_request()

    def _read_head(self) -> bytes:
        """Raises ``TimeoutError`` where it takes too long; what comes after the head is left alone."""
        end = time.monotonic() + SECONDS
        head = bytearray()
        while len(head) <= MAX_REQUEST and b"\r\n\r\n" not in head:
            self.connection.settimeout(max(end - time.monotonic(), 0.001))
            chunk = self.connection.recv(MAX_REQUEST + 1 - len(head))
            if not chunk:
                return b""
            head += chunk
        return bytes(head)

    def do_GET(self) -> None:
        try:
            answer = self._answer(self.path.partition("?")[0])
        except Exception as bug:  # noqa: BLE001 - a bug in what is asked must not end the thread without a word
            events.surprise("http", bug)
            answer = HTTPStatus.INTERNAL_SERVER_ERROR, PLAIN, b"an error of ours: see the log\n"
        self._send(*answer)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        if path == "/metrics":
            return HTTPStatus.OK, events.METRICS_TYPE, self.server.render()
        if path == "/healthz":
            if self.server.alive():
                return HTTPStatus.OK, PLAIN, b"alive\n"
            return HTTPStatus.SERVICE_UNAVAILABLE, PLAIN, b"no worker answers\n"
        if path == "/readyz":
            why = self._why_not()
            return (HTTPStatus.OK, PLAIN, b"ready\n") if why is None else (HTTPStatus.SERVICE_UNAVAILABLE, PLAIN, why)
        return HTTPStatus.NOT_FOUND, PLAIN, b"not found\n"

    def _why_not(self) -> bytes | None:
        try:
            why = self.server.ready()
        except Exception as bug:  # noqa: BLE001 - unsure means not ready
            events.surprise("readyz", bug)
            why = "it could not be found out: see the log"
        return None if why is None else " ".join(why.split()).encode("utf-8", "replace") + b"\n"

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 - the library's texts repeat what the client sent
        """Answer with a fixed text."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self._send(status, PLAIN, f"{status.phrase.lower()}\n".encode())

    def version_string(self) -> str:
        """Name the program without versions of what is under it."""
        return "mailgate"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's signature
        """Say nothing: monitors ask every few seconds."""
