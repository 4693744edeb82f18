"""A mail out of a file, on the same path as one that comes over SMTP: one outcome per recipient.

Line ends that are all LF become CRLF first; a file with both, a bare CR or a NUL is turned back as on the wire. The
caps on size, header and recipients are those of SMTP. ``explain`` tells what each rule says, and stores nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address

from mailgate.domain import author, header, trust
from mailgate.domain.ledger import Outcome, Verdict
from mailgate.domain.mail import Addressee, Delivery, Envelope
from mailgate.domain.trust import UNIX, Client, Relay
from mailgate.errors import BadInput, Deferred, Reason, Refused
from mailgate.intake import Intake, Tell

NOT_STORED = "(not stored)"  # where an answer would name the ledger's row
NO_ADDRESS = "?"  # as envelope sender where the mail names no author: not the null sender, which means a bounce


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What SMTP takes at most, in bytes and recipients."""

    max_size: int
    max_header_size: int
    max_recipients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A mail as handed over. ``sender`` is the envelope's, ``None`` for the author; ``relay`` a name, IP or unix.

    ``client`` is the address that sent the mail, for SPF, where it isn't the relay's own; ``helo`` is what it said.
    """

    raw: bytes
    recipients: Sequence[str]
    sender: str | None
    relay: str
    client: str | None = None
    helo: str = ""


def ingest(intake: Intake, handed: Handed, caps: Caps) -> list[Outcome]:
    """Hand a mail in; the outcomes are in the order of the recipients."""
    relay = _relay(intake, handed.relay)
    if relay is None:
        stranger = intake.softened(Refused(Reason.BAD_RELAY))
        return [_outcome(one, stranger) for one in handed.recipients]
    said_no: dict[int, Outcome] = {}
    addressees: dict[int, Addressee] = {}
    sender = _sender(handed)
    for n, recipient in enumerate(handed.recipients):
        if len(addressees) == caps.max_recipients:
            said_no[n] = _outcome(recipient, Deferred(Reason.TOO_MANY_RECIPIENTS))
            continue
        try:
            addressees[n] = intake.check_recipient(relay, recipient, sender)
        except (Refused, Deferred) as no:
            said_no[n] = _outcome(recipient, no)
    if addressees:
        envelope = Envelope(
            relay=relay, sender=sender, addressees=tuple(addressees.values()), client=_client(relay, handed)
        )
        said_no.update(zip(addressees, _deliver(intake, envelope, handed.raw, caps), strict=True))
    return [said_no[n] for n in sorted(said_no)]


def explain(intake: Intake, handed: Handed, caps: Caps, tell: Tell) -> Outcome:
    """Tell what each rule says to a mail, in order; the outcome is that of the first rule that says no."""
    first = handed.recipients[0] if handed.recipients else ""
    relay = _relay(intake, handed.relay)
    if relay is None:
        return _outcome(first, intake.softened(Refused(Reason.BAD_RELAY)))
    try:
        tell("relay", f"{handed.relay} is {relay.name}, {relay.trust.value}")
        raw = _checked(handed.raw, caps)
        tell("shape", f"{len(raw)} bytes")
        envelope = Envelope(relay=relay, sender=_sender(handed), addressees=(), client=_client(relay, handed))
        met = intake.explain(envelope, handed.recipients, raw, tell)
    except (Refused, Deferred) as no:
        return _outcome(first, intake.softened(no))
    if met and None not in met:
        return Outcome(recipient=first, verdict=Verdict.DUPLICATE, reason=met[0], ledger_id=NOT_STORED)
    return Outcome(recipient=first, verdict=Verdict.KEPT, ledger_id=NOT_STORED)


def explain_recipient(intake: Intake, recipient: str, tell: Tell) -> Outcome:
    """Tell what each rule says to a recipient."""
    try:
        intake.explain_recipient(recipient, tell)
    except (Refused, Deferred) as no:
        return _outcome(recipient, no)
    return Outcome(recipient=recipient, verdict=Verdict.KEPT, ledger_id=NOT_STORED)


def _deliver(intake: Intake, envelope: Envelope, raw: bytes, caps: Caps) -> Sequence[Outcome]:
    try:
        checked = _checked(raw, caps)
    except Refused as no:
        return intake.turn_back(envelope, no.reason, head=raw[: caps.max_header_size], size=len(raw))
    return intake.receive(Delivery(envelope=envelope, raw=checked, received_at=datetime.now(UTC)))


def _checked(raw: bytes, caps: Caps) -> bytes:
    if len(raw) > caps.max_size:
        raise Refused(Reason.TOO_LARGE)
    whole = header.with_crlf(raw)
    if len(whole) > caps.max_size:
        raise Refused(Reason.TOO_LARGE)
    if header.body_offset(whole) > caps.max_header_size:
        raise Refused(Reason.TOO_LARGE)
    return whole


def _relay(intake: Intake, name: str) -> Relay | None:
    if named := next((relay for relay in intake.policy.relays if relay.name == name), None):
        return named
    try:
        return intake.relay_at(_address(name))
    except ValueError:
        raise BadInput(f"relay {name!r} is none: write a relay's name, its IP address, or {UNIX}") from None


def _client(relay: Relay, handed: Handed) -> Client:
    """Say who spoke to the relay's listener; nobody is known behind a proxy, or where the relay is named."""
    if handed.client is not None:
        try:
            return Client(_address(handed.client), handed.helo)
        except ValueError:
            raise BadInput(f"client {handed.client!r} is no IP address: write the one that sent the mail") from None
    peer = None if handed.relay == relay.name else _address(handed.relay)
    return Client(None if trust.is_proxy(relay, peer) else peer, handed.helo)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    return None if name == UNIX else ip_address(name)


def _sender(handed: Handed) -> str:
    if handed.sender is not None:
        return handed.sender
    try:
        return author.read_author(header.split(handed.raw))
    except Refused:
        return NO_ADDRESS


def _outcome(recipient: str, no: Refused | Deferred) -> Outcome:
    verdict = Verdict.DEFERRED if isinstance(no, Deferred) else Verdict.REFUSED
    return Outcome(recipient=recipient, verdict=verdict, reason=no.reason, value=no.value, advice=no.advice)
