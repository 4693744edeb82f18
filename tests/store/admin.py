"""An instance as an admin sees it, on an open database, and mails that come to it by the path of every mail."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network

from mailgate.domain.entry import RecordEntry, UserEntry
from mailgate.domain.ledger import Outcome
from mailgate.domain.mail import Addressee, Delivery, Envelope
from mailgate.domain.record import Edition, RecordRef
from mailgate.domain.trust import Relay
from mailgate.domain.user import Language
from mailgate.intake import Intake, Policy
from mailgate.outbound import Instance, Outbound
from mailgate.store.activities import Activities
from mailgate.store.addresses import Addresses
from mailgate.store.archive import Archive
from mailgate.store.database import Database
from mailgate.store.directory import Directory
from mailgate.store.handmade import Handmade
from mailgate.store.imports import Imports
from mailgate.store.ledger import Ledger
from mailgate.store.notices import Notices
from mailgate.store.records import Records
from mailgate.store.speakers import Speakers
from mailgate.store.users import Users
from tests.fakes import FakeAuthenticator

DOMAIN = "log.muster.example"
ACTOR = "root"
ANNA = "anna@muster.example"
LUCA = "luca@muster.example"
CLIENT = "nora@optik.example"
RELAY = Relay(name="local", networks=(ip_network("127.0.0.0/8"),))
BOUNDARY = "b1"
LIMIT = 4 << 20


@dataclass
class Admin:
    database: Database
    archive: Archive
    edition: Edition

    def __post_init__(self) -> None:
        self.users = Users(self.database, DOMAIN)
        self.records = Records(self.database, self.edition, DOMAIN)
        self.addresses = Addresses(self.database, DOMAIN, self.edition)
        self.activities = Activities(self.database, self.edition)
        self.ledger = Ledger(self.database, self.edition)
        self.imports = Imports(self.database, self.users, self.records)
        policy = Policy(domain=DOMAIN, relays=(RELAY,), edition=self.edition)
        self.intake = Intake(Directory(self.database, DOMAIN), self.archive, FakeAuthenticator(), policy)
        self.handmade = Handmade(self.database, self.edition, LIMIT)
        instance = Instance(
            domain=DOMAIN, edition=self.edition, language=Language.EN, max_size=LIMIT, max_header_size=LIMIT
        )
        self.outbound = Outbound(
            Directory(self.database, DOMAIN), Speakers(self.database), Notices(self.database), instance
        )

    def user(self, email: str, **given: object) -> None:
        entry = UserEntry.read(email, name=str(given.pop("name", email)), **given)  # type: ignore[arg-type]  # tests hand over any field
        self.users.add(entry, actor=ACTOR)

    def record(self, ref: str, **given: object) -> RecordRef:
        entry = RecordEntry.read(ref, name=str(given.pop("name", ref)), **given)  # type: ignore[arg-type]  # tests hand over any field
        return self.records.add(entry, actor=ACTOR).record

    def address(self, ref: RecordRef) -> str:
        return self.addresses.show(ref, actor=ACTOR).address

    def deliver(self, mail: bytes, *refs: RecordRef, sender: str = ANNA) -> tuple[Outcome, ...]:
        """Hand a mail in for these records, as the relay would."""
        return self.receive(
            mail, *(self.intake.check_recipient(RELAY, self.address(ref)) for ref in refs), sender=sender
        )

    def receive(self, mail: bytes, *addressees: Addressee, sender: str = ANNA) -> tuple[Outcome, ...]:
        """Hand a mail in for recipients that were accepted before."""
        envelope = Envelope(relay=RELAY, sender=sender, addressees=addressees)
        return self.intake.receive(Delivery(envelope=envelope, raw=mail, received_at=datetime.now(UTC)))

    def log(self, mail: bytes, *refs: RecordRef, sender: str = ANNA) -> list[str]:
        """Have a mail kept and give the ids of its activities."""
        outcomes = self.deliver(mail, *refs, sender=sender)
        assert [outcome.verdict.value for outcome in outcomes] == ["kept"] * len(refs), outcomes
        return [outcome.activity for outcome in outcomes if outcome.activity]


@contextmanager
def administering(database: Database, edition: Edition = Edition.MARKETER) -> Iterator[Admin]:
    archive = Archive(database)
    try:
        yield Admin(database, archive, edition)
    finally:
        archive.close()


def a_mail(number: int = 1, *, sender: str = ANNA, sent: str = "Mon, 02 Nov 2026 10:00:00 +0000") -> bytes:
    """Write a mail with a text and one attachment; another number, another mail."""
    lines = [
        f"From: Somebody <{sender}>",
        f"To: Nora Keller <{CLIENT}>",
        f"Subject: Offer {number}",
        f"Date: {sent}",
        f"Message-ID: <{number}@muster.example>",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{BOUNDARY}"',
        "",
        f"--{BOUNDARY}",
        "Content-Type: text/plain; charset=utf-8",
        "",
        f"Here it is: https://muster.example/{number}",
        f"--{BOUNDARY}",
        'Content-Type: application/pdf; name="offer.pdf"',
        'Content-Disposition: attachment; filename="offer.pdf"',
        "Content-Transfer-Encoding: base64",
        "",
        "JVBERi0xLjQ=",
        f"--{BOUNDARY}--",
        "",
    ]
    return "\r\n".join(lines).encode()
