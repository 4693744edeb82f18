"""DKIM signatures (RFC 6376, RFC 8301, RFC 8463): which of them show that a domain stands for this mail.

``read`` picks at most ``MAX_TRIED`` signatures, those of the author's organisation before others, so that no flood of
foreign ones hides an honest one; ``check`` says what becomes of one. A signature passes here only if it shows who wrote
the mail: it signs From, of which the mail has exactly one, and covers the whole body. So ``policy`` is the result
of one with ``l=`` (anything may be added below), above which a second Subject, To, Content-Type or the like was put
that isn't signed, in whose header stands a line that is no field (no signature covers it, and some readers take the
body to begin there), with rsa-sha1 or a key below 1024 bits. Expired (``x=``, five minutes
of grace) or from the future (``t=``, ten hours, for clocks that are set to the wrong zone), a version other than 1,
``i=`` outside ``d=`` and whatever can't be read are failures.

The arithmetic, the form of header fields and the reading of tags are dkimpy's. What it is handed has bounds of ours:
signatures above 8 kB or with long runs of white space, which its expressions take quadratic time for, and more than 500
signed fields or 1 MB of them are not tried. Look-ups come last: a body that was changed needs none.

``check`` raises nothing: a look-up that failed is ``temperror``. Nothing is logged.
"""

import base64
import binascii
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mailgate.domain.address import fold_domain
from mailgate.domain.header import Field, Shape
from mailgate.errors import BadInput
from mailgate.mailauth import keys
from mailgate.mailauth.alignment import aligned, within
from mailgate.mailauth.canonical import RELAXED, SIMPLE, Message
from mailgate.mailauth.keys import Unusable
from mailgate.mailauth.resolver import Lookups, Trouble

MAX_TRIED = 10
MAX_READ = 1000
MAX_FIELD = 8192
MAX_NAMES = 500
MAX_SIGNED = 2**20
EXPIRY_GRACE = 300
CLOCK_GRACE = 36_000

# RFC 5322 3.6 and RFC 2045: at most one each; readers differ on which of two they show
SINGLE = (b"sender", b"reply-to", b"to", b"cc", b"subject", b"date", b"message-id", b"content-type",
          b"content-transfer-encoding")  # fmt: skip

_FORMS = (SIMPLE, RELAXED)
_LONG_WHITE = re.compile(rb"(?<!\s)\s{64}")
_WHITE = re.compile(rb"\s+")
_SECONDS = re.compile(rb"[0-9]{1,12}")
_SELECTOR = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
_MAX_DNS_NAME = 253
_KEY_LABEL = "._domainkey."
_SILENT = logging.Logger("dkimpy", logging.CRITICAL + 1)  # noqa: LOG001 - of nobody: it quotes mails


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of one signature: ``result`` is a word of RFC 8601 2.7.1."""

    domain: str
    selector: str
    algorithm: str
    result: str
    why: str

    @property
    def passed(self) -> bool:
        """Say whether the domain stands for the whole mail."""
        return self.result == "pass"


@dataclass(frozen=True, slots=True)
class Claim:
    """A signature field (DKIM-Signature, or one of ARC's) that can be read. Domain and selector are folded."""

    field: Field
    tags: Mapping[bytes, bytes]
    domain: str
    selector: str

    @property
    def algorithm(self) -> bytes:
        """Name the algorithm (``a=``), one of those of ``keys``."""
        return self.tags[b"a"]


def read(message: Message, author_domain: str) -> tuple[list[Claim | Unusable], list[Claim | Unusable]]:
    """Pick the signatures to try, topmost first: those of the author's organisation, and others."""
    found = [_read(field) for field in message.named(b"dkim-signature")[:MAX_READ]]
    own = [each for each in found if isinstance(each, Claim) and aligned(author_domain, each.domain)][:MAX_TRIED]
    others = [each for each in found if not (isinstance(each, Claim) and aligned(author_domain, each.domain))]
    return [*own], others[: MAX_TRIED - len(own)]


def _read(field: Field) -> Claim | Unusable:
    try:
        return claim(field)
    except Unusable as unusable:
        return unusable


def check(message: Message, signature: Claim | Unusable, lookups: Lookups, now: float) -> Checked:
    """Try one signature; ``now`` is Unix time."""
    domain = selector = algorithm = ""
    try:
        if isinstance(signature, Unusable):
            raise signature
        domain, selector, algorithm = signature.domain, signature.selector, signature.algorithm.decode()
        _check_tags(signature)
        check_whole(message, signature, now)
        verify(
            message.selected(names(signature)), signature, lookups, subdomain=_identity(signature) != signature.domain
        )
        result, why = "pass", "the domain signed From and the whole body"
    except Unusable as unusable:
        result, why = unusable.result, unusable.why
    except Trouble:
        result, why = "temperror", "the key could not be looked up"
    return Checked(domain=domain, selector=selector, algorithm=algorithm, result=result, why=why)


# -- reading --------------------------------------------------------------------------------------------------------


def claim(field: Field) -> Claim:
    """Read a signature field; ``Unusable`` where it has no shape, or asks for an odd name."""
    from dkim.util import InvalidTagValueList, parse_tag_value  # noqa: PLC0415 - only who verifies pays for it

    if len(field.value) > MAX_FIELD or _LONG_WHITE.search(field.value):
        raise Unusable("policy", f"the signature is longer than {MAX_FIELD} bytes, or full of white space")
    try:
        tags: dict[bytes, bytes] = parse_tag_value(field.value)
    except InvalidTagValueList as error:
        raise Unusable("permerror", "the signature can't be read, or has a tag twice") from error
    if missing := next((tag for tag in (b"a", b"b", b"d", b"s") if not tags.get(tag)), None):
        raise Unusable("permerror", f"the signature has no {missing.decode()}=")
    domain, selector = _domain(tags[b"d"]), _selector(tags[b"s"])
    if len(selector) + len(_KEY_LABEL) + len(domain) > _MAX_DNS_NAME:
        raise Unusable("permerror", "the name of the key is too long for the DNS")
    if tags[b"a"] not in keys.ALGORITHMS:
        sha1 = tags[b"a"] == b"rsa-sha1"
        raise Unusable("policy" if sha1 else "permerror", "the algorithm is " + ("broken" if sha1 else "unknown"))
    return Claim(field, tags, domain, selector)


def _domain(value: bytes) -> str:
    try:
        folded = fold_domain(value.decode())
    except (BadInput, UnicodeDecodeError) as error:
        raise Unusable("permerror", "d= is no domain") from error
    if folded.startswith("["):
        raise Unusable("permerror", "d= is no domain")
    return folded


def _selector(value: bytes) -> str:
    selector = value.decode("latin-1").lower()
    if not _SELECTOR.fullmatch(selector):
        raise Unusable("permerror", "s= is no selector")
    return selector


def names(claim: Claim) -> list[bytes]:
    """Return the names of the signed fields (``h=``) in lower case."""
    return [name.strip().lower() for name in claim.tags.get(b"h", b"").split(b":")]


def _seconds(claim: Claim, tag: bytes) -> int | None:
    value = claim.tags.get(tag)
    if value is None:
        return None
    if not _SECONDS.fullmatch(value):
        raise Unusable("permerror", f"{tag.decode()}= is no time")
    return int(value)


def _identity(claim: Claim) -> str:
    """Return the domain of ``i=``, by default that of ``d=``."""
    value = claim.tags.get(b"i")
    if value is None:
        return claim.domain
    at = value.rfind(b"@")
    domain = _domain(value[at + 1 :])
    if at < 0 or not within(domain, claim.domain):
        raise Unusable("permerror", "i= is outside of d=")
    return domain


def _check_tags(claim: Claim) -> None:
    """Check what DKIM asks for and ARC doesn't have."""
    if claim.tags.get(b"v") != b"1":
        raise Unusable("permerror", "v= is not 1")
    if claim.tags.get(b"q", b"dns/txt") != b"dns/txt":
        raise Unusable("permerror", "q= is not dns/txt")


def check_whole(message: Message, claim: Claim, now: float) -> None:
    """Check that a signature is of now, signs the only From, and covers the body; ``Unusable`` where not."""
    signed = names(claim)
    if len(signed) > MAX_NAMES:
        raise Unusable("policy", f"more than {MAX_NAMES} fields are signed")
    if b"from" not in signed:
        raise Unusable("permerror", "From is not signed")
    authors = message.named(b"from")
    if len(authors) != 1 or authors[0].shape is not Shape.FIELD:
        raise Unusable("policy", "the mail has not exactly one From")
    if message.has_garbage:
        raise Unusable("policy", "a line that is no field stands in the header, where readers may begin the body")
    if name := next((name for name in SINGLE if _is_added_to(message, name, signed.count(name))), None):
        raise Unusable("policy", f"one {name.decode()} is signed, and the mail has another that is not")
    _check_time(claim, now)
    if b"l" in claim.tags:
        raise Unusable("policy", "only the beginning of the body is signed (l=)")
    if message.body_digest(forms(claim)[1]) != _decoded(claim.tags.get(b"bh", b"")):
        raise Unusable("fail", "the body was changed")


def _is_added_to(message: Message, name: bytes, signed: int) -> bool:
    """Say whether a field stands above the signed ones of its name and says something else."""
    fields = message.named(name)
    return 0 < signed < len(fields) and len({field.value.strip() for field in fields}) > 1


def _check_time(claim: Claim, now: float) -> None:
    signed, expires = _seconds(claim, b"t"), _seconds(claim, b"x")
    if signed is not None and signed > now + CLOCK_GRACE:
        raise Unusable("fail", "the signature is from the future (t=)")
    if expires is not None and (expires < now - EXPIRY_GRACE or (signed is not None and expires < signed)):
        raise Unusable("fail", "the signature has expired (x=)")


def forms(claim: Claim) -> tuple[bytes, bytes]:
    """Return the forms of header and body (``c=``): RFC 6376 3.5, where the body's is simple unless named."""
    header, _, body = claim.tags.get(b"c", b"simple/simple").partition(b"/")
    body = body or SIMPLE
    if header not in _FORMS or body not in _FORMS:
        raise Unusable("permerror", "c= is unknown")
    return header, body


def _decoded(value: bytes) -> bytes:
    try:
        return binascii.a2b_base64(_WHITE.sub(b"", value), strict_mode=True)
    except binascii.Error as error:
        raise Unusable("permerror", "the signature is no base64") from error


# -- verifying ------------------------------------------------------------------------------------------------------


def verify(signed: Sequence[Field], claim: Claim, lookups: Lookups, *, subdomain: bool = False) -> None:
    """Check a signature over these fields, in this order; ``Unusable`` where it is not good, ``Trouble`` of the DNS.

    ``subdomain`` says that ``i=`` names one of ``d=``, which the key may forbid.
    """
    if sum(len(field.name) + len(field.value) for field in signed) > MAX_SIGNED:
        raise Unusable("policy", f"more than {MAX_SIGNED} bytes of header are signed")
    header, _ = forms(claim)
    signature = _decoded(claim.tags[b"b"])
    found = keys.find(lookups, claim.domain, claim.selector, claim.algorithm)
    if subdomain and any(key.exact for key in found):
        raise Unusable("permerror", "the key is not for subdomains (t=s)")
    if not any(_good(key, header, signed, claim, signature) for key in found):
        raise Unusable("fail", "signed fields were changed, or the key is another one")


def _good(key: keys.Key, header: bytes, signed: Sequence[Field], claim: Claim, signature: bytes) -> bool:
    """Have dkimpy hash the fields and check the signature; the body was looked at, so it gets no ``bh=``."""
    import dkim  # noqa: PLC0415 - only who verifies pays for it

    engine = dkim.DKIM(logger=_SILENT)
    engine.headers = _pairs(reversed(signed))  # it takes the lowest field of a name first
    engine.pk, engine.keysize, engine.ktag = key.public, key.bits, key.kind
    asked = {b"a": claim.algorithm, b"c": header, b"b": base64.b64encode(signature)}
    try:
        return bool(
            engine.verify_sig_process(asked, [field.name.lower() for field in signed], _pairs([claim.field])[0], None)
        )
    except (dkim.DKIMException, ValueError, TypeError, AssertionError) as error:
        raise Unusable("fail", "the signature does not fit its key") from error


def _pairs(fields: Iterable[Field]) -> list[tuple[bytes, bytes]]:
    return [(field.name, field.value + b"\r\n") for field in fields]
