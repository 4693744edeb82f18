"""What the watcher asks the workers, and how they answer: one datagram each way, JSON.

A worker answers from its event loop, so an answer shows that it turns; whether mail would be taken is found out by a
thread. All are asked at once, and whoever doesn't answer within ``SECONDS`` is not waited for: for metrics its last
numbers stand. A process that took another's place has other numbers: those of the one before are kept, as far as they
only grow.

Raises nothing; what can't be understood is no answer.
"""

import asyncio
import json
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

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
    """The watcher's side, for all its threads; all workers are asked at once. Starts a thread that hears them."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._places = [_Place() for _ in watched.asking]
        self._numbers = count(1)
        self._restarts = 0
        self._lock = threading.Lock()
        self._waiting: dict[int, SimpleQueue[_Answer]] = {}
        self._told, self._telling = socket.socketpair()
        self._hearing = threading.Thread(target=self._hear, name="hearing", daemon=True)
        self._hearing.start()

    def close(self) -> None:
        """Hear nobody any more; the workers' sockets stay open."""
        self._telling.close()
        self._hearing.join()
        self._told.close()

    def metrics(self) -> bytes:
        """Give the metrics of all workers, those that ended too."""
        self.learn()
        with self._lock:
            restarts = self._watched.restarts()
            events.workers_restarted(restarts - self._restarts)
            self._restarts = restarts
            families = [place.families() for place in self._places]
        return events.render_families(sums.added([*families, events.families()]))

    def learn(self) -> None:
        """Have all tell their numbers: of one that is killed we have the last that it told."""
        for answer in self._ask(METRICS, SECONDS):
            with self._lock:
                self._places[answer.place].take(answer)

    def why_not_ready(self, seconds: float) -> str | None:
        """Say why no worker would take a mail now; ``None`` where one would."""
        why = SILENT
        for answer in self._ask(READY, seconds):
            if answer.said is None:
                return None
            why = str(answer.said)
        return why

    def is_alive(self) -> bool:
        """Say whether any worker answers."""
        return any(True for _ in self._ask(ALIVE, SECONDS))

    def _ask(self, what: str, seconds: float) -> "Iterator[_Answer]":
        """Ask all, and give each answer when it is there, until all have answered or the time is over."""
        until = time.monotonic() + seconds
        number = next(self._numbers)
        answers: SimpleQueue[_Answer] = SimpleQueue()
        self._waiting[number] = answers
        try:
            asked = sum(_send(place, [number, what]) for place in self._watched.asking)
            for _ in range(asked):
                yield answers.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            return
        finally:
            del self._waiting[number]

    def _hear(self) -> None:
        with selectors.DefaultSelector() as ears:
            ears.register(self._told, selectors.EVENT_READ)
            for place, questions in enumerate(self._watched.asking):
                ears.register(questions, selectors.EVENT_READ, place)
            while True:
                for key, _ in ears.select():
                    if key.data is None:
                        return
                    self._take(key.data, self._watched.asking[key.data])

    def _take(self, place: int, questions: socket.socket) -> None:
        try:
            number, pid, said = json.loads(questions.recv(MOST))
            self._waiting[number].put(_Answer(place, number, pid, said))
        except (OSError, ValueError, TypeError, KeyError):  # nonsense, or nobody waits for it any more
            return


def _send(to: socket.socket, question: list[int | str]) -> bool:
    try:
        to.send(json.dumps(question).encode())
    except OSError:  # full: it hangs
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Answer:
    place: int
    number: int
    pid: int
    said: Any


class _Place:
    """The numbers of a place; several processes may have it one after the other."""

    def __init__(self) -> None:
        self._number = 0
        self._pid = 0
        self._last: Families = ()
        self._before: Families = ()  # of those that had the place before

    def take(self, answer: _Answer) -> None:
        """Take what was told, unless something later is known."""
        if answer.number < self._number:
            return
        if self._pid not in {0, answer.pid}:
            self._before = sums.added([self._before, sums.counted(self._last)])
        self._number, self._pid, self._last = answer.number, answer.pid, answer.said

    def families(self) -> Families:
        """Give the last that is known."""
        return sums.added([self._before, self._last])
