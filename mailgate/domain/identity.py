"""What makes two arrivals the same mail, and what a mail and its relay call it.

Identity 1 covers the bytes that an activity is made of and leaves out all that changes on the way (trace fields,
signatures, verdicts, the envelope): so the same mail is met again over any number of hops, and other content never
passes for a duplicate. No MIME parser takes part and nothing is decoded. The version is part of the hash; it is stored
and never computed anew. All functions are total and linear.

A mail that a user hands on as an attachment has an identity of its own, made of the mail's (``forwarded``): nobody
checked who wrote it, so it must never be in the place of the mail itself.

Where the header holds a line that is no field, readers show that line, and whatever stands below it, as part of the
body: there all of the header from that line on is covered as it stands.
"""

import re
from hashlib import sha256

from mailgate.domain.header import Header, Shape, unfold, without_comments

MAX_QUEUE_ID = 64
MAX_MESSAGE_ID = 512
MAX_RECEIVED_READ = 4096

_VERSION = b"mailgate-identity-1\0"
_FORWARDED = b"mailgate-forwarded-1\0"
_CONTENT = b"content-"
_COVERED = frozenset(
    (
        b"from",
        b"sender",
        b"reply-to",
        b"to",
        b"cc",
        b"subject",
        b"date",
        b"message-id",
        b"in-reply-to",
        b"references",
    )
)
_WHITE = re.compile(rb"[ \t\r\n]+")
_QUEUE_ID = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_QUEUE_ID}}}")
_EXCHANGE_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+){2,}")
_ANGLE = re.compile(r"<[^<>]+>")
_CRLF_RUN = b"\r\n" * 4096


def identity(header: Header, raw: bytes, queue_id: str | None, raw_sha256: str) -> str:
    """Return Identity 1 of a mail as 64 hexadecimal digits.

    A mail without Message-ID and Date may rightly be sent twice with the same words: there the relay's queue id tells
    the two apart, or else the bytes as they came (``raw_sha256``).
    """
    covered = _covered_fields(header)
    digest = sha256(_VERSION)
    for name, value in covered:
        digest.update(b"%s:%d:%s" % (name, len(value), value))
    for name, value in _from_garbage_on(header):
        digest.update(b"garbage:%d:%s:%d:%s" % (len(name), name, len(value), value))
    digest.update(b"body:" + _body_sha256(raw, header.body))
    if not {b"message-id", b"date"} & {name for name, value in covered if value}:
        digest.update(f"queue:{queue_id}".encode() if queue_id else f"raw:{raw_sha256}".encode())
    return digest.hexdigest()


def forwarded(own: str) -> str:
    """Return the identity of a mail that is handed on attached to another, from its own."""
    return sha256(_FORWARDED + own.encode()).hexdigest()


def queue_id(header: Header) -> str | None:
    """Return the relay's name for the mail, from its own (the topmost) Received field; ``None`` if it gives none.

    Postfix writes ``id 4XyZ12abc``, Exim ``id 1abcde-000000001-2AbC``. Exchange writes its own version there
    (``id 15.20.8158.23``), which names no mail.
    """
    value = next(iter(header.values(b"received")), b"")[:MAX_RECEIVED_READ]
    words = without_comments(value).decode("latin-1").partition(";")[0].split()
    keys = [word.lower() for word in words]
    try:
        found = words[keys.index("id", keys.index("by")) + 1]
    except (ValueError, IndexError):
        return None
    return found if _QUEUE_ID.fullmatch(found) and not _EXCHANGE_VERSION.fullmatch(found) else None


def message_id(header: Header) -> str:
    """Return the first Message-ID, in its angle brackets where it has any, without what can't be shown; "" if none."""
    value = unfold(next(iter(header.values(b"message-id")), b"")[: 4 * MAX_MESSAGE_ID])
    text = value.decode("utf-8", "replace")
    angle = _ANGLE.search(text)
    shown = "".join(char for char in (angle.group() if angle else text) if char.isprintable())
    return shown.strip()[:MAX_MESSAGE_ID]


def _covered_fields(header: Header) -> list[tuple[bytes, bytes]]:
    """Return lower-case names and unfolded values, sorted by name, same names in the order of the mail."""
    named = ((field.name.lower(), field.value) for field in header.fields if field.shape is not Shape.GARBAGE)
    covered = [
        (name, _WHITE.sub(b" ", value).strip(b" "))
        for name, value in named
        if name in _COVERED or name.startswith(_CONTENT)
    ]
    return sorted(covered, key=lambda pair: pair[0])


def _from_garbage_on(header: Header) -> list[tuple[bytes, bytes]]:
    """Return the names and raw values of the first line that is no field and of all below it."""
    shapes = [field.shape for field in header.fields]
    first = shapes.index(Shape.GARBAGE) if Shape.GARBAGE in shapes else len(shapes)
    return [(field.name, field.value) for field in header.fields[first:]]


def _body_sha256(raw: bytes, start: int) -> bytes:
    """Hash the body without the CRLFs at its end, of which a server may add one. In hexadecimal digits."""
    end = len(raw)
    for run in (_CRLF_RUN, b"\r\n"):
        while end - len(run) >= start and raw.endswith(run, start, end):
            end -= len(run)
    return sha256(memoryview(raw)[start:end]).hexdigest().encode()
