"""Which stretches of a text are quoted history or a signature, for showing them folded; nothing is cut off.

History is: lines quoted by ``>``, with the line above that says who wrote them; all that stands below such a line
where nothing is quoted by ``>``; all that stands below the block of From, Date, To and Subject that Outlook writes. A
signature is what stands below "-- ", up to the history or the end, and a line such as "Sent from my iPhone" that is
the writer's last. Answers between quotes stay outside of all folds, and so does what a mail hands on.

When in doubt nothing is folded: history without ``>`` needs words of the writer above it (an answer may stand below),
a signature is no longer than ``MAX_SIGNATURE`` lines, a single line with ``>`` is no quote unless it is said whose.

Looks at the first 256 thousand letters, of which folds may reach to the end of the text; linear; raises nothing.
"""

import re
from collections.abc import Sequence

from mailgate.domain.mail import Fold, FoldKind
from mailgate.mime import blocks, forwards
from mailgate.mime.forwards import MAX_SCANNED, Original
from mailgate.mime.replies import Attributions

MAX_SIGNATURE = 30  # lines below "-- "; companies append long notices
MAX_LOOSE_SIGNATURE = 12  # lines below "--", which some write between paragraphs
MAX_MOBILE = 100

_MOBILE = re.compile(
    r"(?:sent from (?:my|outlook|mail|yahoo|proton|samsung)\b|sent via\b|get outlook for\b"
    r"|gesendet von (?:meinem|meiner|mein|outlook|mail|yahoo)\b|von meinem .{1,40} gesendet|gesendet mit\b"
    r"|envoyé (?:de|depuis) (?:mon|ma|outlook|mail|yahoo)\b|envoyé à partir de\b|télécharger outlook pour\b"
    r"|inviato (?:da|dal) (?:mio|outlook|mail|yahoo|iphone|ipad|smartphone)\b|ottieni outlook per\b"
    r"|outlook für .{2,20} beschaffen|holen sie sich outlook)"
    r"[^.!?]{0,70}[.!]?",
    re.IGNORECASE,
)
_LINK = re.compile(r"<[^<>]{0,300}>|https?://\S{1,300}")


def read(text: str, subject: str = "") -> tuple[tuple[Fold, ...], Original | None]:
    """Find quotes and signatures, in order, none within another; and what the text says of a mail that it hands on.

    ``subject`` is that of the mail the text stands in; it tells what Outlook hands on.
    """
    lines = text[:MAX_SCANNED].split("\n")
    forward = forwards.find(lines, subject)
    seen = _Scan(lines[: forward[0]] if forward else lines, whole=forward is None)
    seen.run()
    return _placed(seen.found, lines, text), forward[1] if forward else None


def _placed(found: Sequence[tuple[FoldKind, int, int | None]], lines: Sequence[str], text: str) -> tuple[Fold, ...]:
    """Turn lines into letters; ``None`` is the end of the text."""
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    placed = []
    for kind, start, end in found:
        until = len(text) if end is None else starts[end - 1] + len(lines[end - 1])
        if text[starts[start] : until].strip():
            placed.append(Fold(kind, starts[start], until))
    return tuple(placed)


class _Scan:
    """One pass over the lines of a text. ``found``: kind, first line and the line after."""

    def __init__(self, lines: Sequence[str], *, whole: bool) -> None:
        self.found: list[tuple[FoldKind, int, int | None]] = []
        self._lines = lines
        self._whole = whole
        self._attributions = Attributions(lines)
        self._own = False  # the writer has said something so far
        self._quoted = False  # something was folded as a quote so far
        self._signature: int | None = None

    def run(self) -> None:
        n = 0
        while n < len(self._lines):
            n = n + 1 if not self._lines[n].strip() else self._quote(n) or self._history(n) or self._line(n)
        self._end_signature(len(self._lines))

    def _quote(self, n: int) -> int | None:
        """Fold the quoted lines that begin here, and who wrote them."""
        first = self._after_attribution(n)
        if first >= len(self._lines) or not _is_quoted(self._lines[first]):
            return None
        end = self._end_of_quote(first)
        if first > n or end - first > 1 or self._quoted:
            self._quoted = True
            self._end_signature(n)
            self.found.append((FoldKind.QUOTE, n, end))
        return end

    def _after_attribution(self, n: int) -> int:
        end = self._attributions.loosely_at(n)
        if end is None:
            return n
        while end < len(self._lines) and not self._lines[end].strip():
            end += 1
        return end if end < len(self._lines) and _is_quoted(self._lines[end]) else n

    def _end_of_quote(self, n: int) -> int:
        end = n
        while n < len(self._lines) and (_is_quoted(self._lines[n]) or not self._lines[n].strip()):
            n += 1
            if self._lines[n - 1].strip():
                end = n
        return end

    def _history(self, n: int) -> int | None:
        """Fold all from here on, if this is where history begins."""
        if not self._own or not self._begins_history(n):
            return None
        self._end_signature(n)
        self.found.append((FoldKind.QUOTE, n, None if self._whole else len(self._lines)))
        return len(self._lines)

    def _begins_history(self, n: int) -> bool:
        line = self._lines[n]
        if blocks.may_be(line):
            if blocks.mark(line) is blocks.Mark.ORIGINAL or blocks.is_rule(line):
                return blocks.below(self._lines, n + 1) is not None
            if blocks.at(self._lines, n) is not None:
                return True
        return self._attributions.at(n) is not None

    def _line(self, n: int) -> int:
        """Pass a line that is no history."""
        line = self._lines[n]
        if line == "-- " or (self._own and line in {"--", "--\u00a0"}):
            self._end_signature(n)
            self._signature = n
        elif self._signature is None and self._is_mobile(n):
            self._signature = n
        elif line.strip():
            self._own = True
        return n + 1

    def _is_mobile(self, n: int) -> bool:
        line = self._lines[n].strip()
        if len(line) > MAX_MOBILE * 4:
            return False
        bare = _LINK.sub("", line) if "<" in line or "://" in line else line
        return bool(_MOBILE.fullmatch(bare.strip(" *_")))

    def _end_signature(self, n: int) -> None:
        """Fold the signature that ends before a line, unless it is longer than signatures are."""
        start, self._signature = self._signature, None
        if start is None:
            return
        mark = self._lines[start]
        rest = [m for m in range(start, n) if self._lines[m].strip()]
        most = MAX_SIGNATURE if mark == "-- " else MAX_LOOSE_SIGNATURE if mark.startswith("--") else 0
        if rest and len(rest) - 1 <= most and rest[-1] <= start + 3 * most:
            self.found.append((FoldKind.SIGNATURE, start, rest[-1] + 1))


def _is_quoted(line: str) -> bool:
    return line.startswith(">")
