"""Builds CMS envelopes (RFC 5652): no keys, no signatures, only the shape that a reader goes by."""

DATA, SIGNED, ENVELOPED = "2a864886f70d010701", "2a864886f70d010702", "2a864886f70d010703"
ENCRYPTED, COMPRESSED, AUTH_ENVELOPED = "2a864886f70d010706", "2a864886f70d0109100109", "2a864886f70d0109100117"
END = b"\0\0"


def value(tag: int, *inside: bytes) -> bytes:
    """One value in DER."""
    octets = b"".join(inside)
    if len(octets) < 0x80:
        return bytes([tag, len(octets)]) + octets
    length = len(octets).to_bytes((len(octets).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + octets


def left_open(tag: int, *inside: bytes) -> bytes:
    """One value whose length is left open (BER)."""
    return bytes([tag, 0x80]) + b"".join(inside) + END


def oid(numbers: str) -> bytes:
    """An object identifier, given in hex."""
    return value(0x06, bytes.fromhex(numbers))


def whole(content: bytes) -> bytes:
    """An OCTET STRING."""
    return value(0x04, content)


def in_pieces(content: bytes, size: int = 7) -> bytes:
    """An OCTET STRING in pieces, its length left open."""
    return left_open(0x24, *(value(0x04, content[at : at + size]) for at in range(0, len(content), size)))


CERTIFICATE = value(0x30, value(0x02, b"\1"))


def signed(string: bytes | None) -> bytes:
    """SignedData in DER around an OCTET STRING; without one it holds certificates only."""
    content = b"" if string is None else value(0xA0, string)
    inside = value(0x30, oid(DATA), content)
    data = value(0x30, value(0x02, b"\1"), value(0x31), inside, value(0xA0, CERTIFICATE), value(0x31))
    return value(0x30, oid(SIGNED), value(0xA0, data))


def signed_open(string: bytes | None) -> bytes:
    """The same in BER, every length left open."""
    content = b"" if string is None else left_open(0xA0, string)
    inside = left_open(0x30, oid(DATA), content)
    digests = left_open(0x31, left_open(0x30, oid(DATA)))
    data = left_open(0x30, value(0x02, b"\1"), digests, inside, left_open(0xA0, CERTIFICATE), left_open(0x31))
    return left_open(0x30, oid(SIGNED), left_open(0xA0, data))


def other(numbers: str) -> bytes:
    """Another kind of envelope."""
    return value(0x30, oid(numbers), value(0xA0, value(0x30, value(0x02, b"\0"), bytes(200))))
