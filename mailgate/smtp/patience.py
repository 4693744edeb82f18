"""The deadlines of one connection: one at a time, each set at the cost of an assignment.

A dialogue waits for one thing after the other, each with a deadline, and nearly all come in time. ``asyncio.timeout``
arms a timer for each wait and takes it back; this arms one for many: a timer that rings early looks when the deadline
of the present wait is, and is armed again for that.

Raises ``TimeoutError`` from ``wait``. Limits: one waits at a time; ``end`` it with the connection.
"""

import asyncio
from typing import TypeVar

T = TypeVar("T")


class Patience:
    """Made inside the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._until = 0.0
        self._awaited: asyncio.Future[object] | None = None

    def until(self, seconds: float) -> float:
        """Tell the moment, in the loop's time, that is so many seconds away."""
        return self._loop.time() + seconds

    async def wait(self, awaited: "asyncio.Future[T]", until: float) -> T:
        """Wait for a future of one's own until a moment; at that moment it gets ``TimeoutError``."""
        self._until = until
        self._awaited = awaited  # type: ignore[assignment]  # Future is invariant, and only an exception is set here
        if self._timer is None or self._timer.when() > until:
            self._arm()
        try:
            return await awaited
        finally:
            self._awaited = None

    def end(self) -> None:
        """Ring no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self.end()
        self._timer = self._loop.call_at(self._until, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._awaited is None:
            return
        if self._loop.time() < self._until:
            self._arm()
        elif not self._awaited.done():
            self._awaited.set_exception(TimeoutError())
