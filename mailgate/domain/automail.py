"""Refuses what no person wrote: bounces, loops and machine mail. A list of small questions, asked in order.

Raises ``Refused`` with ``BOUNCE``, ``LOOP`` or ``MACHINE_MAIL``. What is in no list proves nothing and passes:
``Precedence`` and ``X-Auto-Response-Suppress`` stand in ordinary mail of lists and of Exchange, and a report
(``multipart/report``) that a person forwards from an address of their own is theirs to keep.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mailgate.domain.address import same_domain
from mailgate.domain.author import read_author
from mailgate.domain.header import Header, without_comments
from mailgate.errors import Reason, Refused

MAX_RECEIVED = 50


@dataclass(frozen=True, slots=True)
class _Question:
    reason: Reason
    ask: Callable[[Header, str, str], bool]


def check(header: Header, sender: str, own_domain: str) -> None:
    """Ask all questions; ``Refused`` with the reason of the first that is answered with yes.

    ``sender`` is the folded envelope sender, "" for the null sender; ``own_domain`` is the folded domain of the
    record addresses.
    """
    for question in QUESTIONS:
        if question.ask(header, sender, own_domain):
            raise Refused(question.reason)


def has_null_sender(_header: Header, sender: str, _own_domain: str) -> bool:
    """Is it a bounce or another notice about a mail? (RFC 5321 4.5.5)."""
    return not sender


def went_in_circles(header: Header, _sender: str, _own_domain: str) -> bool:
    """Did it pass more servers than any real way has? (RFC 5321 6.3)."""
    return len(header.values(b"received")) > MAX_RECEIVED


def comes_from_a_record(_header: Header, sender: str, own_domain: str) -> bool:
    """Was it sent by one of our addresses? They only ever receive."""
    return same_domain(sender, own_domain)


def is_written_by_a_record(header: Header, _sender: str, own_domain: str) -> bool:
    """Is one of our addresses its author? A From field that can't be read is judged elsewhere."""
    try:
        return same_domain(read_author(header), own_domain)
    except Refused:
        return False


def says_it_is_automatic(header: Header, _sender: str, _own_domain: str) -> bool:
    """Does an Auto-Submitted field say anything but ``no``? Comments and parameters don't count (RFC 3834 5)."""
    return any(_keyword(value) != b"no" for value in header.values(b"auto-submitted"))


def _keyword(value: bytes) -> bytes:
    return without_comments(value).partition(b";")[0].strip().lower()


QUESTIONS = (
    _Question(Reason.BOUNCE, has_null_sender),
    _Question(Reason.LOOP, went_in_circles),
    _Question(Reason.LOOP, comes_from_a_record),
    _Question(Reason.LOOP, is_written_by_a_record),
    _Question(Reason.MACHINE_MAIL, says_it_is_automatic),
)
