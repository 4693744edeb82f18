"""The arguments of MAIL, RCPT and BDAT, read strictly and in linear time.

aiosmtpd's parser is that of mail headers: it takes comments, goes down into nested ones until the recursion limit
and needs 0.1 s for a line of 4,000 quotes, on the event loop. An envelope path has none of that (RFC 5321 4.1.2,
RFC 6531 3.3): ``<local@domain>`` or ``<>``. A local part alone is let through for the intake to refuse.

Refuses, with ``BadArgument`` and its reply: source routes, anything outside the brackets but parameters, an
address of more than 512 octets, text that is not UTF-8, the same parameter twice.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mailgate.smtp import replies
from mailgate.smtp.replies import Reply

MAX_PATH = 512  # octets; RFC 5321 4.5.3.1.3 asks for 256
MAX_DIGITS = 20  # RFC 1870 section 4, RFC 3030 section 2

_LOCAL = r'(?:"(?:[^"\\]|\\.)*+"|[^\s<>()\[\]\\,;:@"]++)'
_DOMAIN = r"(?:\[[^\s<>@\[\]]++\]|[^\s<>()\[\]\\,;:@\"]++)"
_PATH = re.compile(rf"<({_LOCAL}(?:@{_DOMAIN})?|)>")
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*+)(?:=([^\s=]++))?")
_CHUNK = re.compile(r"([0-9]{1,20})(?: +(LAST))?", re.IGNORECASE)

MAIL_PARAMETERS = frozenset({"SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "AUTH"})
RCPT_PARAMETERS = frozenset({"NOTIFY", "ORCPT"})
BODIES = frozenset({"7BIT", "8BITMIME", "BINARYMIME"})


class BadArgument(Exception):
    """The client's command can't be obeyed; ``reply`` says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


@dataclass(frozen=True, slots=True)
class MailFrom:
    """``MAIL FROM``: the envelope sender ("" is the null sender) and what the client declared of the mail."""

    sender: str
    size: int = 0
    utf8: bool = False
    binary: bool = False


def mail_from(argument: bytes) -> MailFrom:
    """Read what follows ``MAIL``. ``size`` is as declared, 0 if it wasn't."""
    path, parameters = _read(argument, b"FROM:", MAIL_PARAMETERS)
    if parameters.get("SMTPUTF8") or parameters.get("BODY", "7BIT").upper() not in BODIES:
        raise BadArgument(replies.BAD_SYNTAX)
    utf8 = "SMTPUTF8" in parameters
    if not path.isascii() and not utf8:
        raise BadArgument(replies.UTF8_NOT_DECLARED)
    binary = parameters.get("BODY", "").upper() == "BINARYMIME"
    return MailFrom(path, _size(parameters), utf8, binary)


def rcpt_to(argument: bytes, *, utf8: bool) -> str:
    """Read what follows ``RCPT``; ``utf8`` is what the client declared at MAIL."""
    path, _ = _read(argument, b"TO:", RCPT_PARAMETERS)
    if not path:
        raise BadArgument(replies.BAD_SYNTAX)
    if not path.isascii() and not utf8:
        raise BadArgument(replies.UTF8_NOT_DECLARED)
    return path


def chunk(argument: bytes) -> tuple[int, bool] | None:
    """Read what follows ``BDAT`` (RFC 3030): the octets to come, whether they are the last. ``None``: unreadable."""
    found = _CHUNK.fullmatch(argument.decode("ascii", "replace").strip(" "))
    return (int(found[1]), found[2] is not None) if found else None


def _read(argument: bytes, keyword: bytes, known: Collection[str]) -> tuple[str, Mapping[str, str]]:
    if argument[: len(keyword)].upper() != keyword:
        raise BadArgument(replies.BAD_SYNTAX)
    try:
        text = argument[len(keyword) :].strip(b" ").decode("utf-8")
    except UnicodeDecodeError:
        raise BadArgument(replies.BAD_SYNTAX) from None
    found = _PATH.match(text)
    if not found or len(found[0].encode()) > MAX_PATH or text[found.end() : found.end() + 1] not in {"", " "}:
        raise BadArgument(replies.BAD_SYNTAX)
    return found[1], _parameters(text[found.end() :], known)


def _parameters(text: str, known: Collection[str]) -> dict[str, str]:
    read: dict[str, str] = {}
    for word in text.split(" "):
        if not word:
            continue
        found = _PARAMETER.fullmatch(word)
        if not found or found[1].upper() in read:
            raise BadArgument(replies.BAD_SYNTAX)
        if found[1].upper() not in known:
            raise BadArgument(replies.UNKNOWN_PARAMETER)
        read[found[1].upper()] = found[2] or ""
    return read


def _size(parameters: Mapping[str, str]) -> int:
    digits = parameters.get("SIZE")
    if digits is None:
        return 0
    if not digits.isascii() or not digits.isdigit():
        raise BadArgument(replies.BAD_SYNTAX)
    return int(digits[:MAX_DIGITS]) if len(digits) <= MAX_DIGITS else 10**MAX_DIGITS
