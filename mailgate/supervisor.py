"""Worker processes on the same listening sockets, under one small process that watches them.

    supervisor     one thread, no store, no loop: starts, counts, ends
      worker ...   takes, judges and keeps mail; as many as ``smtp.workers`` says
      watcher      answers /metrics, /healthz and /readyz for all of them

All are forked from the supervisor, which opened the sockets and nothing else: so they share its memory, and a closed
door is never seen from outside. A worker that ends is started again, at once when it had lived for long, else after a
while (``REST``). One that has shown no sign of life for ``SILENCE`` is killed, and started again.

SIGTERM and SIGINT drain: they are passed on, and whoever isn't done ``GRACE`` seconds after the time for draining is
killed. SIGHUP is passed on. Where the supervisor dies, all others see their pipe from it end, drain and end too.

``run`` gives the exit code: 0, or that of a worker that could not begin (78), if that was at the start.

Limits: forks, so call it before any thread and any connection to a store; at most 200 workers.
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
TURN = 0.5  # seconds between two looks
MISCONFIGURED = 78
FAILED = 70

READY = b"r"
BEAT = b"b"
_RESTARTS = struct.Struct("=Q")
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


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


@dataclass(slots=True)
class Supervisor:
    """``work`` is what each worker does with its post, ``watch`` what the watcher does with the other ends.

    ``facts`` are told in the log when all is there.
    """

    workers: int
    work: Callable[[Post], int]
    watch: Callable[[Watched], int] | None
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

    def run(self) -> int:
        """Start all, and watch them until the end."""
        self._open()
        try:
            while not self._ending or any(place.pid for place in self._places):
                self._look()
        finally:
            self._end()
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
        self._take_signs()
        while self._signals:
            self._obey(self._signals.pop(0))
        self._bury()
        self._kill_the_silent()

    def _start_those_due(self) -> None:
        now = time.monotonic()
        for place in self._places:
            if not place.pid and not self._ending and now >= place.start_at:
                self._fork(place)

    def _fork(self, place: _Place) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            events.surprise("supervisor", error)
            place.start_at = time.monotonic() + REST[-1]
            return
        if pid == 0:
            self._be(place)
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
            os.close(self._life_held)
            code = place.run()
        except Misconfigured as wrong:
            sys.stderr.write(f"mailgate: {wrong}\n")
            code = MISCONFIGURED
        except BaseException as bug:  # noqa: BLE001 - whatever it is, this process must not go on as another supervisor
            events.surprise("worker", bug)
        finally:
            with suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)

    def _take_signs(self) -> None:
        told = _empty(self._signs)
        now = time.monotonic()
        for number, what in zip(told[::2], told[1::2], strict=False):
            place = self._places[number]
            place.sign = now
            place.was_ready = place.was_ready or bytes([what]) == READY
        if not self._is_ready and all(place.was_ready for place in self._places if place.is_worker):
            self._is_ready = True
            events.started(**self.facts, workers=self.workers)
            systemd.ready()
        if self._is_ready and told:
            systemd.alive()

    def _obey(self, number: int) -> None:
        if number == signal.SIGHUP:
            systemd.reloading()
            self._pass_on(number)
            systemd.ready()
            return
        if not self._ending:
            systemd.stopping()
            events.stopping()
            self._ending = time.monotonic() + self.drain_seconds + GRACE
        self._pass_on(signal.SIGTERM)

    def _pass_on(self, number: int) -> None:
        for place in self._places:
            if place.pid and (place.is_worker or number != signal.SIGTERM):
                _signal(place.pid, number)
        if not any(place.pid for place in self._places if place.is_worker):
            self._end_the_watcher()

    def _end_the_watcher(self) -> None:
        for place in self._places:
            if place.pid and not place.is_worker:
                _signal(place.pid, signal.SIGTERM)

    def _bury(self) -> None:
        for place in self._places:
            if place.pid and (code := _ended(place.pid)) is not None:
                place.pid = 0
                self._mourn(place, code)
        if self._ending and not any(place.pid for place in self._places if place.is_worker):
            self._end_the_watcher()  # last: who asks shall hear that we end

    def _mourn(self, place: _Place, code: int) -> None:
        if self._ending:
            self._code = self._code or (code if place.is_worker else 0)
            return
        if code == MISCONFIGURED and not self._is_ready:
            self._code = code
            self._obey(signal.SIGTERM)
            return
        young = time.monotonic() - place.began < YOUNG
        place.start_at = time.monotonic() + REST[min(place.died_young, len(REST) - 1)]
        place.died_young = place.died_young + 1 if young else 0
        if place.is_worker:
            _RESTARTS.pack_into(self._restarts, 0, _RESTARTS.unpack_from(self._restarts)[0] + 1)
        events.worker_ended(number=place.number, code=code)

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


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _ended(pid: int) -> int | None:
    try:
        done, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return FAILED
    return os.waitstatus_to_exitcode(status) if done else None
