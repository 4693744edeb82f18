"""Record addresses: random, easy to read out, short, and secret."""

import math
import secrets
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailgate.domain.address import fold
from mailgate.domain.routing import ALPHABET, TOKEN_BYTES, TOKEN_LENGTH, is_ours, masked, new_token, record_address

_RANDOM = st.binary(min_size=TOKEN_BYTES, max_size=TOKEN_BYTES)


@settings(deadline=None)
@given(_RANDOM)
def test_a_token_is_short_and_has_no_lookalikes_and_folds_to_itself(random_bytes: bytes) -> None:
    token = new_token(random_bytes)
    assert len(token) == TOKEN_LENGTH <= 40
    assert set(token) <= set("abcdefghjkmnpqrstuvwxyz23456789")
    address = record_address(token, "log.legit.test")
    assert fold(address) == fold(address.upper()) == address


@settings(deadline=None)
@given(_RANDOM, _RANDOM)
def test_other_bytes_make_another_token(one: bytes, other: bytes) -> None:
    assert (new_token(one) == new_token(other)) is (one == other)


def test_a_token_holds_at_least_a_hundred_bits() -> None:
    assert TOKEN_BYTES * 8 >= 100
    assert TOKEN_LENGTH * math.log2(len(ALPHABET)) >= TOKEN_BYTES * 8
    assert new_token(bytes(TOKEN_BYTES)) == "2" * TOKEN_LENGTH
    new_token(b"\xff" * TOKEN_BYTES)


def test_every_letter_is_used_about_equally_often() -> None:
    letters = Counter("".join(new_token(secrets.token_bytes(TOKEN_BYTES))[:-1] for _ in range(4000)))
    assert set(letters) == set(ALPHABET)
    assert max(letters.values()) < 1.5 * min(letters.values())


@pytest.mark.parametrize("length", [0, 12, 15, 17, 32])
def test_a_token_is_made_of_no_other_number_of_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        new_token(bytes(length))


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("abcd2345@log.legit.test", True),
        ("anything@log.legit.test", True),
        ("abcd2345@legit.test", False),
        ("abcd2345@x.log.legit.test", False),
        ("abcd2345@xlog.legit.test", False),
        ('"x@log.legit.test"@attack.test', False),
        ("", False),
    ],
)
def test_an_address_is_ours_by_its_whole_domain(address: str, ours: bool) -> None:
    assert is_ours(address, "log.legit.test") is ours


def test_a_log_shows_four_characters_and_a_hash() -> None:
    token = new_token(secrets.token_bytes(TOKEN_BYTES))
    shown = masked(f"{token}@log.legit.test")
    assert shown.startswith(token[:4] + "~")
    assert len(shown) == 13
    assert token[4:9] not in shown
    assert masked(f"{token}@log.legit.test") == shown
    assert masked(f"{token}@log.legit.example")[5:] != shown[5:]


@settings(deadline=None)
@given(st.text())
def test_whatever_was_asked_for_is_logged_in_printable_ascii(text: str) -> None:
    shown = masked(text)
    assert len(shown) <= 13
    assert shown.isascii()
    assert shown.isprintable()


def test_a_lone_surrogate_can_be_named_in_a_log() -> None:
    assert masked("\udcff@x").startswith("?@x~")
