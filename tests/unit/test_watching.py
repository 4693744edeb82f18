"""What the watcher makes of what the workers answer, or don't. The workers' side here is a socket and a thread."""

import json
import mmap
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from mailgate.sums import Family
from mailgate.supervisor import Watched
from mailgate.watching import SILENT, Asking

SILENCE: list[Any] = []


def told(kept: float) -> list[Family]:
    sample = {"name": "mailgate_mails_total", "labels": {"verdict": "kept"}, "value": kept}
    return [{"name": "mailgate_mails", "type": "counter", "help": "what it is", "samples": [sample]}]  # type: ignore[list-item]  # a dict of that shape


class Worker:
    """Answers each question with the next that it is given, the last for ever."""

    def __init__(self, *answers: list[Any]) -> None:
        self.answers = list(answers)
        self.asking, self._questions = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.asking.settimeout(0)
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while question := self._questions.recv(1000):
            answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
            if answer:
                self._questions.send(json.dumps([json.loads(question)[0], *answer]).encode())

    def end(self) -> None:
        self._questions.shutdown(socket.SHUT_RD)
        self._thread.join()
        self._questions.close()
        self.asking.close()


@pytest.fixture
def asking() -> Iterator[Callable[..., Asking]]:
    with ExitStack() as stack:

        def start(*workers: Worker) -> Asking:
            for worker in workers:
                stack.callback(worker.end)
            asking = Asking(Watched([worker.asking for worker in workers], -1, mmap.mmap(-1, 8)))
            stack.callback(asking.close)
            return asking

        yield start


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([[1, None]], None),
        ([[1, "no user"], [2, None]], None),
        ([[1, "no user"], [2, "no user"]], "no user"),
        ([[1, "no user"], SILENCE], "no user"),
        ([SILENCE, [2, None]], None),
        ([SILENCE, SILENCE], SILENT),
    ],
)
def test_one_that_would_take_a_mail_is_enough(
    asking: Callable[..., Asking], answers: list[list[Any]], why: str | None
) -> None:
    assert asking(*map(Worker, answers)).why_not_ready(0.3) == why


def test_many_that_hang_take_no_longer_than_one(asking: Callable[..., Asking]) -> None:
    all_of_them = asking(*(Worker(SILENCE) for _ in range(20)), Worker([1, told(1)]))
    began = time.monotonic()
    assert all_of_them.is_alive()
    assert b"mailgate_build_info" in all_of_them.metrics()
    assert asking(*(Worker(SILENCE) for _ in range(20))).why_not_ready(0.5) == SILENT
    assert time.monotonic() - began < 10


def kept(asked: Asking) -> float:
    lines = asked.metrics().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("mailgate_mails_total{v"))


@pytest.mark.parametrize(
    ("answers", "numbers"),
    [
        ([[1, told(3)], [1, told(5)]], [3, 5]),
        ([[1, told(3)], SILENCE, [1, told(4)]], [3, 3, 4]),  # it hung
        ([[1, told(3)], [2, told(0)], [2, told(4)]], [3, 3, 7]),  # it ended, and another has its place
        ([[1, told(3)], [2, told(2)], [3, told(1)]], [3, 5, 6]),
    ],
)
def test_what_was_counted_never_goes_back(
    asking: Callable[..., Asking], answers: list[list[Any]], numbers: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgate.watching.SECONDS", 0.2)
    asked = asking(Worker(*answers))
    assert [kept(asked) for _ in numbers] == numbers


def test_an_answer_that_comes_too_late_is_nobody_elses(asking: Callable[..., Asking]) -> None:
    late = threading.Event()

    class Late(Worker):
        def _work(self) -> None:
            first = json.loads(self._questions.recv(1000))[0]
            second = json.loads(self._questions.recv(1000))[0]
            self._questions.send(json.dumps([first, 1, "of before"]).encode())
            self._questions.send(json.dumps([second, 1, "of now"]).encode())
            late.set()

    asked = asking(Late())
    assert asked.why_not_ready(0.1) == SILENT
    assert asked.why_not_ready(30) == "of now"


@pytest.mark.parametrize("nonsense", [b"", b"x", b"{}", b"[]", b"[1]", b"null", b"\xff", b"[1,2,3,4]", b"[[],1,null]"])
def test_nonsense_is_no_answer(asking: Callable[..., Asking], nonsense: bytes) -> None:
    class Mad(Worker):
        def _work(self) -> None:
            number = json.loads(self._questions.recv(1000))[0]
            self._questions.send(nonsense)
            self._questions.send(json.dumps([number, 1, None]).encode())

    assert asking(Mad()).why_not_ready(30) is None
