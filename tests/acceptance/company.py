"""A company with users and records, its mailgate, and how a test looks at what became of a mail."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from mailgate import app
from mailgate.domain.record import RecordRef
from tests.acceptance.outside import USERS
from tests.acceptance.postfix import Postfix, wait_for
from tests.acceptance.program import Program, daemon
from tests.acceptance.sink import Sink, sink

RECORDS = 50


@dataclass
class Company:
    """mailgate, running; ``elsewhere`` gets what its mail servers send to anybody else, their notices above all."""

    program: Program
    elsewhere: Sink
    addresses: Iterator[tuple[str, str]]
    ids: Iterator[int] = field(default_factory=count)

    def message_id(self) -> str:
        """Make a Message-ID that no mail had."""
        return f"<{next(self.ids)}@muster.example>"

    def record(self) -> tuple[str, str]:
        """Give a record that no mail went to yet, and its address."""
        return next(self.addresses)

    def kept(self, record: str) -> list[tuple[str, str]]:
        """List recorder and trust of what is on the record."""
        with app.open_desk(self.program.settings()) as desk:
            listed = list(desk.activities.list(RecordRef.parse(record)))
        return [(activity.recorder, activity.trust) for activity in listed]

    def notice(self, sender: str, address: str) -> str:
        """Wait for the notice to this sender about this address, and give it."""

        def found() -> list[bytes]:
            return [mail for mail in self.elsewhere.mails.get(sender, []) if address.encode() in mail]

        wait_for(found)
        return found()[0].decode()


@contextmanager
def company(folder: Path, settled: Program, *users: str) -> Iterator[Company]:
    """Run a mailgate in this folder, with records and users (else those who write from outside)."""
    app.migrate(settled.settings())
    records = [f"campaign:{number}" for number in range(RECORDS)]
    first, *others = users or USERS
    addresses = settled.settle(first, *records)
    for user in others:
        settled.settle(user)
    with sink() as elsewhere, daemon(settled, folder / "log"):
        yield Company(settled, elsewhere, iter(zip(records, addresses, strict=True)))


def settled_by(postfix: Postfix, address: str) -> list[str]:
    """Wait until Postfix tried to deliver to this address; gives what became of it."""
    wait_for(lambda: postfix.statuses(address))
    return postfix.statuses(address)
