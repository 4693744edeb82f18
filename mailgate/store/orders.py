"""What the archive is asked to keep, with the ids that it will have: values, no SQL."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from mailgate.domain.activity import NewActivity, NewMail
from mailgate.store.identifiers import new_id

_AT_ONCE = 500  # keys in one statement

_Item = TypeVar("_Item")


class Unkeepable(Exception):
    """Something that a mail refers to is gone; the text says what, and holds nothing of the mail."""


class BytesGone(Unkeepable):
    """The bytes of a big mail, believed to be there, must be written again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A mail to keep, and those attached to it.

    Ids are given beforehand: where the answer to a commit was lost, we know our own again.

    ``upload`` names the bytes of a big mail that were written ahead; ``None`` for small ones, and for big ones that
    are believed to be there. ``attached`` are the orders of what is attached, for each activity.
    """

    new: NewMail
    upload: str | None
    activity_ids: tuple[str, ...]
    ledger_ids: tuple[str, ...]
    attached: tuple[tuple["Order", ...], ...]

    @classmethod
    def of(cls, new: NewMail, uploads: Mapping[str, str] | None = None) -> "Order":
        """Give a mail and what is attached to it their ids; ``uploads`` are by SHA-256."""
        return cls(
            new=new,
            upload=(uploads or {}).get(new.raw_sha256),
            activity_ids=tuple(new_id() for _ in new.activities),
            ledger_ids=tuple(new_id() for _ in new.activities),
            attached=tuple(tuple(cls.of(each, uploads) for each in one.attached) for one in new.activities),
        )

    def all(self) -> Iterator["Order"]:
        """Give itself and what is attached to it, in the order of the mail."""
        yield self
        for attached in self.attached:
            yield from attached

    @property
    def size(self) -> int:
        """What it adds to a transaction, in bytes."""
        own = len(self.new.raw) if self.upload is None and is_kept(self.new) else 0
        return own + sum(each.size for attached in self.attached for each in attached)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One activity of one mail."""

    record_id: int
    order: Order
    activity: NewActivity
    activity_id: str
    ledger_id: str

    @property
    def new(self) -> NewMail:
        """The mail."""
        return self.order.new

    @property
    def key(self) -> tuple[int, str]:
        """What is kept once: a mail on a record."""
        return self.record_id, self.new.identity

    @property
    def keys(self) -> tuple[tuple[int, str], ...]:
        """Under which it may be there already; its own is the first."""
        known_as = self.new.known_as
        return (self.key,) if known_as is None else (self.key, (self.record_id, known_as))


def is_kept(new: NewMail) -> bool:
    """Say whether a mail is to be kept itself, and not only what is attached to it."""
    return any(one.says_anything for one in new.activities)


def in_parts(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """Cut into lists short enough for one statement."""
    rest = iter(items)
    while part := list(islice(rest, _AT_ONCE)):
        yield part
