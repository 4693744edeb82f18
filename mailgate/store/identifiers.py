"""Identifiers that people see: UUIDs of version 7 (RFC 9562 5.7), in the order in which this process made them.

48 bits are the Unix time in milliseconds; the 12 bits after the version and the first 20 after the variant are a
counter that begins anywhere in its lower half in each millisecond (RFC 9562 6.2, method 1); 42 bits are random. When
the clock is set back, or the counter is used up, the last millisecond is used on: the order stays.
"""

import secrets
import threading
import time
import uuid

_COUNTER_BITS = 32
_RANDOM_BITS = 42


class Identifiers:
    """A source of identifiers; one serves all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = 0
        self._counter = 0

    def new(self) -> str:
        """Make an identifier in the usual form, 36 characters in lower case, greater than any this source made."""
        with self._lock:
            now = time.time_ns() // 1_000_000
            if now > self._millisecond:
                self._millisecond, self._counter = now, secrets.randbits(_COUNTER_BITS - 1)
            else:
                self._counter += 1
                if self._counter >> _COUNTER_BITS:
                    self._millisecond, self._counter = self._millisecond + 1, secrets.randbits(_COUNTER_BITS - 1)
            return _written(self._millisecond, self._counter)


def _written(millisecond: int, counter: int) -> str:
    high, low = counter >> 20, counter & 0xFFFFF
    number = millisecond << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low << _RANDOM_BITS
    return str(uuid.UUID(int=number | secrets.randbits(_RANDOM_BITS)))


_process = Identifiers()


def new_id() -> str:
    """Make an identifier from the one source of this process."""
    return _process.new()
