"""Who stands in From, Sender, To, Cc and Bcc: every mailbox of every such field, in the order of the header.

Loose where readers of mail are: names without quotes, ``;`` for ``,``, brackets and quotes that never close. Encoded
words are names, never addresses. Groups (RFC 5322 section 3.4) give their members, their own names are left out. What
is no address is kept as a name with e-mail "".

Who wrote a mail, in the sense of who may, is decided elsewhere, strictly. Raises nothing; no recursion, linear; at most
``MAX_PARTIES`` are looked at, the repeated ones too, in at most ``MAX_BYTES``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailgate.domain import address
from mailgate.domain.mail import Party
from mailgate.errors import BadInput
from mailgate.mime import text, words
from mailgate.mime.fields import Fields

MAX_PARTIES = 2_000  # of one mail; each is a row on each of up to 100 records
MAX_BYTES = 1024 * 1024  # of all these fields together
MAX_NAME = 500
HEADERS = frozenset({"from", "sender", "to", "cc", "bcc"})

_WORD = rb"=\?[^?*\s]{1,60}(?:\*[^?\s]{0,60})?\?[bBqQ]\?[^?\r\n]*\?="
_PIECE = re.compile(_WORD + rb'|"((?:[^"\\]|\\.)*+)"|<([^<>]*+)>?|[^",;:<>()\\=]+|\\.|.', re.DOTALL)
_BRACKET = re.compile(_WORD + rb'|\\.|["()]', re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)


def read(fields: Fields) -> tuple[tuple[Party, ...], bool]:
    """Return the parties, each once per header, and whether there were more than the limits allow."""
    found: dict[Party, None] = {}
    seen = 0
    room = MAX_BYTES
    for header, value in fields.items:
        if header not in HEADERS:
            continue
        whole = words.unfold(value)
        read = whole if len(whole) <= room else whole[:room].rpartition(b",")[0]
        for mailbox in _mailboxes(read):
            if seen == MAX_PARTIES:
                return tuple(found), True
            seen += 1
            found.setdefault(_party(header, mailbox))
        if len(whole) > room:
            return tuple(found), True
        room -= len(whole)
    return tuple(found), False


@dataclass(slots=True)
class _Mailbox:
    """What stands between two commas."""

    phrase: list[bytes] = field(default_factory=list)  # without the quotes
    bare: list[bytes] = field(default_factory=list)  # the same with them: an address without angle brackets
    angle: bytes | None = None
    comments: list[bytes] = field(default_factory=list)

    @property
    def name(self) -> bytes:
        # mail programs show comments as part of the name
        commented = (b"(%b)" % each for each in self.comments) if self.phrase_told else self.comments
        return b" ".join(each for each in (self.phrase_told, *commented) if each)

    @property
    def phrase_told(self) -> bytes:
        return b"".join(self.phrase).strip()

    @property
    def outside(self) -> bytes:
        return b"".join(self.bare).strip()

    def __bool__(self) -> bool:
        return bool(self.outside or (self.angle or b"").strip())


def _party(header: str, mailbox: _Mailbox) -> Party:
    if mailbox.angle is None:
        return _without_angle(header, mailbox)
    email = _folded(mailbox.angle)
    name = _shown(mailbox.name)
    if not email and mailbox.angle.strip():
        name = text.line(f"{name} <{_shown(mailbox.angle)}>", MAX_NAME)
    return Party(header, email, name)


def _without_angle(header: str, mailbox: _Mailbox) -> Party:
    outside = mailbox.outside
    email = _folded(outside)
    if email:
        return Party(header, email, _shown(b" ".join(mailbox.comments)))
    # "Anna Muster anna@example.test", as some programs write it
    rest, _, last = outside.rpartition(b" ")
    email = _folded(last) if rest and b"@" not in rest else ""
    return Party(header, email, _shown(rest if email else mailbox.name))


def _shown(name: bytes) -> str:
    return text.line(words.decode(name).text, MAX_NAME)


def _folded(written: bytes) -> str:
    if b"@" not in written or b"=?" in written:
        return ""
    bare = words.decode(written).text.strip()
    if bare[:7].lower() == "mailto:":
        bare = bare[7:]
    try:
        return address.fold(bare)
    except BadInput:
        return ""


def _mailboxes(value: bytes) -> Iterator[_Mailbox]:
    """Cut an address list (RFC 5322 section 3.4) at its commas; the empty places are left out."""
    comments = _comments(value)
    mailbox = _Mailbox()
    position, empty = 0, True
    while position < len(value):
        if position in comments:
            mailbox.comments.append(_QUOTED_PAIR.sub(rb"\1", value[position + 1 : comments[position] - 1]))
            position = comments[position]
            continue
        piece = _PIECE.match(value, position)
        assert piece is not None  # noqa: S101 - its last alternative takes any octet
        position = piece.end()
        if piece[0] in {b",", b";", b":"} or (piece[2] is not None and mailbox.angle is not None):
            if mailbox and (piece[0] != b":" or mailbox.angle is not None or b"@" in mailbox.outside):
                yield mailbox
                empty = False
            mailbox = _Mailbox()
        _take(mailbox, piece)
    if mailbox or (empty and mailbox.comments and b":" not in value):  # (somebody)
        yield mailbox


def _take(mailbox: _Mailbox, piece: re.Match[bytes]) -> None:
    if piece[2] is not None:
        mailbox.angle = piece[2]
    elif piece[1] is not None:
        mailbox.phrase.append(_QUOTED_PAIR.sub(rb"\1", piece[1]))
        mailbox.bare.append(piece[0])
    elif piece[0] not in {b",", b";", b":", b'"', b">"}:
        mailbox.phrase.append(piece[0])
        mailbox.bare.append(piece[0])


def _comments(value: bytes) -> dict[int, int]:
    """Map where each comment that closes starts to where it ends; nested ones stand in the map too."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    quoted = False
    for mark in _BRACKET.finditer(value):
        if mark[0] == b'"' and not opened:
            quoted = not quoted
        elif mark[0] == b"(" and not quoted:
            opened.append(mark.start())
        elif mark[0] == b")" and opened:
            ends[opened.pop()] = mark.end()
    return ends
