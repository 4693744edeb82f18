import warnings

import pytest

from mailgate.mime import guessing


@pytest.mark.parametrize("octets", [b"", b"\x1b$B abc", b"plain\r\nlines"])
def test_what_has_no_letter_beyond_ascii_is_not_guessed_and_nobody_is_warned(octets: bytes) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert guessing.guess(octets) is None
    assert told == []
