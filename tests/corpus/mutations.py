"""Mails made of mails: cut, with bytes changed, lines swapped, twice or gone, spliced, boundaries and labels mixed.

Of a number comes always the same mail: a fault can be made again from the seed that a test prints.
"""

import random
import re
from collections.abc import Callable

from mailgate.mime.reader import MAILS

_LABELS = (
    b"base64",
    b"quoted-printable",
    b"x-uuencode",
    b"7bit",
    b"utf-8",
    b"utf-16",
    b"iso-2022-jp",
    b"us-ascii",
    b"text/html",
    b"text/plain; format=flowed; delsp=yes",
    b"text/calendar",
    b"multipart/alternative; boundary=b",
    b"multipart/related",
    b"multipart/digest; boundary=b",
    b"application/ms-tnef",
    b"application/pkcs7-mime; smime-type=signed-data",
    *(media.encode() for media in sorted(MAILS)),
)
_BITS = (b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\x00", b"\xff", b"--", b'"', b";", b"=?utf-8?q?=ff?=", b"<", b"--b\r\n")
_LABEL = re.compile(
    rb"(?<=: )[a-z]+/[a-z0-9.+-]+|(?<=: )(?:base64|quoted-printable|[78]bit)|(?<=charset=)[\"\w-]+", re.I
)
_BOUNDARY = re.compile(rb"boundary=\"?([^\s\";]+)")

Change = Callable[[bytes, bytes, random.Random], bytes]


def mutated(raw: bytes, other: bytes, seed: int) -> bytes:
    """Change a mail a few times, with another one at hand."""
    luck = random.Random(seed)
    for _ in range(luck.randint(1, 4)):
        raw = luck.choice(CHANGES)(raw, other, luck)
    return raw


def _place(raw: bytes, luck: random.Random) -> int:
    return luck.randint(0, len(raw))


def _cut(raw: bytes, _: bytes, luck: random.Random) -> bytes:
    return raw[: _place(raw, luck)]


def _cut_out(raw: bytes, _: bytes, luck: random.Random) -> bytes:
    start = _place(raw, luck)
    return raw[:start] + raw[start + luck.randint(1, 200) :]


def _flip(raw: bytes, _: bytes, luck: random.Random) -> bytes:
    octets = bytearray(raw)
    for __ in range(luck.randint(1, 8) if octets else 0):
        octets[luck.randrange(len(octets))] = luck.randrange(256)
    return bytes(octets)


def _put(raw: bytes, _: bytes, luck: random.Random) -> bytes:
    at = _place(raw, luck)
    return raw[:at] + luck.choice(_BITS) * luck.randint(1, 3) + raw[at:]


def _lines(raw: bytes, _: bytes, luck: random.Random) -> bytes:
    lines = raw.splitlines(keepends=True) or [b""]
    one, two = luck.randrange(len(lines)), luck.randrange(len(lines))
    change = luck.randrange(3)
    if change == 0:
        lines[one], lines[two] = lines[two], lines[one]
    elif change == 1:
        lines.insert(two, lines[one])
    else:
        del lines[one]
    return b"".join(lines)


def _splice(raw: bytes, other: bytes, luck: random.Random) -> bytes:
    return raw[: _place(raw, luck)] + other[_place(other, luck) :]


def _attach(raw: bytes, other: bytes, luck: random.Random) -> bytes:
    boundary = _BOUNDARY.search(raw)
    mark = boundary[1] if boundary else b"b"
    part = b"\r\n--" + mark + b"\r\nContent-Type: message/rfc822\r\n\r\n" + other + b"\r\n"
    at = raw.find(b"--" + mark, _place(raw, luck))
    return raw[:at] + part + raw[at:] if at > 0 else raw + part


def _label(raw: bytes, _: bytes, luck: random.Random) -> bytes:
    return _LABEL.sub(lambda found: luck.choice(_LABELS) if luck.random() < 1 / 3 else found[0], raw)


def _boundaries(raw: bytes, _: bytes, luck: random.Random) -> bytes:
    """Give all multiparts one boundary, or one that begins another."""
    names = [found[1] for found in _BOUNDARY.finditer(raw)]
    for name in names[1:]:
        raw = raw.replace(name, names[0] + luck.choice((b"", b"", b"x", b"--", b" ")))
    return raw.replace(names[0], names[0][: luck.randint(1, 8)]) if names and luck.random() < 1 / 4 else raw


def _line_ends(raw: bytes, _: bytes, luck: random.Random) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\n", luck.choice((b"\n", b"\r\n", b"\r", b"\r\r\n")))


CHANGES: tuple[Change, ...] = (
    *(_cut, _cut_out, _flip, _put, _lines, _lines, _splice, _attach, _label, _boundaries, _boundaries, _line_ends),
)
