import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.mime import flowed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("fixed\nlines\n", "fixed\nlines\n"),
        ("one \ntwo \nthree\nnext", "one two three\nnext"),
        ("ends with the text ", "ends with the text"),
        ("ends \n", "ends\n"),
        ("one \n\ntwo", "one\n\ntwo"),
        (" From me\n > not quoted\n  two spaces", "From me\n > not quoted\n two spaces"),
        ("> one \n> two\n>> deeper \n>> yet\nmine", "> one two\n>> deeper yet\nmine"),
        ("> cut short \nmine \n> again", "> cut short\nmine\n> again"),
        (">no space \n>after the mark", "> no space after the mark"),
        ("> > written as two marks", "> > written as two marks"),
        ("words \n-- \nAnna \nMuster", "words\n-- \nAnna Muster"),
        ("-- \nAnna", "-- \nAnna"),
        ("> words \n> -- \n> Anna", "> words\n> -- \n> Anna"),
        ("--  \nno mark", "--  no mark"),
        ("> \n>\n> x", ">\n>\n> x"),
    ],
)
def test_the_lines_of_a_paragraph_are_joined(text: str, expected: str) -> None:
    assert flowed.join(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("見積 \nもりを \n送る", "見積もりを送る"),
        ("two  \nwords", "two words"),
        ("words \n-- \nAnna", "words\n-- \nAnna"),
        ("> 見積 \n> もり", "> 見積もり"),
    ],
)
def test_the_space_at_the_end_goes_where_the_mail_says_so(text: str, expected: str) -> None:
    assert flowed.join(text, delete_space=True) == expected


LINES = st.lists(st.text("ab> -", max_size=8), max_size=8).map("\n".join)


@given(LINES, st.booleans())
def test_no_word_is_lost_and_none_is_added(text: str, delete_space: bool) -> None:
    assert [c for c in flowed.join(text, delete_space=delete_space) if c in "ab"] == [c for c in text if c in "ab"]


@given(st.lists(st.sampled_from(["Dear Anna", "we can", "-- ", "", "bye"]), min_size=1).map("\n".join))
def test_text_that_has_no_flowing_line_stays_as_it_is(text: str) -> None:
    assert flowed.join(text) == text


@pytest.mark.parametrize("unit", ["x \n", "> x \n", ">", " ", "-- \n", ">\n >"])
def test_megabytes_of_flowing_lines_take_little_time(unit: str) -> None:
    started = time.perf_counter()
    flowed.join(unit * (flowed.MAX_FLOWED // len(unit)))
    assert time.perf_counter() - started < 20


def test_text_that_nobody_wrote_stays_in_its_lines() -> None:
    text = "x \n" * flowed.MAX_FLOWED
    assert flowed.join(text) is text
