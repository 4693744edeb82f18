"""The line that a mail program writes above the mail that is answered: "Am 20.11.2026 um 10:00 schrieb Anna Muster:".

In German, English, French and Italian, over up to four lines, as Gmail wraps it. Sole importer of mailparser_reply,
which knows the wordings. Its expressions take time of the third power of what they are given (4,000 empty lines:
3 seconds), so it is never given more than a few hundred letters that end like such a line, nor more than
``MAX_ASKED`` times per mail. Raises nothing.
"""

import re
from collections.abc import Sequence

from mailparser_reply import EmailReplyParser  # type: ignore[import-untyped]  # it ships no types

MAX_LINES = 4
MAX_LETTERS = 400
MAX_ASKED = 20

_LANGUAGES = ["de", "en", "fr", "it"]
_BEGINS = re.compile(r"[ \t\u00a0*]{0,4}(?:On|Am|Le|Il)\s")
_VERB = re.compile(r"\b(?:wrote|schrieb|a écrit|ha scritto)\b")
_OF_VERB = ("wrote", "schrieb", "écrit", "scritto")  # a line may end within "a écrit"
_SPACES = re.compile(r"\s+")
_STAMP = re.compile(r"\d[:.h]\d\d|\b\d{4}\b|@")  # programs say the time, the year or the address; people seldom do
_WHEN_OR_WHOM = re.compile(r"\d|@")


class Attributions:
    """Finds these lines in one mail; counts how often the library was asked."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._left = MAX_ASKED
        whole = "\n".join(lines)
        self._none = not any(word in whole for word in _OF_VERB)

    def at(self, start: int) -> int | None:
        """Return the line after the attribution that begins in a line; ``None`` where none does."""
        if self._none or not _BEGINS.match(self._lines[start]):
            return None
        found = self._window(start)
        if found is None or self._left <= 0 or not _STAMP.search(found[1]):
            return None
        self._left -= 1
        return found[0] if _is_header(found[1]) else None

    def loosely_at(self, start: int) -> int | None:
        """Find one by its verb alone, as in "Anna Muster schrieb am 20.11.2026:", where quoted lines follow."""
        found = self._window(start)
        return found[0] if found else None

    def words_at(self, start: int) -> str:
        """Return the words of the attribution that begins in a line, in one line; "" where none does."""
        found = self._window(start)
        return found[1] if found else ""

    def _window(self, start: int) -> tuple[int, str] | None:
        """Return the line after, and the words in one line: the library takes line breaks in some languages only."""
        if self._none:
            return None
        window = ""
        for n in range(start, min(start + MAX_LINES, len(self._lines))):
            line = self._lines[n]
            if not line.strip() or len(window) + len(line) > MAX_LETTERS or line.startswith(">"):
                return None
            window = f"{window} {_SPACES.sub(' ', line)}".strip(" *")
            if window.endswith(":"):
                return (n + 1, window) if _VERB.search(window) and _WHEN_OR_WHOM.search(window) else None
        return None


def _is_header(window: str) -> bool:
    try:
        found = EmailReplyParser(languages=list(_LANGUAGES)).read(window).replies
    except Exception:  # noqa: BLE001 - what the library fails on is no such line
        return False
    return any(reply.headers == window for reply in found)
