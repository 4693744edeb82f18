"""What other projects expect of their test mails, what of it is met, and a reason for each expectation that isn't.

``python -m tests.corpus.test_scores`` prints the tables of the README. The sets that have expected results with them
(``SHARED``) are counted apart from those whose expectations are our own (``OURS``).
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial

import pytest

from tests.corpus import mime4j, rspamd, stalwart, told
from tests.corpus.deviations import DEVIATIONS
from tests.corpus.expectation import Expectation, Kind
from tests.corpus.messages import CORPUS, REPOSITORY

SHARED: dict[str, Callable[[], Iterator[Expectation]]] = {
    "stalwart": stalwart.expectations,
    "mime4j": mime4j.expectations,
    "rspamd": rspamd.expectations,
}
OURS: dict[str, Callable[[], Iterator[Expectation]]] = {
    project: partial(told.expectations, project) for project in told.SETS
}
SETS = {**SHARED, **OURS}
HEAD_OF_SHARED = f"| mails of | mails | {' | '.join(Kind)} | all | % | % without fields and parameters |"
HEAD_OF_OURS = "| mails of | mails | expectations | met | % |"
# per cent of the shared ones; what is missing are mails that are cut short on purpose: see the deviations
LEAST = 98


@cache
def expectations(name: str) -> tuple[Expectation, ...]:
    return tuple(SETS[name]())


def file_of(each: Expectation) -> str:
    return each.message.partition(" ")[0]


def of(sets: tuple[str, ...]) -> list[Expectation]:
    return [each for name in sets for each in expectations(name)]


def percent(found: list[Expectation]) -> float:
    return 100 * sum(each.met for each in found) / len(found)


def met_of(found: list[Expectation]) -> str:
    return f"{sum(each.met for each in found)}/{len(found)}" if found else ""


def mails(sets: tuple[str, ...]) -> int:
    return sum(len({file_of(each) for each in expectations(name)}) for name in sets)


def shared_row(title: str, sets: tuple[str, ...]) -> str:
    found = of(sets)
    kinds = [met_of([each for each in found if each.kind is kind]) for kind in Kind]
    read = [each for each in found if each.kind not in {Kind.FIELD, Kind.PARAMETER}]
    cells = [*kinds, met_of(found), f"{percent(found):.1f}", f"{percent(read):.1f}"]
    return f"| {title} | {mails(sets)} | {' | '.join(cells)} |"


def our_row(title: str, sets: tuple[str, ...]) -> str:
    found = of(sets)
    met = sum(each.met for each in found)
    return f"| {title} | {mails(sets)} | {len(found)} | {met} | {percent(found):.1f} |"


def shared_table() -> list[str]:
    return [*(shared_row(name, (name,)) for name in SHARED), shared_row("together", tuple(SHARED))]


def our_table() -> list[str]:
    return [*(our_row(name, (name,)) for name in OURS), our_row("together", tuple(OURS))]


def missed(name: str) -> Counter[str]:
    """Count what isn't met, by file."""
    return Counter(file_of(each) for each in expectations(name) if not each.met)


@pytest.mark.parametrize("name", SETS)
def test_what_is_not_met_is_listed_with_a_reason(name: str) -> None:
    if not CORPUS.is_dir():
        print(f"no corpus at {CORPUS}: nobody's expectations to meet")
        assert missed(name) == {}
        return
    print(our_row(name, (name,)))
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


def test_nothing_is_counted_twice() -> None:
    for name in SETS:
        counted = Counter((each.message, each.what) for each in expectations(name))
        assert [each for each, times in counted.items() if times > 1] == []


def test_nearly_all_is_met() -> None:
    if CORPUS.is_dir():
        assert percent(of(tuple(SHARED))) >= LEAST
        assert [each for each in of(tuple(OURS)) if not each.met] == []


@pytest.mark.parametrize(
    ("head", "sets", "table"), [(HEAD_OF_SHARED, SHARED, shared_table), (HEAD_OF_OURS, OURS, our_table)]
)
def test_the_tables_of_the_readme_are_these(head: str, sets: dict[str, object], table: Callable[[], list[str]]) -> None:
    rows = (REPOSITORY / "README.md").read_text().splitlines()
    start = rows.index(head) + 2
    listed = rows[start : start + len(sets) + 1]
    if CORPUS.is_dir():
        assert listed == table()
    assert [row.split(" | ")[0].removeprefix("| ") for row in listed] == [*sets, "together"]


if __name__ == "__main__":
    if not CORPUS.is_dir():
        sys.exit(f"no corpus at {CORPUS}: put the mails of the other projects there")
    for head, rows in ((HEAD_OF_SHARED, shared_table()), (HEAD_OF_OURS, our_table())):
        print("\n".join([head, "|---" * (head.count("|") - 1) + "|", *rows]), end="\n\n")
