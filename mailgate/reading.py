"""Who takes mails apart: small ordinary ones here and now, big or odd ones in a process of their own.

A mail is small and ordinary when it costs some tenths of a second at most (``is_plain``, by a few counts); with files
in base64, which cost little to read, it may be larger: they take as long again on their way to another process. Any
other goes to one of ``WORKERS`` processes (``mailgate.mime.worker``), which are started when they are first needed,
kept, and replaced after ``MOST_OCTETS``. They get pipes and nothing else: no socket, no file, no settings; they end
when the pipe does, so they don't outlive us, and what they print of a failure is thrown away.

Raises nothing. A worker that dies, hangs for ``SECONDS``, runs out of memory or answers nonsense costs its mail the
note ``unreadable``, with the header fields still read. Where no worker can be had, mails of up to ``MOST_HERE`` are
read here, and bigger ones get that note too. A worker that died between two mails costs nothing.

Limits: whoever calls waits, ``WAIT`` seconds for a free worker and ``SECONDS`` for its answer; call it in a thread, of
which there are few for big mails. Memory on this side: the mail and what was read of it.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from queue import Empty, LifoQueue
from typing import BinaryIO, TypeVar

from mailgate import events, mime
from mailgate.domain import header
from mailgate.domain.mail import Mail
from mailgate.mime import frames

WORKERS = 2
SECONDS = 20.0  # twice what the worst mail takes on a usual machine; with storing it stays below what SMTP waits
START_SECONDS = 20.0
WAIT = 120.0
MOST_OCTETS = 256 * 1024 * 1024  # that one worker reads
MOST_HERE = 4 * 1024 * 1024
MOST_ANSWER = 64 * 1024 * 1024  # and eight times the mail

PROGRAM = (sys.executable, "-I", "-m", "mailgate.mime.worker")
ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # that Python itself may need

# what is read at once
PLAIN_SIZE = 1024 * 1024  # without files
PLAIN_WITH_FILES = 8 * 1024 * 1024
PLAIN_LINES_WITH_FILES = 150_000
PLAIN_HEADER = 256 * 1024
PLAIN_LINES = 50_000
PLAIN_MARKS = 20_000  # "<" and "&": each costs some ten microseconds where they are HTML
PLAIN_DELIMITERS = 500
_DELIMITER = re.compile(rb"-(?<=\n-)-")  # found by its dash, of which base64 has none; of line breaks it has many
_FOREIGN = (b"ms-tnef", b"winmail.dat", b"pkcs7-mime")  # opened by libraries, or unpacked
# a search that begins with one octet takes a fiftieth of one for several words in any case
_MAYBE_FOREIGN = (re.compile(rb"-(?:[Tt][Nn][Ee][Ff]|[Mm][Ii][Mm][Ee])"), re.compile(rb"\.[Dd][Aa][Tt]"))

T = TypeVar("T")


class _Dead(Exception):
    """The worker is gone, or of no use any more."""


class _Late(Exception):
    """The worker was ended because it took too long."""


class _NoWorker(Exception):
    """None can be started, or none is free in time."""


def is_plain(raw: bytes) -> bool:
    """Say whether a mail is small and ordinary, at the cost of looking through a small mail a few times."""
    if PLAIN_SIZE < len(raw) <= PLAIN_WITH_FILES and header.body_offset(raw) <= PLAIN_HEADER:
        raw = mime.skeleton(raw) if raw.count(b"\n") <= PLAIN_LINES_WITH_FILES else raw
    size = len(raw)
    return (
        size <= PLAIN_SIZE
        and (size <= PLAIN_HEADER or header.body_offset(raw) <= PLAIN_HEADER)
        and (size <= PLAIN_LINES or raw.count(b"\n") <= PLAIN_LINES)
        and (size <= PLAIN_MARKS or raw.count(b"<") + raw.count(b"&") <= PLAIN_MARKS)
        and next(islice(_DELIMITER.finditer(raw), PLAIN_DELIMITERS, None), None) is None
        and not _is_foreign(raw)
    )


def _is_foreign(raw: bytes) -> bool:
    if not any(hint.search(raw) for hint in _MAYBE_FOREIGN):
        return False
    lowered = raw.lower()
    return any(word in lowered for word in _FOREIGN)


def start(program: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Start a process that reads mails; it gets two pipes and nothing else of ours."""
    return subprocess.Popen(  # noqa: S603 - our own program, without a shell
        program,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a traceback quotes what it fell over
        cwd="/",
        env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
        start_new_session=True,  # the Ctrl-C that drains us must not end it
    )


class Readers:
    """A ``ports.Reader``; one serves all threads. ``close`` it in the end; a mail read later is read here, or not."""

    def __init__(
        self,
        program: Sequence[str] = PROGRAM,
        *,
        workers: int = WORKERS,
        seconds: float = SECONDS,
        wait: float = WAIT,
        is_plain: Callable[[bytes], bool] = is_plain,
    ) -> None:
        self._program = tuple(program)
        self._seconds = seconds
        self._wait = wait
        self._is_plain = is_plain
        self._free: LifoQueue[_Worker | None] = LifoQueue()  # None: a place for one that is not started
        for _ in range(workers):
            self._free.put(None)
        self._lock = threading.Lock()
        self._alive: set[_Worker] = set()
        self._closed = False

    def read(self, raw: bytes) -> Mail:
        """Read a mail."""
        if self._is_plain(raw):
            return mime.read(raw)
        try:
            return self._ask(raw, _read)
        except _Late:
            return mime.header_only(raw, "reading it took too long")
        except _Dead:
            return mime.header_only(raw, "reading it failed")
        except _NoWorker:
            if len(raw) <= MOST_HERE:
                return mime.read(raw)
            return mime.header_only(raw, "there was no room to read it")

    def read_soon(self, raw: bytes, done: Callable[[Mail], None]) -> None:
        """Read a mail now, and hand it on."""
        done(self.read(raw))

    def is_plain(self, raw: bytes) -> bool:
        """Say whether a mail is read here and now."""
        return self._is_plain(raw)

    def attached(self, raw: bytes) -> Sequence[tuple[int, bytes]]:
        """Return the mails attached to a mail; none where they can't be told."""
        if self._is_plain(raw):
            return mime.attached(raw)
        try:
            return self._ask(raw, _attached)
        except (_Late, _Dead):
            return ()
        except _NoWorker:
            return mime.attached(raw) if len(raw) <= MOST_HERE else ()

    def close(self) -> None:
        """End all workers, busy ones too: whoever waits for one is told that it is dead."""
        with self._lock:
            self._closed = True
        with suppress(Empty):
            idle: list[_Worker | None] = []
            while True:
                idle.append(self._free.get_nowait())
        for worker in idle:
            self._give_back(worker)
        with self._lock:
            for busy in self._alive:
                busy.kill()

    # -- workers ----------------------------------------------------------------------------------------------------

    def _ask(self, raw: bytes, exchange: "Callable[[_Worker, bytes], T]") -> T:
        """Have a worker do something with a mail."""
        worker = self._take()
        until = time.monotonic() + self._seconds
        try:
            if worker is not None:
                with suppress(_Dead):  # maybe before this mail: a new one will show
                    return worker.within(until, exchange, raw)
                self._forget(worker)
                worker = None
                until = max(until, time.monotonic() + self._seconds / 2)
            worker = self._start()
            return worker.within(until, exchange, raw)
        except (_Late, _Dead) as trouble:
            events.reading_failed(why="too long" if isinstance(trouble, _Late) else "died", size=len(raw))
            raise
        finally:
            self._give_back(worker)

    def _take(self) -> "_Worker | None":
        try:
            return self._free.get(timeout=self._wait)
        except Empty:
            events.reading_failed(why="no worker is free", size=0)
            raise _NoWorker from None

    def _start(self) -> "_Worker":
        try:
            worker = _Worker(self._program)
        except (OSError, MemoryError) as error:
            events.surprise("reading", error)
            raise _NoWorker from None
        with self._lock:
            self._alive.add(worker)
            if self._closed:
                worker.kill()
        try:
            worker.within(time.monotonic() + START_SECONDS, _greeted, b"")
        except (_Dead, _Late, _NoWorker):
            self._forget(worker)
            events.reading_failed(why="no worker can be started", size=0)
            raise _NoWorker from None
        return worker

    def _give_back(self, worker: "_Worker | None") -> None:
        if worker is not None and (worker.spent or self._closed):
            self._forget(worker)
            worker = None
        self._free.put(worker)

    def _forget(self, worker: "_Worker") -> None:
        worker.end()
        with self._lock:
            self._alive.discard(worker)


class _Worker:
    """One process. Used by one thread at a time; ``kill`` may come from any."""

    def __init__(self, program: Sequence[str]) -> None:
        self._process = start(program)
        assert self._process.stdin is not None  # noqa: S101 - for mypy: it is a pipe
        assert self._process.stdout is not None  # noqa: S101 - the same
        self._questions: BinaryIO = self._process.stdin  # type: ignore[assignment]  # IO[bytes] is one
        self._answers: BinaryIO = self._process.stdout  # type: ignore[assignment]  # the same
        self._octets = 0
        self._room = MOST_ANSWER
        self.spent = False  # of no use any more

    def within(self, until: float, exchange: "Callable[[_Worker, bytes], T]", raw: bytes) -> T:
        """Exchange something, and end the process if that lasts too long; ``_Late`` or ``_Dead``."""
        late = threading.Event()
        timer = threading.Timer(max(0.0, until - time.monotonic()), self._kill_late, (late,))
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # no thread can be had
            raise _NoWorker from None
        self.spent = True  # until all was said
        try:
            found = exchange(self, raw)
            self.spent = self._octets > MOST_OCTETS
        except Exception as trouble:  # closed pipes, cut or forged frames, texts that are none, no memory for them
            raise (_Late if late.is_set() else _Dead) from trouble
        finally:
            timer.cancel()
        return found

    def _kill_late(self, late: threading.Event) -> None:
        late.set()
        self.kill()

    def ask(self, question: bytes, raw: bytes) -> None:
        """Put a question."""
        self._octets += len(raw)
        self._room = MOST_ANSWER + 8 * len(raw)
        frames.write(self._questions, question)
        frames.write(self._questions, raw)
        self._questions.flush()

    def frame(self) -> bytearray:
        """Read the next frame of an answer."""
        frame = frames.read(self._answers, self._room)
        self._room -= len(frame)
        return frame

    def done(self) -> None:
        """Read the end of an answer, which says whether the worker has grown too big to go on."""
        if json.loads(self.frame())["spent"] is not False:
            self._octets += MOST_OCTETS

    def kill(self) -> None:
        """End the process, whatever it does; whoever waits for it hears that it is dead."""
        self._process.kill()

    def end(self) -> None:
        """End the process, and let go of everything; only who has the worker may."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._questions, self._answers):
            with suppress(OSError, ValueError):
                pipe.close()


def _greeted(worker: _Worker, _raw: bytes) -> None:
    if worker.frame() != frames.READY:
        raise ValueError


def _read(worker: _Worker, raw: bytes) -> Mail:
    worker.ask(frames.READ, raw)
    told, text, html = worker.frame(), worker.frame(), worker.frame()
    worker.done()
    return frames.to_mail(told, text, html)


def _attached(worker: _Worker, raw: bytes) -> Sequence[tuple[int, bytes]]:
    worker.ask(frames.ATTACHED, raw)
    found = tuple((n, bytes(worker.frame())) for n in frames.to_numbers(worker.frame()))
    worker.done()
    return found
