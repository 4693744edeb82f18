"""Records: what an activity belongs to, and who stands on them.

A record is named ``KIND:REF`` wherever a person types it; REF is the CRM's own reference: 1 to 128 printable
characters without space, split at the first ``:``. Refuses any other shape with ``BadInput``.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailgate.errors import BadInput

MAX_REF = 128
SHOWN = 80  # characters of what was typed, in a refusal


class RecordKind(StrEnum):
    """The seven kinds of record, in the order that people list them."""

    CUSTOMER = "customer"
    LEAD = "lead"
    CONTACT = "contact"
    OPPORTUNITY = "opportunity"
    CAMPAIGN = "campaign"
    DEAL_GROUP = "deal_group"
    PUBLISHER_CONTRACT = "publisher_contract"


class RecordState(StrEnum):
    """A closed record takes no BCC mail; nothing else closes with it."""

    OPEN = "open"
    CLOSED = "closed"


class Edition(StrEnum):
    """What the instance was bought as; ``publisher`` has no publisher contracts."""

    PUBLISHER = "publisher"
    MARKETER = "marketer"
    MARKETER_LIGHT = "marketer_light"


@dataclass(frozen=True, slots=True)
class RecordRef:
    """The name of a record: its kind and the CRM's own reference."""

    kind: RecordKind
    ref: str

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.ref}"

    @classmethod
    def parse(cls, text: str) -> "RecordRef":
        """Read ``KIND:REF``; ``BadInput`` names what is wrong with it."""
        kind, colon, ref = text.partition(":")
        if not colon or kind not in set(RecordKind):
            raise BadInput(f"{text[:SHOWN]!r} is no record: write KIND:REF with KIND one of {', '.join(RecordKind)}")
        if not 1 <= len(ref) <= MAX_REF or not ref.isprintable() or any(char.isspace() for char in ref):
            raise BadInput(f"{text[:SHOWN]!r} is no record: REF is 1 to {MAX_REF} printable characters without space")
        return cls(RecordKind(kind), ref)


@dataclass(frozen=True, slots=True)
class RoledRecord:
    """A record in a role on another one: the customer of a campaign, a contact of a customer."""

    role: str
    record: RecordRef


@dataclass(frozen=True, slots=True)
class RoledUser:
    """A user in a role on a record, for example ``sales``."""

    role: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record as people see it. ``address`` is the live record address, if one was ever asked for."""

    record: RecordRef
    name: str
    language: str | None = None
    state: RecordState = RecordState.OPEN
    email: tuple[str, ...] = ()
    address: str | None = None
    last_activity: datetime | None = None
    relations: tuple[RoledRecord, ...] = ()
    contacts: tuple[RoledRecord, ...] = ()
    users: tuple[RoledUser, ...] = ()


class AddressState(StrEnum):
    """``grace``: rotated away, still taken until it expires. Revoked can't be undone."""

    OPEN = "open"
    GRACE = "grace"
    CLOSED = "closed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAddress:
    """One record address with its life so far. ``address`` is whole, ``local@domain``."""

    address: str
    record: RecordRef
    state: AddressState
    created_at: datetime
    expires_at: datetime | None = None
    exposed_at: datetime | None = None
    last_used_at: datetime | None = None


def exists_in(kind: RecordKind, edition: Edition) -> bool:
    """Say whether the edition has this kind: only ``publisher`` lacks one, the publisher contracts."""
    return not (kind is RecordKind.PUBLISHER_CONTRACT and edition is Edition.PUBLISHER)
