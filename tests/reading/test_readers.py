"""A worker that dies, hangs or lies costs a note, and never the mail or anything beside it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mailgate import mime, reading
from mailgate.domain.mail import Mail
from mailgate.mime import worker
from mailgate.reading import Readers
from tests.unit.mime.soundness import faults

HEAD = (
    b"From: Anna Muster <anna@muster.example>\r\nTo: kunde@kunde.example\r\nSubject: Offerte\r\n"
    b"Date: Sun, 22 Nov 2026 10:00:00 +0100\r\nMessage-ID: <1@muster.example>\r\n"
)
MAIL = HEAD + b"\r\nGuten Tag\r\n"
COVERING = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"".join(
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: %d\r\n\r\nx\r\n" % n for n in range(3)
)  # fmt: skip
BIG = MAIL + b"x" * 70 * 1024 + b"\r\n" * reading.MOST_HERE

# what a worker may do instead of answering; the first lines are those of one that works
BEGIN = """
import os, signal, sys, time
from mailgate.mime import frames, reader
out, source = sys.stdout.buffer, sys.stdin.buffer
def say(*said):
    for one in said: frames.write(out, one)
    out.flush()
def hear():
    return frames.read(source, 99), frames.read(source, 10**9)
say(frames.READY)
question, raw = hear()
"""
AFTER_ONE = "say(*frames.of_mail(reader.read(bytes(raw))), b'{\"spent\": false}')\n"
DEATHS = {
    "is killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "ends": "sys.exit(0)",
    "ends in the midst of a frame": "out.write(b'\\0' * 7 + b'\\x09' + b'abc'); out.flush(); sys.exit(0)",
    "dies of an error": "raise RuntimeError(raw)",
    "asks for too much memory": (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28)); x = bytearray(2**30)"
    ),
    "closes its answers": "os.close(1); time.sleep(1000)",
    "announces more than there is": "out.write(b'\\xff' * 8); out.flush(); time.sleep(100)",
    "answers no JSON": "say(b'no', b'', b'', b'{}')",
    "answers JSON of no mail": "say(b'[]', b'', b'', b'{\"spent\": false}')",
    "answers nested JSON": "say(b'[' * 10**6, b'', b'', b'{\"spent\": false}')",
    "answers a text that is none": "a, b, c = frames.of_mail(reader.read(bytes(raw))); say(a, b'\\xff', c, b'{}')",
    "answers a NUL": "a, b, c = frames.of_mail(reader.read(bytes(raw))); say(a, b'\\0', c, b'{\"spent\": false}')",
    "forgets to say that it is done": "say(*frames.of_mail(reader.read(bytes(raw)))); sys.exit(0)",
}


def nothing_is_plain(_raw: bytes) -> bool:
    return False


def acting(source: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-c", source)


@contextmanager
def readers(
    program: tuple[str, ...] = reading.PROGRAM, *, seconds: float = 60.0, wait: float = 60.0
) -> Iterator[Readers]:
    made = Readers(program, seconds=seconds, wait=wait, is_plain=nothing_is_plain)
    try:
        yield made
    finally:
        made.close()


OTHERS: set[int] = set()  # children that are no readers, such as a database


@pytest.fixture(autouse=True)
def known_children() -> None:
    OTHERS.clear()
    OTHERS.update(children())


def children() -> set[int]:
    """List the child processes that are alive and were not there before the test."""
    found = set()
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            state, parent = (place / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z" and int(parent) == os.getpid():
                found.add(int(place.name))
    return found - OTHERS


def is_kept_with_a_note(mail: Mail, why: str) -> bool:
    (note,) = mail.notes
    whole = mime.read(MAIL)
    header = (mail.subject, mail.parties, mail.sent_at, mail.message_id)
    return (
        header == (whole.subject, whole.parties, whole.sent_at, whole.message_id)
        and (mail.text, mail.html, mail.documents) == ("", "", ())
        and note.code == "unreadable"
        and why in note.text
    )


# -- those that work -------------------------------------------------------------------------------------------------


FIXTURES = sorted(Path(__file__).parents[2].glob("fixtures/mails/*.eml"))


def test_a_worker_reads_what_would_be_read_here() -> None:
    mails = [path.read_bytes() for path in FIXTURES]
    with readers() as made:
        assert [made.read(raw) for raw in mails] == [mime.read(raw) for raw in mails]
        assert [made.attached(raw) for raw in mails] == [mime.attached(raw) for raw in mails]


def test_the_mails_attached_come_with_their_numbers_and_bytes() -> None:
    with readers() as made:
        found = made.attached(COVERING)
    assert [n for n, _ in found] == [1, 2, 3]
    assert found[2][1].startswith(b"Subject: 2\r\n\r\n")


def test_twenty_mails_at_once_take_two_workers_and_each_gets_its_own() -> None:
    mails = [MAIL + b"mail number %d " % n * 3000 for n in range(20)]
    before = children()
    with readers() as made, ThreadPoolExecutor(20) as pool:
        found = list(pool.map(made.read, mails))
        assert len(children() - before) == reading.WORKERS
    assert found == [mime.read(mail) for mail in mails]
    assert children() == before


def test_two_readers_have_workers_of_their_own() -> None:
    with readers() as one, readers() as other:
        assert one.read(MAIL) == other.read(MAIL)
        one.close()
        assert other.read(MAIL) == mime.read(MAIL)


def test_a_small_ordinary_mail_needs_no_process() -> None:
    before = children()
    made = Readers()
    assert made.read(MAIL) == mime.read(MAIL)
    assert len(made.attached(COVERING)) == 3
    assert children() == before
    made.close()


def with_file(kind: bytes, octets: int, encoding: bytes = b"base64") -> bytes:
    """A mail with one file of about so many octets."""
    head = b"--b\r\nContent-Type: %b\r\nContent-Transfer-Encoding: %b\r\n\r\n" % (kind, encoding)
    mixed = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nGuten Tag\r\n"
    return mixed + head + (b"QUJD" * 19 + b"\r\n") * (octets // 78) + b"--b--\r\n"


def test_a_mail_with_a_big_file_needs_no_process_either() -> None:
    raw = with_file(b"application/pdf", reading.PLAIN_WITH_FILES - 1000)
    before = children()
    made = Readers()
    assert made.read(raw) == mime.read(raw)
    assert children() == before
    made.close()


ODD = {
    "a bigger file": with_file(b"application/pdf", reading.PLAIN_WITH_FILES),
    "a big file in short lines": with_file(b"image/png", 1 << 20) + b"\n" * reading.PLAIN_LINES_WITH_FILES,
    "a big file that may hold others": with_file(b"application/octet-stream", 2 << 20),
    "a big file as it stands": with_file(b"application/pdf", 2 << 20, b"8bit"),
    "a big text in base64": with_file(b"text/plain", 2 << 20),
    "a big mail in base64": with_file(b"message/rfc822", 2 << 20),
    "a big file beside many tags": with_file(b"image/png", 2 << 20) + b"<" * (reading.PLAIN_MARKS + 1),
    "big": MAIL + b"x" * reading.PLAIN_SIZE,
    "a long header": b"X: y\r\n" * (reading.PLAIN_HEADER // 6 + 1) + MAIL,
    "no end of its header": b"X: " + b"y" * reading.PLAIN_HEADER,
    "many lines": MAIL + b"\n" * reading.PLAIN_LINES,
    "many tags": MAIL + b"<" * (reading.PLAIN_MARKS + 1),
    "many letters that are written out": MAIL + b"&" * (reading.PLAIN_MARKS + 1),
    "many delimiters": MAIL + b"\n--b" * (reading.PLAIN_DELIMITERS + 1),
    "a winmail.dat": MAIL + b"Content-Type: application/MS-TNEF",
    "a signed envelope": MAIL + b"Content-Type: application/x-pkcs7-mime",
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_mail_is_read_elsewhere(case: str) -> None:
    assert reading.is_plain(MAIL)
    assert not reading.is_plain(ODD[case])
    made = Readers()
    before = children()
    assert faults(made.read(ODD[case])) == []
    assert len(children() - before) == 1
    made.close()


# -- those that don't ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("death", DEATHS)
def test_a_worker_that_fails_costs_a_note(death: str) -> None:
    before = children()
    with readers(acting(BEGIN + DEATHS[death])) as made:
        assert is_kept_with_a_note(made.read(MAIL), "reading it failed")
        assert made.attached(COVERING) == ()
    assert children() == before


def test_a_worker_that_hangs_is_ended_in_time() -> None:
    before = children()
    with readers(acting(BEGIN + "time.sleep(1000)"), seconds=0.5) as made:
        start = time.monotonic()
        assert is_kept_with_a_note(made.read(MAIL), "took too long")
        assert time.monotonic() - start < 30
        assert children() == before


def test_a_worker_that_never_listens_is_ended_in_time() -> None:
    program = acting(BEGIN.replace("question, raw = hear()", "time.sleep(1000)"))
    with readers(program, seconds=0.5) as made:
        mail = made.read(MAIL + b"more than a pipe holds " * 10_000)
    assert [note.code for note in mail.notes] == ["unreadable"]


def test_the_next_mail_gets_a_new_worker(tmp_path: Path) -> None:
    once = tmp_path / "once"
    source = f"import pathlib; once = pathlib.Path({str(once)!r})\n" + BEGIN
    source += f"if not once.exists(): once.touch(); {DEATHS['is killed']}\n{AFTER_ONE}"
    with readers(acting(source)) as made:
        assert is_kept_with_a_note(made.read(MAIL), "failed")
        assert made.read(MAIL) == mime.read(MAIL)


def test_a_worker_that_died_between_two_mails_costs_nothing() -> None:
    with readers() as made:
        assert made.read(MAIL) == mime.read(MAIL)
        (pid,) = children()
        os.kill(pid, signal.SIGKILL)
        assert made.read(MAIL) == mime.read(MAIL)
        assert children() != {pid}


def test_a_worker_killed_in_the_midst_costs_a_note_and_others_read_on(tmp_path: Path) -> None:
    """The mail says who hangs; the others are read by the second worker meanwhile."""
    there = tmp_path / "there"
    source = f"import pathlib; there = pathlib.Path({str(there)!r})\n" + BEGIN
    source += (
        f"while True:\n    if b'hang' in raw: there.write_text(str(os.getpid())); time.sleep(1000)\n"
        f"    {AFTER_ONE}    question, raw = hear()\n"
    )
    with readers(acting(source)) as made, ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(made.read, MAIL + b"hang")
        while not (there.exists() and there.read_text()):
            time.sleep(0.01)
        for _ in range(5):
            assert made.read(MAIL) == mime.read(MAIL)
        os.kill(int(there.read_text()), signal.SIGKILL)
        assert is_kept_with_a_note(stuck.result(30), "failed")


def test_a_worker_that_has_grown_is_replaced() -> None:
    program = acting(BEGIN + AFTER_ONE.replace("false", "true") + "time.sleep(1000)")
    with readers(program) as made:
        pids = []
        for _ in range(3):
            assert made.read(MAIL) == mime.read(MAIL)
            pids.append(children())
    assert pids == [set(), set(), set()]


def test_a_worker_is_replaced_after_so_many_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_OCTETS", 2 * len(MAIL))
    with readers() as made:
        seen = []
        for _ in range(3):
            made.read(MAIL)
            seen.append(len(children()))
    assert seen == [1, 1, 0]


@pytest.mark.parametrize(
    "program",
    [("/no/such/program",), acting("raise SystemExit(1)"), acting("print('hello')"), acting("1/0")],
    ids=["not there", "ends", "is another program", "fails at once"],
)
def test_without_workers_a_mail_that_is_not_big_is_read_here(program: tuple[str, ...]) -> None:
    with readers(program) as made:
        assert made.read(MAIL) == mime.read(MAIL)
        assert len(made.attached(COVERING)) == 3
        (note,) = made.read(BIG).notes
        assert note.code == "unreadable"
        assert "no room" in note.text
        assert made.attached(BIG) == ()


def test_waiting_for_a_worker_ends(tmp_path: Path) -> None:
    hanging = acting(BEGIN + f"open({str(tmp_path)!r} + f'/{{os.getpid()}}', 'w'); time.sleep(1000)")
    with readers(hanging, wait=0.2, seconds=50) as made, ThreadPoolExecutor(reading.WORKERS) as pool:
        busy = [pool.submit(made.read, MAIL) for _ in range(reading.WORKERS)]
        while len(list(tmp_path.iterdir())) < reading.WORKERS:
            time.sleep(0.01)
        assert made.read(MAIL) == mime.read(MAIL)
        made.close()
        assert all(is_kept_with_a_note(one.result(30), "failed") for one in busy)


def test_after_the_end_nobody_hangs_and_no_process_is_left() -> None:
    before = children()
    made = Readers(is_plain=nothing_is_plain)
    made.read(MAIL)
    made.close()
    made.close()
    assert made.read(MAIL) == mime.read(MAIL)
    assert children() == before


# -- what they have --------------------------------------------------------------------------------------------------


def test_a_worker_has_pipes_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILGATE_STORE__URL", "postgresql://u:secret@db.example/x")
    with readers() as made, Path("/dev/null").open() as inherited:
        os.set_inheritable(inherited.fileno(), True)
        made.read(MAIL)
        (pid,) = children()
        place = Path(f"/proc/{pid}")
        files = {str(fd.readlink()).partition(":")[0] for fd in (place / "fd").iterdir()}
        assert files <= {"pipe", "/dev/null"}
        assert len(list((place / "fd").iterdir())) <= 4
        assert b"secret" not in (place / "environ").read_bytes()
        assert os.getsid(pid) == pid


def test_a_worker_ends_when_its_parent_does() -> None:
    source = (
        "import os, signal, sys; from mailgate.reading import Readers\n"
        "made = Readers(is_plain=lambda raw: False); made.read(b'From: a@a.example\\r\\n\\r\\nx')\n"
        "(worker,) = made._alive; print(worker._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", source], stdout=subprocess.PIPE, check=False, timeout=60)
    pid = int(done.stdout)
    for _ in range(1000):
        if not Path(f"/proc/{pid}").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return
        time.sleep(0.01)
    pytest.fail("the worker outlived its parent")


def test_memory_is_bounded_before_a_mail_is_read() -> None:
    with readers() as made:
        made.read(MAIL)
        (pid,) = children()
        limits = Path(f"/proc/{pid}/limits").read_text()
    (soft,) = [line.split()[3] for line in limits.splitlines() if line.startswith("Max address space")]
    assert worker.ROOM < int(soft) < worker.ROOM + 1024 * 1024 * 1024


def test_threads_of_the_deadline_do_not_pile_up() -> None:
    with readers() as made:
        for _ in range(20):
            made.read(MAIL)
        for _ in range(100):
            if threading.active_count() <= 2:
                break
            time.sleep(0.05)
        assert threading.active_count() <= 2


def test_a_worker_whose_deadline_cannot_be_set_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    ended: list[object] = []
    end = reading._Worker.end

    def counted(worker: reading._Worker) -> None:
        ended.append(worker)
        end(worker)

    monkeypatch.setattr(reading._Worker, "end", counted)
    readers = Readers(is_plain=lambda _: False)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Timer, "start", refused)
        assert readers.read(b"Subject: x\r\n\r\nx").subject == "x"
    assert len(ended) == 1
    readers.close()
