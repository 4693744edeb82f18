import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailgate.errors import Reason
from mailgate.smtp.datareader import MAX_HEAD, EndOfData, flaw, head_of

# the signs that matter, and one that doesn't
STREAMS = st.lists(st.sampled_from([b"\r", b"\n", b".", b"\0", b"x", b"\r\n", b"\r\n."]), max_size=40).map(b"".join)


def naive(stream: bytes) -> tuple[bytes, bytes]:
    """Line by line, as RFC 5321 4.5.2 tells it: the mail, and what follows its end."""
    mail, at = b"", 0
    while True:
        end = stream.index(b"\r\n", at) + 2
        line, at = stream[at:end], end
        if line == b".\r\n":
            return mail, stream[at:]
        mail += line[1:] if line.startswith(b".") else line


def fed(pieces: Sequence[bytes]) -> tuple[bytes, bytes]:
    reader, mail = EndOfData(), b""
    for n, piece in enumerate(pieces):
        mail += reader.feed(piece)
        if reader.rest is not None:
            return mail, reader.rest + b"".join(pieces[n + 1 :])
    pytest.fail("no end was found")


@given(STREAMS, st.lists(st.integers(0, 120), max_size=12))
@example(b"", [])
@example(b"\r\n..\r\n.", [1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_every_chunking_gives_what_a_naive_reader_gives(stream: bytes, cuts: list[int]) -> None:
    whole = stream + b"\r\n.\r\nQUIT\r\n"
    places = [0, *sorted(cuts), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(places)]
    assert fed(pieces) == naive(whole)


@given(STREAMS)
def test_one_octet_at_a_time_gives_the_same(stream: bytes) -> None:
    whole = stream + b"\r\n.\r\n"
    assert fed([whole[n : n + 1] for n in range(len(whole))]) == naive(whole)


@given(st.binary(max_size=200))
def test_what_a_client_stuffs_comes_out_as_it_was(body: bytes) -> None:
    mail = body.replace(b"\r", b"").replace(b"\n", b"\r\n") + b"\r\n"
    stuffed = re.sub(rb"(?m)^\.", b"..", mail)
    assert fed([stuffed + b".\r\n"]) == (mail, b"")


def test_without_a_genuine_end_there_is_none() -> None:
    for almost in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n", b"x.\r\n"):
        reader = EndOfData()
        reader.feed(b"a" + almost)
        assert reader.rest is None, almost


def test_bytes_that_may_be_the_end_are_held_back() -> None:
    reader = EndOfData()
    assert reader.feed(b"a\r\n.\r") == b"a"
    assert reader.feed(b"b") == b"\r\n\rb"


@pytest.mark.parametrize(
    ("raw", "chunked", "reason"),
    [
        (b"", False, None),
        (b"a: b\r\n\r\nbody\r\n", False, None),
        (b"a: b\r\n\r\nbody", False, None),
        (b"a: b\r\n\r\nbo\ndy\r\n", False, Reason.BARE_NEWLINE),
        (b"a: b\r\n\r\nbo\rdy\r\n", False, Reason.BARE_NEWLINE),
        (b"a: b\r\n\r\nbody\r\n\r", False, Reason.BARE_NEWLINE),
        (b"\na: b\r\n\r\nbody\r\n", False, Reason.BARE_NEWLINE),
        (b"a: b\r\n\r\nbo\n\rdy\r\n", False, Reason.BARE_NEWLINE),
        (b"a: b\r\n\r\nbo\0dy\r\n", False, Reason.BARE_NEWLINE),
        (b"a: b\r\n\r\nbo\ndy\r\r\n\n", True, None),
        (b"\r\nbo\ndy", True, None),
        (b"a: b\r\n\r\nbo\0dy\r\n", True, Reason.BARE_NEWLINE),
        (b"a: b\n\r\n\r\nbody\r\n", True, Reason.BARE_NEWLINE),
        (b"a: b\n\nbody\n", True, Reason.BARE_NEWLINE),
        (b"no end of header\n", True, Reason.BARE_NEWLINE),
        (b"a: " + 91 * b"x" + b"\r\n\r\nbody\r\n", False, None),
        (b"a: " + 94 * b"x" + b"\r\n\r\nbody\r\n", False, Reason.TOO_LARGE),
        (b"a: " + 200 * b"x", False, Reason.TOO_LARGE),
    ],
)
def test_flaws(raw: bytes, chunked: bool, reason: Reason | None) -> None:
    assert flaw(raw, max_header_size=100, chunked=chunked) is reason


@given(STREAMS, st.integers(-3, 3))
def test_a_pair_across_two_steps_of_counting_is_one_pair(stream: bytes, shift: int) -> None:
    raw = (256 * 1024 + shift) * b"x" + stream
    lone = re.search(rb"\r(?!\n)|(?<!\r)\n|\0", raw) is not None
    assert (flaw(raw, max_header_size=len(raw), chunked=False) is Reason.BARE_NEWLINE) == lone


def test_the_head_is_whole_lines_of_the_header() -> None:
    assert head_of(b"a: b\r\nc: d\r\n\r\nbody\r\n") == b"a: b\r\nc: d\r\n\r\n"
    assert head_of(b"a: b\r\nc: d") == b"a: b\r\n"
    assert head_of(b"a: b\r\n" + MAX_HEAD * b"x") == b"a: b\r\n"
    assert head_of(b"") == b""
