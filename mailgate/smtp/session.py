"""One connection: what the event loop tells it, its task, and STARTTLS.

The task speaks (``dialogue``) from the moment that the connection is there, and ends with it. TLS is asyncio's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

from mailgate import events
from mailgate.smtp import proxy, replies, strangers, tls
from mailgate.smtp.caller import Caller
from mailgate.smtp.dialogue import Dialogue
from mailgate.smtp.shared import Shared
from mailgate.smtp.wire import Hangup, Wire


class SmtpSession(asyncio.Protocol):
    """Made inside the event loop. ``run`` is its task; ``wind_up`` and ``cut_off`` are for the server."""

    def __init__(self, shared: Shared, caller: Caller, *, lmtp: bool) -> None:
        self._shared = shared
        self.caller = caller
        self._lmtp = lmtp
        self._tls_context = shared.certificates.context if shared.certificates else None  # also after a new one came
        self._wire = Wire(max_line=shared.limits.max_line, write_seconds=shared.limits.write_seconds)
        self._dialogue: Dialogue | None = None
        self._transport: asyncio.Transport | None = None
        self._plain: asyncio.Transport | None = None  # the one below TLS
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._lost = asyncio.Event()

    async def run(self, connect: Callable[[], Awaitable[object]]) -> None:
        """Connect, which calls ``connection_made``; speak until one side ends it, and let go of the connection."""
        self._task = asyncio.current_task()
        await connect()
        try:
            await self._speak(self._wire)
        except Hangup:
            pass
        except Exception as bug:  # noqa: BLE001 - one connection's fault never harms another
            events.surprise("session", bug)
        finally:
            if self._dialogue:
                self._dialogue.end()
            await self._close()

    def wind_up(self) -> None:
        """Say goodbye if nothing is under way; else the dialogue does so once its mail is done.

        A client that has just come is let begin its first mail; it is looked at again when that time is over.
        """
        if seconds := self._settling_seconds():
            asyncio.get_running_loop().call_later(seconds, self.wind_up)
            return
        idle = self._dialogue.idle if self._dialogue else not self.caller.relays
        if self._transport and idle:
            self._wire.say(replies.SHUTTING_DOWN)
            self._wire.send()
            self._transport.close()

    def _settling_seconds(self) -> float:
        if self._dialogue:
            return self._dialogue.settling_seconds()
        begins = bool(self.caller.relays) and not self._closing and not self._lost.is_set()
        return self._shared.limits.fresh_seconds if begins else 0.0

    def cut_off(self) -> None:
        """End it now."""
        for transport in (self._transport, self._plain):
            if transport is not None:
                transport.abort()

    # -- what the event loop tells --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read and write."""
        self._transport = cast("asyncio.Transport", transport)
        self._wire.connected(self._transport)

    def data_received(self, data: bytes) -> None:
        """Something came."""
        self._wire.feed(data)

    def eof_received(self) -> bool:
        """Let the dialogue find the end: a half-closed client still gets its answer."""
        self._wire.feed_eof()
        return self._plain is None

    def pause_writing(self) -> None:
        """The client doesn't read as fast as we write."""
        self._wire.fall_behind(behind=True)

    def resume_writing(self) -> None:
        """It has caught up."""
        self._wire.fall_behind(behind=False)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - why doesn't matter
        """Stop the dialogue. What is being stored goes on."""
        self._wire.lose()
        self._lost.set()
        if self._plain is not None:
            self._plain.close()
        if self._task is not None and not self._closing:
            self._task.cancel()

    # -- the dialogue -----------------------------------------------------------------------------------------------

    async def _speak(self, wire: Wire) -> None:
        if not self.caller.relays:
            await strangers.turn_away(self._shared, wire, self.caller.name)
            return
        no = await self._hear_proxy(wire) if self.caller.is_proxy else None
        if no:
            wire.say(no)
            await wire.flush()
            return
        self._dialogue = Dialogue(self._shared, self.caller, wire, self._start_tls, lmtp=self._lmtp)
        await self._dialogue.run()

    async def _hear_proxy(self, wire: Wire) -> replies.Reply | None:
        """Let a registered proxy hand over its client's address before we greet; say why that ends it, if it does."""
        limits = self._shared.limits
        try:
            told = await proxy.read_header(wire, limits.proxy_seconds, limits.proxy_header_seconds)
        except proxy.Broken:
            events.protocol_trouble(relay=self.caller.relay_name, what=str(replies.BROKEN_PROXY))
            return replies.BROKEN_PROXY
        if told and not self.caller.hand_over(told.address):
            strangers.count_busy(self._shared, self.caller)
            return replies.TOO_MANY_CONNECTIONS
        return None

    async def _close(self) -> None:
        self._closing = True
        if self._transport:
            self._transport.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._shared.limits.close_seconds):
                await self._lost.wait()
        if not self._lost.is_set():
            self.cut_off()  # a client that doesn't read would hold its connection for ever

    async def _start_tls(self) -> frozenset[str]:
        """Shake hands; gives the names of the client's certificate. ``Hangup`` where that fails."""
        context, plain = self._tls_context, self._transport
        if context is None or plain is None:
            raise Hangup
        self._wire.say(replies.READY_FOR_TLS)
        self._wire.send()  # without waiting: what is read from now on must be TLS
        try:
            secured = await asyncio.get_running_loop().start_tls(plain, self, context, server_side=True)
        except OSError as failed:  # ssl.SSLError, a lost connection and a time-out are some
            why = str(getattr(failed, "reason", "") or "")
            events.protocol_trouble(relay=self.caller.relay_name, what=f"TLS handshake failed {why}".strip())
            # a handshake that fails never tells us that the connection is lost
            plain.abort()
            self._lost.set()
            raise Hangup from None
        if secured is None:
            raise Hangup
        self._plain = plain
        self.connection_made(secured)
        return tls.names_shown(secured.get_extra_info("ssl_object"))
