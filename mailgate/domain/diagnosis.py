"""What a mail that came through a relay shows of it: for ``doctor relay``."""

from dataclasses import dataclass

from mailgate.domain.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One Received field, the topmost is 1; "" for what it doesn't say."""

    n: int
    by: str
    protocol: str
    id: str
    login: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StampSeen:
    """One Authentication-Results field. ``below`` is the number of Received fields above it.

    ``authserv_id`` is "" in Microsoft's form without one; ``results`` are ``None`` where the field can't be read.
    """

    below: int
    authserv_id: str
    results: tuple[str, ...] | None
    proves: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Supported:
    """Whether one kind of trust would believe this mail; ``None`` where that can't be known from it.

    ``todo`` says what to do so that it does, or what to make sure of; ``settings`` are lines to paste, maybe none.
    """

    trust: Trust
    supported: bool | None
    why: str
    todo: str
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found, and for each kind of trust whether it would do."""

    author: str
    sender: str | None
    hops: tuple[Hop, ...]
    stamps: tuple[StampSeen, ...]
    kinds: tuple[Supported, ...]
