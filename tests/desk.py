"""An intake over the ports in memory, and a mail that it keeps: for tests of the path of a mail."""

from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import ClassVar

from mailgate import mime
from mailgate.domain.ledger import Outcome
from mailgate.domain.mail import Addressee, Delivery, Envelope
from mailgate.domain.trust import Relay
from mailgate.errors import Reason
from mailgate.intake import Intake, Outcomes, Policy
from mailgate.ports import Reader
from tests.fakes import FakeArchive, FakeAuthenticator, FakeDirectory, FakePendingSenders
from tests.worlds import ANNA, DOMAIN, NOW, WORLD, World

RELAY = Relay(name="office", networks=(ip_network("10.0.0.0/8"),), unix=True)
POLICY = Policy(domain=DOMAIN, relays=(RELAY,))
ADDRESS = f"aaaa@{DOMAIN}"

MAIL = (
    "Received: from pc by mta (Postfix) with ESMTPSA id 4bKxyz; Sun, 22 Nov 2026 12:00:00 +0000\r\n"
    "From: Anna <anna@firma.example>\r\nTo: one@kunde.example\r\nSubject: Offerte\r\n"
    "Date: Sun, 22 Nov 2026 11:00:00 +0000\r\nMessage-ID: <1@firma.example>\r\n\r\nGuten Tag\r\n"
)


@dataclass
class Desk:
    """An intake and what it works with."""

    world: World = WORLD
    policy: Policy = POLICY
    archive: FakeArchive = field(default_factory=FakeArchive)
    authenticator: FakeAuthenticator = field(default_factory=FakeAuthenticator)
    relay: Relay = RELAY
    reader: Reader = mime
    soon: ClassVar[bool] = False  # whether mails are handed in without waiting

    def __post_init__(self) -> None:
        self.now = NOW
        self.directory = FakeDirectory(self.world)
        self.pending = FakePendingSenders(self.world)
        self.intake = Intake(
            self.directory,
            self.archive,
            self.authenticator,
            self.policy,
            lambda: self.now,
            pending=self.pending,
            reader=self.reader,
        )

    def become(self, world: World) -> None:
        """Have other users, records and addresses from now on."""
        self.directory.world = self.pending.world = world

    def send(self, mail: str = MAIL, *, sender: str = ANNA.email, to: tuple[str, ...] = (ADDRESS,)) -> list[Outcome]:
        addressees = tuple(self.intake.check_recipient(self.relay, recipient, sender) for recipient in to)
        return self.deliver(mail, sender, addressees)

    def deliver(
        self, mail: str, sender: str, addressees: tuple[Addressee, ...], *, chunked: bool = False
    ) -> list[Outcome]:
        envelope = Envelope(relay=self.relay, sender=sender, addressees=addressees)
        delivery = Delivery(envelope=envelope, raw=mail.encode("latin-1"), received_at=self.now, chunked=chunked)
        if not self.soon:
            return list(self.intake.receive(delivery))
        told: list[Outcomes] = []
        self.intake.begin(delivery, told.append)
        (outcomes,) = told
        return list(outcomes)

    def turn_back(self, envelope: Envelope, reason: Reason, head: bytes, size: int) -> Outcomes:
        if not self.soon:
            return self.intake.turn_back(envelope, reason, head, size)
        told: list[Outcomes] = []
        self.intake.begin_turning_back(envelope, reason, head, size, told.append)
        (outcomes,) = told
        return outcomes
