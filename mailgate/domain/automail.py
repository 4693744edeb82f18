"""Refuses what no person wrote: bounces, loops and reports. A list of small questions, asked in order.

Raises ``Refused`` with ``BOUNCE``, ``LOOP`` or ``MACHINE_MAIL``. What is in no list proves nothing and passes:
``Precedence`` and ``X-Auto-Response-Suppress`` stand in ordinary mail of lists and of Exchange. A mail that *is* a
report (delivery report, read receipt, complaint) is refused whoever sends it, for mail programs write receipts in the
name of their user; a report that a person attached or forwarded stands further down and is theirs to keep.

Whether a mail says that it is automatic (``says_it_is_automatic``) is asked apart: some machines may send such mail.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from mailgate.domain.address import same_domain
from mailgate.domain.header import Header, unfold, without_comments
from mailgate.errors import Reason, Refused

MAX_RECEIVED = 50
MAX_TYPE_READ = 4096
REPORTS = frozenset({b"delivery-status", b"disposition-notification", b"feedback-report"})  # RFC 3464, 8098, 5965

# a parameter, its value quoted or not; quotes are read so that no value passes for a parameter
_PARAMETER = re.compile(rb';[ \t]*+([^=;" \t]++)[ \t]*+=[ \t]*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^;" \t]*+))')


@dataclass(frozen=True, slots=True)
class _Question:
    reason: Reason
    ask: Callable[[Header, str, str, str], bool]


def check(header: Header, sender: str, author: str, own_domain: str) -> None:
    """Ask all questions; ``Refused`` with the reason of the first that is answered with yes.

    ``sender`` is the folded envelope sender, "" for the null sender; ``author`` the one that From names, "" where that
    can't be read; ``own_domain`` is the folded domain of the
    record addresses.
    """
    for question in QUESTIONS:
        if question.ask(header, sender, author, own_domain):
            raise Refused(question.reason)


def has_null_sender(_header: Header, sender: str, _author: str, _own_domain: str) -> bool:
    """Is it a bounce or another notice about a mail? (RFC 5321 4.5.5)."""
    return not sender


def went_in_circles(header: Header, _sender: str, _author: str, _own_domain: str) -> bool:
    """Did it pass more servers than any real way has? (RFC 5321 6.3)."""
    return len(header.values(b"received")) > MAX_RECEIVED


def comes_from_a_record(_header: Header, sender: str, _author: str, own_domain: str) -> bool:
    """Was it sent by one of our addresses? They only ever receive."""
    return same_domain(sender, own_domain)


def is_written_by_a_record(_header: Header, _sender: str, author: str, own_domain: str) -> bool:
    """Is one of our addresses its author? A From field that can't be read is judged elsewhere."""
    return same_domain(author, own_domain)


def is_a_report(header: Header, _sender: str, _author: str, _own_domain: str) -> bool:
    """Is the whole mail a delivery report, a receipt or a complaint? (RFC 6522 3)."""
    return any(not REPORTS.isdisjoint(_reported(value[:MAX_TYPE_READ])) for value in header.values(b"content-type"))


def _reported(value: bytes) -> set[bytes]:
    text = without_comments(unfold(value))
    if text.partition(b";")[0].strip().lower() != b"multipart/report":
        return set()
    given = _PARAMETER.findall(text)
    return {(quoted or plain).strip().lower() for name, quoted, plain in given if name.lower() == b"report-type"}


def says_it_is_automatic(header: Header) -> bool:
    """Does an Auto-Submitted field say anything but ``no``? Comments and parameters don't count (RFC 3834 5)."""
    return any(_keyword(value) != b"no" for value in header.values(b"auto-submitted"))


def _keyword(value: bytes) -> bytes:
    return without_comments(value).partition(b";")[0].strip().lower()


QUESTIONS = (
    _Question(Reason.BOUNCE, has_null_sender),
    _Question(Reason.LOOP, went_in_circles),
    _Question(Reason.LOOP, comes_from_a_record),
    _Question(Reason.LOOP, is_written_by_a_record),
    _Question(Reason.MACHINE_MAIL, is_a_report),
)
