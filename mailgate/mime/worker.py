"""A process that reads mails for another one: ``python -m mailgate.mime.worker``, started by ``mailgate.reading``.

It says that it is ready, then answers one question after another (``frames``) until its input ends, as it does when
its parent dies. Before each mail it bounds its own memory: with ``FACTOR`` times the mail's size and ``ROOM`` on top a
fault of ours, or a mail that we didn't think of, meets a ``MemoryError`` or dies, and nobody else does. When it has
grown by ``MAX_GROWTH`` it says so (``spent``), and its parent starts another.

It knows no settings, opens no file and no socket, and prints nothing but its answers.
"""

import json
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mailgate.mime import frames, reader

FACTOR = 8  # reading takes less than 6 times the size; what is mapped is more than what is used
ROOM = 384 * 1024 * 1024  # HTML of a few MiB takes hundreds: its elements are objects
MAX_GROWTH = 64 * 1024 * 1024
MAX_MAIL = 1024 * 1024 * 1024  # whatever ``smtp.max_size`` is
MAX_QUESTION = 64

_STATM = Path("/proc/self/statm")


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints isn't an answer
    serve(sys.stdin.buffer, answers)


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer the questions of one stream on another."""
    mapped, used = _memory()
    frames.write(answers, frames.READY)
    answers.flush()
    with suppress(EOFError):
        while True:
            question = bytes(frames.read(questions, MAX_QUESTION))
            raw = bytes(frames.read(questions, MAX_MAIL))
            _bound(mapped + FACTOR * len(raw) + ROOM)
            _answer(question, raw, answers)
            del raw
            spent = _memory()[1] > used + MAX_GROWTH
            frames.write(answers, json.dumps({"spent": spent}).encode())
            answers.flush()


def _answer(question: bytes, raw: bytes, answers: BinaryIO) -> None:
    if question == frames.READ:
        for frame in frames.of_mail(reader.read(raw)):
            frames.write(answers, frame)
    else:
        found = reader.attached(raw)
        frames.write(answers, frames.of_attached(found))
        for _, content in found:
            frames.write(answers, content)


def _memory() -> tuple[int, int]:
    """Return the octets that are mapped and those in use; zeros where the system doesn't say."""
    try:
        mapped, used = _STATM.read_text(encoding="ascii").split()[:2]
    except OSError:
        return 0, 0
    page = resource.getpagesize()
    return int(mapped) * page, int(used) * page


def _bound(octets: int) -> None:
    with suppress(OSError, ValueError):  # a sandbox may forbid it; the deadline stands
        resource.setrlimit(resource.RLIMIT_AS, (octets, resource.getrlimit(resource.RLIMIT_AS)[1]))


if __name__ == "__main__":
    main()
