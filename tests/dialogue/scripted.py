"""An intake that does what recipients and mails tell it to, and remembers all it was handed."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network

from mailgate.domain.ledger import Outcome, Verdict
from mailgate.domain.mail import Addressee, Delivery, Envelope
from mailgate.domain.record import AddressState, RecordKind, RecordRef
from mailgate.domain.trust import Relay, Trust
from mailgate.errors import Deferred, Reason, Refused
from mailgate.smtp.receiving import Done

RELAY = Relay(name="mx", networks=(ip_network("127.0.0.1"), ip_network("127.0.0.2"), ip_network("::1")), unix=True)
STRANGER = "127.0.0.9"
PROXY = "127.0.0.3"
EDGE = Relay(name="edge", networks=(ip_network("127.0.0.4"),), proxies=(ip_network(PROXY),), trust=Trust.VERIFIED)

# what is asked of the recipient with this local part; all others are taken
SAID_NO: dict[str, Exception] = {
    "unknown": Refused(Reason.UNKNOWN_ADDRESS),
    "closed": Refused(Reason.CLOSED_ADDRESS),
    "over": Refused(Reason.CLOSED_RECORD),
    "foreign": Refused(Reason.FOREIGN_DOMAIN),
    "waiting": Deferred(Reason.PENDING_SENDER, "anna@example.test"),
    "empty": Deferred(Reason.UNKNOWN_ADDRESS),
    "down": Deferred(Reason.STORE_DOWN),
    "full": Deferred(Reason.DISK_FULL),
    "bug": RuntimeError("secret of ours"),
    "late": TimeoutError("secret of ours"),
}


@dataclass
class ScriptedPolicy:
    soft_refuse: bool = False
    relays: tuple[Relay, ...] = (RELAY, EDGE)


@dataclass
class ScriptedIntake:
    """A mail with lines ``Then: VERDICT [REASON [VALUE]]`` gets that, one line for all recipients or one for each."""

    policy: ScriptedPolicy = field(default_factory=ScriptedPolicy)
    deliveries: list[Delivery] = field(default_factory=list)
    turned_back: list[tuple[Reason, bytes, int, datetime]] = field(default_factory=list)
    turned_away: list[tuple[str, Reason]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)  # of each of those
    receiving: threading.Event = field(default_factory=threading.Event)
    may_go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_go_on.set()

    def turn_away(self, relay: str, reason: Reason) -> None:
        self.turned_away.append((relay, reason))

    def check_recipient(self, relay: Relay, recipient: str, sender: str) -> Addressee:
        assert relay in self.policy.relays
        self.asked.append(recipient)
        self.senders.append(sender)
        local = recipient.partition("@")[0]
        if local in SAID_NO:
            raise SAID_NO[local].with_traceback(None)
        record = RecordRef(RecordKind.CAMPAIGN, local)
        return Addressee(recipient=recipient, address=recipient.lower(), record=record, state=AddressState.OPEN)

    def receive(self, delivery: Delivery) -> tuple[Outcome, ...]:
        self.receiving.set()
        assert self.may_go_on.wait(30)
        assert (datetime.now(UTC) - delivery.received_at).total_seconds() < 60
        said = [line[6:].decode() for line in delivery.raw.splitlines() if line.startswith(b"Then: ")] or ["kept"]
        if said == ["bug"]:
            raise RuntimeError("secret of ours")
        self.deliveries.append(delivery)
        addressees = delivery.envelope.addressees
        return tuple(_outcome(addressee, said[n if len(said) > 1 else 0], n) for n, addressee in enumerate(addressees))

    def begin(self, delivery: Delivery, done: Done) -> None:
        done(self.receive(delivery))

    def begin_turning_back(self, envelope: Envelope, reason: Reason, head: bytes, size: int, done: Done) -> None:
        done(self.turn_back(envelope, reason, head, size))

    def turn_back(self, envelope: Envelope, reason: Reason, head: bytes = b"", size: int = 0) -> tuple[Outcome, ...]:
        self.turned_back.append((reason, head, size, datetime.now(UTC)))
        soft = reason is Reason.DNS or (self.policy.soft_refuse and reason is not Reason.BARE_NEWLINE)
        verdict = Verdict.DEFERRED if soft else Verdict.REFUSED
        return tuple(Outcome(recipient=to.recipient, verdict=verdict, reason=reason) for to in envelope.addressees)


def _outcome(addressee: Addressee, said: str, n: int) -> Outcome:
    verdict, reason, value, *_ = (*said.split(" ", 2), "", "")
    return Outcome(
        recipient=addressee.recipient,
        verdict=Verdict(verdict),
        reason=Reason(reason) if reason else None,
        value=value,
        ledger_id=f"L{n}",
    )
