"""No bytes make the entry stumble: it never raises, what it gives is sound, and it gives the same twice.

``make fuzz`` goes on with new numbers for ``FUZZ_SECONDS`` (600). A mail that was ever found to break this is kept in
``seeds`` for good, small, under a name that says what it broke.
"""

import os
import random
import time
from hashlib import sha256
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate import mime
from tests.corpus import messages
from tests.corpus.mutations import CHANGES, mutated
from tests.unit.mime.soundness import faults

SEEDS = Path(__file__).with_name("seeds")
MUTATIONS = 1200  # of each run, the same ones
LARGEST = 60_000  # bytes of a mail that is mutated: many small ones find more than few large ones
SECONDS = 30.0  # for one mail; it takes milliseconds

_LINES = (
    b"Subject: s",
    b"From: Anna <anna@haus.example>",
    b"To: =?utf-8?q?M=C3=BC?= <a@a.example>, b",
    b"Date: Mon, 16 Nov 2026 09:30:00 +0100",
    b"Content-Type: multipart/mixed; boundary=b",
    b"Content-Type: multipart/alternative; boundary=bb",
    b"Content-Type: multipart/digest; boundary=b",
    b"Content-Type: message/rfc822",
    b"Content-Type: text/html; charset=utf-16",
    b"Content-Type: text/plain; format=flowed",
    b"Content-Type: application/ms-tnef; name*0*=utf-8''%FF; name*1=winmail.dat",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable",
    b"Content-Disposition: attachment; filename=../a.exe",
    b"Content-ID: <c@c.example>",
    b"--b",
    b"--b--",
    b"--bb",
    b"--bb--",
    b"",
    b"",
    b"begin 644 a.bin",
    b"#0V%T",
    b"end",
    b"YWJj",
    b"=FF=",
    b"<p>html <img src=cid:c@c.example><a href='javascript:x'>y</a>",
    b"BEGIN:VCALENDAR",
    b"> quoted",
    b"-- ",
    b" folded",
)


def broken(raw: bytes) -> list[str]:
    """List what is wrong with how a mail is read."""
    start = time.monotonic()
    mail = mime.read(raw)
    wrong = faults(mail)
    contents = [mime.document(raw, document.n) for document in mail.documents]
    if [None if each is None else sha256(each).hexdigest() for each in contents] != [
        each.sha256 for each in mail.documents
    ]:
        wrong.append("a document that isn't what was listed")
    if mime.document(raw, len(mail.documents) + 1) is not None:
        wrong.append("a document that was not listed")
    if any(contents[n - 1] != content for n, content in mime.attached(raw)):
        wrong.append("an attached mail that isn't the document of its number")
    if mime.read(raw) != mail:
        wrong.append("another mail the second time")
    if any(note.text.endswith("could not be taken apart.") for note in mail.notes):
        wrong.append("a fault of ours behind unreadable")
    if time.monotonic() - start > SECONDS:
        wrong.append("slow")
    return wrong


def mails() -> list[bytes]:
    raws = [path.read_bytes() for path in dict.fromkeys((*messages.fixtures(), *messages.messages()))]
    return [raw for raw in raws if len(raw) <= LARGEST]


def mutation(raws: list[bytes], seed: int) -> bytes:
    return mutated(raws[seed % len(raws)], raws[(seed * 7 + 3) % len(raws)], seed)


def test_what_was_once_found_is_read() -> None:
    found = {path.name: wrong for path in SEEDS.glob("*.eml") if (wrong := broken(path.read_bytes()))}
    assert found == {}


def test_mails_that_were_changed_are_read() -> None:
    raws = mails()
    found = {seed: wrong for seed in range(MUTATIONS) if (wrong := broken(mutation(raws, seed)))}
    assert found == {}


def test_every_change_changes_something() -> None:
    raws = mails()
    for change in CHANGES:
        changed = [change(raw, raws[0], random.Random(1)) != raw for raw in raws]
        assert any(changed), change


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(_LINES), max_size=60), st.sampled_from([b"\r\n", b"\n"]))
def test_mails_of_lines_in_any_order_are_read(lines: list[bytes], end: bytes) -> None:
    assert broken(end.join(lines)) == []


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=500))
def test_any_bytes_are_read(raw: bytes) -> None:
    assert broken(raw) == []


def fuzz(seconds: float) -> int:
    """Go on with new numbers; write what breaks into ``seeds`` and say how many did."""
    raws, count, found = mails(), 0, 0
    first = random.SystemRandom().randrange(2**40)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        raw = mutation(raws, first + count)
        count += 1
        try:
            wrong = broken(raw)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            wrong = [f"raises {error!r}"]
        if wrong:
            found += 1
            path = SEEDS / f"{sha256(raw).hexdigest()[:12]}.eml"
            path.write_bytes(raw)
            print(f"{path}: {', '.join(wrong)}")
    print(f"{count} mails from {first} on, {found} broken")
    return found


if __name__ == "__main__":
    raise SystemExit(bool(fuzz(float(os.environ.get("FUZZ_SECONDS", "600")))))
