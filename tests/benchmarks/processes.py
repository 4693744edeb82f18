"""What processes use, as Linux counts it in ``/proc``: the processor's time and memory, of each and all below it.

``sampled`` looks at the memory of a process and its children while something goes on: PSS, in which a page that several
share counts once, and RSS, in which it counts for each.
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


def _children(pid: int) -> list[int]:
    return [each for each in tree(pid)[1:] if (stat := _stat(each)) and int(stat[1]) == pid]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _stat(pid: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` behind the name, from the state on; [] where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    except OSError:
        return []


@dataclass(frozen=True, slots=True)
class Taken:
    """Memory in octets of a process, of all below it together, and how many these are.

    ``largest`` is that of the largest process which does the work, with what is below it: of one of those that were
    forked to do so, or of the whole where there are none.
    """

    own: int
    below: int
    children: int
    largest: int
    resident: int  # RSS of all

    @property
    def all(self) -> int:
        """PSS of the process and its children."""
        return self.own + self.below

    @classmethod
    def now(cls, pid: int) -> "Taken":
        """Look once."""
        taken = {each: proportional(each) for each in tree(pid)}
        forked = [each for each in _children(pid) if _command(each) == _command(pid)]
        return cls(
            own=taken[pid],
            below=sum(taken.values()) - taken[pid],
            children=len(taken) - 1,
            largest=max(sum(taken.get(each, 0) for each in tree(root)) for root in forked or [pid]),
            resident=sum(map(resident, taken)),
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
