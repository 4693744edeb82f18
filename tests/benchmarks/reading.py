"""How long the worst mails take to be read, and in how much memory: ``python -m tests.benchmarks.reading [WORD...]``.

Each mail of ``tests.benchmarks.worst`` (those whose names hold one of the words) is read in a process of its own;
memory is the most that process had beyond what it had before there was a mail, as multiples of the mail's size, the
mail itself included. ``BENCH_MIB`` is the size (50). Ends with 1 where a bound is broken, and says which: 10 s, and 6
times the size, or ``FLOOR`` where that is more.
"""

import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mailgate import mime
from tests.benchmarks.worst import MAILS

MIB = 1024 * 1024
SIZE = int(os.environ.get("BENCH_MIB", "50"))
SECONDS = 10.0
TIMES = 6.0
FLOOR = 256 * MIB  # up to 10 MiB of HTML is read as elements, each an object of its own


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(MAILS[sys.argv[2]](SIZE * MIB))))
        return
    broken = [name for name in MAILS if any(word in name for word in sys.argv[1:] or [""]) and not row(name)]
    print(f"{len(broken)} beyond {SECONDS:.0f} s or {TIMES:.0f} x: {', '.join(broken) or '-'}")
    sys.exit(bool(broken))


def row(name: str) -> bool:
    """Measure one mail, print its row, and say whether it kept within the bounds."""
    command = [sys.executable, "-m", "tests.benchmarks.reading", "--one", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, timeout=600)
    if done.returncode:
        print(f"{name:40} died: {done.returncode}", flush=True)
        return False
    found: dict[str, Any] = json.loads(done.stdout)
    times = found["peak"] / found["size"]
    kept = found["seconds"] < SECONDS and found["peak"] < max(TIMES * found["size"], FLOOR)
    print(
        f"{name:40} {found['size'] / MIB:5.1f} MiB {found['seconds']:6.2f} s {times:6.1f} x {' ' if kept else '!'}"
        f" {' '.join(found['notes'])}",
        flush=True,
    )
    return bool(kept)


def measured(raw: bytes) -> dict[str, object]:
    """Read a mail, and tell what it took."""
    mime.read(MAILS["HTML"](1000))  # what is made once, at the first mail
    mime.read(MAILS["plain text, charset wrong"](1000))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = memory("VmRSS") - len(raw)
    start = time.process_time()
    mail = mime.read(raw)
    seconds = time.process_time() - start
    peak = memory("VmHWM") - before
    return {"size": len(raw), "seconds": seconds, "peak": peak, "notes": [note.code for note in mail.notes]}


def memory(what: str) -> int:
    """Give a figure of Linux about this process, in octets."""
    (line,) = [
        row for row in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if row.startswith(what)
    ]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
