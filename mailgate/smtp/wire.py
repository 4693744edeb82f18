"""The two directions of one connection: lines and pieces in, replies out, each under a deadline.

Deadlines hold for a whole line or piece of work, not from byte to byte, so a client can't stretch them. Replies are
gathered and written when the client is waited for: a pipelined group (RFC 2920) is answered in one write.

Raises ``TimeoutError`` (too slow to send), ``Hangup`` (the client is gone, or doesn't read), ``LineTooLong``.
Limits: input is held up to about half a MiB, replies up to 64 KiB; past that the client is made to wait. One coroutine
reads and writes; ``feed`` and its neighbours are for the event loop's protocol that stands behind it.
"""

import asyncio

from mailgate.smtp.patience import Patience
from mailgate.smtp.replies import Reply

PIECE = 256 * 1024  # octets
_MAX_HELD = 256 * 1024  # octets, and what the system gives at once: then the client is made to wait
_MAX_UNSENT = 64 * 1024
_LINES_AT_ONCE = 64  # of one client, before others get their turn


class Hangup(Exception):
    """There is nobody to talk to any more."""


class LineTooLong(Exception):
    """A command line passed its limit. The rest of it has not been read."""


class Wire:
    """What the session reads and writes. Made inside the event loop, and ``connected`` before it is used."""

    def __init__(self, *, max_line: int, write_seconds: float) -> None:
        self.patience = Patience()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._max_line = max_line
        self._write_seconds = write_seconds
        self._in = bytearray()
        self._out: list[bytes] = []
        self._unsent = 0
        self._turns = 0
        self._reader: asyncio.Future[None] | None = None  # who waits for more
        self._writer: asyncio.Future[None] | None = None  # who waits until there is room for more
        self._ended = False  # nothing more will come
        self._lost = False
        self._behind = False  # the client doesn't read as fast as we write
        self._held_up = False  # we don't read as fast as the client writes

    @property
    def pending(self) -> bool:
        """Whether the client has already sent more than was read."""
        return bool(self._in)

    # -- the event loop's side --------------------------------------------------------------------------------------

    def connected(self, transport: asyncio.Transport) -> None:
        """Write to this from now on; TLS brings another one."""
        self._transport = transport
        self._held_up = False

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._in += data
        if len(self._in) > _MAX_HELD and not self._held_up and self._transport is not None:
            self._held_up = True
            self._transport.pause_reading()
        _wake(self._reader)

    def feed_eof(self) -> None:
        """The client sends nothing more. It may still read."""
        self._ended = True
        _wake(self._reader)

    def lose(self) -> None:
        """The connection is gone."""
        self._ended = self._lost = True
        self.patience.end()
        _wake(self._reader)
        _wake(self._writer)

    def fall_behind(self, *, behind: bool) -> None:
        """The client is behind with reading, or has caught up."""
        self._behind = behind
        if not behind:
            _wake(self._writer)

    # -- in ---------------------------------------------------------------------------------------------------------

    async def line(self, seconds: float) -> bytes:
        """Read a line with its line end, LF at least. Sends what was said before it waits, or when that is much."""
        searched = 0
        if self._unsent >= _MAX_UNSENT:
            await self.flush()
        until = 0.0
        while (end := self._in.find(b"\n", searched, self._max_line)) < 0:
            if len(self._in) >= self._max_line:
                raise LineTooLong
            searched = len(self._in)
            until = until or self.patience.until(seconds)
            await self._more(until)
        self._turns += 1
        if self._turns >= _LINES_AT_ONCE:
            self._turns = 0
            await asyncio.sleep(0)
        return self.take(end + 1)

    async def piece(self, most: int, seconds: float) -> bytes:
        """Read what is there, 1 to ``most`` octets."""
        if not self._in:
            await self._more(self.patience.until(seconds))
        return self.take(most)

    async def peek(self, least: int, seconds: float) -> bytes:
        """Give what is there, at least so many octets, and leave it to be read."""
        until = self.patience.until(seconds)
        while len(self._in) < least:
            await self._more(until)
        return bytes(self._in)

    def take(self, octets: int) -> bytes:
        """Read what is there, so many octets at most."""
        if octets >= len(self._in):
            taken = bytes(self._in)
            self._in.clear()
        else:
            with memoryview(self._in) as held:
                taken = bytes(held[:octets])
            del self._in[:octets]
        if self._held_up and len(self._in) <= _MAX_HELD and self._transport is not None:
            self._held_up = False
            self._transport.resume_reading()
        return taken

    def goes_on_with(self, data: bytes) -> bool:
        """Say whether the client has already sent this, next."""
        return self._in.startswith(data)

    def put_back(self, rest: bytes) -> None:
        """Give back what was read beyond the end of a mail; it is read again first."""
        self._in[:0] = rest

    def forget(self) -> None:
        """Drop what the client sent ahead: it was not sent under the TLS that follows (RFC 3207 section 4.2)."""
        self._in.clear()

    async def _more(self, until: float) -> None:
        """Wait until there is more than now."""
        await self.flush()
        if self._ended:
            raise Hangup
        self._turns = 0
        there = len(self._in)
        self._reader = self._loop.create_future()
        await self.patience.wait(self._reader, until)
        if len(self._in) == there:
            raise Hangup

    # -- out --------------------------------------------------------------------------------------------------------

    def say(self, *said: Reply | str) -> None:
        """Say lines of a reply. They leave at the next ``flush``, which every wait for the client begins with."""
        for line in said:
            data = f"{line}\r\n".encode("ascii", "replace")
            self._out.append(data)
            self._unsent += len(data)

    def send(self) -> None:
        """Hand over to the transport what was said, without waiting."""
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
            self._out.clear()
            self._unsent = 0

    async def flush(self) -> None:
        """Send what was said, and wait while the client is behind with reading."""
        if self._lost:
            raise Hangup
        self.send()
        if self._behind:
            await self._catch_up()

    async def _catch_up(self) -> None:
        self._writer = self._loop.create_future()
        try:
            await self.patience.wait(self._writer, self.patience.until(self._write_seconds))
        except TimeoutError:
            if self._transport is not None:
                self._transport.abort()
            raise Hangup from None
        if self._lost:
            raise Hangup


def _wake(waiting: "asyncio.Future[None] | None") -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
