from hypothesis import given
from hypothesis import strategies as st

from mailgate.store.waiting import Waiting

RECORDS = st.integers(0, 9)


def _slowly(rows: dict[int, tuple[int, tuple[int, ...]]], there: set[int]) -> set[int]:
    """The same by the book: take out what waits in vain until nothing changes."""
    left = set(rows)
    while True:
        brought = {rows[row][0] for row in left} | there
        still = {row for row in left if set(rows[row][1]) <= brought}
        if still == left:
            return left
        left = still


@given(
    st.lists(st.tuples(RECORDS, st.lists(RECORDS, min_size=1, max_size=3).map(tuple)), max_size=12), st.sets(RECORDS)
)
def test_hope_is_what_is_left_when_nothing_waits_in_vain(
    wishes: list[tuple[int, tuple[int, ...]]], there: set[int]
) -> None:
    waiting = Waiting()
    waiting.add((row, record, missing) for row, (record, missing) in enumerate(wishes))
    assert waiting.hopeful(there) == _slowly(dict(enumerate(wishes)), there)
    assert len(waiting) == len(wishes)


def test_a_long_chain_that_ends_nowhere_is_given_up_in_linear_time() -> None:
    waiting = Waiting()
    waiting.add((row, row, (row + 1,)) for row in range(100_000))
    assert waiting.hopeful(set()) == set()
    assert waiting.hopeful({100_000}) == set(range(100_000))
