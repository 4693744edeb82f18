"""What a person hands over about a user or a record: on the command line, or in a row of a CSV file.

``UserEntry.read`` and ``RecordEntry.read`` take text as it was typed and give values; ``apply`` lays them over what
is there (``None``: nothing yet). A field that is ``None`` is left as it is; ``()`` and, for languages, ``""`` take
away. A list that is given replaces the whole list.

Refuses, with ``BadInput`` that names the value: an unknown kind, language, role or state; names with control
characters or longer than 200; ``ROLE=...`` of another shape; a record that relates to itself; a contact that is none;
a publisher contract without its language; a new user or record without a name; automatic mail of a user who is no
``system``.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from mailgate.domain import address
from mailgate.domain.record import SHOWN, Record, RecordKind, RecordRef, RecordState, RoledRecord, RoledUser
from mailgate.domain.user import DEFAULT_ROLES, Language, Role, User, UserKind
from mailgate.errors import BadInput

MAX_NAME = 200
COMPOSED = 4  # characters at most that NFC makes one of
MAX_ROLE = 40
MAX_VALUES = 1000  # of one list of one record or user
NONE = ""  # as a language: take it away

_Word = TypeVar("_Word", bound=StrEnum)
_Value = TypeVar("_Value")


class Done(StrEnum):
    """What became of one row of an import."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOutcome:
    """One row of an import. ``row`` counts as a spreadsheet does: the header is row 1. ``key`` as it was written."""

    row: int
    key: str
    outcome: Done
    error: str | None = None


# -- users ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEntry:
    """A user as handed over. ``roles`` replaces all of them, ``give`` and ``take`` change some."""

    email: str
    name: str | None = None
    kind: UserKind | None = None
    language: Language | str | None = None
    roles: frozenset[Role] | None = None
    give: frozenset[Role] = frozenset()
    take: frozenset[Role] = frozenset()
    aliases: tuple[str, ...] | None = None
    accept_automatic: bool | None = None

    @classmethod
    def read(
        cls,
        email: str,
        *,
        name: str | None = None,
        kind: str | None = None,
        language: str | None = None,
        roles: Sequence[str] | None = None,
        give: Sequence[str] = (),
        take: Sequence[str] = (),
        aliases: Sequence[str] | None = None,
        accept_automatic: bool | None = None,
    ) -> "UserEntry":
        """Read what was typed; ``language=""`` takes the language away."""
        given, taken = _roles(give), _roles(take)
        if both := given & taken:
            raise BadInput(f"role {min(both)} is both given and taken away: choose one")
        return cls(
            email=address.fold(email),
            name=_unless_none(read_name, name),
            kind=_unless_none(lambda text: _word(UserKind, "kind of user", text), kind),
            language=_unless_none(_language, language),
            roles=_unless_none(_roles, roles),
            give=given,
            take=taken,
            aliases=_unless_none(_addresses, aliases),
            accept_automatic=accept_automatic,
        )

    def apply(self, before: User | None) -> User:
        """Lay this over the user that is there; its main address stays what it is."""
        kind = self.kind or (before.kind if before else UserKind.PERSON)
        email = before.email if before else self.email
        roles = self.roles if self.roles is not None else before.roles if before else DEFAULT_ROLES[kind]
        if self.accept_automatic and self.roles is None:
            roles |= {Role.RECORD_ACTIVITIES}  # without it none of that mail would be kept
        aliases = self.aliases if self.aliases is not None else before.aliases if before else ()
        if email in aliases:
            raise BadInput(f"{email} is the user's main address: it needs no alias")
        return User(
            email=email,
            name=_name_of(self.name, before.name if before else None, email),
            kind=kind,
            language=_laid_over(self.language, before.language if before else None),
            enabled=before.enabled if before else True,
            roles=(roles | self.give) - self.take,
            aliases=tuple(sorted(aliases)),
            accept_automatic=self._automatic(email, kind, before),
        )

    def _automatic(self, email: str, kind: UserKind, before: User | None) -> bool:
        wanted = before.accept_automatic if before and self.accept_automatic is None else bool(self.accept_automatic)
        if wanted and kind is not UserKind.SYSTEM:
            raise BadInput(
                f"{email} is of kind {kind.value}: automatic mail is taken from users of kind "
                f"{UserKind.SYSTEM.value} only (--kind {UserKind.SYSTEM.value}, or --no-accept-automatic)"
            )
        return wanted


def _roles(texts: Iterable[str]) -> frozenset[Role]:
    return frozenset(_word(Role, "role", text) for text in texts)


def _addresses(texts: Iterable[str]) -> tuple[str, ...]:
    return _each_once(address.fold(text) for text in texts)


# -- records --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEntry:
    """A record as handed over."""

    record: RecordRef
    name: str | None = None
    language: Language | str | None = None
    state: RecordState | None = None
    email: tuple[str, ...] | None = None
    relations: tuple[RoledRecord, ...] | None = None
    contacts: tuple[RoledRecord, ...] | None = None
    users: tuple[RoledUser, ...] | None = None

    @classmethod
    def read(
        cls,
        record: str,
        *,
        name: str | None = None,
        language: str | None = None,
        state: str | None = None,
        email: Sequence[str] | None = None,
        relate: Sequence[str] | None = None,
        contact: Sequence[str] | None = None,
        user: Sequence[str] | None = None,
    ) -> "RecordEntry":
        """Read what was typed: ``relate`` and ``contact`` hold ``ROLE=KIND:REF``, ``user`` holds ``ROLE=EMAIL``."""
        ref = RecordRef.parse(record)
        return cls(
            record=ref,
            name=_unless_none(read_name, name),
            language=_unless_none(_language, language),
            state=_unless_none(lambda text: _word(RecordState, "state", text), state),
            email=_unless_none(_addresses, email),
            relations=_unless_none(lambda texts: _each_once(_relation(text, ref) for text in texts), relate),
            contacts=_unless_none(lambda texts: _each_once(_contact(text, ref) for text in texts), contact),
            users=_unless_none(lambda texts: _each_once(_user(text) for text in texts), user),
        )

    def apply(self, before: Record | None) -> Record:
        """Lay this over the record that is there. Lists come out sorted, as the store gives them."""
        base = before or Record(record=self.record, name="")
        language = _laid_over(self.language, base.language)
        if self.record.kind is RecordKind.PUBLISHER_CONTRACT and language is None:
            raise BadInput(f"{self.record} needs a language: a publisher contract always has one (--language)")
        return Record(
            record=self.record,
            name=_name_of(self.name, before.name if before else None, str(self.record)),
            language=language,
            state=self.state or base.state,
            email=base.email if self.email is None else tuple(sorted(self.email)),
            address=base.address,
            last_activity=base.last_activity,
            relations=base.relations if self.relations is None else sorted_records(self.relations),
            contacts=base.contacts if self.contacts is None else sorted_records(self.contacts),
            users=base.users if self.users is None else sorted_users(self.users),
        )

    def named_records(self) -> list[RecordRef]:
        """List the other records that this names."""
        return [roled.record for roled in (*(self.relations or ()), *(self.contacts or ()))]


def sorted_records(roled: Iterable[RoledRecord]) -> tuple[RoledRecord, ...]:
    """Put records in roles in the order in which they are shown."""
    return tuple(sorted(roled, key=lambda one: (one.role, str(one.record))))


def sorted_users(roled: Iterable[RoledUser]) -> tuple[RoledUser, ...]:
    """Put users in roles in the order in which they are shown."""
    return tuple(sorted(roled, key=lambda one: (one.role, one.email)))


def may_become(old: RecordRef, new: RecordRef) -> None:
    """Say whether one record can be renamed to or merged into another: the same kind, or a lead that was won."""
    won = old.kind is RecordKind.LEAD and new.kind in {RecordKind.CONTACT, RecordKind.CUSTOMER}
    if old == new:
        raise BadInput(f"{old} is named twice: name two records")
    if old.kind is not new.kind and not won:
        raise BadInput(f"{old} can't become {new}: only a lead may become a contact or customer")


def _relation(text: str, own: RecordRef) -> RoledRecord:
    role, name = _divided(text, "KIND:REF")
    other = RecordRef.parse(name)
    if other == own:
        raise BadInput(f"{text[:SHOWN]!r} relates {own} to itself")
    return RoledRecord(role, other)


def _contact(text: str, own: RecordRef) -> RoledRecord:
    roled = _relation(text, own)
    if roled.record.kind is not RecordKind.CONTACT:
        raise BadInput(f"{text[:SHOWN]!r} names no contact: write ROLE=contact:REF")
    return roled


def _user(text: str) -> RoledUser:
    role, email = _divided(text, "EMAIL")
    return RoledUser(role, address.fold(email))


def _divided(text: str, shape: str) -> tuple[str, str]:
    role, equals, value = text.partition("=")
    role = role.strip().lower()
    if not equals or not 1 <= len(role) <= MAX_ROLE or not role.isprintable() or any(map(str.isspace, role)):
        raise BadInput(
            f"{text[:SHOWN]!r} has no role: write ROLE={shape}, ROLE in 1 to {MAX_ROLE} characters without space"
        )
    return role, value.strip()


# -- both -----------------------------------------------------------------------------------------------------------


def read_name(text: str) -> str:
    """Return the name of a user or record: NFC, trimmed, one line."""
    typed = text.strip()
    if len(typed) > COMPOSED * MAX_NAME:  # normalising takes time by the square of the length
        raise _no_length(text, len(typed))
    name = unicodedata.normalize("NFC", typed).strip()
    if bad := next((char for char in name if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}), None):
        raise BadInput(f"name {text[:MAX_NAME]!a} holds the control character {bad!a}: take it out")
    if not 1 <= len(name) <= MAX_NAME:
        raise _no_length(text, len(name))
    return name


def _no_length(text: str, length: int) -> BadInput:
    return BadInput(f"name {text[:MAX_NAME]!r} has {length} characters: 1 to {MAX_NAME} are taken")


def _name_of(given: str | None, before: str | None, key: str) -> str:
    name = given if given is not None else before
    if name is None:
        raise BadInput(f"{key} is new and needs a name (--name, or a column name)")
    return name


def _laid_over(given: Language | str | None, before: str | None) -> Language | None:
    wanted = before if given is None else given
    return Language(wanted) if wanted else None


def _language(text: str) -> Language | str:
    return _word(Language, "language", text) if text.strip() else NONE


def _word(kind: type[_Word], what: str, text: str) -> _Word:
    word = text.strip().lower()
    if word not in set(kind):
        raise BadInput(f"{text[:SHOWN]!r} is no {what}: choose one of {', '.join(kind)}")
    return kind(word)


def _each_once(values: Iterable[_Value]) -> tuple[_Value, ...]:
    once = tuple(dict.fromkeys(values))
    if len(once) > MAX_VALUES:
        raise BadInput(f"{len(once)} values in one list: {MAX_VALUES} are taken")
    return once


_Text = TypeVar("_Text")


def _unless_none(read: Callable[[_Text], _Value], given: _Text | None) -> _Value | None:
    return None if given is None else read(given)
