"""Keys of stored mails by the million: UUIDs as the schema has them, never twice the same, as old as their number."""

from uuid import UUID

from tests.benchmarks.growth import key


def test_keys_are_of_version_7_and_differ_by_kind_and_number() -> None:
    keys = [key(kind, number) for kind in ("upload", "reading", "activity", "ledger") for number in range(1, 500)]
    assert len(set(keys)) == len(keys)
    assert {UUID(each).version for each in keys} == {7}
    assert {str(UUID(each)) for each in keys} == set(keys)


def test_keys_are_as_old_as_their_number() -> None:
    keys = [key("activity", number) for number in range(1, 5_000_000, 99_991)]
    assert keys == sorted(keys)
