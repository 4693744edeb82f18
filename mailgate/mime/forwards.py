"""Mails forwarded inline: the block of From, To, Date and Subject that mail programs write above the original.

Apple Mail, Gmail, Thunderbird and Yahoo announce what they hand on with a line of its own. Outlook does not: it writes
the same block, or "-----Original Message-----" and the block, above what it answers and above what it hands on. There
the subject decides, that begins with FW, WG, TR or I where Outlook hands on. Thunderbird's "Original Message" of old is
told by its block, which begins with the subject. Outlook 2019 for the Mac has the line of a reply instead of a block
("Am 28/10/2021, 12:46 schrieb "Kurt" <kurt@kunde.example>:"), above what it hands on too; there nothing more is said
than sender and date. What stands below the mark of a reply is history, and no forward of
this mail.

Takes lines, of the first ``MAX_SCANNED`` letters; linear; raises nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailgate.mime import blocks
from mailgate.mime.blocks import Block, Mark
from mailgate.mime.replies import Attributions

MAX_SCANNED = 256_000

_FORWARD = re.compile(r"\s*(?:\[[^\]]{0,60}\]\s*)?(?:fwd?|wg|tr|i|inoltra|inoltro)\s?:", re.IGNORECASE)

_ATTRIBUTION = re.compile(
    r"(?:On|Am|Le|Il giorno) (?P<date>[^\"«„]{4,60}?),? (?:schrieb )?"
    r"(?P<who>[\"«„][^\"«»„“”]{1,120}[\"»“”] ?<[^<>]{3,254}>)"
)


@dataclass(frozen=True, slots=True)
class Original:
    """What the block says of the original, as it says it; "" is unsaid."""

    sender: str
    to: str
    date: str
    subject: str


def find(lines: Sequence[str], subject: str) -> tuple[int, Original] | None:
    """Find the first block of a forwarded mail; ``None`` where nothing was forwarded inline.

    Return the line where the forward begins, its mark or block, and what is said of the original. ``subject`` is that
    of the mail the text stands in.
    """
    forwards = bool(_FORWARD.match(subject))
    attributions = Attributions(lines)
    for n, line in enumerate(lines):
        if not line.strip():
            continue
        quoted = line.startswith(">")
        may_be = blocks.may_be(line)
        mark = blocks.mark(line) if may_be else None
        if mark and (not quoted or _is_apple(line)):
            block = blocks.below(lines, n + 1)
            if block and (mark is Mark.FORWARDED or forwards or _is_thunderbird(line, block)):
                return n, _original(block)
            if block:
                return None
        elif not quoted:
            block = blocks.at(lines, n) if may_be else None
            if block:
                return (n, _original(block)) if forwards else None
            if attributions.at(n):
                original = _from_attribution(attributions.words_at(n)) if forwards else None
                return (n, original) if original else None
    return None


def _from_attribution(words: str) -> Original | None:
    said = _ATTRIBUTION.match(words)
    return Original(sender=said["who"], to="", date=said["date"], subject="") if said else None


def _is_apple(line: str) -> bool:
    return line.rstrip().endswith(":")


def _is_thunderbird(line: str, block: Block) -> bool:
    return line.lstrip().startswith("--------") and block.first == "subject"


def _original(block: Block) -> Original:
    return Original(block.sender, block.to, block.date, block.subject)
