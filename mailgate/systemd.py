"""What systemd tells us and is told: sockets handed over, readiness, the watchdog. Nothing happens without systemd.

``inherited_sockets`` follows sd_listen_fds(3), ``notify`` sd_notify(3). Environment variables that were obeyed are
taken out, so that no child obeys them too.

Raises ``Misconfigured`` where ``LISTEN_FDS`` is no number or names what is no listening stream socket.
"""

import os
import socket
import stat
import time
from collections.abc import MutableMapping
from itertools import chain

from mailgate.errors import Misconfigured

FIRST_SOCKET = 3


def inherited_sockets(environ: MutableMapping[str, str] = os.environ) -> dict[str, list[socket.socket]]:
    """Take the listening sockets that systemd opened, by their ``FileDescriptorName``; none if there are none."""
    for_us = environ.get("LISTEN_PID") == str(os.getpid())
    count = environ.get("LISTEN_FDS", "0") if for_us else "0"
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    if not (count.isascii() and count.isdigit()):
        raise Misconfigured(f"LISTEN_FDS: {count!r} is no number of sockets.")
    if for_us:
        for variable in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
            environ.pop(variable, None)
    found: dict[str, list[socket.socket]] = {}
    try:
        for n in range(int(count)):
            name = names[n] if n < len(names) and names[n] else "unknown"
            found.setdefault(name, []).append(_take(FIRST_SOCKET + n, name))
    except Misconfigured:
        for taken in chain.from_iterable(found.values()):
            taken.close()
        raise
    return found


def _take(number: int, name: str) -> socket.socket:
    wrong = f"LISTEN_FDS: descriptor {number} ({name}) is no listening stream socket."
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            raise Misconfigured(wrong)
        taken = socket.socket(fileno=number)
        if taken.type != socket.SOCK_STREAM or not taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            taken.detach()
            raise Misconfigured(wrong)
    except OSError as error:
        raise Misconfigured(wrong) from error
    taken.set_inheritable(False)
    taken.settimeout(0)
    return taken


def notify(*lines: str) -> bool:
    """Tell systemd ``NAME=value`` lines; ``False`` where nobody listens. Never raises: the service goes on without."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(1)
            sender.sendto("\n".join(lines).encode(), address)
    except OSError:
        return False
    return True


def ready() -> bool:
    """The service takes mail, or has reloaded."""
    return notify("READY=1")


def reloading() -> bool:
    """A reload begins; ``ready`` ends it (``Type=notify-reload`` wants the monotonic time)."""
    return notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def stopping() -> bool:
    """The service is about to end."""
    return notify("STOPPING=1")


def alive() -> bool:
    """The service is well: sets the watchdog back."""
    return notify("WATCHDOG=1")


def watchdog_seconds() -> float | None:
    """Say how often ``alive`` must be called (half of what systemd waits), ``None`` for never."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    if not (microseconds.isascii() and microseconds.isdigit()) or int(microseconds) == 0:
        return None
    return int(microseconds) / 2_000_000
