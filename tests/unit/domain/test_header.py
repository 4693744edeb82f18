"""The header block of a mail, split into fields that rules can trust."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.domain.header import Field, Shape, body_offset, split, unfold, without_comments

FIELD, SPACED, MBOX, GARBAGE = Shape.FIELD, Shape.SPACED, Shape.MBOX, Shape.GARBAGE


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        pytest.param(b"To: a\r\nCc: b\r\n", [(b"To", b" a", FIELD), (b"Cc", b" b", FIELD)], id="two fields"),
        pytest.param(b"To: a\r\n b\r\n\tc\r\n", [(b"To", b" a\r\n b\r\n\tc", FIELD)], id="a folded value"),
        pytest.param(b"To:\r\n a\r\n", [(b"To", b"\r\n a", FIELD)], id="a value that starts on the next line"),
        pytest.param(b"To: a\r\n \r\n b\r\n", [(b"To", b" a\r\n \r\n b", FIELD)], id="a line of white space folds too"),
        pytest.param(b"To:\r\n", [(b"To", b"", FIELD)], id="an empty value"),
        pytest.param(b"To: a: b\r\n", [(b"To", b" a: b", FIELD)], id="only the first colon divides"),
        pytest.param(b"!#~: x\r\n", [(b"!#~", b" x", FIELD)], id="any printable ASCII is a name"),
        pytest.param(b"To : a\r\n", [(b"To", b" a", SPACED)], id="a space before the colon"),
        pytest.param(b"To\t : a\r\n", [(b"To", b" a", SPACED)], id="a tab before the colon"),
        pytest.param(b" To: a\r\nCc: b\r\n", [(b"", b" To: a", GARBAGE), (b"Cc", b" b", FIELD)], id="white first line"),
        pytest.param(b"To\r\n : a\r\n", [(b"", b"To\r\n : a", GARBAGE)], id="a name folded before its colon"),
        pytest.param(b"hello\r\n", [(b"", b"hello", GARBAGE)], id="no colon"),
        pytest.param(b"hello there: x\r\n", [(b"", b"hello there: x", GARBAGE)], id="a space in the name"),
        pytest.param(b": a\r\n", [(b"", b": a", GARBAGE)], id="no name"),
        pytest.param(b"T\xf6: a\r\n", [(b"", b"T\xf6: a", GARBAGE)], id="8-bit in the name"),
        pytest.param(b"T\0o: a\r\n", [(b"", b"T\0o: a", GARBAGE)], id="NUL in the name"),
        pytest.param(b"To: a\0b\r\n", [(b"To", b" a\0b", FIELD)], id="NUL in the value"),
        pytest.param(b"To: a\nCc: b\n", [(b"To", b" a", FIELD), (b"Cc", b" b", FIELD)], id="LF ends a line"),
        pytest.param(b"To: a\rCc: b\r", [(b"To", b" a", FIELD), (b"Cc", b" b", FIELD)], id="CR ends a line"),
        pytest.param(
            b"From anna@legit.test Mon Jan  1 10:00:00 2024\r\nTo: a\r\n",
            [(b"", b"From anna@legit.test Mon Jan  1 10:00:00 2024", MBOX), (b"To", b" a", FIELD)],
            id="the line of a mailbox file, first",
        ),
        pytest.param(
            b"To: a\r\nFrom anna Mon Jan  1\r\n",
            [(b"To", b" a", FIELD), (b"", b"From anna Mon Jan  1", GARBAGE)],
            id="the line of a mailbox file, later",
        ),
        pytest.param(
            b"From anna Mon\r\n From: b\r\n",
            [(b"", b"From anna Mon", MBOX), (b"", b" From: b", GARBAGE)],
            id="nothing is folded into the line of a mailbox file",
        ),
        pytest.param(b"From : a\r\n", [(b"From", b" a", SPACED)], id="a spaced From is no mailbox file's"),
        pytest.param(b"From \r\n : a\r\n", [(b"", b"From \r\n : a", GARBAGE)], id="nor is a folded one"),
    ],
)
def test_each_line_of_the_block_has_its_shape(block: bytes, expected: list[tuple[bytes, bytes, Shape]]) -> None:
    for ending in (b"", b"\r\nbody: no field\r\n"):
        header = split(block + ending)
        assert [(field.name, field.value, field.shape) for field in header.fields] == expected


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"A: b\r\n\r\nbody", b"body"),
        (b"A: b\n\nbody", b"body"),
        (b"A: b\r\rbody", b"body"),
        (b"A: b\n\r\nbody", b"body"),
        (b"A: b\r\n\nbody", b"body"),
        (b"A: b\r\r\nbody", b"body"),
        (b"A: b\n\r\rbody", b"\rbody"),
        (b"A: b\r\r\n\nbody", b"\nbody"),
        (b"A: b\r\n\r\n\r\nbody", b"\r\nbody"),
        (b"A: b\r\n \r\n\r\nbody", b"body"),
        (b"A: b\n\nbody\r\n\r\nmore", b"body\r\n\r\nmore"),
        (b"\r\nbody", b"body"),
        (b"\nbody", b"body"),
        (b"\r\n\r\nbody", b"\r\nbody"),
        (b"A: b\r\n\r\n", b""),
        (b"A: b\r\n", b""),
        (b"A: b", b""),
        (b"", b""),
    ],
)
def test_the_body_starts_after_the_first_empty_line(raw: bytes, body: bytes) -> None:
    assert raw[body_offset(raw) :] == body
    assert raw[split(raw).body :] == body


def test_values_come_in_order_by_any_case_of_the_name_and_without_garbage() -> None:
    header = split(b"Received: 1\r\nrEcEiVeD: 2\r\nReceived : 3\r\nX-Received: 4\r\n\xffReceived: 5\r\n\r\nReceived: 6")
    assert header.values(b"received") == [b" 1", b" 2", b" 3"]


def test_garbage_has_no_name_to_be_asked_for() -> None:
    assert not Field(b"", b"x", GARBAGE).is_named(b"")


@pytest.mark.parametrize(
    ("value", "plain"), [(b" a\r\n b", b" a b"), (b"a\r\n \r\n\tb", b"a \tb"), (b"a\n b\r c", b"a b c"), (b"", b"")]
)
def test_unfolding_takes_line_ends_and_nothing_else(value: bytes, plain: bytes) -> None:
    assert unfold(value) == plain


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (b"no", b"no"),
        (b"a(x)b", b"a b"),
        (b"a(x(y)z)b", b"a b"),
        (b"a(x\\)y)b", b"a b"),
        (b'"a(x)b"', b'"a(x)b"'),
        (b'"a\\"(x)b"', b'"a\\"(x)b"'),
        (b'a("x)b', b"a b"),
        (b"a(x", b"a"),
        (b"a)b", b"a)b"),
        (b"(x)", b" "),
        (b"a\\", b"a\\"),
    ],
)
def test_comments_are_taken_out(value: bytes, plain: bytes) -> None:
    assert without_comments(value) == plain


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([b"From", b":", b" ", b"\r", b"\n", b"\r\n", b"\0", b"a", b"\xff", b"(", b"\\"])).map(
        b"".join
    )
)
def test_any_bytes_can_be_split_and_none_are_lost(raw: bytes) -> None:
    header = split(raw)
    assert 0 <= header.body <= len(raw)
    shown = b"".join(field.name + field.value for field in header.fields)
    letters = raw[: header.body].translate(None, b"\r\n: \t")
    assert shown.translate(None, b"\r\n: \t") == letters
    without_comments(raw)


@settings(deadline=None)
@given(st.binary(), st.binary())
def test_the_body_changes_nothing_in_the_fields(first: bytes, second: bytes) -> None:
    start = b"To: a\r\nSubject: b\r\n\r\n"
    assert split(start + first).fields == split(start + second).fields


@pytest.mark.parametrize(
    "hostile",
    [
        b"a" * 4_000_000,
        b"a:\r\n" * 200_000,
        b"\r\n " * 200_000,
        b" \t" * 1_000_000,
        b"(" * 1_000_000,
        b"\n\r \r" * 200_000,
    ],
    ids=["one line", "many fields", "many folds", "one white line", "parentheses", "line ends"],
)
def test_hostile_headers_take_linear_time(hostile: bytes) -> None:
    started = time.monotonic()
    split(b"X" + hostile)
    without_comments(hostile)
    assert time.monotonic() - started < 20
