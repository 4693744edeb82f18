"""What a relay of the kind ``stamped`` wrote about the author in its own Authentication-Results fields.

Anybody can write such a field; the relay's own are told by their place alone, counted from the top of the header:
``received = N`` is the number of Received fields that the relay and the hops after it always add.

    stamp = above   all fields above the Nth Received
    stamp = below   the first one between the Nth and the N+1th Received, and only that
    received = 0    the first one, and only if it stands above every Received

Of those, the ones count whose authserv-id equals the pinned one (ASCII letters in any case); with ``""``, never
above, those in Microsoft's form without one. What stands further down is never looked at, in any number or order,
whatever it looks like. The From is proved by, in those fields,

    dmarc=pass  with header.from the author's domain, and no dmarc=fail in any of them
    dkim=pass   with header.d (else the domain of header.i) of the author's organisation, and no dmarc=fail
    auth=pass   with smtp.auth the author's whole address

and for a relay with ``sealers`` by an ARC chain too. SPF alone never proves it.

Not one of them counts where fewer than N Received are there; where a line that is no field, or a Received or
Authentication-Results with white space before its colon, stands above the end of the place, for readers differ on what
that is; where a field of the relay's can't be read, for it may say no; and where the envelope sender, or what a
DKIM-Signature names its signer by (``i=``, ``d=``, ``s=``), holds characters that write results of their own in the
fields of a relay that copies it as it is (OpenDKIM decodes ``i=`` and doesn't quote it). That last rule alone looks
further down, and only ever takes belief away.

Raises nothing; linear time. Limits: a relay that adds fewer Received fields than it is registered with, or doesn't
stamp every mail (below), lets senders' fields come into its place; one that stamps below must also keep a mail whose
first line begins with white space from going on with its own field.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, takewhile

from mailgate.domain.address import fold, fold_domain
from mailgate.domain.header import Field, Shape, unfold
from mailgate.domain.proof import Authorship, Evidence, Proof
from mailgate.domain.trust import Relay, Stamp
from mailgate.errors import BadInput
from mailgate.mailauth import alignment, results
from mailgate.mailauth.results import Result, Results

MAX_FIELDS = 50  # in the place of one relay, which writes one to five
MAX_FIRST_WORD = 1024  # bytes
SHOWN = ("header.d", "header.i", "header.from", "d", "smtp.auth", "smtp.mailfrom", "smtp.helo")

_RECEIVED = b"received"
_STAMP = b"authentication-results"
_FIRST_WORD = re.compile(rb'[ \t]*+([^ \t;()"\\]++)')
_WRITES_RESULTS = re.compile(r"[;()\\\x00-\x1f\x7f]")
_SIGNATURE = b"dkim-signature"
_SIGNERS_TAG = re.compile(rb"(?:^|;)[ \t\r\n]*+[ids][ \t\r\n]*+=([^;]*+)", re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]++")
_CODED = re.compile(rb"=([0-9A-Fa-f]{2})")  # RFC 6376 2.11
_SIGNER_WRITES_RESULTS = re.compile(rb"[;()\\\"\x00-\x20\x7f]")


class NoPlace(Exception):
    """The relay's own fields can't be told; the text says why."""


def examine(said: Authorship, examine_chain: Callable[[Authorship], Evidence] | None = None) -> Evidence:
    """Look for proof in the relay's own fields, then, for a relay with ``sealers``, in the ARC chain."""
    evidence = _stamped(said)
    if evidence.believed or examine_chain is None or not said.relay.sealers:
        return evidence
    chain = examine_chain(said)
    return Evidence(proofs=(*evidence.proofs, *chain.proofs), believed=chain.believed, unsure=chain.unsure)


def weigh(author: str, fields: Sequence[Results]) -> Evidence:
    """Say what these fields, all written by who is trusted, prove about the author (folded); one proof per result."""
    domain = author.rpartition("@")[2]
    failed = any(one.method == "dmarc" and one.result == "fail" for each in fields for one in each.results)
    proofs = tuple(_weighed(one, author, domain, failed=failed) for each in fields for one in each.results)
    return Evidence(proofs=proofs, believed=any(proof.proves for proof in proofs))


def _stamped(said: Authorship) -> Evidence:
    try:
        read = [(_read(field, said.relay), _may_be_own(field, said.relay)) for field in own_place(said)]
    except NoPlace as why:
        return Evidence(proofs=(Proof(method="stamp", result="none", why=str(why)),))
    stamps = tuple(_stamp(one, said.relay, may_be_own=may) for one, may in read)
    own = [one for one, _ in read if one is not None and _is_own(one, said.relay)]
    if not own or any(one is None and may for one, may in read):
        return Evidence(proofs=stamps)
    found = weigh(said.author, own)
    return Evidence(proofs=(*stamps, *found.proofs), believed=found.believed)


# -- place ------------------------------------------------------------------------------------------------------------


def own_place(said: Authorship) -> list[Field]:
    """Return the Authentication-Results in the relay's place, topmost first, whatever their authserv-id.

    At least one; ``NoPlace`` says why there is none.
    """
    check_chosen(said)
    relay = said.relay
    first_only = relay.received == 0 or relay.stamp is Stamp.BELOW
    found = [*islice(_stamps_in_place(said.fields.fields, relay), 1 if first_only else MAX_FIELDS + 1)]
    if not found:
        raise NoPlace("no Authentication-Results stands in the relay's place")
    if len(found) > MAX_FIELDS:
        raise NoPlace(f"more than {MAX_FIELDS} fields stand in the relay's place")
    return found


def check_chosen(said: Authorship) -> None:
    """Raise ``NoPlace`` where the sender chose a name that, copied into a field, would write results of its own."""
    if _WRITES_RESULTS.search(said.sender) or _WRITES_RESULTS.search(said.sender_as_written):
        raise NoPlace("the envelope sender holds characters that can write results of their own")
    if any(map(_names_signer_oddly, said.fields.values(_SIGNATURE))):
        raise NoPlace("a signature names its signer by characters that can write results of their own")


def _names_signer_oddly(signature: bytes) -> bool:
    found = (match.group(1) for match in _SIGNERS_TAG.finditer(signature))
    plain = (_CODED.sub(_decoded, _FOLD.sub(b"", value)).strip(b" \t\r\n") for value in found)
    return any(_SIGNER_WRITES_RESULTS.search(value) for value in plain)


def _decoded(found: re.Match[bytes]) -> bytes:
    return bytes([int(found.group(1), 16)])


def _stamps_in_place(entries: Sequence[Field], relay: Relay) -> Iterator[Field]:
    fields = _sound(entries)
    above = _above(fields, relay.received) if relay.received else []
    below = takewhile(lambda field: not field.is_named(_RECEIVED), fields)
    place = above if relay.received and relay.stamp is Stamp.ABOVE else below
    return (field for field in place if field.is_named(_STAMP))


def _above(fields: Iterator[Field], received: int) -> list[Field]:
    """Take off what stands above the Nth Received, and that."""
    above: list[Field] = []
    seen = 0
    for field in fields:
        seen += field.is_named(_RECEIVED)
        if seen == received:
            return above
        above.append(field)
    raise NoPlace(f"fewer than {received} Received fields are there")


def _sound(entries: Sequence[Field]) -> Iterator[Field]:
    """Give the fields up to where readers differ; there the search ends without a result."""
    for field in entries:
        counts = field.is_named(_RECEIVED) or field.is_named(_STAMP)
        if field.shape is Shape.GARBAGE or (field.shape is Shape.SPACED and counts):
            raise NoPlace("a line that is no sound field stands where the relay's own fields are looked for")
        if field.shape is Shape.FIELD:
            yield field


# -- what they say ----------------------------------------------------------------------------------------------------


def _read(field: Field, relay: Relay) -> Results | None:
    """Read a field in the form in which this relay writes it; ``None`` where it can't be."""
    if relay.authserv_id:
        return results.read(field.value)
    # above its Received others may write without a name too
    above = relay.received and relay.stamp is Stamp.ABOVE
    return None if above else results.read_without_id(field.value)


def _may_be_own(field: Field, relay: Relay) -> bool:
    """Say whether a field that can't be read may be the relay's: it begins with its authserv-id, or with no word."""
    word = _FIRST_WORD.match(unfold(field.value[:MAX_FIRST_WORD]))
    first = word.group(1).decode("utf-8", "surrogateescape") if word else ""
    return not first or not relay.authserv_id or _ascii_lower(first) == _ascii_lower(relay.authserv_id)


def _is_own(said: Results, relay: Relay) -> bool:
    return _ascii_lower(said.authserv_id) == _ascii_lower(relay.authserv_id)


def _ascii_lower(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").lower().decode("utf-8", "surrogateescape")


def _stamp(said: Results | None, relay: Relay, *, may_be_own: bool) -> Proof:
    if said is None:
        why = "can't be read, so nothing counts" if may_be_own else f"not {relay.authserv_id}: it doesn't count"
        return Proof(method="stamp", result="permerror", why=why)
    given = (("authserv-id", _printable(said.authserv_id)),) if said.authserv_id else ()
    if _is_own(said, relay):
        return Proof(method="stamp", result="pass", inputs=given, why="the relay's own field")
    return Proof(method="stamp", result="none", inputs=given, why=f"not {relay.authserv_id}: it doesn't count")


def _weighed(one: Result, author: str, domain: str, *, failed: bool) -> Proof:
    proves, why = False, ""
    if one.result == "pass":
        match one.method:
            case "dmarc":
                proves, why = _by_dmarc(one, author, domain)
            case "dkim":
                proves, why = _by_dkim(one, domain)
            case "auth":
                proves, why = _by_login(one, author)
            case "spf":
                why = "speaks for the envelope sender, not for From"
            case _:
                why = "says nothing about From"
    if proves and failed and one.method != "auth":
        proves, why = False, "DMARC failed"
    return Proof(method=one.method, result=one.result, inputs=_inputs(one), proves=proves, why=why)


def _by_dmarc(one: Result, author: str, domain: str) -> tuple[bool, str]:
    """The domain is in header.from (RFC 7489 11.1); Cisco writes d, some the whole address, in angle brackets too."""
    named = [one.properties[name] for name in ("header.from", "d") if name in one.properties]
    proves = bool(named) and all(_is_from(value, author, domain) for value in named)
    return proves, "of From's domain" if proves else "not of From's domain"


def _is_from(value: str, author: str, domain: str) -> bool:
    plain = value[1:-1] if value.startswith("<") and value.endswith(">") else value
    if "@" not in plain.removeprefix("@"):
        return alignment.same(plain.removeprefix("@"), domain)
    return _folded(plain) == author


def _by_dkim(one: Result, domain: str) -> tuple[bool, str]:
    signer = _signer(one)
    if not signer:
        return False, "names no signer that can be told"
    if alignment.aligned(domain, signer):
        return True, "signed by From's domain"
    return False, "signed by another domain"


def _signer(one: Result) -> str:
    """Return the signing domain, folded; "" where there is none, or where header.i is not of header.d."""
    by_d, by_i = one.properties.get("header.d", ""), one.properties.get("header.i", "").rpartition("@")[2]
    try:
        signer = fold_domain(by_d.removeprefix("@") or by_i)
        user = fold_domain(by_i or signer)
    except BadInput:
        return ""
    return signer if alignment.within(user, signer) else ""


def _by_login(one: Result, author: str) -> tuple[bool, str]:
    proves = _folded(one.properties.get("smtp.auth", "")) == author
    return proves, "logged in as From" if proves else "not logged in as From"


def _folded(address: str) -> str:
    try:
        return fold(address)
    except BadInput:
        return ""


def _inputs(one: Result) -> tuple[tuple[str, str], ...]:
    return tuple((name, _printable(one.properties[name])) for name in SHOWN if name in one.properties)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() and char.isascii() else "?" for char in text[:120])
