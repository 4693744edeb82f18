"""Who stands in From, Sender, To, Cc and Bcc: every mailbox of every such field, in the order of the header.

Loose where readers of mail are: names without quotes, ``;`` for ``,``, brackets and quotes that never close, several
addresses in one pair of brackets or with spaces between them, a comma in the name of a sender. In an address, comments,
white space and a route (RFC 5322 section 4.4) are no part of it; a local part that needs quotes gets them. Encoded
words outside of angle brackets are names, never addresses. Groups (section 3.4) give their members, their own names are
left out. What is no address is kept as a name with e-mail "".

Who wrote a mail, in the sense of who may, is decided elsewhere, strictly. Raises nothing; no recursion, linear; at most
``MAX_PARTIES`` are looked at, the repeated ones too, in at most ``MAX_BYTES``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailgate.domain import address
from mailgate.domain.mail import Party
from mailgate.errors import BadInput
from mailgate.mime import params, text, words
from mailgate.mime.fields import Fields

MAX_PARTIES = 2_000  # of one mail; each is a row on each of up to 100 records
MAX_BYTES = 1024 * 1024  # of all these fields together
MAX_NAME = 500
MAX_WRITTEN = 1000  # bytes of an address as it is written; the longest one has 320 letters
HEADERS = frozenset({"from", "sender", "to", "cc", "bcc"})
OF_ONE = frozenset({"from", "sender"})  # there are mails from several; hardly ever from one without an address

_PIECE = re.compile(
    words.WORD
    + rb'|"((?:[^"\\]|\\.)*+)"|<[^<>@]*+(?=<)|<([^<>]*+)>?|\[[^][<>(),;"\\\s]{1,99}\]|[^",;:<>()\\=[]+|\\.|.',
    re.DOTALL,
)
# a mailbox as programs write nearly all: nothing in it has a second meaning, is quoted oddly or commented
_WORDS = rb'[^]"(),:;<=>@[\\\x00-\x1f\x7f-\xff]|=\?[A-Za-z0-9-]{1,40}\?[BbQq]\?[A-Za-z0-9+/=_.!*-]*+\?='
_QUOTED = rb'"([^"=\\\x00-\x1f\x7f-\xff]*+)"'
_ADDRESS = rb"[\w.+-]++@[\w.-]++"
_USUAL = re.compile(rb"(?:(?:%b|((?:%b)*+)) *+<(%b)>|(%b)) *+(?:, *+|\Z)" % (_QUOTED, _WORDS, _ADDRESS, _ADDRESS))
MAX_USUAL = 4096  # bytes of a field that is read so
_BRACKET = re.compile(words.WORD + rb'|\\.|["()]', re.DOTALL)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_SEPARATOR = re.compile(rb"[,;]")
_ROUTE = re.compile(rb"\A\s*+@[^:]*+:")
_AROUND = re.compile(rb"[ \t]{0,99}+([.@])[ \t]{0,99}+")
_UNQUOTED = re.compile(r"[^\"\\@<>(),;:\[\]]++")


def read(fields: Fields) -> tuple[tuple[Party, ...], bool]:
    """Return the parties, each once per header, and whether there were more than the limits allow."""
    found: dict[Party, None] = {}
    seen = 0
    room = MAX_BYTES
    charset = params.parse(fields.first("content-type")).token("charset")
    for header, value in fields.items:
        if header not in HEADERS:
            continue
        whole = words.unfold(value)
        read = whole if len(whole) <= room else whole[:room].rpartition(b",")[0]
        for party in _usual(header, read, charset) or _parties(header, read, charset):
            if seen == MAX_PARTIES:
                return tuple(found), True
            seen += 1
            if party is not None:
                found.setdefault(party)
        if len(whole) > room:
            return tuple(found), True
        room -= len(whole)
    return tuple(found), False


def _usual(header: str, value: bytes, charset: str) -> list[Party]:
    """Read a field that is a list of usual mailboxes, as ``_parties`` does; nothing where it is any other."""
    found: list[Party] = []
    position = 0
    while position < len(value) <= MAX_USUAL:
        mailbox = _USUAL.match(value, position)
        if mailbox is None:
            return []
        quoted, phrase, angle, bare = mailbox.groups()
        try:
            email = address.fold((angle or bare).decode("ascii"))
        except BadInput:
            return []
        name = words.decode((quoted or phrase or b"").strip(), charset).text
        found.append(Party(header, email, text.line(name, MAX_NAME)))
        position = mailbox.end()
    return found


@dataclass(slots=True)
class _Mailbox:
    """What stands between two commas."""

    phrase: list[bytes] = field(default_factory=list)  # without the quotes
    bare: list[bytes] = field(default_factory=list)  # the same with them: an address without angle brackets
    angle: bytes | None = None
    comments: list[bytes] = field(default_factory=list)
    at_angle: int = 0  # how many pieces stood before it

    def cut(self) -> "_Mailbox":
        """Start the next one, whose brackets follow without a comma, with the name that stands between."""
        following = _Mailbox(self.phrase[self.at_angle :], self.bare[self.at_angle :])
        del self.phrase[self.at_angle :], self.bare[self.at_angle :]
        return following

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
        return bool(self.outside or self.angle)


def _parties(header: str, value: bytes, charset: str) -> Iterator[Party | None]:
    """Read one field; ``charset`` is what names are in that don't say. ``None`` is a name that belongs to the next."""
    before = ""
    for mailbox in _mailboxes(value):
        for email, raw in _addresses(mailbox):
            name = text.line(words.decode(raw, charset).text, MAX_NAME)
            if header in OF_ONE and not email and mailbox.angle is None:
                before = f"{before}{name}, "[:MAX_NAME]  # Muster, Anna <anna@example.test>
                yield None
                continue
            yield Party(header, email, text.line(before + name, MAX_NAME))
            before = ""
    if before:
        yield Party(header, "", text.line(before.removesuffix(", "), MAX_NAME))


def _addresses(mailbox: _Mailbox) -> list[tuple[str, bytes]]:
    """Return the folded address and the raw name of what stands between two commas; more where several stand there."""
    if mailbox.angle is None:
        return _without_angle(mailbox)
    email = _folded(mailbox.angle)
    if email:
        return [(email, mailbox.name)]
    if mailbox.angle.rstrip().endswith(b":;"):
        return []  # <undisclosed-recipients:;>
    several = [_folded(each) for each in _SEPARATOR.split(mailbox.angle) if each.strip()]
    if several and all(several):
        return [(each, b"") for each in several] if len(several) > 1 else [(several[0], mailbox.name)]
    return [("", b"%b <%b>" % (mailbox.name, mailbox.angle))]


def _without_angle(mailbox: _Mailbox) -> list[tuple[str, bytes]]:
    outside = mailbox.outside
    email = _bare(outside)
    if email:
        return [(email, b" ".join(mailbox.comments))]
    unquoted = b"".join(b" " if each.startswith(b'"') else each for each in mailbox.bare)
    written = unquoted.split()
    if len(written) > 1 and b'"' not in outside and all(map(_bare, written)):
        return [(_bare(each), b"") for each in written]
    # "Anna Muster anna@example.test", or the other way round, as some programs write it
    one = [each for each in written if b"@" in each]
    email = _bare(one[0]) if len(one) == 1 else ""
    if not email:
        return [("", mailbox.name)]
    before, _, after = b"".join(mailbox.phrase).rpartition(one[0])
    return [(email, b"%b %b" % (before, after))]


def _bare(written: bytes) -> str:
    """Fold an address that stands without brackets."""
    if b"=?" in written:
        return ""
    if len(written) > 1 and written[:1] == written[-1:] and written[:1] in {b'"', b"'"}:
        written = written[1:-1]
    email = _folded(written)
    # "Anna anna@example.test" is no address that lacks its quotes
    return email if " " not in email or b'"' in written else ""


def _folded(written: bytes) -> str:
    """Fold an address as people and programs write it, or return ""."""
    if len(written) > MAX_WRITTEN or (b"@" not in written and b"=?" not in written):
        return ""
    written = _ROUTE.sub(b"", _uncommented(written))
    head, quote, tail = written.rpartition(b'"')
    told = words.decode(head + quote + _AROUND.sub(rb"\1", tail), detect=False).text.strip().rstrip(",;:")
    if told[:7].lower() == "mailto:":
        told = told[7:]
    local, _, domain = told.rpartition("@")
    try:
        return address.fold(told)
    except BadInput:
        return _quoted(local, domain) if _UNQUOTED.fullmatch(local) else ""


def _quoted(local: str, domain: str) -> str:
    """Fold an address whose local part lacks its quotes, such as ``a..b@example.test`` of Japanese telephones."""
    try:
        return address.fold(f'"{local}"@{domain}')
    except BadInput:
        return ""


def _uncommented(written: bytes) -> bytes:
    kept: list[bytes] = []
    end = 0
    for start, stop in sorted(_comments(written).items()):
        if start >= end:
            kept.append(written[end:start])
            end = stop
    return b"".join((*kept, written[end:]))


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
        if piece[0] in {b",", b";", b":"} or (piece[2] is not None and mailbox.angle):
            following = mailbox.cut() if piece[2] is not None else _Mailbox()
            if mailbox and (piece[0] != b":" or mailbox.angle is not None or b"@" in mailbox.outside):
                yield mailbox
                empty = False
            mailbox = following
        _take(mailbox, piece)
    if mailbox or (empty and mailbox.comments and b":" not in value):  # (somebody)
        yield mailbox


def _take(mailbox: _Mailbox, piece: re.Match[bytes]) -> None:
    if piece[2] is not None:
        mailbox.angle = piece[2].strip() or mailbox.angle
        mailbox.at_angle = len(mailbox.bare)
    elif piece[1] is not None:
        mailbox.phrase.append(_QUOTED_PAIR.sub(rb"\1", piece[1]))
        mailbox.bare.append(piece[0])
    elif piece[0].startswith(b"<"):  # a second one follows
        mailbox.phrase.append(piece[0][1:])
        mailbox.bare.append(piece[0][1:])
    elif piece[0] not in {b",", b";", b":", b'"', b">"}:
        mailbox.phrase.append(_QUOTED_PAIR.sub(rb"\1", piece[0]) if piece[0].startswith(b"\\") else piece[0])
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
