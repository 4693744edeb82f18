"""What the watcher asks the workers, and how they answer: one datagram each way, JSON.

A worker answers from its event loop, so an answer shows that it turns; whether mail would be taken is found out by a
thread. Whoever doesn't answer within ``SECONDS`` is not waited for: for metrics its last numbers stand. A process that
took another's place has other numbers: those of the one before are kept, as far as they only grow.

Raises nothing; what can't be understood is no answer.
"""

import asyncio
import json
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from mailgate import events, sums
from mailgate.sums import Families
from mailgate.supervisor import Post, Watched

SECONDS = 1.0
MOST = 1 << 20  # octets of an answer
METRICS, READY, ALIVE = "metrics", "ready", "alive"
SILENT = "no worker answers"

Ready = Callable[[], str | None]


class Answering:
    """The worker's side; made inside its event loop."""

    def __init__(self, post: Post, why_not: Ready) -> None:
        self._post = post
        self._why_not = why_not
        self._loop = asyncio.get_running_loop()
        with suppress(OSError):
            post.questions.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST)
        self._loop.add_reader(post.questions, self._take)

    def end(self) -> None:
        """Answer no more."""
        self._loop.remove_reader(self._post.questions)

    def _take(self) -> None:
        try:
            number, what = json.loads(self._post.questions.recv(MOST))
        except (OSError, ValueError, TypeError):
            return
        if what == READY:
            asked = self._loop.run_in_executor(None, self._why_not)
            asked.add_done_callback(lambda done: self._say(number, _result(done)))
        else:
            self._say(number, events.families() if what == METRICS else None)

    def _say(self, number: int, said: object) -> None:
        with suppress(OSError):  # nobody asks any more
            self._post.questions.send(json.dumps([number, os.getpid(), said]).encode())


def _result(done: "asyncio.Future[str | None]") -> str | None:
    return "it could not be found out" if done.cancelled() or done.exception() else done.result()


class Asking:
    """The watcher's side, for all its threads; one socket for each worker."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._workers = [_Worker(each) for each in watched.asking]
        self._restarts = 0
        self._lock = threading.Lock()

    def metrics(self) -> bytes:
        """Give the metrics of all workers, those that ended too."""
        with self._lock:
            restarts = self._watched.restarts()
            events.workers_restarted(restarts - self._restarts)
            self._restarts = restarts
        families = [each.families() for each in self._workers]
        return events.render_families(sums.added([*families, events.families()]))

    def why_not_ready(self, seconds: float) -> str | None:
        """Say why no worker would take a mail now; ``None`` where one would."""
        said = [each.ask(READY, seconds) for each in self._workers]
        if any(answer is not None and answer[1] is None for answer in said):
            return None
        return next((str(answer[1]) for answer in said if answer is not None), SILENT)

    def is_alive(self) -> bool:
        """Say whether any worker answers."""
        return any(each.ask(ALIVE, SECONDS) is not None for each in self._workers)


class _Worker:
    """One place; several processes may have it one after the other."""

    def __init__(self, questions: socket.socket) -> None:
        self._questions = questions
        self._numbers = count()
        self._lock = threading.Lock()
        self._pid = 0
        self._last: Families = ()
        self._before: Families = ()  # of those that had the place before

    def ask(self, what: str, seconds: float = SECONDS) -> tuple[int, object] | None:
        """Ask; give the process and its answer."""
        until = time.monotonic() + seconds
        with self._lock:
            number = next(self._numbers)
            try:
                self._questions.send(json.dumps([number, what]).encode())
                while (left := until - time.monotonic()) > 0 and select.select([self._questions], [], [], left)[0]:
                    said = json.loads(self._questions.recv(MOST))
                    if said[0] == number:
                        return said[1], said[2]
            except (OSError, ValueError, TypeError, IndexError, KeyError):
                return None
        return None

    def families(self) -> Families:
        """Give its numbers, or the last that are known."""
        answer = self.ask(METRICS)
        if answer is not None:
            pid, told = answer
            if self._pid not in {0, pid}:
                self._before = sums.added([self._before, sums.counted(self._last)])
            self._pid, self._last = pid, told  # type: ignore[assignment]  # a worker's own, of the same program
        return sums.added([self._before, self._last])
