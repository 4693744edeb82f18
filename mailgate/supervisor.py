"""Worker processes on the same listening sockets, under one small process that watches them.

    supervisor     one thread, no store, no loop: starts, counts, ends
      worker ...   takes, judges and keeps mail; as many as ``smtp.workers`` says
      watcher      answers /metrics, /healthz and /readyz for all of them

All are forked from the supervisor, which opened the sockets and nothing else: so they share its memory, and a closed
door is never seen from outside. A worker that ends is started again, at once when it had lived for long, else after a
while (``REST``). One that has shown no sign of life for ``SILENCE`` is killed, and started again.

SIGTERM and SIGINT drain: the doors are closed, the signal is passed on, and whoever isn't done ``GRACE`` seconds after
the time for draining is killed. SIGHUP is passed on, and obeyed when all have said so, or ``RELOAD`` seconds later.
Where the supervisor dies, all others see their pipe from it end, drain and end too.

``run`` gives the exit code: 0 when all ended in time. It raises ``Misconfigured`` where a worker can't begin, at the
start; later that is an advice in the log, and tried again.

Limits: forks, so call it before any thread and any connection to a store; at most 200 workers. A process keeps what it
needs of the sockets that it is born with, and closes the others: nobody may hold a door that he doesn't answer at.
"""

import mmap
import os
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import FrameType

from mailgate import events, systemd
from mailgate.errors import Misconfigured

REST = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds until one is started again, by how often it ended young
YOUNG = 60.0  # seconds
SILENCE = 60.0  # seconds
GRACE = 10.0  # seconds
RELOAD = 10.0  # seconds
TURN = 0.5  # seconds between two looks
MISCONFIGURED = 78
FAILED = 70

READY = b"r"
BEAT = b"b"
RELOADED = b"h"
MOST_WORDS = 4096  # octets of what a worker says that can't begin
_RESTARTS = struct.Struct("=Q")
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_ENDED_WELL = frozenset({0, MISCONFIGURED, -signal.SIGTERM, -signal.SIGINT})  # of a signal: told before it had begun


@dataclass(frozen=True, slots=True)
class Post:
    """A worker's ways to the others: ``questions`` from the watcher; ``life`` ends when the supervisor does."""

    number: int
    questions: socket.socket
    life: int
    signs: int

    def ready(self) -> None:
        """Tell the supervisor that mail is taken."""
        self._tell(READY)

    def beat(self) -> None:
        """Tell the supervisor that the event loop turns."""
        self._tell(BEAT)

    def reloaded(self) -> None:
        """Tell the supervisor that SIGHUP is obeyed."""
        self._tell(RELOADED)

    def _tell(self, what: bytes) -> None:
        with suppress(OSError):  # full, or nobody reads: the pipe ``life`` tells
            os.write(self.signs, bytes([self.number]) + what)


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watcher has of the workers: where to ask each; ``life``; how often any was started again."""

    asking: Sequence[socket.socket]
    life: int
    counter: mmap.mmap

    def restarts(self) -> int:
        """Tell how often a worker was started again."""
        count: int = _RESTARTS.unpack_from(self.counter)[0]
        return count


@dataclass(slots=True)
class _Place:
    """Where one process is at a time."""

    number: int
    run: Callable[[], int]
    is_worker: bool
    pid: int = 0
    began: float = 0.0
    sign: float = 0.0
    died_young: int = 0
    start_at: float = 0.0
    was_ready: bool = False
    words: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, MOST_WORDS))  # why it can't begin


@dataclass(slots=True)
class Supervisor:
    """``work`` is what each worker does with its post, ``watch`` what the watcher does with the other ends.

    ``close`` closes the doors, ``facts`` are told in the log when all is there.
    """

    workers: int
    work: Callable[[Post], int]
    watch: Callable[[Watched], int] | None
    close: Callable[[], None]
    drain_seconds: float
    facts: Mapping[str, str | int]
    _life: int = -1
    _life_held: int = -1
    _signs: int = -1
    _signs_told: int = -1
    _woken: int = -1
    _waking: int = -1
    _pairs: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)
    _restarts: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, _RESTARTS.size))
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _places: list[_Place] = field(default_factory=list)
    _signals: list[int] = field(default_factory=list)
    _ending: float = 0.0  # until when all must be done
    _code: int = 0
    _is_ready: bool = False
    _wrong: Misconfigured | None = None
    _reloading: set[int] = field(default_factory=set)  # who has yet to say that it did
    _reload_until: float = 0.0

    def run(self) -> int:
        """Start all, and watch them until the end."""
        self._open()
        try:
            while not self._ending or any(place.pid for place in self._places):
                self._look()
        finally:
            self._end()
        if self._wrong is not None:
            raise self._wrong
        events.stopped()
        return self._code

    # -- before the first fork --------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._life, self._life_held = os.pipe()
        self._signs, self._signs_told = os.pipe()
        self._woken, self._waking = os.pipe()
        for end in (self._signs, self._signs_told, self._woken, self._waking):
            os.set_blocking(end, False)
        self._pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(self.workers)]
        for one in (one for pair in self._pairs for one in pair):
            one.settimeout(0)
        for number, (_, questions) in enumerate(self._pairs):
            post = Post(number, questions, self._life, self._signs_told)
            self._places.append(_Place(number, partial(self.work, post), is_worker=True))
        if self.watch is not None:
            watched = Watched([asking for asking, _ in self._pairs], self._life, self._restarts)
            self._places.append(_Place(self.workers, partial(self.watch, watched), is_worker=False))
        for number in (*_PASSED_ON, signal.SIGCHLD):
            signal.signal(number, self._noted)
        signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        for end in (self._signs, self._woken):
            self._selector.register(end, selectors.EVENT_READ)

    def _noted(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)

    # -- a look -----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        self._start_those_due()
        self._selector.select(TURN)
        _empty(self._woken)
        told = _empty(self._signs)
        self._take_signs(told)
        while self._signals:
            self._obey(self._signals.pop(0))
        self._bury()
        self._see_who_reloaded()
        self._kill_the_silent()
        self._show_life(told)

    def _start_those_due(self) -> None:
        now = time.monotonic()
        for place in self._places:
            if not place.pid and not self._ending and now >= place.start_at:
                self._fork(place)

    def _fork(self, place: _Place) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)  # what is told the child waits until it hears
        try:
            pid = os.fork()
            if pid == 0:
                self._be(place)
        except OSError as error:
            events.surprise("supervisor", error)
            place.start_at = time.monotonic() + REST[-1]
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        place.pid = pid
        place.began = place.sign = time.monotonic()
        place.was_ready = False

    def _be(self, place: _Place) -> None:
        """Be that process; never returns."""
        code = FAILED
        try:
            signal.set_wakeup_fd(-1)
            for number in (*_PASSED_ON, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
            self._selector.close()
            for end in (self._life_held, self._signs, self._woken, self._waking):
                os.close(end)
            code = place.run()
        except Misconfigured as wrong:
            _say(place.words, str(wrong))
            code = MISCONFIGURED
        except BaseException as bug:  # noqa: BLE001 - whatever it is, this process must not go on as another supervisor
            events.surprise("worker", bug)
        finally:
            with suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)

    def _take_signs(self, told: bytes) -> None:
        now = time.monotonic()
        for number, what in zip(told[::2], told[1::2], strict=False):
            place = self._places[number]
            place.sign = now
            place.was_ready = place.was_ready or bytes([what]) == READY
            if bytes([what]) == RELOADED:
                self._reloading.discard(number)
        if not self._is_ready and all(place.was_ready for place in self._places if place.is_worker):
            self._is_ready = True
            events.started(**self.facts, workers=self.workers)
            systemd.ready()

    def _show_life(self, told: bytes) -> None:
        """Set systemd's watchdog back, unless there are workers and none of them shows a sign of life."""
        if self._is_ready and (told or not self._works()):
            systemd.alive()

    def _works(self) -> bool:
        return any(place.pid for place in self._places if place.is_worker)

    def _obey(self, number: int) -> None:
        if number != signal.SIGHUP:
            self._drain()
        elif self._is_ready and not self._ending:
            systemd.reloading()
            # who isn't ready yet reads what is there by then
            self._reloading = {place.number for place in self._places if place.pid and place.was_ready}
            self._reload_until = time.monotonic() + RELOAD
            self._pass_on(number)

    def _drain(self) -> None:
        if not self._ending:
            if self._is_ready:
                systemd.stopping()
                events.stopping()
            self._ending = time.monotonic() + self.drain_seconds + GRACE
            self.close()
        self._pass_on(signal.SIGTERM)

    def _see_who_reloaded(self) -> None:
        now = time.monotonic()
        if self._reload_until and (not self._reloading or self._ending or now > self._reload_until):
            self._reload_until = 0.0
            systemd.ready()

    def _pass_on(self, number: int) -> None:
        for place in self._places:
            if place.pid and place.is_worker:
                _signal(place.pid, number)

    def _end_the_watcher(self) -> None:
        for place in self._places:
            if place.pid and not place.is_worker:
                _signal(place.pid, signal.SIGTERM)

    def _bury(self) -> None:
        for place in self._places:
            if place.pid and (code := _ended(place.pid)) is not None:
                place.pid = 0
                self._reloading.discard(place.number)
                self._mourn(place, code)
        if self._ending and not self._works():
            self._end_the_watcher()  # last: who asks shall hear that we end

    def _mourn(self, place: _Place, code: int) -> None:
        if code == MISCONFIGURED and place.is_worker:
            self._cannot_begin(place)
        if self._ending:
            if place.is_worker and code not in _ENDED_WELL:
                self._code = self._code or (code if code > 0 else FAILED)
            return
        young = time.monotonic() - place.began < YOUNG
        place.start_at = time.monotonic() + REST[min(place.died_young, len(REST) - 1)]
        place.died_young = place.died_young + 1 if young else 0
        if place.is_worker:
            _RESTARTS.pack_into(self._restarts, 0, _RESTARTS.unpack_from(self._restarts)[0] + 1)
        events.worker_ended(number=place.number, code=code)

    def _cannot_begin(self, place: _Place) -> None:
        wrong = _said(place.words)
        if self._is_ready:
            events.advised(wrong)
        else:
            self._wrong = self._wrong or Misconfigured(wrong)
            self._drain()

    def _kill_the_silent(self) -> None:
        now = time.monotonic()
        for place in self._places:
            silent = place.is_worker and now - place.sign > SILENCE
            if place.pid and (silent or (self._ending and now > self._ending)):
                _signal(place.pid, signal.SIGKILL)

    def _end(self) -> None:
        signal.set_wakeup_fd(-1)
        self._selector.close()
        for end in (self._life, self._life_held, self._signs, self._signs_told, self._woken, self._waking):
            os.close(end)
        for pair in self._pairs:
            for one in pair:
                one.close()


def _empty(pipe: int) -> bytes:
    found = b""
    with suppress(BlockingIOError):
        while more := os.read(pipe, 4096):
            found += more
    return found


def _say(words: mmap.mmap, what: str) -> None:
    words[:] = what.encode("utf-8", "backslashreplace")[:MOST_WORDS].ljust(MOST_WORDS, b"\0")


def _said(words: mmap.mmap) -> str:
    return words[:].rstrip(b"\0").decode("utf-8", "replace")


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _ended(pid: int) -> int | None:
    try:
        done, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return FAILED
    return os.waitstatus_to_exitcode(status) if done else None
