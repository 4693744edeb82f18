"""Signs and seals mails for tests, also wrongly: keys made on the spot, tags as wished, a DNS that is a dict.

The hashing is dkimpy's own and not what mailgate uses, so that a fault of ours shows.
"""

import base64
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any

import dkim
import nacl.signing
from dkim.crypto import RSASSA_PKCS1_v1_5_sign

from mailgate.mailauth.resolver import Trouble

NOW = 1_790_000_000
SELECTOR = "s1"
SMALL_PRIMES = tuple(number for number in range(3, 2000, 2) if all(number % each for each in range(3, 45, 2)))


@dataclass(frozen=True)
class SigningKey:
    """A private key, and what its domain publishes of it."""

    algorithm: bytes
    private: Any
    record: bytes

    def sign(self, hashed: Any) -> bytes:
        if self.algorithm == b"ed25519-sha256":
            return bytes(self.private.sign(hashed.digest()).signature)
        return bytes(RSASSA_PKCS1_v1_5_sign(hashed, self.private))


@cache
def rsa(bits: int = 2048) -> SigningKey:
    """Make an RSA key, the same each time."""
    chance = random.Random(bits)
    first, second = _prime(chance, bits // 2), _prime(chance, bits - bits // 2)
    exponent, product = 65537, first * second
    secret = pow(exponent, -1, (first - 1) * (second - 1))
    private = {
        "modulus": product,
        "prime1": first,
        "prime2": second,
        "exponent1": secret % (first - 1),
        "exponent2": secret % (second - 1),
        "coefficient": pow(second, -1, first),
    }
    data = base64.b64encode(_public_der(product, exponent))
    return SigningKey(b"rsa-sha256", private, b"v=DKIM1; k=rsa; p=" + data)


@cache
def ed25519() -> SigningKey:
    private = nacl.signing.SigningKey(bytes(range(32)))
    data = base64.b64encode(bytes(private.verify_key))
    return SigningKey(b"ed25519-sha256", private, b"v=DKIM1; k=ed25519; p=" + data)


def rsa_record(modulus: int, exponent: int) -> bytes:
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(_public_der(modulus, exponent))


def _prime(chance: random.Random, bits: int) -> int:
    while True:
        found = chance.getrandbits(bits) | 3 << bits - 2 | 1
        if all(found % each for each in SMALL_PRIMES) and all(pow(each, found - 1, found) == 1 for each in (2, 3, 5)):
            return found


def _der(tag: int, data: bytes) -> bytes:
    size = len(data)
    if size < 0x80:
        return bytes([tag, size]) + data
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + data


def _public_der(modulus: int, exponent: int) -> bytes:
    numbers = b"".join(_der(2, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in (modulus, exponent))
    rsa_encryption = bytes.fromhex("06092a864886f70d0101010500")
    return _der(0x30, _der(0x30, rsa_encryption) + _der(3, b"\0" + _der(0x30, numbers)))


@dataclass
class Zone:
    """``Lookups`` over a dict. ``down`` names fail; ``fail_at`` makes the n-th question fail, from 1 on."""

    texts: dict[str, list[bytes]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    fail_at: int = 0
    asked: list[str] = field(default_factory=list)

    def txt(self, name: str) -> tuple[bytes, ...]:
        self._ask(name)
        return tuple(self.texts.get(name, ()))

    def a(self, name: str) -> tuple[str, ...]:
        self._ask(name)
        return ()

    def aaaa(self, name: str) -> tuple[str, ...]:
        self._ask(name)
        return ()

    def mx(self, name: str) -> tuple[tuple[int, str], ...]:
        self._ask(name)
        return ()

    def ptr(self, name: str) -> tuple[str, ...]:
        self._ask(name)
        return ()

    def _ask(self, name: str) -> None:
        self.asked.append(name)
        if name in self.down or len(self.asked) == self.fail_at:
            raise Trouble(name)


def zone(**more: Sequence[bytes]) -> Zone:
    """Hold the keys of a few sample domains, and what else is given."""
    texts = {
        f"{SELECTOR}._domainkey.{domain}": [rsa().record]
        for domain in ("legit.example", "mail.legit.example", "attack.example", "list.example", "co.uk")
    }
    return Zone({**texts, **{name: list(records) for name, records in more.items()}})


def sign(
    raw: bytes,
    key: SigningKey,
    tags: Mapping[str, str] | None = None,
    *,
    signed: Sequence[bytes] = (b"from", b"to", b"subject"),
    name: bytes = b"DKIM-Signature",
) -> bytes:
    """Put a signature on top. ``tags`` replace those of an ordinary one, or take them away with ""."""
    headers, body = dkim.rfc822_parse(raw)
    given = {
        "v": "1",
        "a": key.algorithm.decode(),
        "c": "relaxed/relaxed",
        "d": "legit.example",
        "s": SELECTOR,
        "t": str(NOW - 60),
        "h": b":".join(signed).decode(),
        **(tags or {}),
    }
    try:
        forms = dkim.CanonicalizationPolicy.from_c_value(given["c"].encode() or None)
    except dkim.InvalidCanonicalizationPolicyError:
        forms = dkim.CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")
    hashed_body = forms.canonicalize_body(body)
    if given.get("l", "").isdigit():
        hashed_body = hashed_body[: int(given["l"])]
    given.setdefault("bh", base64.b64encode(sha256(hashed_body).digest()).decode())
    value = _value(given)
    hashed = dkim.HashThrough(sha256())
    names = [each.strip().lower() for each in given["h"].encode().split(b":")]
    dkim.hash_headers(hashed, forms, forms.canonicalize_headers(headers), names, (name, value), {})
    return name + b":" + value + base64.b64encode(key.sign(hashed)) + b"\r\n" + raw


def _value(tags: Mapping[str, str]) -> bytes:
    return b" " + "; ".join(f"{tag}={said}" for tag, said in tags.items() if said).encode() + b"; b="


def seal(
    raw: bytes,
    key: SigningKey,
    results: str,
    *,
    instance: int = 1,
    domain: str = "list.example",
    message_tags: Mapping[str, str] | None = None,
    seal_tags: Mapping[str, str] | None = None,
    signed: Sequence[bytes] = (b"from", b"to", b"subject"),
) -> bytes:
    """Put an ARC set on top, over whatever stands below."""
    with_results = f"ARC-Authentication-Results: i={instance}; {domain}; {results}\r\n".encode() + raw
    tags = {"v": "", "i": str(instance), "d": domain, **(message_tags or {})}
    with_message = sign(with_results, key, tags, signed=signed, name=b"ARC-Message-Signature")
    cv = "none" if instance == 1 else "pass"
    given = {
        "i": str(instance), "a": key.algorithm.decode(), "cv": cv, "d": domain, "s": SELECTOR, **(seal_tags or {}),
    }  # fmt: skip
    value = _value(given)
    headers, _ = dkim.rfc822_parse(with_message)
    relaxed = dkim.CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")
    sets = [
        (header, said)
        for header, said in reversed(relaxed.canonicalize_headers(headers))
        if header in {b"arc-authentication-results", b"arc-message-signature", b"arc-seal"}
    ]
    return _sealed(with_message, key, value, sets, relaxed)


def _sealed(
    raw: bytes,
    key: SigningKey,
    value: bytes,
    sets: Sequence[tuple[bytes, bytes]],
    relaxed: Any,
) -> bytes:
    hashed = dkim.HashThrough(sha256())
    for header, said in sets:
        hashed.update(header + b":" + said)
    [(header, said)] = relaxed.canonicalize_headers([(b"ARC-Seal", value)])
    hashed.update(header + b":" + said.rstrip())
    return b"ARC-Seal:" + value + base64.b64encode(key.sign(hashed)) + b"\r\n" + raw
