"""Feeds mails to Roundup's mail gateway in one process: run by ``tests.benchmarks.roundup``, in its environment.

PYTHON roundup_feed.py TRACKER MAILS

``MAILS`` is a file of JSON: base64 of a mail each. Prints JSON: seconds, mails, and how many became messages in the
tracker. A first mail isn't counted. Imports nothing of ours: that environment has Roundup only.
"""

import base64
import io
import json
import sys
import time
from argparse import Namespace
from pathlib import Path

import roundup.instance  # type: ignore[import-not-found]  # it is only in the environment that this runs in
from roundup.mailgw import MailGW  # type: ignore[import-not-found]  # the same


def main() -> None:
    """Feed all mails."""
    tracker = roundup.instance.open(sys.argv[1])
    mails = [base64.b64decode(each) for each in json.loads(Path(sys.argv[2]).read_text(encoding="ascii"))]
    gateway = MailGW(tracker, Namespace(default_class="issue", set_value=[]))
    gateway.trapExceptions = 0  # whatever goes wrong ends the run
    gateway.main(io.BytesIO(mails[0]))
    before = _messages(tracker)
    start = time.perf_counter()
    for mail in mails[1:]:
        gateway.main(io.BytesIO(mail))
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "mails": len(mails) - 1, "kept": _messages(tracker) - before}))


def _messages(tracker: roundup.instance.Tracker) -> int:
    database = tracker.open("admin")
    try:
        return len(database.msg.list())
    finally:
        database.close()


if __name__ == "__main__":
    main()
