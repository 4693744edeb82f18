"""Record addresses: how they are made, told from others, and named in logs.

The local part is a token of 128 random bits in 26 lower-case letters and digits, none of which looks like another
(no 0 o, 1 i l). Nothing of the record is in it: addresses are looked up, not computed, so each can be changed alone.
Randomness is handed in. A record address is a secret: logs get ``masked``.
"""

from hashlib import sha256

from mailgate.domain.address import printable, same_domain

TOKEN_BYTES = 16
TOKEN_LENGTH = 26  # 31 ** 26 > 2 ** 128
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_SHOWN = 4


def new_token(random_bytes: bytes) -> str:
    """Return the local part that ``TOKEN_BYTES`` bytes of a secure source make; other bytes, other token."""
    if len(random_bytes) != TOKEN_BYTES:
        raise ValueError(f"a token is made of {TOKEN_BYTES} bytes, not {len(random_bytes)}")
    number = int.from_bytes(random_bytes, "big")
    letters = []
    for _ in range(TOKEN_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[digit])
    return "".join(letters)


def record_address(token: str, domain: str) -> str:
    """Return the whole address of a token at our folded domain."""
    return f"{token}@{domain}"


def is_ours(address: str, domain: str) -> bool:
    """Say whether a folded address is at our folded domain, whether or not any record has it."""
    return same_domain(address, domain)


def masked(address: str) -> str:
    """Name an address in a log: its first four characters, and a hash by which two lines are seen to mean the same."""
    digest = sha256(address.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{printable(address)[:_SHOWN]}~{digest}"
