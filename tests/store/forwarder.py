"""Keeps forwards from several threads until it is killed, and tells each number once it was acknowledged.

``python -m tests.store.forwarder URL ROUND``
"""

import sys
import threading
from itertools import count

from mailgate.domain.activity import NewMail
from mailgate.store.archive import Archive
from mailgate.store.database import open_database
from tests.contract.test_forwards import attached, forward

THREADS = 4
IN_EACH = 5  # mails in a forward, one of them big


def forward_of(number: int) -> NewMail:
    mails = [attached(IN_EACH * number + n, body="x" * (3 << 19 if n == 0 else 1)) for n in range(IN_EACH)]
    return forward(*mails, says=False, number=number)


def main() -> None:
    url, start = sys.argv[1], int(sys.argv[2])
    archive = Archive(open_database(url, create=False, allow_unsafe=True))
    telling = threading.Lock()

    def send(first: int) -> None:
        for number in count(first, THREADS):
            archive.keep(forward_of(number))
            with telling:
                print(number, flush=True)

    for n in range(THREADS):
        threading.Thread(target=send, args=(start + n,)).start()


if __name__ == "__main__":
    main()
