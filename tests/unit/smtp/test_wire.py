import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mailgate.smtp.replies import BYE, OK
from mailgate.smtp.wire import Hangup, LineTooLong, Wire


class Outlet(asyncio.Transport):
    """Where the wire writes to: remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def on_a_wire(
    work: Callable[[Wire, asyncio.StreamReader, Outlet], Awaitable[None]], *, write_seconds: float = 5
) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        outlet = Outlet()
        protocol.connection_made(outlet)
        writer = asyncio.StreamWriter(outlet, protocol, reader, loop)
        await work(Wire(reader, writer, max_line=100, write_seconds=write_seconds), reader, outlet)
        writer.close()

    asyncio.run(run())


def test_lines_come_one_by_one_and_replies_leave_together() -> None:
    async def work(wire: Wire, reader: asyncio.StreamReader, outlet: Outlet) -> None:
        reader.feed_data(b"NOOP\r\nRSET\r\nQU")
        assert await wire.line(5) == b"NOOP\r\n"
        wire.say(OK)
        assert await wire.line(5) == b"RSET\r\n"
        wire.say(OK, "250 more")
        assert outlet.writes == []
        asyncio.get_running_loop().call_later(0.01, reader.feed_data, b"IT\n")
        assert await wire.line(5) == b"QUIT\n"
        assert outlet.writes == [b"250 2.0.0 OK\r\n250 2.0.0 OK\r\n250 more\r\n"]
        wire.say(BYE)
        await wire.flush()
        assert outlet.writes[1:] == [b"221 2.0.0 Bye\r\n"]

    on_a_wire(work)


def test_a_line_that_comes_octet_by_octet_is_the_same() -> None:
    async def work(wire: Wire, reader: asyncio.StreamReader, _outlet: Outlet) -> None:
        async def drip() -> None:
            for octet in b"NOOP\r\nQUIT\r\n":
                reader.feed_data(bytes([octet]))
                await asyncio.sleep(0)

        dripping = asyncio.create_task(drip())
        assert [await wire.line(5), await wire.line(5)] == [b"NOOP\r\n", b"QUIT\r\n"]
        await dripping

    on_a_wire(work)


def test_replies_leave_when_they_are_many() -> None:
    async def work(wire: Wire, reader: asyncio.StreamReader, outlet: Outlet) -> None:
        reader.feed_data(b"NOOP\r\n" * 10_000)
        for _ in range(10_000):
            await wire.line(5)
            wire.say("250 " + "x" * 96)
        assert 64 * 1024 <= max(map(len, outlet.writes)) <= 65 * 1024
        assert len(outlet.writes) == 1_020_000 // (64 * 1024)

    on_a_wire(work)


def test_a_line_has_one_deadline_however_it_drips() -> None:
    async def work(wire: Wire, reader: asyncio.StreamReader, _outlet: Outlet) -> None:
        async def drip() -> None:
            while True:
                reader.feed_data(b"x")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        with pytest.raises(TimeoutError):
            await wire.line(0.2)
        dripping.cancel()

    on_a_wire(work)


@pytest.mark.parametrize("sent", [b"x" * 100, b"x" * 99 + b"\r\n", b"x" * 10_000_000])
def test_a_line_past_the_limit_is_not_gathered(sent: bytes) -> None:
    async def work(wire: Wire, reader: asyncio.StreamReader, _outlet: Outlet) -> None:
        reader.feed_data(sent)
        with pytest.raises(LineTooLong):
            await wire.line(5)
        assert len(wire._in) <= 64 * 1024

    on_a_wire(work)


def test_a_line_of_the_limit_is_fine() -> None:
    async def work(wire: Wire, reader: asyncio.StreamReader, _outlet: Outlet) -> None:
        reader.feed_data(b"x" * 98 + b"\r\n")
        assert len(await wire.line(5)) == 100

    on_a_wire(work)


def test_what_is_put_back_is_read_first() -> None:
    async def work(wire: Wire, reader: asyncio.StreamReader, _outlet: Outlet) -> None:
        reader.feed_data(b"mail QUIT\r\nNOOP\r\n")
        assert await wire.piece(5, 5) == b"mail "
        assert await wire.piece(3, 5) == b"QUI"
        pending = [wire.pending]
        wire.put_back(b"QUI")
        pending.append(wire.pending)
        assert await wire.line(5) == b"QUIT\r\n"
        pending.append(wire.pending)
        wire.forget()
        assert [*pending, wire.pending] == [False, True, True, False]

    on_a_wire(work)


def test_what_is_put_back_stands_before_what_was_not_yet_read() -> None:
    async def work(wire: Wire, reader: asyncio.StreamReader, _outlet: Outlet) -> None:
        reader.feed_data(b"DATA\r\nabcdef")
        assert await wire.line(5) == b"DATA\r\n"
        assert await wire.piece(3, 5) == b"abc"
        wire.put_back(b"bc")
        assert await wire.piece(9, 5) == b"bcdef"

    on_a_wire(work)


def test_the_end_of_the_stream_is_a_hangup() -> None:
    async def work(wire: Wire, reader: asyncio.StreamReader, _outlet: Outlet) -> None:
        reader.feed_data(b"NOO")
        reader.feed_eof()
        with pytest.raises(Hangup):
            await wire.line(5)

    on_a_wire(work)


def test_a_lost_connection_is_a_hangup() -> None:
    async def work(wire: Wire, reader: asyncio.StreamReader, _outlet: Outlet) -> None:
        reader.set_exception(ConnectionResetError())
        with pytest.raises(Hangup):
            await wire.piece(5, 5)

    on_a_wire(work)


def test_a_client_that_sends_much_at_once_does_not_keep_the_others_waiting() -> None:
    async def work(wire: Wire, reader: asyncio.StreamReader, _outlet: Outlet) -> None:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        waiting = asyncio.create_task(other())
        reader.feed_data(b"NOOP\r\n" * 1000)
        for _ in range(1000):
            await wire.line(5)
        waiting.cancel()
        assert turns >= 10

    on_a_wire(work)
