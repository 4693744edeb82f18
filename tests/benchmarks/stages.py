"""Where a mail's time goes: the processor's milliseconds of each stage, for 5 kB and 100 kB, on both engines.

    python -m tests.benchmarks stages

    accept    sockets, SMTP and the event loop, with an intake behind that keeps nothing and says 250 at once
    read      taking the mail apart (``mime.read``)
    check     all that is asked about it, at RCPT and after DATA, and what is told of it in log and metrics
    commit    writing it, together with up to 20 others
    database  what the processes of PostgreSQL take, for look-ups and commit

Each stage is run by itself, over the same mails, in a process that does nothing else; the least of the turns counts,
for whatever else a machine does only adds. ``as served`` is what the program takes for a mail under load: what that is
more than all stages together is spent between them.

Limits: a processor's time, not a clock's: what waits for the disk shows in the throughput.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mailgate import app, events, mime
from mailgate.domain.activity import NewMail
from mailgate.domain.ledger import LedgerEntry, Outcome, Verdict
from mailgate.domain.mail import Addressee, Delivery, Envelope, Mail
from mailgate.domain.record import AddressState, RecordKind, RecordRef
from mailgate.domain.trust import Relay
from mailgate.errors import Reason
from mailgate.intake import Intake
from mailgate.mailauth.authenticator import Authenticator
from mailgate.ports import Done, Kept
from mailgate.store.archive import Archive
from mailgate.store.database import Database, open_database
from mailgate.store.directory import Directory
from mailgate.store.pending import PendingSenders
from tests.benchmarks.figures import Row, median
from tests.benchmarks.mails import AUTHOR, Mails
from tests.benchmarks.processes import cpu
from tests.benchmarks.scale import ENGINES, numbers, scaled
from tests.benchmarks.servers import Settled, mailgate, settled
from tests.benchmarks.throughput import WORKS, send
from tests.dialogue.running import running
from tests.dialogue.scripted import RELAY, ScriptedIntake

PART = "stages"
SIZES = {"5 kB": 5_000, "100 kB": 100_000}
MAILS = {5_000: 600, 100_000: 200}
TURNS = 3
TOGETHER = 20  # mails on their way to one transaction
STAGES = ("accept", "read", "check", "commit", "database")


def rows() -> Iterator[Row]:
    """Measure all stages, and the whole."""
    for name, size in SIZES.items():
        for engine in ENGINES:
            found = _apart(size, engine)
            whole = found["as served"] = _served(size, engine)
            for stage in STAGES:
                yield _row(f"{name}, {stage}", engine, found[stage], whole)
            yield _row(f"{name}, as served", engine, whole, whole, found)


def _row(work: str, engine: str, value: float, whole: float, found: dict[str, float] | None = None) -> Row:
    beside: dict[str, float | str] = {"of the whole": f"{value / whole:.0%}"}
    if found is not None:
        beside = {"all stages ms": sum(found[stage] for stage in STAGES)}
    return Row(part=PART, work=work, on=f"mailgate on {engine}", unit="ms of CPU a mail", value=value, beside=beside)


def _apart(size: int, engine: str) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.stages", str(size), engine]
    # log lines are part of the work, and go nowhere
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return {name: float(value) for name, value in json.loads(done.stdout.splitlines()[-1]).items()}


def _served(size: int, engine: str) -> float:
    work = next(work for work in WORKS if work.size == size and work.reused)
    with mailgate(engine) as server:
        send(server, work)
        return median(send(server, work).each for _ in range(TURNS))


# -- in a process of its own ------------------------------------------------------------------------------------------


def main() -> None:
    """Measure the stages of one size on one engine and print them as JSON."""
    size, engine = int(sys.argv[1]), sys.argv[2]
    events.set_up()
    with settled(engine) as ready:
        bench = _Bench.of(ready, size)
        try:
            found = {"accept": bench.accept(), "read": bench.read(), **bench.check(), **bench.commit()}
        finally:
            bench.close()
    found["database"] = found.pop("asked") + found.pop("written")
    print(json.dumps(found))


@dataclass
class _Bench:
    """One store, and the mails that all stages get."""

    ready: Settled
    size: int
    mails: Sequence[bytes]
    database: Database
    archive: Archive
    relay: Relay
    judged: list[NewMail] = field(default_factory=list)

    @classmethod
    def of(cls, ready: Settled, size: int) -> "_Bench":
        """Open the store."""
        made, first, count = Mails(size), next(numbers), scaled(MAILS[size], 40)
        mails = [made.one(first + n) for n in range(count)]
        database = open_database(ready.url, create=False)
        relay = app.policy(ready.program.settings()).relays[0]
        return cls(ready, size, mails, database, Archive(database), relay)

    def close(self) -> None:
        """Close the store."""
        self.archive.close()
        self.database.close()

    def accept(self) -> float:
        """Have another process send mails to the listeners, with nothing behind."""
        with running(_NullIntake()) as alive:
            port = next(iter(alive.addresses.values()))[1]
            command = [sys.executable, "-m", "tests.benchmarks.generator"]
            what = [str(port), "one@log.test", str(len(self.mails)), str(self.size)]

            def sent() -> None:
                subprocess.run([*command, *what], check=True, stdout=subprocess.DEVNULL)

            return min(self._each(sent)[0] for _ in range(TURNS))

    def read(self) -> float:
        """Take the mails apart."""

        def all_read() -> None:
            for mail in self.mails:
                mime.read(mail)

        return min(self._each(all_read)[0] for _ in range(TURNS))

    def check(self) -> dict[str, float]:
        """Judge the mails, with what was read in them known before and nothing kept."""
        reader = _Known({mail: mime.read(mail) for mail in self.mails})
        archive = _Grabbing()
        settings = self.ready.program.settings()
        intake = Intake(
            Directory(self.database, app.policy(settings).domain),
            archive,
            Authenticator(settings.dns.servers, settings.dns.timeout_seconds),
            app.policy(settings),
            pending=PendingSenders(self.database, keep=timedelta(days=7), queue_days={}),
            reader=reader,
        )

        def judged() -> None:
            archive.kept.clear()
            for mail in self.mails:
                self._judge(intake, mail)

        took = [self._each(judged) for _ in range(TURNS)]
        self.judged = list(archive.kept)
        return {"check": min(own for own, _ in took), "asked": min(theirs for _, theirs in took)}

    def _judge(self, intake: Intake, mail: bytes) -> None:
        to = intake.check_recipient(self.relay, self.ready.recipient, AUTHOR)
        envelope = Envelope(relay=self.relay, sender=AUTHOR, addressees=(to,))
        outcomes: list[tuple[Outcome, ...]] = []
        intake.begin(Delivery(envelope=envelope, raw=mail, received_at=datetime.now(UTC)), outcomes.append)
        assert outcomes[0][0].verdict is Verdict.KEPT, outcomes

    def commit(self) -> dict[str, float]:
        """Write what was judged, a third in each turn, so many at once."""
        third = len(self.judged) // TURNS
        took = []
        for turn in range(TURNS):
            mails = self.judged[turn * third : (turn + 1) * third]

            def kept(mails: Sequence[NewMail] = mails) -> None:
                for at in range(0, len(mails), TOGETHER):
                    self._keep(mails[at : at + TOGETHER])

            took.append(self._each(kept, len(mails)))
        return {"commit": min(own for own, _ in took), "written": min(theirs for _, theirs in took)}

    def _keep(self, mails: Sequence[NewMail]) -> None:
        room = threading.Semaphore(0)
        found: list[Sequence[Kept] | Exception] = []

        def done(kept: Sequence[Kept] | Exception) -> None:
            found.append(kept)
            room.release()

        for mail in mails:
            self.archive.keep_soon(mail, done)
        for _ in mails:
            room.acquire()
        assert not any(isinstance(each, Exception) for each in found), found

    def _each(self, work: Callable[[], None], mails: int = 0) -> tuple[float, float]:
        """Give the milliseconds of this process, and of the database's, for a mail."""
        database = self.ready.database
        theirs = cpu(database) if database else 0.0
        own = time.process_time()
        work()
        own = time.process_time() - own
        theirs = (cpu(database) if database else 0.0) - theirs
        return own / (mails or len(self.mails)) * 1000, theirs / (mails or len(self.mails)) * 1000


class _NullIntake(ScriptedIntake):
    """Takes everything and keeps nothing."""

    def check_recipient(self, relay: Relay, recipient: str, sender: str) -> Addressee:  # noqa: ARG002 - the real one's
        """Take any."""
        record = RecordRef(RecordKind.CAMPAIGN, "1")
        return Addressee(recipient=recipient, address=recipient, record=record, state=AddressState.OPEN)

    def receive(self, delivery: Delivery) -> tuple[Outcome, ...]:
        """Take any."""
        assert delivery.envelope.relay is RELAY
        return tuple(
            Outcome(recipient=addressee.recipient, verdict=Verdict.KEPT, ledger_id="L")
            for addressee in delivery.envelope.addressees
        )


@dataclass
class _Known:
    """A reader of mails that were read before."""

    mails: dict[bytes, Mail]

    def read(self, raw: bytes) -> Mail:
        """Give what was read."""
        return self.mails[raw]

    def read_soon(self, raw: bytes, done: Callable[[Mail], None]) -> None:
        """Give what was read, at once."""
        done(self.mails[raw])

    def attached(self, _raw: bytes) -> Sequence[tuple[int, bytes]]:
        """Nothing is attached to these."""
        return ()


@dataclass
class _Grabbing:
    """An archive that says it kept what it only remembers."""

    kept: list[NewMail] = field(default_factory=list)

    def keep(self, new: NewMail) -> Sequence[Kept]:
        """Remember a mail."""
        self.kept.append(new)
        return [Kept(verdict=Verdict.KEPT, reason=None, ledger_id="L", activity="A") for _ in new.activities]

    def keep_soon(self, new: NewMail, done: Done[Kept]) -> None:
        """Remember a mail, and say so at once."""
        done(self.keep(new))

    def met(self, record: RecordRef, identity: str, known_as: str | None = None) -> Reason | None:
        """Know none."""

    def enter(self, entries: Sequence[LedgerEntry]) -> Sequence[str]:
        """Write nothing: every mail of the benchmark is kept."""
        raise AssertionError(entries)

    def enter_soon(self, entries: Sequence[LedgerEntry], done: Done[str]) -> None:
        """Write nothing either."""
        raise AssertionError(entries, done)

    def count(self, *, relay: str, reason: Reason, verdict: Verdict, at: datetime) -> None:
        """Count nothing."""


if __name__ == "__main__":
    main()
