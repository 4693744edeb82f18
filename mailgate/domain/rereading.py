"""Reading kept mails again: which ones, and what became of each."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mailgate.errors import BadInput

_CODE = re.compile(r"[a-z][a-z_]{0,39}")


class Reread(StrEnum):
    """What became of a mail that was to be read again."""

    CHANGED = "changed"  # what was read anew took the place of what was read before
    UNCHANGED = "unchanged"
    UNREADABLE = "unreadable"  # nothing that was read of it before is lost
    SKIPPED = "skipped"  # gone meanwhile, or somebody else was quicker
    DAMAGED = "damaged"  # its bytes are not what was kept: left as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class RereadWish:
    """Which mails: those that an older reader read; narrowed, or widened to what this one read too.

    ``since``: of an activity recorded then or later. ``note``: with this note on the mail or an activity of it,
    whichever reader read it, as is everything with ``again``.
    """

    since: datetime | None = None
    note: str | None = None
    again: bool = False

    def __post_init__(self) -> None:
        """Check the code of the note; ``BadInput`` where there can't be any such."""
        if self.note is not None and not _CODE.fullmatch(self.note):
            raise BadInput(f"--note {self.note[:80]!a} is no code of a note: they look like charset_guessed")

    @property
    def all_readers(self) -> bool:
        """Say whether mails that this reader read are meant too."""
        return self.again or self.note is not None


@dataclass(frozen=True, slots=True)
class MailReread:
    """What became of a mail, by its SHA-256 in hex; ``walked`` counts the mails that were looked at so far."""

    sha256: str
    became: Reread
    walked: int
