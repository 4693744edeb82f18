"""Users: who may have mail logged, under which addresses, with which roles."""

from dataclasses import dataclass
from enum import StrEnum


class UserKind(StrEnum):
    """A ``shared`` user is an address such as support@; a ``system`` user is a job without a person."""

    PERSON = "person"
    SHARED = "shared"
    SYSTEM = "system"


class Role(StrEnum):
    """What a user may do. Only ``record_activities`` is ever given by default."""

    RECORD_ACTIVITIES = "record_activities"
    ADMINISTER = "administer"
    CONTACT_GROUPS = "contact_groups"
    SEND_TO_GROUPS = "send_to_groups"


class Language(StrEnum):
    """The four languages, in the order that mails in all four hold them."""

    DE = "de"
    EN = "en"
    FR = "fr"
    IT = "it"


DEFAULT_ROLES: dict[UserKind, frozenset[Role]] = {
    UserKind.PERSON: frozenset({Role.RECORD_ACTIVITIES}),
    UserKind.SHARED: frozenset({Role.RECORD_ACTIVITIES}),
    UserKind.SYSTEM: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A registered user. ``email`` and ``aliases`` are folded (``domain.address.fold``)."""

    email: str
    name: str
    kind: UserKind = UserKind.PERSON
    language: Language | None = None
    enabled: bool = True
    roles: frozenset[Role] = frozenset({Role.RECORD_ACTIVITIES})
    aliases: tuple[str, ...] = ()
    accept_automatic: bool = False  # of kind ``system`` only: mail that says it is automatic is kept too
