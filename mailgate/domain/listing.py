"""What somebody wants to see of the activities around a record, as they say it.

``Wish.read`` takes text as it was typed; ``Wish.check`` judges it against the record whose listing it is and the
edition. All that is given must hold. ``since`` is inclusive, ``until`` is not: a month is its first day and that of
the next.

Refuses, with ``BadInput`` that names the option and the value: what is no kind of record, type, time or address; a
topic that no listed kind has; a kind that the edition lacks; an external participant that is another record than a
contact or lead; and what could list nothing: the record's own left out
and no other asked for, done or open of a type other than task, an end before the start.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from mailgate.domain import address
from mailgate.domain.activity import ActivityType
from mailgate.domain.record import Edition, RecordKind, RecordRef, exists_in
from mailgate.domain.topic import topics
from mailgate.errors import BadInput

PERSONS = (RecordKind.CONTACT, RecordKind.LEAD)  # the records that take part

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The narrowing and widening of one listing; nothing given lists all activities of the record itself.

    ``done`` is of tasks: ``False`` lists the open ones. ``external`` and ``internal`` are folded addresses;
    ``external`` may be a contact or lead instead, who needn't have any.
    """

    affiliations: tuple[RecordKind, ...] = ()
    own: bool = True
    type: ActivityType | None = None
    topic: str | None = None
    external: str | RecordRef | None = None
    internal: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    done: bool | None = None

    @classmethod
    def read(
        cls,
        *,
        affiliation: Sequence[str] = (),
        without_own: bool = False,
        type: str | None = None,  # noqa: A002 - the key's name everywhere
        topic: str | None = None,
        external: str | None = None,
        internal: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        done: bool = False,
        open: bool = False,  # noqa: A002 - the option's name
    ) -> "Wish":
        """Read what was typed."""
        if done and open:
            raise BadInput("--done and --open contradict each other: give one")
        wish = cls(
            affiliations=tuple(dict.fromkeys(_word(RecordKind, "affiliation", text) for text in affiliation)),
            own=not without_own,
            type=None if type is None else _word(ActivityType, "type", type),
            topic=None if topic is None else topic.strip().lower(),
            external=None if external is None else _external(external),
            internal=None if internal is None else _address("internal", internal),
            since=since,
            until=until,
            done=True if done else False if open else None,
        )
        wish.check_for_itself()
        return wish

    def check_for_itself(self) -> None:
        """Refuse what lists nothing, whatever the record."""
        if not self.own and not self.affiliations:
            raise BadInput("--without-own lists nothing without --affiliation: name at least one kind")
        if self.done is not None and self.type not in (None, ActivityType.TASK):
            option = "done" if self.done else "open"
            raise BadInput(f"--{option} lists tasks: --type {self.type} contradicts it")
        if self.since and self.until and self.since > self.until:
            raise BadInput(f"--since {self.since.isoformat()} is after --until {self.until.isoformat()}: swap them")

    def check(self, record: RecordRef, edition: Edition) -> None:
        """Refuse kinds that the edition lacks, and a topic that none of the listed kinds has."""
        for kind in self.affiliations:
            if not exists_in(kind, edition):
                raise BadInput(
                    f"--affiliation {kind}: there are no publisher contracts in the edition {edition} "
                    "(instance.edition)"
                )
        kinds = [*([record.kind] if self.own else []), *self.affiliations]
        known = list(dict.fromkeys(topic for kind in kinds for topic in topics(kind)))
        if self.topic is not None and self.topic not in known:
            listed = ", ".join(dict.fromkeys(kinds))
            raise BadInput(f"--topic {self.topic[:80]!r} is none of {listed}: choose one of {', '.join(known)}")


EVERYTHING = Wish()


def _word(kind: type[_Word], option: str, text: str) -> _Word:
    word = text.strip().lower()
    if word not in set(kind):
        raise BadInput(f"--{option} {text[:80]!r} is unknown: choose one of {', '.join(kind)}")
    return kind(word)


def _external(text: str) -> str | RecordRef:
    """Read KIND:REF, or an address: none begins with a word and a colon (RFC 5321 4.1.2)."""
    kind, colon, _ = text.partition(":")
    if not colon or kind not in set(RecordKind):
        return _address("external", text)
    try:
        ref = RecordRef.parse(text)
    except BadInput as error:
        raise BadInput(f"--external {error}") from None
    if ref.kind not in PERSONS:
        raise BadInput(f"--external {ref}: takes no part in anything: name a contact, a lead or an e-mail address")
    return ref


def _address(option: str, text: str) -> str:
    try:
        return address.fold(text)
    except BadInput as error:
        raise BadInput(f"--{option} {error}") from None
