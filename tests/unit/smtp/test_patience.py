import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mailgate.smtp.patience import Patience


def in_a_loop(work: Callable[[Patience, asyncio.AbstractEventLoop], Awaitable[None]]) -> None:
    async def run() -> None:
        patience = Patience()
        await work(patience, asyncio.get_running_loop())
        patience.end()

    asyncio.run(run())


def test_what_comes_in_time_is_given() -> None:
    async def work(patience: Patience, loop: asyncio.AbstractEventLoop) -> None:
        for n in range(3):
            awaited: asyncio.Future[int] = loop.create_future()
            loop.call_later(0.01, awaited.set_result, n)
            assert await patience.wait(awaited, patience.until(20)) == n

    in_a_loop(work)


# seconds of the waits that came before, each ended in time; then one that isn't
@pytest.mark.parametrize("before", [(), (20,), (0.05,), (0.05, 20, 0.2), (20, 0.01, 300)])
def test_what_comes_too_late_is_a_timeout_whatever_was_waited_for_before(before: tuple[float, ...]) -> None:
    async def work(patience: Patience, loop: asyncio.AbstractEventLoop) -> None:
        for seconds in before:
            there: asyncio.Future[None] = loop.create_future()
            there.set_result(None)
            await patience.wait(there, patience.until(seconds))
        began = loop.time()
        with pytest.raises(TimeoutError):
            await patience.wait(loop.create_future(), patience.until(0.1))
        assert loop.time() - began >= 0.09
        again: asyncio.Future[str] = loop.create_future()
        loop.call_later(0.2, again.set_result, "later deadlines hold too")
        assert await patience.wait(again, patience.until(20)) == "later deadlines hold too"

    in_a_loop(work)


def test_nobody_is_rung_for_who_does_not_wait() -> None:
    async def work(patience: Patience, loop: asyncio.AbstractEventLoop) -> None:
        awaited: asyncio.Future[None] = loop.create_future()
        awaited.set_result(None)
        await patience.wait(awaited, patience.until(0.01))
        later: asyncio.Future[None] = loop.create_future()
        await asyncio.sleep(0.05)
        assert not later.done()

    in_a_loop(work)
