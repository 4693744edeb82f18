"""What is left of an activity that was taken away: who, when, why and what kinds of content; never the content."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailgate.domain.activity import Origin
from mailgate.domain.record import RecordRef


class ReceiptState(StrEnum):
    """What became of the activity that a mail made on a record."""

    KEPT = "kept"
    DELETED = "deleted"
    ERASED = "erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """The receipt of a removal. ``kinds`` says what went, such as ``text, html, 2 documents, raw bytes``.

    ``origin`` says what had brought it, as far as that is known still: a mail is recognised when it comes again.
    """

    activity: str
    record: RecordRef
    state: ReceiptState
    at: datetime
    actor: str
    reason: str | None
    kinds: str
    origin: Origin | None = None
