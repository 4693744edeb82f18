"""What a client is told: the one table from reason to reply, and the fixed replies of the protocol.

A reply is one line of printable ASCII, at most 400 octets. The stable code ``[MG-...]`` stands right after the
enhanced one (RFC 3463), so that no cutting on the way back to the sender loses it. Texts are fixed and hold at most
one ``{value}``: the author's address, or the limit that was passed. A piece of advice may follow, then the help page.
The class digit is computed from the code.

A ``Deferred`` of a reason that is normally permanent keeps subject, detail, text and stable code:
550 becomes 450, 554 451, 552 452.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mailgate.domain.address import printable
from mailgate.domain.ledger import Outcome, Verdict
from mailgate.errors import Advice, Deferred, Reason, Refused

MAX_LINE = 400  # octets, without the line end
PERMANENT = 500

_SOFT = {550: 450, 552: 452, 554: 451}


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply line: ``code`` and everything after it."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


@dataclass(frozen=True, slots=True)
class Row:
    """How a reason is answered. ``detail`` is subject and detail of the enhanced code; "" where none may stand."""

    code: int
    detail: str
    stable: str
    text: str


KEPT = Row(250, "0.0", "MG-KEPT", "{value}")
# the relays at this address show certificates, and this client showed none of theirs
UNCERTIFIED = Row(554, "7.1", "MG-RELAY", "Mail is taken from registered relays only: show a relay's certificate.")

ROWS: Mapping[Reason, Row] = {
    Reason.DUPLICATE: Row(250, "0.0", "MG-DUPLICATE", "{value}"),
    Reason.DELETED: Row(250, "0.0", "MG-DUPLICATE", "{value}"),
    # said as greeting, where no enhanced code may stand (RFC 2034 section 4)
    Reason.BAD_RELAY: Row(554, "", "MG-RELAY", "Mail is taken from registered relays only."),
    Reason.FOREIGN_DOMAIN: Row(550, "7.1", "MG-DOMAIN", "Mail for this domain is not taken here."),
    Reason.UNKNOWN_ADDRESS: Row(550, "1.1", "MG-ADDRESS", "There is no such record address."),
    Reason.CLOSED_ADDRESS: Row(550, "2.1", "MG-CLOSED", "This record address is closed."),
    Reason.CLOSED_RECORD: Row(550, "2.1", "MG-CLOSED", "This record is closed."),
    Reason.NO_AUTHOR: Row(550, "7.1", "MG-AUTHOR", "The mail names no author: From must hold one address."),
    Reason.AMBIGUOUS_AUTHOR: Row(
        550, "7.1", "MG-AUTHOR", "The author can't be told for sure: there must be one From with one address."
    ),
    Reason.UNKNOWN_SENDER: Row(550, "7.1", "MG-SENDER", "{value} is not registered here."),
    Reason.DISABLED_SENDER: Row(550, "7.1", "MG-DISABLED", "{value} is disabled here."),
    Reason.MISSING_ROLE: Row(550, "7.1", "MG-ROLE", "{value} may not log mail here."),
    Reason.NOT_BELIEVED: Row(550, "7.26", "MG-TRUST", "Nothing shows that {value} wrote this mail."),
    Reason.PENDING_SENDER: Row(450, "7.1", "MG-WAIT", "{value} is not registered here yet; try again later."),
    Reason.BOUNCE: Row(550, "7.1", "MG-BOUNCE", "Bounces are not logged."),
    Reason.MACHINE_MAIL: Row(550, "7.1", "MG-MACHINE", "Automatic mail is not logged."),
    Reason.LOOP: Row(554, "4.6", "MG-LOOP", "The mail goes round in circles."),
    Reason.TOO_LARGE: Row(552, "3.4", "MG-SIZE", "A mail may have {value}."),
    Reason.BARE_NEWLINE: Row(554, "6.0", "MG-NEWLINE", "The mail holds NUL, or a CR or LF that is no line end."),
    Reason.STORE_DOWN: Row(451, "3.0", "MG-STORE", "This can't be done now; try later."),
    Reason.DNS: Row(451, "4.3", "MG-DNS", "A look-up in the DNS failed; try later."),
    Reason.DISK_FULL: Row(452, "3.1", "MG-DISK", "There is no room for mail now; try later."),
    Reason.BUSY: Row(452, "3.1", "MG-BUSY", "Too much mail comes at once; try later."),
    Reason.TOO_MANY_RECIPIENTS: Row(452, "5.3", "MG-RCPTS", "A mail may have {value} recipients at most."),
}

ADVICE: Mapping[Advice, str] = {Advice.ATTACH: "To log somebody else's mail, attach it to one of yours."}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """The replies of one instance: with its limits, and its help page after refusals."""

    max_size: int
    max_header_size: int
    max_recipients: int
    help_url: str = ""

    def refusal(self, no: Refused | Deferred) -> Reply:
        """Say no to a recipient or a mail."""
        shown = self._shown(no.reason, no.value)
        return self._say(ROWS[no.reason], shown, no.advice, soft=isinstance(no, Deferred))

    def outcome(self, outcome: Outcome) -> Reply:
        """Say what became of a mail at one recipient."""
        if outcome.verdict is Verdict.KEPT:
            return self._say(KEPT, outcome.ledger_id)
        reason = outcome.reason or Reason.STORE_DOWN
        if outcome.verdict is Verdict.DUPLICATE:
            return self._say(ROWS[reason], outcome.ledger_id)
        shown = self._shown(reason, outcome.value)
        return self._say(ROWS[reason], shown, outcome.advice, soft=outcome.verdict is Verdict.DEFERRED)

    def uncertified(self, *, soft: bool) -> Reply:
        """Say at MAIL to a client that it is no registered relay without the right certificate."""
        return self._say(UNCERTIFIED, "", soft=soft)

    def _shown(self, reason: Reason, value: str) -> str:
        limits = {
            Reason.TOO_LARGE: f"{self.max_size} octets at most, its header {self.max_header_size}",
            Reason.TOO_MANY_RECIPIENTS: self.max_recipients,
        }
        return str(limits[reason]) if reason in limits else printable(value)

    def _say(self, row: Row, value: str, advice: Advice | None = None, *, soft: bool = False) -> Reply:
        code = _SOFT.get(row.code, row.code) if soft else row.code
        parts = [f"{code // 100}.{row.detail}"] if row.detail else []
        parts += [f"[{row.stable}]", row.text.format(value=value or "?")]
        if advice:
            parts.append(ADVICE[advice])
        if row.code >= PERMANENT and self.help_url:
            parts.append(self.help_url)
        return Reply(code, _one_line(" ".join(parts)))


def _one_line(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in text[: MAX_LINE - len("550 ")])


def for_all(outcomes: tuple[Outcome, ...]) -> Outcome:
    """Choose the outcome that SMTP's one reply speaks of: the worst, for a 250 answers for every recipient."""
    worst = (Verdict.DEFERRED, Verdict.REFUSED, Verdict.KEPT, Verdict.DUPLICATE)
    return min(outcomes, key=lambda outcome: worst.index(outcome.verdict))


# -- the protocol's own -----------------------------------------------------------------------------------------------

OK = Reply(250, "2.0.0 OK")
SENDER_OK = Reply(250, "2.1.0 OK")
RECIPIENT_OK = Reply(250, "2.1.5 OK")
BYE = Reply(221, "2.0.0 Bye")
READY_FOR_TLS = Reply(220, "2.0.0 Ready to start TLS")
GO_ON = Reply(354, "End data with <CR><LF>.<CR><LF>")
NOT_VERIFIED = Reply(252, "2.5.0 Send some mail, then we know")
HELP = Reply(214, "2.0.0 RFC 5321 and RFC 2033 are spoken here")

BAD_LINE = Reply(501, "5.5.4 Lines end with CRLF and hold no control characters")
BAD_SYNTAX = Reply(501, "5.5.4 Syntax error in the arguments")
LINE_TOO_LONG = Reply(500, "5.5.2 Line too long")
UNKNOWN_COMMAND = Reply(500, "5.5.1 Command not known")
NOT_IMPLEMENTED = Reply(502, "5.5.1 Command not implemented")
BAD_SEQUENCE = Reply(503, "5.5.1 Not now: wrong order of commands")
UNKNOWN_PARAMETER = Reply(555, "5.5.4 Parameter not known")
UTF8_NOT_DECLARED = Reply(553, "5.6.7 An address like this needs SMTPUTF8")
TLS_FAILED = Reply(454, "4.7.0 TLS is not available")

TLS_NEEDED = Reply(530, "5.7.0 Must issue a STARTTLS command first")
TLS_NEEDED_SOFTLY = Reply(450, "4.7.0 Must issue a STARTTLS command first")
NO_XCLIENT = Reply(550, "5.7.1 XCLIENT is for registered proxies, before anybody else's words")
NO_PROXY = Reply(421, "4.7.0 A PROXY header is for registered proxies, before all else")
BROKEN_PROXY = Reply(421, "4.7.0 Broken PROXY header")

TOO_MANY_ERRORS = Reply(421, "4.7.0 Too many errors")
TOO_MANY_CONNECTIONS = Reply(421, "4.7.0 [MG-BUSY] Too many connections from your address; try later")
SHUTTING_DOWN = Reply(421, "4.3.2 Shutting down; try again in a moment")
TIMED_OUT = Reply(421, "4.4.2 Too slow")
