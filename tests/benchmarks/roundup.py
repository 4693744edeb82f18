"""mailgate beside Roundup's mail gateway, a tracker's that takes mail since 2001: at least ten times its rate.

    python -m tests.benchmarks roundup

Roundup is installed from the package index into an environment that is gone afterwards; a tracker of its "classic"
template on SQLite is set up, and the same mails of 5 kB are handed to ``roundup.mailgw.MailGW`` in that process, with
no mail server in front and nobody to notify: as fast as it can be. mailgate takes them over SMTP, 20 connections, with
all that it does. Where no index can be reached the row says so.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.figures import Row, Unmeasurable, median, ratios
from tests.benchmarks.latency import BUSY
from tests.benchmarks.mails import AUTHOR, Mails
from tests.benchmarks.scale import PAIRS, numbers, scaled
from tests.benchmarks.servers import each_mailgate
from tests.benchmarks.throughput import send

WANTED = "roundup>=2.5,<3"
MAILS = 150
SECRET = "only-in-this-folder"  # of the tracker's administrator


def rows() -> Iterator[Row]:
    """Measure the row on each engine."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailgate-bench-")))
        tracker = Tracker.made(folder)
        servers = stack.enter_context(each_mailgate())
        theirs = []
        ours: dict[str, list[float]] = {server.name: [] for server in servers}
        for _ in range(PAIRS):
            theirs.append(tracker.rate())
            for server in servers:
                ours[server.name].append(send(server, BUSY).run.rate)
        for name, rates in ours.items():
            each = ratios(rates, theirs)
            beside = {"worst": min(each), "mails/s": median(rates), "Roundup mails/s": median(theirs)}
            yield Row(
                part="roundup",
                work="5 kB, connections reused",
                on=name,
                unit="x Roundup",
                value=median(each),
                least=10.0,
                beside=beside,
            )


@dataclass(frozen=True)
class Tracker:
    """An installed Roundup with a tracker."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> "Tracker":
        """Install Roundup and set a tracker up."""
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        tracker = cls(folder)
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", WANTED)
        done = subprocess.run([tracker.bin("python"), *pip], check=False, capture_output=True, text=True)
        if done.returncode:
            why = (done.stderr.strip().splitlines() or [""])[-1]
            raise Unmeasurable(f"Roundup can't be installed here ({why})")
        tracker.admin("install", "classic", "sqlite", "tracker_web=http://localhost/,mail_domain=log.example")
        tracker.admin("initialise", SECRET)
        user = ("username=anna", f"address={AUTHOR}", "roles=User", "realname=Anna")
        tracker.admin("create", "user", *user)
        return tracker

    def bin(self, name: str) -> str:
        """Name a program of the environment that has Roundup."""
        return str(self.folder / "venv/bin" / name)

    def admin(self, *words: str) -> None:
        """Run its command line."""
        command = [self.bin("roundup-admin"), "-i", str(self.folder / "tracker"), "-u", f"admin:{SECRET}"]
        done = subprocess.run([*command, *words], check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"roundup-admin {words[0]}: {done.stdout}{done.stderr}")

    def rate(self) -> float:
        """Feed it mails, and say how many it took in a second."""
        made, first = Mails(5000), next(numbers)
        mails = [base64.b64encode(made.one(first + n)).decode() for n in range(scaled(MAILS, 20) + 1)]
        path = self.folder / "mails.json"
        path.write_text(json.dumps(mails), encoding="ascii")
        feed = str(Path(__file__).with_name("roundup_feed.py"))
        # -P: what it imports as roundup isn't this module
        command = [self.bin("python"), "-P", feed, str(self.folder / "tracker"), str(path)]
        environment = os.environ | {"SENDMAILDEBUG": os.devnull}  # it sends no mail
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=self.folder)
        if done.returncode:
            raise RuntimeError(f"Roundup: {done.stderr}")
        found = json.loads(done.stdout)
        if found["kept"] != found["mails"]:
            raise RuntimeError(f"Roundup kept {found['kept']} of {found['mails']} mails")
        return float(found["mails"] / found["seconds"])
