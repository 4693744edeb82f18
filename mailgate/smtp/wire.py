"""The two directions of one connection: lines and pieces in, replies out, each under a deadline.

Deadlines hold for a whole line or piece of work, not from byte to byte, so a client can't stretch them. Replies are
gathered and written when the client is waited for: a pipelined group (RFC 2920) is answered in one write.

Raises ``TimeoutError`` (too slow to send), ``Hangup`` (the client is gone, or doesn't read), ``LineTooLong``.
Limits: input is held up to about 0.4 MiB, replies up to 64 KiB; past that the client is made to wait.
"""

import asyncio

from mailgate.smtp.replies import Reply

PIECE = 256 * 1024  # octets
_LINES = 64 * 1024
_MAX_UNSENT = 64 * 1024
_LINES_AT_ONCE = 64  # of one client, before others get their turn


class Hangup(Exception):
    """There is nobody to talk to any more."""


class LineTooLong(Exception):
    """A command line passed its limit. The rest of it has not been read."""


class Wire:
    """What the session reads and writes. One reader and one writer at a time."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, max_line: int, write_seconds: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._max_line = max_line
        self._write_seconds = write_seconds
        self._in = bytearray()
        self._out: list[bytes] = []
        self._unsent = 0
        self._turns = 0

    @property
    def pending(self) -> bool:
        """Whether the client has already sent more than was read."""
        return bool(self._in)

    # -- in ---------------------------------------------------------------------------------------------------------

    async def line(self, seconds: float) -> bytes:
        """Read a line with its line end, LF at least. Sends what was said before it waits, or when that is much."""
        searched = 0
        if self._unsent >= _MAX_UNSENT:
            await self.flush()
        async with asyncio.timeout(seconds):
            while (end := self._in.find(b"\n", searched, self._max_line)) < 0:
                if len(self._in) >= self._max_line:
                    raise LineTooLong
                searched = len(self._in)
                self._in += await self._more(_LINES)
            await self._take_turns()
        line = bytes(self._in[: end + 1])
        del self._in[: end + 1]
        return line

    async def piece(self, most: int, seconds: float) -> bytes:
        """Read what is there, 1 to ``most`` octets."""
        if self._in:
            return self.take(most)
        async with asyncio.timeout(seconds):
            return await self._more(most)

    async def peek(self, least: int, seconds: float) -> bytes:
        """Give what is there, at least so many octets, and leave it to be read."""
        async with asyncio.timeout(seconds):
            while len(self._in) < least:
                self._in += await self._more(_LINES)
        return bytes(self._in)

    def take(self, octets: int) -> bytes:
        """Read what ``peek`` showed."""
        taken = bytes(self._in[:octets])
        del self._in[:octets]
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

    async def _more(self, most: int) -> bytes:
        await self.flush()
        try:
            piece = await self._reader.read(most)
        except ConnectionError:
            raise Hangup from None
        self._turns = 0
        if not piece:
            raise Hangup
        return piece

    async def _take_turns(self) -> None:
        self._turns += 1
        if self._turns >= _LINES_AT_ONCE:
            self._turns = 0
            await asyncio.sleep(0)

    # -- out --------------------------------------------------------------------------------------------------------

    def say(self, *said: Reply | str) -> None:
        """Say lines of a reply. They leave at the next ``flush``, which every wait for the client begins with."""
        for line in said:
            data = f"{line}\r\n".encode("ascii", "replace")
            self._out.append(data)
            self._unsent += len(data)

    def send(self) -> None:
        """Hand over to the transport what was said, without waiting."""
        if self._out:
            self._writer.write(b"".join(self._out))
            self._out.clear()
            self._unsent = 0

    async def flush(self) -> None:
        """Send what was said, and wait while the client is behind with reading."""
        self.send()
        try:
            async with asyncio.timeout(self._write_seconds):
                await self._writer.drain()
        except TimeoutError:
            self._writer.transport.abort()
            raise Hangup from None
        except ConnectionError:
            raise Hangup from None
