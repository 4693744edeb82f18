"""Takes connections from the listeners, within the limits, until it is drained.

At ``max_connections`` it stops accepting, and the kernel's backlog waits. A peer above its own cap is told 421; a
registered proxy has none, the clients behind it have. After
``drain`` nobody new is taken, idle clients are told 421, who has just come may hand over one mail, and mails in flight
get ``drain_seconds`` to finish.

Raises ``Misconfigured`` when made, for a broken certificate.
"""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import ip_address

from mailgate import events
from mailgate.domain import trust
from mailgate.smtp import replies, strangers
from mailgate.smtp.caller import Caller
from mailgate.smtp.core import Core
from mailgate.smtp.limits import InFlight, Limits, Peers
from mailgate.smtp.listeners import BoundListener
from mailgate.smtp.replies import Replies
from mailgate.smtp.session import SmtpSession
from mailgate.smtp.shared import MailIntake, Shared
from mailgate.smtp.tls import Certificates, TlsFiles

_BREATH = 1.0  # seconds without accepting after the system ran out of something


class Server:
    """All listeners of a process. Made before the event loop runs; ``start`` and ``drain`` inside it, once each."""

    def __init__(
        self,
        intake: MailIntake,
        limits: Limits,
        listeners: Sequence[BoundListener],
        *,
        hostname: str,
        tls: TlsFiles | None = None,
        help_url: str = "",
    ) -> None:
        self._listeners = tuple(listeners)
        self._limits = limits
        self._shared = Shared(
            intake=intake,
            limits=limits,
            replies=Replies(
                max_size=limits.max_size,
                max_header_size=limits.max_header_size,
                max_recipients=limits.max_recipients,
                help_url=help_url,
            ),
            hostname=hostname,
            certificates=Certificates(tls) if tls else None,
            in_flight=InFlight(limits.bytes_in_flight),
            peers=Peers(limits.max_connections_per_peer),
            core=Core(limits.threads),
            big_pool=ThreadPoolExecutor(limits.big_threads, thread_name_prefix="big"),
            slow_pool=ThreadPoolExecutor(limits.slow_threads, thread_name_prefix="proof"),
            slow_room=asyncio.Semaphore(limits.slow_threads),
        )
        self._sessions: set[SmtpSession] = set()
        self._talking: set[asyncio.Task[None]] = set()
        self._accepting = False

    @property
    def draining(self) -> bool:
        """Whether the server takes no new clients any more."""
        return self._shared.draining

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._sessions)

    @property
    def bytes_in_flight(self) -> int:
        """How much of ``Limits.bytes_in_flight`` is reserved."""
        return self._shared.in_flight.held

    async def start(self) -> None:
        """Take connections from now on."""
        self._accept_on()

    def reload_tls(self) -> None:
        """Read the certificate again, for new connections."""
        if self._shared.certificates:
            self._shared.certificates.reload()

    async def drain(self) -> int:
        """Let mails in flight finish and end everything else; returns the number of connections cut off."""
        self._shared.draining = True
        self._accept_off()
        for listener in self._listeners:
            listener.close()
        for session in tuple(self._sessions):
            session.wind_up()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.drain_seconds):
                while tasks := self._under_way():
                    await asyncio.wait(tasks)
        cut_off = len(self._sessions)
        for session in tuple(self._sessions):
            session.cut_off()
        self._shared.shut_down()
        await asyncio.sleep(0)  # for the transports to let go
        return cut_off

    def _under_way(self) -> set[asyncio.Future[None]]:
        return {*self._talking, *self._shared.storing}

    # -- accepting --------------------------------------------------------------------------------------------------

    def _accept_on(self) -> None:
        room = len(self._sessions) < self._limits.max_connections
        if room and not self._accepting and not self.draining:
            self._accepting = True
            for listener in self._listeners:
                asyncio.get_running_loop().add_reader(listener.sock, self._accept, listener)

    def _accept_off(self) -> None:
        if self._accepting:
            self._accepting = False
            for listener in self._listeners:
                asyncio.get_running_loop().remove_reader(listener.sock)

    def _accept(self, listener: BoundListener) -> None:
        if not self._accepting:
            return
        try:
            client, address = listener.sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker was quicker, or the client is gone
        except OSError as error:
            events.surprise("accept", error)  # out of descriptors or memory: let some come back
            self._accept_off()
            asyncio.get_running_loop().call_later(_BREATH, self._accept_on)
            return
        client.settimeout(0)
        self._take(listener, client, address[0] if isinstance(address, tuple) else None)

    def _take(self, listener: BoundListener, client: socket.socket, host: str | None) -> None:
        ip = trust.plain(ip_address(host)) if host else None
        relays = trust.relays_at(self._shared.intake.policy.relays, ip)
        caller = Caller(address=ip, relays=relays, peers=self._shared.peers)
        if not caller.count():
            self._say_busy(client, caller)
            return
        session = SmtpSession(self._shared, caller, lmtp=listener.protocol == "lmtp")
        self._sessions.add(session)
        events.connection_opened()
        if len(self._sessions) >= self._limits.max_connections:
            self._accept_off()
        loop = asyncio.get_running_loop()
        task = loop.create_task(session.run(lambda: loop.connect_accepted_socket(lambda: session, client)))
        self._talking.add(task)
        task.add_done_callback(lambda done: self._end(session, client, done))

    def _end(self, session: SmtpSession, client: socket.socket, task: asyncio.Task[None]) -> None:
        self._talking.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            client.close()  # it was lost before we could begin
            if not isinstance(error, OSError):
                events.surprise("session", error)
        self._ended(session)

    def _ended(self, session: SmtpSession) -> None:
        if session in self._sessions:
            self._sessions.discard(session)
            session.caller.count_off()
            events.connection_closed()
            self._accept_on()

    def _say_busy(self, client: socket.socket, caller: Caller) -> None:
        strangers.count_busy(self._shared, caller)
        with client, suppress(OSError):
            client.send(f"{replies.TOO_MANY_CONNECTIONS}\r\n".encode("ascii"))
            client.shutdown(socket.SHUT_WR)
