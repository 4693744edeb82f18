"""Says which kinds of trust a relay supports, from a mail that the admin has sent through it.

The mail is held against each kind by the very rules that a mail meets, once registered so. For ``stamped`` the place is
measured: each Authentication-Results field stands below some Received fields and above others, so it may be the stamp
of the server below it (``above``: the first Received under it is that server's own) or of the one above it (``below``).
Where several stand above it, the name decides: the server whose ``by`` is the authserv-id, or is of its organisation,
wrote it. Where that tells nothing it is taken as ``below``, and whether it will do is left open: it may as well come
from the sender's side. A field below one of the same name that proves nothing is never advised: anybody can write it.

Refuses, with ``BadInput``, a mail that has not exactly one readable From. Raises nothing else.

Limits: what a server guarantees can't be seen in a mail; SPF needs the client's address, which a file has not. Shows
50 fields of each name.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice

from mailgate.domain import author, header, vouching
from mailgate.domain.diagnosis import Diagnosis, Hop, StampSeen, Supported
from mailgate.domain.header import Field, Header
from mailgate.domain.proof import Authorship, Evidence
from mailgate.domain.trust import NOBODY, Relay, SenderPair, Stamp, Trust
from mailgate.errors import BadInput, Refused
from mailgate.mailauth import alignment, results, stamping
from mailgate.mailauth.results import Results

MAX_SHOWN = 50
MAX_PROOFS = 10
MAX_WORD = 120
MAX_READ = 4096

_RECEIVED = b"received"
_STAMP = b"authentication-results"
_NO_NAME = re.compile(r"[^a-z0-9._-]")
_PLACE = 'networks = ["192.0.2.1"]  # the addresses from which it speaks to us, or "unix"'

ENVELOPE_UNKNOWN = "the envelope sender stands in no mail"
GIVE_FROM = "give it with --from: the mail server's log of this mail has it (Postfix: from=<...>)"
PROMISE = (
    "make sure that the server takes mail for the record domain with a login only, and lets nobody use another's "
    "address as envelope sender: a mail can't show that"
)
GUARD = "send as yourself, allow the pair under senders.pairs, or have the server set the envelope sender to From"
OWN_FIELDS = (
    "make sure that the Received fields down to number {n} are those of your own servers in every mail, and that {id} "
    "stamps every mail: whoever writes above them is believed"
)
NO_STAMP = (
    "have the server check DKIM and DMARC and write Authentication-Results (OpenDKIM and OpenDMARC, rspamd), and sign "
    "the mail of your own users too"
)
MISALIGNED = (
    "the results must hold dmarc=pass with From's domain, or dkim=pass by it: sign your users' mail with your own "
    "domain, and let the server check it"
)
DIRECT = "the listener must face the sender's server itself, or the relay hand over its address (proxies) for SPF"
SIGN = "sign your users' mail with DKIM by From's own domain, and let nothing on the way to us change it"
DNS_DOWN = "the DNS didn't answer: look at dns.servers, and try again"


def examine_relay(
    raw: bytes,
    sender: str | None,
    verify: Callable[[Authorship], Evidence],
    *,
    pairs: Set[SenderPair] = frozenset(),
    own_domains: Collection[str] = (),
) -> Diagnosis:
    """Look at a mail. ``sender`` is the envelope's, folded, ``None`` where it isn't known."""
    fields = header.split(raw)
    try:
        wrote = author.read_author(fields)
    except Refused as no:
        raise BadInput(f"{no.reason.value}: the mail has not one plain From: send one that has") from None
    relay = Relay(name="trial")
    said = Authorship(relay=relay, client=NOBODY, author=wrote, sender=sender or "", fields=fields, raw=raw)
    hops = _hops(fields, own_domains)
    return Diagnosis(
        author=wrote,
        sender=sender,
        hops=hops,
        stamps=tuple(islice(_stamps(said), MAX_SHOWN)),
        kinds=(_vouched(said, sender, pairs, hops), _stamped(said, hops), _verified(said, verify, hops)),
    )


@dataclass(frozen=True, slots=True)
class _Trial:
    """A relay that may have written a field; ``named`` says that the field's name, or its place, makes it likely."""

    relay: Relay
    named: bool


# -- what stands there ------------------------------------------------------------------------------------------------


def _hops(fields: Header, own_domains: Collection[str]) -> tuple[Hop, ...]:
    received = fields.values(_RECEIVED)[:MAX_SHOWN]
    return tuple(_hop(n, value, own_domains) for n, value in enumerate(received, start=1))


def _hop(n: int, value: bytes, own_domains: Collection[str]) -> Hop:
    words = header.without_comments(value[:MAX_READ]).decode("latin-1").partition(";")[0].split()
    keys = [word.lower() for word in words]
    start = keys.index("by") if "by" in keys else len(keys)

    def after(key: str) -> str:
        at = keys.index(key, start) + 1 if key in keys[start:] else len(words)
        return _printable(words[at]) if at < len(words) else ""

    login = " or ".join(vouching.login_of(value, own_domains))
    return Hop(n=n, by=after("by"), protocol=after("with"), id=after("id"), login=login)


def _stamps(said: Authorship) -> Iterator[StampSeen]:
    for below, field in _placed(said.fields):
        read = _read(field)
        proves = read is not None and stamping.weigh(said.author, [read]).believed
        shown = None if read is None else tuple(_shown(read))
        yield StampSeen(
            below=below, authserv_id=_printable(read.authserv_id) if read else "", results=shown, proves=proves
        )


def _placed(fields: Header) -> Iterator[tuple[int, Field]]:
    below = 0
    for field in fields.fields:
        below += field.is_named(_RECEIVED)
        if field.is_named(_STAMP):
            yield below, field


def _read(field: Field) -> Results | None:
    return results.read(field.value) or results.read_without_id(field.value)


def _shown(read: Results) -> Iterator[str]:
    for one in read.results:
        given = (f" {name}={_printable(one.properties[name])}" for name in stamping.SHOWN if name in one.properties)
        yield _printable(f"{one.method}={one.result}") + "".join(given)


# -- vouched ----------------------------------------------------------------------------------------------------------


def _vouched(said: Authorship, sender: str | None, pairs: Set[SenderPair], hops: Sequence[Hop]) -> Supported:
    if sender is None:
        return Supported(trust=Trust.VOUCHED, supported=None, why=ENVELOPE_UNKNOWN, todo=GIVE_FROM)
    evidence = vouching.examine(said, pairs, (), ())
    why = "; ".join(proof.why for proof in evidence.proofs)
    if not evidence.believed:
        return Supported(trust=Trust.VOUCHED, supported=False, why=why, todo=GUARD)
    with_login = next((hop for hop in hops if hop.login), None)
    lines = ['trust = "vouched"']
    if with_login is not None:
        why += f", and Received {with_login.n} carries the login {with_login.login}"
        lines += ['login = "received"', f"received = {with_login.n}"]
    own = with_login or next(iter(hops), None)
    return Supported(trust=Trust.VOUCHED, supported=True, why=why, todo=PROMISE, settings=_snippet(own, lines))


# -- stamped ----------------------------------------------------------------------------------------------------------


def _stamped(said: Authorship, hops: Sequence[Hop]) -> Supported:
    tried = sorted(islice(_candidates(said.fields, hops), MAX_SHOWN), key=lambda one: not one.named)
    said_no: set[str] = set()
    for trial in tried:
        name = trial.relay.authserv_id.lower()
        if name in said_no:
            continue  # the relay's own word stands higher up: this one may be anybody's
        if stamping.examine(replace(said, relay=trial.relay)).believed:
            return _stamp_found(trial, hops)
        if trial.named:
            said_no.add(name)
    if not tried:
        why = "no Authentication-Results is there that could be the relay's"
        return Supported(trust=Trust.STAMPED, supported=False, why=why, todo=NO_STAMP)
    proofs = stamping.examine(replace(said, relay=tried[0].relay)).proofs
    why = "; ".join(dict.fromkeys(f"{proof.method} {proof}" for proof in proofs[:MAX_PROOFS]))
    return Supported(trust=Trust.STAMPED, supported=False, why=why, todo=MISALIGNED)


def _candidates(fields: Header, hops: Sequence[Hop]) -> Iterator[_Trial]:
    """Name the relays that may have written each field, topmost field first."""
    seen: set[int] = set()
    for below, field in _placed(fields):
        read = _read(field)
        first = below not in seen
        seen.add(below)
        if read is not None and below <= len(hops):
            yield from _trials(read, below, hops, first=first)


def _trials(read: Results, below: int, hops: Sequence[Hop], *, first: bool) -> Iterator[_Trial]:
    name = read.authserv_id
    trial = Relay(name="trial", trust=Trust.STAMPED, authserv_id=name)
    over = below > 0 and _is_named(name, hops[below - 1])
    under = below < len(hops) and _is_named(name, hops[below])
    if not hops:
        yield _Trial(replace(trial, received=0, stamp=Stamp.ABOVE if name else Stamp.BELOW), named=True)
    elif name and below < len(hops) and (not below or (under and not over)):
        yield _Trial(
            replace(trial, received=below + 1, stamp=Stamp.ABOVE), named=not below or _are_one(hops[: below + 1])
        )
    elif below and first:
        yield _Trial(replace(trial, received=below, stamp=Stamp.BELOW), named=over or not name)


def _is_named(name: str, hop: Hop) -> bool:
    return bool(name) and (name.lower() == hop.by.lower() or alignment.aligned(name, hop.by))


def _are_one(hops: Sequence[Hop]) -> bool:
    """Say whether these servers are all of one organisation."""
    return all(_is_named(hops[0].by, hop) for hop in hops)


def _stamp_found(trial: _Trial, hops: Sequence[Hop]) -> Supported:
    relay = trial.relay
    own = hops[relay.received - 1] if relay.received else None
    name = _printable(relay.authserv_id) or "the server (it writes no authserv-id)"
    lines = (
        'trust = "stamped"',
        f"authserv_id = {json.dumps(relay.authserv_id)}",
        f"received = {relay.received}",
        f'stamp = "{relay.stamp.value}"',
    )
    place = f"{relay.stamp.value} Received {relay.received}" if own else "in a mail without Received"
    doubt = "" if trial.named else ", but whether a server of yours wrote it can't be told from its name"
    return Supported(
        trust=Trust.STAMPED,
        supported=True if trial.named else None,
        why=f"the stamp of {name} stands {place} and proves From{doubt}",
        todo=OWN_FIELDS.format(n=relay.received, id=name),
        settings=_snippet(own, lines),
    )


# -- verified ---------------------------------------------------------------------------------------------------------


def _verified(said: Authorship, verify: Callable[[Authorship], Evidence], hops: Sequence[Hop]) -> Supported:
    evidence = verify(replace(said, relay=Relay(name="trial", trust=Trust.VERIFIED)))
    if evidence.believed:
        proved = "; ".join(dict.fromkeys(f"{proof.method} {proof}" for proof in evidence.proofs if proof.proves))
        lines = _snippet(next(iter(hops), None), ['trust = "verified"'])
        return Supported(trust=Trust.VERIFIED, supported=True, why=proved, todo=DIRECT, settings=lines)
    if evidence.unsure:
        return Supported(trust=Trust.VERIFIED, supported=None, why="a look-up failed", todo=DNS_DOWN)
    why = (
        "; ".join(dict.fromkeys(f"{proof.method} {proof}" for proof in evidence.proofs[:MAX_PROOFS]))
        or "nothing proves From"
    )
    return Supported(trust=Trust.VERIFIED, supported=False, why=why, todo=SIGN)


def _snippet(own: Hop | None, lines: Sequence[str]) -> tuple[str, ...]:
    label = _NO_NAME.sub("", own.by.lower().partition(".")[0]).strip("._-") if own else ""
    return ("[[relays]]", f'name = "{label[:30] or "relay"}"', _PLACE, *lines)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() and char.isascii() else "?" for char in text[:MAX_WORD])
