"""What other projects expect of their test mails, what of it is met, and a reason for each expectation that isn't.

``python -m tests.corpus.test_scores`` prints the table of the README.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import pytest

from tests.corpus import mime4j, rspamd, stalwart, told
from tests.corpus.deviations import DEVIATIONS
from tests.corpus.expectation import Expectation
from tests.corpus.messages import CORPUS, REPOSITORY

SETS: dict[str, Callable[[], Iterator[Expectation]]] = {
    "stalwart": stalwart.expectations,
    "mime4j": mime4j.expectations,
    "rspamd": rspamd.expectations,
    **{project: partial(told.expectations, project) for project in told.SETS},
}
LEAST = 98.0  # per cent


@dataclass(frozen=True, slots=True)
class Score:
    """What came of the expectations of a set."""

    name: str
    messages: int
    expectations: int
    met: int

    @property
    def percent(self) -> float:
        return 100 * self.met / self.expectations

    @property
    def row(self) -> str:
        return f"| {self.name} | {self.messages} | {self.expectations} | {self.met} | {self.percent:.1f} |"


@cache
def expectations(name: str) -> tuple[Expectation, ...]:
    return tuple(SETS[name]())


def file_of(each: Expectation) -> str:
    return each.message.partition(" ")[0]


def score(name: str) -> Score:
    found = expectations(name)
    return Score(name, len({file_of(each) for each in found}), len(found), sum(each.met for each in found))


def scores() -> list[Score]:
    found = [score(name) for name in SETS] if CORPUS.is_dir() else []
    if found:
        sums = Counter[str]()
        for each in found:
            sums.update(messages=each.messages, expectations=each.expectations, met=each.met)
        found.append(Score("together", sums["messages"], sums["expectations"], sums["met"]))
    return found


def table() -> list[str]:
    return [each.row for each in scores()]


def missed(name: str) -> Counter[str]:
    """Count what isn't met, by file."""
    return Counter(file_of(each) for each in expectations(name) if not each.met)


@pytest.mark.parametrize("name", SETS)
def test_what_is_not_met_is_listed_with_a_reason(name: str) -> None:
    if not CORPUS.is_dir():
        print(f"no corpus at {CORPUS}: nobody's expectations to meet")
        assert missed(name) == {}
        return
    print(score(name).row)
    listed = {file: count for file, (count, _) in DEVIATIONS.get(name, {}).items()}
    assert missed(name) == listed, "\n".join(
        f"{each.message} {each.what}: {each.expected!r:.300} but {each.seen!r:.300}"
        for each in expectations(name)
        if not each.met and listed.get(file_of(each)) != missed(name)[file_of(each)]
    )


def test_every_reason_is_one() -> None:
    reasons = [reason for listed in DEVIATIONS.values() for _, reason in listed.values()]
    assert all(len(reason.split()) > 5 for reason in reasons)
    assert set(DEVIATIONS) <= set(SETS)


def test_nearly_all_is_met() -> None:
    below = {each.name: each.percent for each in scores() if each.percent < LEAST}
    assert below == {}


def test_the_table_of_the_readme_is_this_one() -> None:
    rows = (REPOSITORY / "README.md").read_text().splitlines()
    start = rows.index("| mails of | mails | expectations | met | % |") + 2
    listed = rows[start : start + len(SETS) + 1]
    if CORPUS.is_dir():
        assert listed == table()
    assert [row.split(" | ")[0].removeprefix("| ") for row in listed] == [*SETS, "together"]


if __name__ == "__main__":
    print("\n".join(table()))
