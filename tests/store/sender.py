"""Keeps mails from several threads until it is killed, and tells each number once it was acknowledged.

``python -m tests.store.sender URL ROUND``
"""

import sys
import threading
from itertools import count

from mailgate.store.archive import Archive
from mailgate.store.database import open_database
from tests.worlds import CAMPAIGN, CUSTOMER, new_mail, raw_mail

THREADS = 8
BIG_EVERY = 20


def raw_of(number: int) -> bytes:
    return raw_mail(number=number, body="x" * (2 << 20) if number % BIG_EVERY == 0 else "x")


def main() -> None:
    url, start = sys.argv[1], int(sys.argv[2])
    archive = Archive(open_database(url, create=False, allow_unsafe=True))
    telling = threading.Lock()

    def send(first: int) -> None:
        for number in count(first, THREADS):
            archive.keep(new_mail(raw_of(number), to=[CAMPAIGN, CUSTOMER]))
            with telling:
                print(number, flush=True)

    for n in range(THREADS):
        threading.Thread(target=send, args=(start + n,)).start()


if __name__ == "__main__":
    main()
