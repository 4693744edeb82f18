"""ARC (RFC 8617): what servers on the way wrote down of a mail, and whether it can be believed.

``validate`` looks at a chain as far as the listed sealers matter. One whose newest seal is by nobody listed gives no
trust and costs no look-up. Else every seal down to the first must be good; the newest ARC-Message-Signature must be
good, sign the only From and cover the whole body (the rules of ``signatures``); the numbers must be 1 to n without
gaps, n up to 50, with one of each of the three fields; and ``cv=none`` in the first and ``cv=pass`` in all others. Any
break is ``fail``, also one that the chain itself tells of.

``trusted`` are the instances that may be read, newest first: from the newest down, as long as a listed sealer sealed
them. A seal covers all instances below it, but what stands there was written by others.

Raises nothing: a look-up that failed is ``temperror``.
"""

import re
from collections.abc import Set
from dataclasses import dataclass

from mailgate.domain.header import Field, unfold
from mailgate.mailauth import signatures
from mailgate.mailauth.canonical import RELAXED, Message
from mailgate.mailauth.keys import Unusable
from mailgate.mailauth.resolver import Lookups, Trouble
from mailgate.mailauth.signatures import Claim

MAX_INSTANCES = 50  # RFC 8617 5.1.1.1.1
MAX_RESULTS = 16_384

_RESULTS, _MESSAGE, _SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
_NUMBER = re.compile(rb"[ \t]*i[ \t]*=[ \t]*([1-9][0-9]?)[ \t]*;")
_PLAIN_NUMBER = re.compile(rb"[1-9][0-9]?")


@dataclass(frozen=True, slots=True)
class Instance:
    """What one server added: what it found out, its signature over the mail, and its seal over the chain."""

    number: int
    results: Field
    message: Claim
    seal: Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """``result`` is none, pass, fail, policy (a good or bad chain of nobody listed) or temperror."""

    result: str
    why: str
    sealers: tuple[str, ...] = ()  # domains of the seals, newest first
    trusted: tuple[Instance, ...] = ()


def validate(message: Message, sealers: Set[str], lookups: Lookups, now: float) -> Chain:
    """Validate the chain of a mail; ``sealers`` are folded domains, ``now`` is Unix time."""
    found: list[Instance] = []
    try:
        found = _instances(message)
        if not found:
            return Chain(result="none", why="the mail has no ARC chain")
        trusted = _trusted(found, sealers)
        _check_seals(found, lookups)  # first: a forged seal must not have us wait for a stranger's name servers
        _check_newest(message, found[0], lookups, now)
        chain = Chain(result="pass", why="every seal of the chain is good", trusted=trusted, sealers=_sealers(found))
    except Unusable as unusable:
        return Chain(result=unusable.result, why=unusable.why, sealers=_sealers(found))
    except Trouble:
        return Chain(result="temperror", why="a key could not be looked up", sealers=_sealers(found))
    return chain


def _sealers(found: list[Instance]) -> tuple[str, ...]:
    return tuple(instance.seal.domain for instance in found)


def _trusted(found: list[Instance], sealers: Set[str]) -> tuple[Instance, ...]:
    count = next((at for at, each in enumerate(found) if each.seal.domain not in sealers), len(found))
    if not count:
        raise Unusable("policy", "the newest seal is by none of the relay's sealers")
    return tuple(found[:count])


# -- reading --------------------------------------------------------------------------------------------------------


def _instances(message: Message) -> list[Instance]:
    """Read the chain, newest first; ``Unusable`` where it has not the shape of one."""
    results, messages, seals = (message.named(name) for name in (_RESULTS, _MESSAGE, _SEAL))
    count = len(seals)
    if not count == len(results) == len(messages):
        raise Unusable("fail", "the chain has not as many of each field")
    if count > MAX_INSTANCES:
        raise Unusable("fail", f"the chain has more than {MAX_INSTANCES} instances")
    said = {_results_number(field): field for field in results}
    signed = {_number(each): each for each in map(_claim, messages)}
    sealed = {_number(each): each for each in map(_claim, seals)}
    numbers = range(count, 0, -1)
    if any(set(each) != set(numbers) for each in (said, signed, sealed)):
        raise Unusable("fail", f"the instances of the chain are not 1 to {count}, each once")
    return [Instance(number, said[number], signed[number], sealed[number]) for number in numbers]


def _claim(field: Field) -> Claim:
    try:
        return signatures.claim(field)
    except Unusable as unusable:
        raise Unusable("fail", unusable.why) from unusable


def _number(claim: Claim) -> int:
    value = claim.tags.get(b"i", b"")
    if not _PLAIN_NUMBER.fullmatch(value):
        raise Unusable("fail", "an ARC field has no instance")
    return int(value)


def _results_number(field: Field) -> int:
    found = _NUMBER.match(unfold(field.value[:MAX_RESULTS]))
    if found is None or len(field.value) > MAX_RESULTS:
        raise Unusable("fail", "an ARC-Authentication-Results has no instance, or is too long")
    return int(found.group(1))


# -- verifying ------------------------------------------------------------------------------------------------------


def _check_newest(message: Message, newest: Instance, lookups: Lookups, now: float) -> None:
    claim = _relaxed(newest.message)
    names = signatures.names(claim)
    if _SEAL in names:
        raise Unusable("fail", "the newest ARC-Message-Signature signs seals")
    signatures.check_whole(message, claim, now)
    signatures.verify(message.selected(names), claim, lookups)


def _check_seals(found: list[Instance], lookups: Lookups) -> None:
    for at, instance in enumerate(found):
        tags = instance.seal.tags
        if tags.get(b"cv") != (b"none" if instance.number == 1 else b"pass"):
            raise Unusable("fail", f"seal {instance.number} says that the chain was broken")
        if b"h" in tags or b"bh" in tags:
            raise Unusable("fail", f"seal {instance.number} has a tag that no seal has")
        below = [part for each in reversed(found[at:]) for part in (each.results, each.message.field, each.seal.field)]
        signatures.verify(below[:-1], _relaxed(instance.seal), lookups)


def _relaxed(claim: Claim) -> Claim:
    """Seals are always relaxed; a message signature says so, and is taken for it where it says nothing."""
    relaxed = RELAXED + b"/" + RELAXED
    return (
        claim if b"c" in claim.tags else Claim(claim.field, {**claim.tags, b"c": relaxed}, claim.domain, claim.selector)
    )
