import threading
import time
import uuid

import pytest

from mailgate.store.identifiers import Identifiers, new_id


def test_an_identifier_is_a_uuid_of_version_7_of_now() -> None:
    before = time.time_ns() // 1_000_000
    found = uuid.UUID(new_id())
    after = time.time_ns() // 1_000_000
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert before <= found.int >> 80 <= after
    assert str(found) == str(found).lower()


def test_identifiers_of_one_process_ascend_and_never_repeat() -> None:
    source = Identifiers()
    made = [source.new() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_threads_never_get_the_same() -> None:
    source = Identifiers()
    made: list[list[str]] = [[] for _ in range(8)]
    threads = [threading.Thread(target=lambda own=own: own.extend(source.new() for _ in range(2000))) for own in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each for own in made for each in own}) == 16_000
    assert all(own == sorted(own) for own in made)


def test_identifiers_ascend_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Identifiers()
    now = time.time_ns()
    moments = iter([now, now - 3_600_000_000_000, now - 1, now + 5_000_000])
    monkeypatch.setattr(time, "time_ns", lambda: next(moments))
    made = [source.new() for _ in range(4)]
    assert made == sorted(set(made))


def test_identifiers_ascend_when_the_counter_of_a_millisecond_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Identifiers()
    monkeypatch.setattr(time, "time_ns", lambda: 1_800_000_000_000_000_000)
    first = source.new()
    source._counter = (1 << 32) - 2
    made = [first, source.new(), source.new(), source.new()]
    assert made == sorted(set(made))
    assert uuid.UUID(made[-1]).int >> 80 == 1_800_000_000_001
