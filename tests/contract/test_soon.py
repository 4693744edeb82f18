"""``keep_soon`` and ``enter_soon`` do what ``keep`` and ``enter`` do, and tell of it afterwards."""

from collections.abc import Sequence
from queue import SimpleQueue
from typing import TypeVar

import pytest

from mailgate.domain.ledger import LedgerEntry, Verdict
from mailgate.errors import Reason
from mailgate.ports import Kept
from tests.contract.conftest import Backend, Maker
from tests.worlds import CAMPAIGN, CUSTOMER, NOW, WORLD, new_mail, raw_mail

T = TypeVar("T")
PATIENCE = 30.0  # seconds that anything here may take at most


@pytest.fixture
def backend(make_backend: Maker) -> Backend:
    return make_backend(WORLD)


def told(answers: "SimpleQueue[Sequence[T] | Exception]") -> Sequence[T]:
    found = answers.get(timeout=PATIENCE)
    assert not isinstance(found, Exception)
    assert answers.empty()
    return found


@pytest.mark.parametrize("size", [10, 2 << 20])
def test_a_mail_is_there_when_that_is_told(backend: Backend, size: int) -> None:
    answers: SimpleQueue[Sequence[Kept] | Exception] = SimpleQueue()
    there: list[int] = []

    def done(found: Sequence[Kept] | Exception) -> None:
        there.append(len(backend.activities()))
        answers.put(found)

    backend.archive.keep_soon(new_mail(raw_mail(body="x" * size), to=[CAMPAIGN, CUSTOMER]), done)
    kept = told(answers)
    assert [(each.verdict, each.reason) for each in kept] == [(Verdict.KEPT, None)] * 2
    assert there == [2]
    assert {each.activity for each in kept} == {seen.id for seen in backend.activities()}
    assert {each.ledger_id for each in kept} == {entry.id for entry in backend.ledger()}


def test_the_same_again_is_a_duplicate_in_either_way(backend: Backend) -> None:
    answers: SimpleQueue[Sequence[Kept] | Exception] = SimpleQueue()
    backend.archive.keep_soon(new_mail(), answers.put)
    (first,) = told(answers)
    backend.archive.keep_soon(new_mail(), answers.put)
    for again in (*told(answers), *backend.archive.keep(new_mail())):
        assert (again.verdict, again.reason, again.activity) == (Verdict.DUPLICATE, Reason.DUPLICATE, first.activity)


@pytest.mark.parametrize("entries", [0, 1, 3])
def test_entries_are_in_the_ledger_when_that_is_told(backend: Backend, entries: int) -> None:
    entry = LedgerEntry(at=NOW, verdict=Verdict.REFUSED, reason=Reason.UNKNOWN_SENDER, record=CAMPAIGN, relay="office")
    answers: SimpleQueue[Sequence[str] | Exception] = SimpleQueue()
    backend.archive.enter_soon([entry] * entries, answers.put)
    ids = told(answers)
    assert len(set(ids)) == entries
    assert {each.id for each in backend.ledger()} == set(ids)
