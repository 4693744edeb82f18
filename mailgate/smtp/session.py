"""The protocol object of one connection: aiosmtpd's, with a command loop of our own (``dialogue``).

aiosmtpd gives the plumbing and STARTTLS. Its loop is not used: it answers a bug of ours with a permanent error and
its text, reads mails line by line, refuses long lines, takes BDAT chunks for commands, says one thing to all recipients
of LMTP, cuts a commit short when the client is lost, and has one deadline for everything.

Limits: depends on private names of aiosmtpd 1.4 (``_handle_client``, ``_reset_timeout``, ``_original_transport``);
the dialogue tests would show another version's changes.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from aiosmtpd.smtp import SMTP, TLSSetupException

from mailgate import events
from mailgate.smtp import proxy, replies, strangers, tls
from mailgate.smtp.caller import Caller
from mailgate.smtp.dialogue import Dialogue
from mailgate.smtp.shared import Shared
from mailgate.smtp.wire import Hangup, Wire


class SmtpSession(SMTP):
    """Speaks as soon as it is connected; ``on_end`` is called once, when the connection is gone."""

    line_length_limit = 64 * 1024  # of the stream reader, which stops reading at twice this; the wire has its own

    def __init__(self, shared: Shared, caller: Caller, on_end: Callable[["SmtpSession"], None], *, lmtp: bool) -> None:
        self._shared = shared
        self.caller = caller
        self._on_end = on_end
        self._lmtp = lmtp
        self._wire: Wire | None = None
        self._dialogue: Dialogue | None = None
        self._closing = False
        self._lost = asyncio.Event()
        super().__init__(
            None,
            hostname=shared.hostname,
            tls_context=shared.certificates.context if shared.certificates else None,
            loop=asyncio.get_running_loop(),
        )

    def wind_up(self) -> None:
        """Say goodbye if nothing is under way; else the dialogue does so once its mail is done.

        A client that has just come is let begin its first mail; it is looked at again when that time is over.
        """
        if seconds := self._settling_seconds():
            asyncio.get_running_loop().call_later(seconds, self.wind_up)
            return
        idle = self._dialogue.idle if self._dialogue else not self.caller.relays
        if self._wire and self.transport and idle:
            self._wire.say(replies.SHUTTING_DOWN)
            self._wire.send()
            self.transport.close()

    def _settling_seconds(self) -> float:
        if self._dialogue:
            return self._dialogue.settling_seconds()
        begins = bool(self.caller.relays) and not self._closing and not self._lost.is_set()
        return self._shared.limits.fresh_seconds if begins else 0.0

    def cut_off(self) -> None:
        """End it now."""
        for transport in (self.transport, self._original_transport):
            if isinstance(transport, asyncio.Transport):
                transport.abort()

    def task(self) -> "asyncio.Task[None] | None":
        """Give what ends when the connection does; ``None`` before it is connected."""
        return self._handler_coroutine

    # -- the library's hooks ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to speak; called a second time by the library when TLS begins."""
        begun = self._handler_coroutine is not None
        super().connection_made(transport)
        if not begun and self._handler_coroutine is not None:
            self._handler_coroutine.add_done_callback(lambda _: self._on_end(self))

    async def _handle_client(self) -> None:
        limits = self._shared.limits
        self._wire = Wire(self._reader, self._writer, max_line=limits.max_line, write_seconds=limits.write_seconds)
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
        if self.transport:
            self.transport.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._shared.limits.close_seconds):
                await self._lost.wait()
        if not self._lost.is_set():
            self.cut_off()  # a client that doesn't read would hold its connection for ever

    async def _start_tls(self) -> frozenset[str]:
        why = ""
        try:
            await self.smtp_STARTTLS("")
        except TLSSetupException as failed:
            why = str(getattr(failed.__cause__, "reason", "") or "")
        if self.session is None or self.session.ssl is None:
            events.protocol_trouble(relay=self.caller.relay_name, what=f"TLS handshake failed {why}".strip())
            # a handshake that fails never tells us that the connection is lost
            self.cut_off()
            self._lost.set()
            raise Hangup
        return tls.names_shown(self.session.ssl["ssl_object"])

    async def push(self, status: str | bytes) -> None:
        """Send the library's reply to STARTTLS. Without waiting: what is read after it must be TLS."""
        text = status.decode("ascii") if isinstance(status, bytes) else status
        if self._wire:
            self._wire.say(text.replace("220 ", "220 2.0.0 ", 1))
            self._wire.send()

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Do nothing: deadlines are the wire's."""

    def eof_received(self) -> bool:
        """Let the dialogue find the end: a half-closed client still gets its answer."""
        self._reader.feed_eof()
        return self._tls_protocol is None

    def connection_lost(self, error: Exception | None) -> None:
        """Stop the dialogue. What is being stored goes on."""
        if self._original_transport is not None:
            self._original_transport.close()
        asyncio.StreamReaderProtocol.connection_lost(self, error)
        self._lost.set()
        self.transport = None
        if self._handler_coroutine is not None and not self._closing:
            self._handler_coroutine.cancel()
