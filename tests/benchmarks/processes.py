"""What processes use, as Linux counts it in ``/proc``: the processor's time and memory, of each and all below it.

``Memory`` samples a process and its children while something goes on: PSS, in which a page that several share counts
once, and RSS, in which it counts for each.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu(*roots: int) -> float:
    """Return the seconds of these processes and all below them, also of those that ended."""
    stats = filter(None, map(_stat, tree(*roots)))
    return sum(sum(map(int, stat[11:15])) for stat in stats) / TICKS


def resident(pid: int) -> int:
    """Return the octets of RSS of one process; 0 where it is gone."""
    stat = _stat(pid)
    return int(stat[21]) * PAGE if stat else 0


def proportional(pid: int) -> int:
    """Return the octets of PSS of one process; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def tree(*roots: int) -> list[int]:
    """List these processes and all below them."""
    above: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and (stat := _stat(int(path.name))):
            above.setdefault(int(stat[1]), []).append(int(path.name))
    found, waiting = [], list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += above.get(pid, [])
    return found


def _stat(pid: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` behind the name, from the state on; [] where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    except OSError:
        return []


@dataclass(frozen=True, slots=True)
class Taken:
    """Memory in octets of a process, of its children together, and how many these are."""

    own: int
    below: int
    children: int
    resident: int  # RSS of all

    @property
    def all(self) -> int:
        """PSS of the process and its children."""
        return self.own + self.below

    @classmethod
    def now(cls, pid: int) -> "Taken":
        """Look once."""
        children = [each for each in tree(pid) if each != pid]
        return cls(
            proportional(pid),
            sum(map(proportional, children)),
            len(children),
            sum(map(resident, [pid, *children])),
        )


@contextmanager
def sampled(pid: int, every: float = 0.05) -> Iterator[list[Taken]]:
    """Look again and again until the block ends; the list is longer by each look."""
    looks: list[Taken] = []
    over = threading.Event()

    def look() -> None:
        while True:
            looks.append(Taken.now(pid))
            if over.wait(every):
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield looks
    finally:
        over.set()
        thread.join()
