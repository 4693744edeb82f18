"""Who waits to be registered: believed authors of the company's own domains who are no users yet.

Their mail is put off and stays with the mail server in front, which tries again by itself. The list of them says how
often it tried and how long it will; it is no queue: nothing of the mail is in it.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from mailgate.domain.record import RecordRef

# what Postfix calls a mail (short and long ids): only that is ever put in a line for a shell
_POSTFIX_ID = re.compile(r"[0-9A-Za-z]{5,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingMail:
    """A try of a mail that is put off. ``sender`` is the envelope's, ``address`` the record address; all folded."""

    author: str
    relay: str
    sender: str
    address: str
    at: datetime
    queue_id: str | None = None  # unknown at RCPT


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSender:
    """What waits of an author: one entry per relay, envelope sender and record address.

    ``tries`` counts how often the relay tried, ``first_at`` and ``last_at`` say when. ``queue_id`` is the relay's name
    for the mail that came first. ``until`` is when the relay gives that mail up, ``None`` where it isn't known.
    """

    email: str
    relay: str
    envelope_from: str
    record: RecordRef
    queue_id: str | None
    tries: int
    first_at: datetime
    last_at: datetime
    until: datetime | None = None

    @property
    def hurry(self) -> str | None:
        """Give the line that makes Postfix try at once; ``None`` where the relay named the mail in no such way."""
        if self.queue_id is None or not _POSTFIX_ID.fullmatch(self.queue_id):
            return None
        return f"postqueue -i {self.queue_id}"
