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
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def abort(self) -> None:
        self.closed = True


def on_a_wire(work: Callable[[Wire, Outlet], Awaitable[None]], *, write_seconds: float = 5) -> None:
    async def run() -> None:
        wire, outlet = Wire(max_line=100, write_seconds=write_seconds), Outlet()
        wire.connected(outlet)
        await work(wire, outlet)
        wire.lose()

    asyncio.run(run())


def test_lines_come_one_by_one_and_replies_leave_together() -> None:
    async def work(wire: Wire, outlet: Outlet) -> None:
        wire.feed(b"NOOP\r\nRSET\r\nQU")
        assert await wire.line(5) == b"NOOP\r\n"
        wire.say(OK)
        assert await wire.line(5) == b"RSET\r\n"
        wire.say(OK, "250 more")
        assert outlet.writes == []
        asyncio.get_running_loop().call_later(0.01, wire.feed, b"IT\n")
        assert await wire.line(5) == b"QUIT\n"
        assert outlet.writes == [b"250 2.0.0 OK\r\n250 2.0.0 OK\r\n250 more\r\n"]
        wire.say(BYE)
        await wire.flush()
        assert outlet.writes[1:] == [b"221 2.0.0 Bye\r\n"]

    on_a_wire(work)


def test_a_line_that_comes_octet_by_octet_is_the_same() -> None:
    async def work(wire: Wire, _outlet: Outlet) -> None:
        async def drip() -> None:
            for octet in b"NOOP\r\nQUIT\r\n":
                wire.feed(bytes([octet]))
                await asyncio.sleep(0)

        dripping = asyncio.create_task(drip())
        assert [await wire.line(5), await wire.line(5)] == [b"NOOP\r\n", b"QUIT\r\n"]
        await dripping

    on_a_wire(work)


def test_replies_leave_when_they_are_many() -> None:
    async def work(wire: Wire, outlet: Outlet) -> None:
        wire.feed(b"NOOP\r\n" * 10_000)
        for _ in range(10_000):
            await wire.line(5)
            wire.say("250 " + "x" * 96)
        assert 64 * 1024 <= max(map(len, outlet.writes)) <= 65 * 1024
        assert len(outlet.writes) == 1_020_000 // (64 * 1024)

    on_a_wire(work)


def test_a_line_has_one_deadline_however_it_drips() -> None:
    async def work(wire: Wire, _outlet: Outlet) -> None:
        async def drip() -> None:
            while True:
                wire.feed(b"x")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        with pytest.raises(TimeoutError):
            await wire.line(0.2)
        dripping.cancel()

    on_a_wire(work)


@pytest.mark.parametrize("sent", [b"x" * 100, b"x" * 99 + b"\r\n", b"x" * 10_000_000])
def test_a_line_past_the_limit_is_refused(sent: bytes) -> None:
    async def work(wire: Wire, _outlet: Outlet) -> None:
        wire.feed(sent)
        with pytest.raises(LineTooLong):
            await wire.line(5)

    on_a_wire(work)


def test_a_client_that_sends_more_than_is_read_is_made_to_wait() -> None:
    async def work(wire: Wire, outlet: Outlet) -> None:
        sent = read = 0
        paused = 0
        while read < 10_000_000:
            while outlet.reading:
                wire.feed(b"x" * 100_000)
                sent += 100_000
            paused += 1
            assert sent - read <= 400_000
            read += len(await wire.piece(150_000, 5))
        assert paused > 50

    on_a_wire(work)


def test_a_client_that_does_not_read_is_waited_for_and_then_cut_off() -> None:
    async def work(wire: Wire, outlet: Outlet) -> None:
        wire.fall_behind(behind=True)
        asyncio.get_running_loop().call_later(0.01, lambda: wire.fall_behind(behind=False))
        wire.say(OK)
        await wire.flush()
        wire.fall_behind(behind=True)
        assert not outlet.closed
        with pytest.raises(Hangup):
            await wire.flush()
        assert outlet.closed

    on_a_wire(work, write_seconds=0.2)


def test_a_line_of_the_limit_is_fine() -> None:
    async def work(wire: Wire, _outlet: Outlet) -> None:
        wire.feed(b"x" * 98 + b"\r\n")
        assert len(await wire.line(5)) == 100

    on_a_wire(work)


def test_what_is_put_back_is_read_first() -> None:
    async def work(wire: Wire, _outlet: Outlet) -> None:
        wire.feed(b"mail QUI")
        assert await wire.piece(5, 5) == b"mail "
        assert await wire.piece(3, 5) == b"QUI"
        pending = [wire.pending]
        wire.put_back(b"QUI")
        pending.append(wire.pending)
        wire.feed(b"T\r\nNOOP\r\n")
        assert await wire.line(5) == b"QUIT\r\n"
        pending.append(wire.pending)
        wire.forget()
        assert [*pending, wire.pending] == [False, True, True, False]

    on_a_wire(work)


def test_what_is_put_back_stands_before_what_was_not_yet_read() -> None:
    async def work(wire: Wire, _outlet: Outlet) -> None:
        wire.feed(b"DATA\r\nabcdef")
        assert await wire.line(5) == b"DATA\r\n"
        assert await wire.piece(3, 5) == b"abc"
        wire.put_back(b"bc")
        assert await wire.piece(9, 5) == b"bcdef"

    on_a_wire(work)


def test_the_end_of_the_stream_is_a_hangup() -> None:
    async def work(wire: Wire, _outlet: Outlet) -> None:
        wire.feed(b"NOO")
        wire.feed_eof()
        with pytest.raises(Hangup):
            await wire.line(5)

    on_a_wire(work)


def test_a_lost_connection_is_a_hangup() -> None:
    async def work(wire: Wire, _outlet: Outlet) -> None:
        asyncio.get_running_loop().call_later(0.01, wire.lose)
        with pytest.raises(Hangup):
            await wire.piece(5, 5)

    on_a_wire(work)


def test_a_client_that_sends_much_at_once_does_not_keep_the_others_waiting() -> None:
    async def work(wire: Wire, _outlet: Outlet) -> None:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        waiting = asyncio.create_task(other())
        wire.feed(b"NOOP\r\n" * 1000)
        for _ in range(1000):
            await wire.line(5)
        waiting.cancel()
        assert turns >= 10

    on_a_wire(work)
