"""What can go wrong, in the words of the domain.

    MailgateError
      Refused(reason, value)   the sender must change something     SMTP 5xx   exit 65
      Deferred(reason, value)  nobody did wrong; later              SMTP 4xx   exit 75
      BadInput(what)           a person typed or handed over wrong  -          exit 65
      NotFound(what)           a named thing is not there           -          exit 66
      Misconfigured(what)      only at start                        -          exit 78

``Reason`` carries no numbers: each adapter owns one table from reason to answer, and a test walks the
enum and demands a row in every table.

Limits: ``value`` is what a stranger sent (an author's address). It is shown in replies only after
``smtp.replies`` has cut it down to printable ASCII, and never logged as it came.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a mail or one of its recipients was not newly kept. The values stand in ledger, log and metrics."""

    # met again: answered 250
    DUPLICATE = "duplicate"
    DELETED = "deleted"
    # who is speaking
    BAD_RELAY = "bad_relay"
    # where to
    FOREIGN_DOMAIN = "foreign_domain"
    UNKNOWN_ADDRESS = "unknown_address"
    CLOSED_ADDRESS = "closed_address"
    CLOSED_RECORD = "closed_record"
    # who wrote it
    NO_AUTHOR = "no_author"
    AMBIGUOUS_AUTHOR = "ambiguous_author"
    UNKNOWN_SENDER = "unknown_sender"
    DISABLED_SENDER = "disabled_sender"
    MISSING_ROLE = "missing_role"
    NOT_BELIEVED = "not_believed"
    PENDING_SENDER = "pending_sender"
    # machines
    BOUNCE = "bounce"
    MACHINE_MAIL = "machine_mail"
    LOOP = "loop"
    # shape
    TOO_LARGE = "too_large"
    BARE_NEWLINE = "bare_newline"
    # trouble of ours
    STORE_DOWN = "store_down"
    DNS = "dns"
    DISK_FULL = "disk_full"
    # too much at once
    BUSY = "busy"
    TOO_MANY_RECIPIENTS = "too_many_recipients"


class Advice(StrEnum):
    """What the sender may do instead, where that can be said."""

    ATTACH = "attach"  # the mail is another's: attach it to one's own


class MailgateError(Exception):
    """The root; caught only at the edges (SMTP, command line)."""


class Refused(MailgateError):
    """The sender must change something. ``value`` is the one thing worth naming, such as the author's address."""

    def __init__(self, reason: Reason, value: str = "", advice: Advice | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.value = value
        self.advice = advice


class Deferred(MailgateError):
    """Nobody did wrong: the same mail may be taken later. A reason that is normally a refusal may be deferred too."""

    def __init__(self, reason: Reason, value: str = "", advice: Advice | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.value = value
        self.advice = advice


class BadInput(MailgateError):
    """A person's input breaks a rule; the text says what, which value, and what to do."""


class NotFound(MailgateError):
    """A record, user, activity or address that was named is not there; the text names it."""


class Misconfigured(MailgateError):
    """mailgate can't start like this; the text names the key and says what to do."""
