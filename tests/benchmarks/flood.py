"""Sends mails until killed, as fast as they are taken, and says of each in a line when it was: a second generator.

python -m tests.benchmarks.flood PORT RECIPIENT SIZE CLIENTS
"""

import sys
import threading
import time

from tests.benchmarks.generator import Load
from tests.benchmarks.mails import Mails
from tests.benchmarks.scale import numbers


def main() -> None:
    """Send with each client in a thread of its own, mail after mail, each on a new connection."""
    port, recipient, size, clients = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    made = Mails(size)
    made.one(0)

    def send() -> None:
        while True:
            Load(port, recipient, 1, clients=1, first=next(numbers), made=made).run()
            print(time.time(), flush=True)

    threads = [threading.Thread(target=send, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
