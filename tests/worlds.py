"""A small world of users and records as plain values, and mails to its records: for the fakes and for both stores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256

from mailgate.domain.activity import NewActivity, NewMail, Participant, Side
from mailgate.domain.header import split
from mailgate.domain.identity import identity, message_id, queue_id
from mailgate.domain.mail import Document, Mail, Note, Party
from mailgate.domain.record import AddressState, Record, RecordAddress, RecordRef, RecordState, RoledRecord
from mailgate.domain.user import Language, Role, User, UserKind

DOMAIN = "log.crm.example"
NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
DAY = datetime(2026, 11, 1, tzinfo=UTC)

ANNA = User(email="anna@firma.example", name="Anna", language=Language.DE, aliases=("anna@mobil.example",))
BEAT = User(
    email="beat@firma.example", name="Beat", enabled=False, roles=frozenset({Role.ADMINISTER, Role.RECORD_ACTIVITIES})
)
SUPPORT = User(email="support@firma.example", name="Support", kind=UserKind.SHARED)
JOB = User(email="job@firma.example", name="Job", kind=UserKind.SYSTEM, roles=frozenset())


def ref(text: str) -> RecordRef:
    return RecordRef.parse(text)


CAMPAIGN = ref("campaign:4711")
CUSTOMER = ref("customer:7")
DEAL_GROUP = ref("deal_group:1")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Users, records and their addresses."""

    users: tuple[User, ...] = ()
    records: tuple[Record, ...] = ()
    addresses: tuple[RecordAddress, ...] = ()


def person(name: str, *emails: str, **roles: str) -> Record:
    """A contact or lead; ``customer="customer:7"`` relates it."""
    return Record(record=ref(name), name=name, email=emails, relations=_roled(roles))


def _roled(roles: dict[str, str]) -> tuple[RoledRecord, ...]:
    return tuple(RoledRecord(role, ref(name)) for role, name in roles.items())


def address(local: str, record: RecordRef, state: AddressState = AddressState.OPEN) -> RecordAddress:
    return RecordAddress(address=f"{local}@{DOMAIN}", record=record, state=state, created_at=DAY)


EMPTY = World()

# on the campaign: contact 1; on its customer: contacts 2 and 3 (3 names the customer itself); on its agency: contact 4;
# nowhere near: contacts 8 and 9, lead 5
WORLD = World(
    users=(ANNA, BEAT, SUPPORT, JOB),
    records=(
        person("contact:1", "one@kunde.example", "shared@kunde.example"),
        person("contact:2", "two@kunde.example", "shared@kunde.example", "pair@kunde.example", "anna@firma.example"),
        person("contact:3", "three@kunde.example", "pair@kunde.example", "far@kunde.example", customer="customer:7"),
        person("contact:4", "four@agentur.example", "agency@kunde.example"),
        person("lead:5", "lead@kunde.example"),
        person("contact:8", "agency@kunde.example", "many@kunde.example", "shared@kunde.example"),
        person("contact:9", "many@kunde.example", "far@kunde.example"),
        Record(record=CUSTOMER, name="Kunde AG", contacts=(RoledRecord("main", ref("contact:2")),)),
        Record(record=ref("customer:70"), name="Agentur AG", contacts=(RoledRecord("main", ref("contact:4")),)),
        Record(
            record=CAMPAIGN,
            name="Frühling",
            contacts=(RoledRecord("buyer", ref("contact:1")),),
            relations=_roled({"customer": "customer:7", "agency": "customer:70", "sister": "campaign:4712"}),
        ),
        Record(record=ref("campaign:4712"), name="Closed", state=RecordState.CLOSED),
        Record(record=DEAL_GROUP, name="Deals"),
    ),
    addresses=(
        address("aaaa", CAMPAIGN),
        replace(address("bbbb", CAMPAIGN, AddressState.GRACE), expires_at=NOW),
        address("cccc", ref("campaign:4712"), AddressState.CLOSED),
        address("dddd", CUSTOMER, AddressState.REVOKED),
        address("eeee", CUSTOMER),
        address("ffff", DEAL_GROUP),
    ),
)

LOCALS = {CAMPAIGN: "aaaa", CUSTOMER: "eeee", DEAL_GROUP: "ffff"}


def raw_mail(
    subject: str = "Offerte", *, body: str = "Guten Tag", number: int = 1, received: Sequence[str] = ()
) -> bytes:
    """A mail from Anna to one contact and one unknown; ``received`` are hops, the last one first."""
    lines = [f"Received: {hop}" for hop in received]
    lines += [
        "From: Anna <anna@firma.example>",
        "To: one@kunde.example, unknown@else.example",
        f"Subject: {subject}",
        "Date: Sun, 22 Nov 2026 12:00:00 +0000",
        f"Message-ID: <{number}@firma.example>",
        "",
        body,
        "",
    ]
    return "\r\n".join(lines).encode()


def new_mail(
    raw: bytes | None = None,
    *,
    to: Sequence[RecordRef] = (CAMPAIGN,),
    exposed: bool = False,
    at: datetime = NOW,
    recorder: str = ANNA.email,
    notes: tuple[Note, ...] = (),
) -> NewMail:
    """What the path of a mail hands to the archive."""
    content = raw if raw is not None else raw_mail()
    header = split(content)
    digest = sha256(content).hexdigest()
    read = read_mail(content)
    return NewMail(
        raw=content,
        raw_sha256=digest,
        identity=identity(header, content, queue_id(header), digest),
        mail=read,
        author=ANNA.email,
        recorder=recorder,
        envelope_from=ANNA.email,
        trust="vouched",
        relay="office",
        queue_id=queue_id(header),
        occurred_at=at,
        received_at=at,
        activities=tuple(
            NewActivity(
                record=record,
                address=f"{LOCALS[record]}@{DOMAIN}" if record in LOCALS else "",
                exposed=exposed,
                participants=(
                    Participant(email=ANNA.email, name="Anna", header="from", side=Side.INTERNAL),
                    Participant(
                        email="one@kunde.example",
                        name="",
                        header="to",
                        side=Side.EXTERNAL,
                        record=ref("contact:1"),
                    ),
                    Participant(email="unknown@else.example", name="", header="to", side=Side.EXTERNAL),
                ),
                notes=(*read.notes, *notes),
            )
            for record in to
        ),
    )


def read_mail(raw: bytes) -> Mail:
    header = split(raw)
    return Mail(
        subject=b" ".join(header.values(b"subject")).decode(),
        text=raw[header.body :].decode("utf-8", "replace").replace("\0", ""),
        html="<p>Guten Tag</p>",
        sent_at=NOW,
        message_id=message_id(header),
        parties=(
            Party("from", ANNA.email, "Anna"),
            Party("to", "one@kunde.example", ""),
            Party("to", "unknown@else.example", ""),
        ),
        documents=(Document(n=1, name="offerte.pdf", type="application/pdf", size=3, sha256="0" * 64),),
        links=("https://kunde.example/",),
        notes=(Note("defects", "A defect of the mail's own."),),
    )
