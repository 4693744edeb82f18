"""The process beside: what it reads is what is read here, and nothing that it does loses a mail."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue

import pytest

from mailgate import beside as module
from mailgate import mime
from mailgate.beside import Beside
from mailgate.domain.mail import Mail
from mailgate.reading import PROGRAM, Readers
from tests.reading.test_readers import AFTER_ONE, BEGIN, DEATHS, HEAD

SOON = 30.0  # seconds that anything here may take at most
GOES_ON = """
while True:
    say(*frames.of_mail(reader.read(bytes(raw))), b'{"spent": false}')
    question, raw = hear()
"""


def mail(number: int, size: int = 100) -> bytes:
    return HEAD + b"X-Number: %d\r\n\r\nGuten Tag %d\r\n" % (number, number) + b"x" * size + b"\r\n"


def program(*lines: str) -> Sequence[str]:
    return (sys.executable, "-c", BEGIN + "".join(lines))


class NotHere(Readers):
    """Readers that must not be asked."""

    def read(self, raw: bytes) -> Mail:
        pytest.fail(f"read here: {len(raw)} octets")


@contextmanager
def reading(
    told: Sequence[str] = PROGRAM, *, readers: Readers | None = None, deep: int = 100, seconds: float = 10.0
) -> Iterator[Beside]:
    """Give one whose process is there."""
    inner = Readers()
    made = Beside(inner, told, deep=deep, seconds=seconds)
    try:
        made._begin()
        wait_for(lambda: made._process is not None)
        if readers is not None:
            made._readers = readers
        yield made
    finally:
        made.close()
        inner.close()


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + SOON
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


def ask(made: Beside, mails: Sequence[bytes]) -> Callable[[], list[Mail]]:
    """Ask for mails; gives what waits for the answers, in the order of the questions."""
    answers: list[SimpleQueue[Mail]] = [SimpleQueue() for _ in mails]
    for raw, answer in zip(mails, answers, strict=True):
        made.read_soon(raw, answer.put)
    return lambda: [answer.get(timeout=SOON) for answer in answers]


def test_the_process_reads_what_would_be_read_here() -> None:
    mails = [mail(n, size) for n, size in enumerate((0, 10, 5_000, 60_000) * 5)]
    with reading(readers=NotHere()) as made:
        for raw in mails:
            assert ask(made, [raw])() == [mime.read(raw)]
        assert ask(made, mails[:8])() == [mime.read(raw) for raw in mails[:8]]


def test_before_the_process_is_there_mails_are_read_here() -> None:
    readers = Readers()
    made = Beside(readers, program("time.sleep(1000)"))
    try:
        assert ask(made, [mail(1)])() == [mime.read(mail(1))]
    finally:
        made.close()
        readers.close()


def test_where_the_process_has_its_fill_mails_are_read_here() -> None:
    with reading(program("time.sleep(1)", GOES_ON), deep=2) as made:
        answers = ask(made, [mail(n) for n in range(6)])
        assert len(made._asked) == 2
        assert answers() == [mime.read(mail(n)) for n in range(6)]


def test_what_does_not_fit_into_the_pipe_is_read_here() -> None:
    with reading(program("time.sleep(1)", GOES_ON)) as made:
        made._room = 1000
        answers = ask(made, [mail(n, 400) for n in range(4)])
        assert len(made._asked) == 1
        assert answers() == [mime.read(mail(n, 400)) for n in range(4)]


def test_odd_mails_are_read_as_ever() -> None:
    odd = HEAD + b"Content-Type: application/ms-tnef\r\n\r\nxxx\r\n"
    asked: list[bytes] = []

    class Asked(Readers):
        def read(self, raw: bytes) -> Mail:
            asked.append(raw)
            return mime.read(raw)

    with reading(readers=Asked()) as made:
        assert ask(made, [odd])() == [mime.read(odd)]
    assert asked == [odd]


@pytest.mark.parametrize("death", DEATHS)
def test_when_it_dies_the_mail_it_was_at_gets_a_note_and_the_others_are_read_here(
    death: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REST", (0.01, 0.01, 30.0))
    with reading(program(DEATHS[death]), seconds=2.0) as made:
        first, *others = ask(made, [mail(n) for n in range(3)])()
        assert (first.subject, [note.code for note in first.notes]) == ("Offerte", ["unreadable"])
        assert others == [mime.read(mail(n)) for n in (1, 2)]
        made._program = PROGRAM
        wait_for(lambda: made._process is not None)
        made._readers = NotHere()
        assert ask(made, [mail(7)])() == [mime.read(mail(7))]


def test_when_it_hangs_it_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST", (0.01, 0.01, 30.0))
    with reading(program(AFTER_ONE, "hear(); time.sleep(1000)"), seconds=0.5) as made:
        fine, stuck, behind = ask(made, [mail(n) for n in range(3)])()
        assert (fine, behind) == (mime.read(mail(0)), mime.read(mail(2)))
        assert [note.code for note in stuck.notes] == ["unreadable"]


def test_one_that_has_grown_too_big_is_replaced_and_no_mail_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST", (0.01, 0.01, 30.0))
    grown = GOES_ON.replace("false", "true")
    with reading(program(grown)) as made:
        for _ in range(3):
            wait_for(lambda: made._process is not None)
            assert ask(made, [mail(n) for n in range(5)])() == [mime.read(mail(n)) for n in range(5)]


def test_a_fault_of_one_who_is_told_is_no_other_mails_fault() -> None:
    def broken(_: Mail) -> None:
        raise ZeroDivisionError

    with reading() as made:
        made.read_soon(mail(1), broken)
        assert ask(made, [mail(2)])() == [mime.read(mail(2))]


def test_at_the_end_what_the_process_has_is_read_here() -> None:
    with reading(program("time.sleep(1000)")) as made:
        answers = ask(made, [mail(n) for n in range(3)])
    assert answers() == [mime.read(mail(n)) for n in range(3)]
    assert ask(made, [mail(4)])() == [mime.read(mail(4))]


def test_many_threads_lose_and_confuse_nothing() -> None:
    wrong: list[int] = []
    with reading(deep=3) as made:

        def work(first: int) -> None:
            for n in range(first, first + 50):
                (read,) = ask(made, [mail(n)])()
                if read != mime.read(mail(n)):
                    wrong.append(n)

        threads = [threading.Thread(target=work, args=(1000 * n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
