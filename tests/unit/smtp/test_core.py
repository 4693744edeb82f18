import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from mailgate import events
from mailgate.smtp.core import Core

SOON = 20.0  # seconds that anything here may take at most


def in_a_loop(work: Callable[[Core], Awaitable[None]], most: int = 8) -> None:
    async def run() -> None:
        core = Core(most)
        try:
            async with asyncio.timeout(SOON):
                await work(core)
        finally:
            core.close()

    asyncio.run(run())


def done_by(core: Core, job: Callable[[], object]) -> "asyncio.Future[object]":
    """Have a job run; gives what it says."""
    found: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def work() -> None:
        said = job()
        core.give_back(lambda: found.set_result(said))

    core.submit(work)
    return found


async def until(what: Callable[[], bool]) -> None:
    while not what():  # noqa: ASYNC110 - a thread's doing, which sets no event
        await asyncio.sleep(0.01)


def test_all_is_done_by_one_thread_in_the_order_it_came() -> None:
    order: list[int] = []

    async def work(core: Core) -> None:
        def job(n: int) -> int:
            order.append(n)
            return threading.get_ident()

        threads = await asyncio.gather(*(done_by(core, partial(job, n)) for n in range(200)))
        assert set(threads) == {threads[0]} != {threading.get_ident()}
        assert order == list(range(200))

    in_a_loop(work)


def test_who_is_stuck_holds_up_nobody() -> None:
    go_on = threading.Event()

    async def work(core: Core) -> None:
        stuck = [done_by(core, lambda: go_on.wait(SOON)) for _ in range(3)]
        assert await done_by(core, lambda: "quick") == "quick"
        assert not any(task.done() for task in stuck)
        go_on.set()
        assert await asyncio.gather(*stuck) == [True] * 3

    in_a_loop(work)


def test_threads_that_were_stuck_end_when_others_were_started() -> None:
    go_on = threading.Event()

    async def work(core: Core) -> None:
        stuck = [done_by(core, lambda: go_on.wait(SOON)) for _ in range(3)]
        await done_by(core, lambda: None)
        assert core._threads == 4
        go_on.set()
        await asyncio.gather(*stuck)
        await until(lambda: core._threads == 1)
        assert len({await done_by(core, threading.get_ident) for _ in range(50)}) == 1

    in_a_loop(work)


def test_there_are_no_more_threads_than_allowed() -> None:
    go_on = threading.Event()

    async def work(core: Core) -> None:
        stuck = [done_by(core, lambda: go_on.wait(SOON)) for _ in range(5)]
        await until(lambda: core._threads == 2)
        await asyncio.sleep(0.4)
        assert core._threads == 2
        go_on.set()
        await asyncio.gather(*stuck)

    in_a_loop(work, most=2)


def broken() -> None:
    raise ZeroDivisionError


def test_a_fault_of_one_job_is_no_other_jobs_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(events, "surprise", lambda where, error: told.append(f"{where}: {type(error).__name__}"))

    async def work(core: Core) -> None:
        core.submit(broken)
        core.submit(lambda: core.give_back(broken))
        assert await done_by(core, lambda: "done") == "done"

    in_a_loop(work)
    assert sorted(told) == ["core: ZeroDivisionError", "session: ZeroDivisionError"]


def test_nothing_is_begun_after_the_end() -> None:
    begun: list[str] = []

    async def work(core: Core) -> None:
        await done_by(core, lambda: None)
        core.close()
        core.submit(lambda: begun.append("late"))
        await asyncio.sleep(0.05)

    in_a_loop(work)
    assert begun == []


def test_what_comes_back_when_the_loop_has_ended_is_dropped() -> None:
    cores: list[Core] = []

    async def work(core: Core) -> None:
        await done_by(core, lambda: None)
        cores.append(core)

    in_a_loop(work)
    cores[0].give_back(lambda: pytest.fail("nobody is there"))
