"""Has small mails read by one process beside this one, so that a second processor takes half of the work.

For a daemon of one process (SQLite). A mail is handed over when it is small and ordinary (``reading.is_plain``) and no
more than ``DEEP`` are with the process already; any other is read as ``reading.Readers`` does. So the process is never
waited for: where it is slow, starting, or gone, mails are read here. Its answers come in the order of the questions; a
thread takes them, and tells whoever asked.

Raises nothing. When the process dies or hangs for ``seconds``, the mail that it had longest gets the note
``unreadable``, with its header fields still read; those behind it are read here, and another process is started.

Limits: started by the first mail that is read soon; ``close`` it in the end.
"""

import fcntl
import json
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, cast

from mailgate import events, mime
from mailgate.domain.mail import Mail
from mailgate.mime import frames
from mailgate.reading import MOST_ANSWER, PROGRAM, Readers, start

DEEP = 4  # mails with the process
SECONDS = 10.0
PIPE = 1024 * 1024  # octets asked of the system
ROOM = 32 * 1024  # octets that fit into any pipe
REST = (1.0, 5.0, 30.0)  # seconds until another process is started, for each that died at once before it

Done = Callable[[Mail], None]


class _Dead(Exception):
    """The process is of no use any more."""


@dataclass(slots=True)
class _Asked:
    """A mail that the process has."""

    raw: bytes
    done: Done
    since: float = field(default_factory=time.monotonic)


class Beside:
    """A ``ports.Reader`` around another, for all threads."""

    def __init__(
        self, readers: Readers, program: Sequence[str] = PROGRAM, *, deep: int = DEEP, seconds: float = SECONDS
    ) -> None:
        self._readers = readers
        self._program = tuple(program)
        self._deep = deep
        self._seconds = seconds
        self._lock = threading.Lock()
        self._asked: deque[_Asked] = deque()
        self._octets = 0
        self._room = ROOM
        self._process: subprocess.Popen[bytes] | None = None  # one that takes mails
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def read(self, raw: bytes) -> Mail:
        """Read a mail here and now."""
        return self._readers.read(raw)

    def attached(self, raw: bytes) -> Sequence[tuple[int, bytes]]:
        """Return the mails attached to a mail."""
        return self._readers.attached(raw)

    def read_soon(self, raw: bytes, done: Done) -> None:
        """Have a mail read beside, else read it now."""
        if self._thread is None:
            self._begin()
        if not (self._readers.is_plain(raw) and self._hand_over(raw, done)):
            done(self._readers.read(raw))

    def close(self) -> None:
        """End the process; what it has is read here."""
        self._closed.set()
        with self._lock:
            process = self._process
        if process is not None:
            process.kill()
        if self._thread is not None:
            self._thread.join()

    # -- asking -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                thread = threading.Thread(target=self._work, name="beside", daemon=True)
                with suppress(RuntimeError):  # none can be had: the next mail tries again
                    thread.start()
                    self._thread = thread

    def _hand_over(self, raw: bytes, done: Done) -> bool:
        question = frames.framed(frames.READ, raw)
        with self._lock:
            full = len(self._asked) >= self._deep or self._octets + len(question) > self._room
            if self._process is None or full:
                return False
            try:
                # it fits into the pipe, so nobody waits
                os.write(cast("IO[bytes]", self._process.stdin).fileno(), question)
            except OSError:
                return False  # the other side sees it too
            self._asked.append(_Asked(raw, done))
            self._octets += len(question)
        return True

    # -- the thread that takes answers ------------------------------------------------------------------------------

    def _work(self) -> None:
        failures = 0
        while not self._closed.is_set():
            began = time.monotonic()
            self._run()
            failures = failures + 1 if time.monotonic() - began < REST[-1] else 0
            if failures:
                self._closed.wait(REST[min(failures, len(REST)) - 1])

    def _run(self) -> None:
        """Keep one process until it ends."""
        try:
            process = start(self._program)
        except OSError as error:
            events.surprise("beside", error)
            return
        watch = threading.Thread(target=self._watch, args=(process,), name="beside-watch", daemon=True)
        try:
            # closed pipes, cut or forged frames, no thread, no memory: whatever it is, the process is of no use
            with suppress(Exception):
                watch.start()
                self._answers(process)
        finally:
            process.kill()
            process.wait()
            self._read_here()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    cast("IO[bytes]", pipe).close()

    def _answers(self, process: "subprocess.Popen[bytes]") -> None:
        answers = cast("IO[bytes]", process.stdout)
        if frames.read(answers, MOST_ANSWER) != frames.READY:  # type: ignore[arg-type]  # IO[bytes] is one
            raise _Dead
        with self._lock:
            self._room = _widen(process)
            self._process = process
        while not self._closed.is_set():
            told, text, html, end = (frames.read(answers, MOST_ANSWER) for _ in range(4))  # type: ignore[arg-type]  # the same
            self._tell(frames.to_mail(told, text, html))
            if json.loads(end)["spent"] is not False:
                self._let_finish()

    def _let_finish(self) -> None:
        """Ask a process that has grown too big nothing more, and end it when it has answered all."""
        with self._lock:
            self._process = None
            rest = len(self._asked)
        if not rest:
            raise _Dead

    def _tell(self, mail: Mail) -> None:
        with self._lock:
            asked = self._asked.popleft()
            self._octets -= len(frames.framed(frames.READ, b"")) + len(asked.raw)
        _hand_on(asked, mail)

    def _read_here(self) -> None:
        """Read what the process didn't; the mail that it was at may be what it died of."""
        with self._lock:
            self._process = None
            left = tuple(self._asked)
            self._asked.clear()
            self._octets = 0
        if left:
            events.reading_failed(why="died", size=len(left[0].raw))
        for n, asked in enumerate(left):
            suspect = n == 0 and not self._closed.is_set()
            _hand_on(asked, mime.header_only(asked.raw, "reading it failed") if suspect else mime.read(asked.raw))

    def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        """End a process that has been at one mail for too long."""
        while process.poll() is None:
            time.sleep(min(1.0, self._seconds / 4))
            with self._lock:
                since = self._asked[0].since if self._asked else time.monotonic()
            if time.monotonic() - since > self._seconds:
                process.kill()


def _hand_on(asked: _Asked, mail: Mail) -> None:
    try:
        asked.done(mail)
    except Exception as bug:  # noqa: BLE001 - others wait for theirs
        events.surprise("beside", bug)


def _widen(process: "subprocess.Popen[bytes]") -> int:
    """Give the pipe of questions more room, where the system can; tell how many octets certainly fit."""
    widen = getattr(fcntl, "F_SETPIPE_SZ", None)
    if widen is None:
        return ROOM
    try:
        wide: int = fcntl.fcntl(cast("IO[bytes]", process.stdin), widen, PIPE)
    except OSError:  # the user has its fill of them
        return ROOM
    return wide // 2  # a page for each piece may be half empty
