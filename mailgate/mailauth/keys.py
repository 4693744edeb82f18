"""The public keys of signatures: where they stand and what they must be (RFC 6376 3.6, RFC 8301, RFC 8463).

``find`` gives the keys that fit a signature's algorithm. Refuses, with ``Unusable``: no key, a revoked one (empty
``p=``), one on trial (``t=y``: as if there were none), one not meant for mail (``s=``) or not for SHA-256 (``h=``), one
that can't be read, RSA below 1024 bits, and what nobody publishes in earnest: RSA above 8192 bits, an exponent above
64 bits, records above 4 kB. Other TXT records beside the key, and keys of the other kind, are passed over; of several
that fit, three are tried. ``Trouble`` of the DNS goes through: it never means that there is no key.

Nothing odd is ever asked of the DNS: domains and selectors are checked before.
"""

import binascii
import re
from dataclasses import dataclass

from mailgate.mailauth.resolver import Lookups

MAX_RECORD = 4096
MAX_TRIED = 3
MIN_BITS, MAX_BITS = 1024, 8192  # RFC 8301 3.2: up to 4096 must be taken
MAX_EXPONENT_BITS = 64
MIN_EXPONENT = 3

_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_WHITE = re.compile(rb"[ \t\r\n]+")
_KIND = {b"rsa-sha256": b"rsa", b"ed25519-sha256": b"ed25519"}
ALGORITHMS = frozenset(_KIND)


class Unusable(Exception):
    """A signature, key or chain that shows nothing. ``result`` is the word of RFC 8601 2.7.1, ``why`` for people."""

    def __init__(self, result: str, why: str) -> None:
        super().__init__(why)
        self.result = result
        self.why = why


@dataclass(frozen=True, slots=True)
class Key:
    """``public`` as dkimpy takes it; ``exact`` says that ``i=`` must name the very domain (``t=s``)."""

    kind: bytes
    bits: int
    public: object
    exact: bool


def find(lookups: Lookups, domain: str, selector: str, algorithm: bytes) -> list[Key]:
    """Look up the keys for a signature; domain and selector are A-labels in lower case."""
    records = lookups.txt(f"{selector}._domainkey.{domain}")
    fitting = [tags for record in records if (tags := _tags(record)) and _kind(tags) == _KIND[algorithm]]
    if fitting:
        return [_key(tags) for tags in fitting[:MAX_TRIED]]
    if any(len(record) > MAX_RECORD for record in records):
        raise Unusable("permerror", f"the key record is longer than {MAX_RECORD} bytes")
    raise Unusable("permerror", "the domain publishes no key of this kind under this selector")


def _tags(record: bytes) -> dict[bytes, bytes]:
    """Read a key record; empty for what is none."""
    from dkim.util import InvalidTagValueList, parse_tag_value  # noqa: PLC0415 - only who verifies pays for it

    if len(record) > MAX_RECORD:
        return {}
    try:
        tags: dict[bytes, bytes] = parse_tag_value(record)
    except InvalidTagValueList:
        return {}
    return tags if b"p" in tags and tags.get(b"v", b"DKIM1") == b"DKIM1" else {}


def _kind(tags: dict[bytes, bytes]) -> bytes:
    return tags.get(b"k", b"rsa")


def _listed(tags: dict[bytes, bytes], name: bytes) -> set[bytes]:
    return {each.strip() for each in tags.get(name, b"").split(b":")} - {b""}


def _key(tags: dict[bytes, bytes]) -> Key:
    data = _WHITE.sub(b"", tags[b"p"])
    flags, hashes, services = (_listed(tags, name) for name in (b"t", b"h", b"s"))
    if not data:
        raise Unusable("permerror", "the key is revoked")
    if b"y" in flags:
        raise Unusable("neutral", "the key is on trial (t=y): as good as none")
    if services and not services & {b"*", b"email"}:
        raise Unusable("permerror", "the key is not for mail (s=)")
    if hashes and b"sha256" not in hashes:
        raise Unusable("permerror", "the key is not for SHA-256 (h=)")
    if not _BASE64.fullmatch(data):
        raise Unusable("permerror", "the key can't be read")
    return _loaded(_kind(tags), data, exact=b"s" in flags)


def _loaded(kind: bytes, data: bytes, *, exact: bool) -> Key:
    import dkim  # noqa: PLC0415 - only who verifies pays for it

    try:
        public, bits, *_ = dkim.evaluate_pk("", b"k=" + kind + b"; p=" + data)
    except (dkim.DKIMException, binascii.Error, ValueError, AssertionError, IndexError, TypeError) as error:
        raise Unusable("permerror", "the key can't be read") from error
    if kind == b"rsa":
        _check_size(public, bits)
    return Key(kind, bits, public, exact)


def _check_size(public: dict[str, int], bits: int) -> None:
    exponent = public["publicExponent"]
    if bits < MIN_BITS:
        raise Unusable("policy", f"the key has {bits} bits, less than {MIN_BITS}")
    if bits > MAX_BITS or exponent.bit_length() > MAX_EXPONENT_BITS or exponent < MIN_EXPONENT:
        raise Unusable("policy", "the key is of a size that nobody uses")
