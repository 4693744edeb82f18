"""Runs what may block, off the event loop: one thing at a time, in one thread, as long as that comes along.

Judging a mail is Python from end to end. More threads do it no faster, they fight for the interpreter's lock: with 32 a
mail took three times the processor's time that it takes with one. But any of them may get stuck, in a store that
doesn't answer or with a mail that is read by another process. So whoever has been at one thing for ``RELIEF`` seconds
while others wait gets a thread started beside, up to ``most``; and ends once that thing is done.

What comes back to the event loop comes in heaps: it is woken once for all that is there by then.

Limits: made inside the event loop, or before it runs; ``close`` ends idle threads, and what was begun goes on. The
threads are daemons: what is stuck at the end of the process ends with it.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

from mailgate import events

RELIEF = 0.1  # seconds

Job = Callable[[], None]


class Core:
    """``most`` threads. ``submit`` and ``close`` are for the event loop, ``give_back`` for any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._since: dict[int, float] = {}  # thread -> when it began what it does now
        self._threads = 0
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._back: deque[Job] = deque()
        self._woken = False
        self._closed = False

    def submit(self, job: Job) -> None:
        """Run a job that raises nothing; never, where ``close`` was called."""
        if self._closed:
            return
        if self._watch is None:
            self._loop = asyncio.get_running_loop()
            self._watch = self._loop.call_later(RELIEF, self._relieve)
        self._jobs.put(job)
        if not self._threads:
            self._start()

    def give_back(self, job: Job) -> None:
        """Have something done in the event loop, soon; nothing, where that has ended."""
        self._back.append(job)
        with self._lock:
            if self._woken or self._loop is None:
                return
            self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._take_back)
        except RuntimeError:  # the loop is closed: whoever waited is gone
            self._back.clear()

    def close(self) -> None:
        """Begin nothing any more."""
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        for _ in range(self._threads):
            self._jobs.put(None)

    # -- in the event loop ------------------------------------------------------------------------------------------

    def _take_back(self) -> None:
        with self._lock:
            self._woken = False
        for _ in range(len(self._back)):
            _do(self._back.popleft(), "session")

    def _relieve(self) -> None:
        """Start a thread where all that there are have been at the same thing for long, and something waits."""
        self._watch = None
        if self._closed or (self._jobs.empty() and not self._since):
            return
        late = time.monotonic() - RELIEF
        stuck = [since for since in tuple(self._since.values()) if since <= late]
        if len(stuck) >= self._threads and not self._jobs.empty() and self._threads < self._most:
            self._start()
        if self._loop is not None:
            self._watch = self._loop.call_later(RELIEF, self._relieve)

    def _start(self) -> None:
        try:
            threading.Thread(target=self._work, name="core", daemon=True).start()
        except RuntimeError as error:  # none can be had: those that are there will come to it, or the next try
            events.surprise("core", error)
        else:
            self._count(1)

    def _count(self, more: int) -> int:
        with self._lock:
            self._threads += more
            return self._threads

    # -- in its threads ---------------------------------------------------------------------------------------------

    def _work(self) -> None:
        this = threading.get_ident()
        while (job := self._jobs.get()) is not None and not self._closed:
            self._since[this] = began = time.monotonic()
            _do(job, "core")
            del self._since[this]
            if time.monotonic() - began > RELIEF and self._leave():
                return

    def _leave(self) -> bool:
        """Leave where another was started instead."""
        if self._count(-1) > 0:
            return True
        self._count(1)
        return False


def _do(job: Job, where: str) -> None:
    try:
        job()
    except Exception as bug:  # noqa: BLE001 - a job's fault must not end what all others wait for
        events.surprise(where, bug)
