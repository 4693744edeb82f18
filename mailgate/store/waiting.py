"""Rows of an import that name records further down: which of them can still be done. Records are known as hashes.

A row about a record that waits waits too, for nothing but its turn.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator


class Waiting(Collection[int]):
    """The numbers of the rows that wait, with what each is about and what it waits for."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._records: set[int] = set()

    def __contains__(self, row: object) -> bool:
        return row in self._rows

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, rows: Iterable[tuple[int, int, tuple[int, ...]]]) -> None:
        """Let rows wait: number, record, missing records."""
        for row, record, missing in rows:
            self._rows[row] = (record, missing)
            self._records.add(record)

    def about(self, record: int) -> bool:
        """Say whether a row about this record waits."""
        return record in self._records

    def hopeful(self, there: Collection[int]) -> set[int]:
        """Give the rows all of whose records are there by now or are brought by rows that are hopeful themselves.

        Begins with all and takes out row by row what waits in vain, each with those that wait for it: linear.
        """
        brought = Counter(record for record, missing in self._rows.values() if missing)
        waiters: dict[int, list[int]] = {}
        for row, (_, missing) in self._rows.items():
            for record in missing:
                if record not in there:
                    waiters.setdefault(record, []).append(row)
        left = set(self._rows)
        in_vain = [record for record in waiters if not brought[record]]
        while in_vain:
            for row in waiters.get(in_vain.pop(), ()):
                if row not in left:
                    continue
                left.remove(row)
                record = self._rows[row][0]
                brought[record] -= 1
                if not brought[record] and record not in there:
                    in_vain.append(record)
        return left
