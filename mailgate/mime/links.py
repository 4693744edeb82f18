"""The links of a mail: http, https and mailto, in the order they stand, each once.

Those of the text come first, then those of the HTML that the text doesn't have. Nothing is taken off them: a tracking
parameter is part of what was sent. In text an address ends where the sentence around it goes on; one that is broken
into lines is whole again where angle brackets hold it (RFC 3986 appendix C).

Limits: ``MAX_LINKS``; longer ones than ``MAX_LENGTH`` are no links. Raises nothing; linear in the input.
"""

import re
from collections.abc import Iterable, Iterator

from mailgate.mime import text

MAX_LINKS = 500
MAX_LENGTH = 8000
BEFORE_MARK = 16  # letters: no more stand in a link before its mark, the "<URL:" of some included
_ENOUGH = 2 * MAX_LINKS  # different ones in one body; a few may yet turn out to be none, or the same

# letters that stand close before and after an address in writings without spaces, and never unencoded in its host
_EAST = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uff66-\uff9f"
_NEVER = r"\s<>\"`\u00a0\u2026\u201c-\u201f\u00ab\u00bb\u2039\u203a\u3000-\u3002\u3008-\u3011\u3014-\u301b"
_NEVER += r"\uff01\uff08\uff09\uff0c\uff0e\uff1a\uff1b\uff1f\uff3b\uff3d\uff5b\uff5d\uff5e\uff61-\uff64"
_IN_TEXT = re.compile(
    rf"<(?:URL:)?(?P<broken>(?:https?://|mailto:)[^{_NEVER}]++(?:\r?\n[^{_NEVER}]++){{1,20}}+)>"  # RFC 3986 appendix C
    rf"|(?<=[{_EAST}])(?P<close>(?:https?://|mailto:)[^{_NEVER}{_EAST}]+)"
    rf"|(?<![A-Za-z0-9\u00c0-\u024f])(?P<free>(?:https?://|mailto:)(?:(?!\]\()[^{_NEVER}])+)",
    re.IGNORECASE,
)
_MARK = re.compile(":(?:(?<=[oO]:)|//)")  # in each of them; to look for that first takes a tenth of the time
_OPENED = re.compile(r"<(?:URL:)?\Z", re.IGNORECASE)
_LINK = re.compile(r"\s*(?:https?:|mailto:)", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_AFTER = ".,;:!?'\u2019*_|"
_PAIRS = {")": "(", "]": "[", "}": "{"}


def is_link(href: str) -> bool:
    """Say whether a target is one that people may follow."""
    return bool(_LINK.match(href))


def cleaned(link: str) -> str:
    """Take off what browsers take off a target (WHATWG URL 4.4), and put %20 for a space."""
    return text.clean(_FORBIDDEN.sub("", link).strip().replace(" ", "%20"))


def in_text(body: str) -> list[str]:
    """Find the links that stand in plain text; a full stop or bracket of the sentence around one isn't part of it."""
    found: dict[str, None] = {}
    for _, link in placed(body):
        found.setdefault(link)
        if len(found) > _ENOUGH:
            break
    return list(found)


def placed(body: str) -> Iterator[tuple[int, str]]:
    """Find them with their places."""
    end = 0
    while hint := _MARK.search(body, end):
        found = _IN_TEXT.search(body, max(end, hint.start() - BEFORE_MARK))
        if found is None:
            break
        end = found.end()
        if found["broken"]:
            yield found.start(), re.sub(r"\r?\n", "", found["broken"])
        elif body[found.end() : found.end() + 1] == ">" and _OPENED.search(
            body, max(0, found.start() - 5), found.start()
        ):
            yield found.start(), found[0]
        else:
            yield found.start(), _trimmed(found[0])


def collect(found: Iterable[str]) -> tuple[tuple[str, ...], bool]:
    """Drop the repeated and the overlong; say whether there were more than ``MAX_LINKS``."""
    unique = dict.fromkeys(cleaned(link) for link in found if _has_target(link) and len(link) <= MAX_LENGTH)
    return tuple(unique)[:MAX_LINKS], len(unique) > MAX_LINKS


def _has_target(link: str) -> bool:
    return bool(link.partition(":")[2].strip("/ "))


def _trimmed(link: str) -> str:
    end = len(link)
    closing = {mark: link.count(mark) - link.count(opens) for mark, opens in _PAIRS.items()}
    while end:
        last = link[end - 1]
        if last in _AFTER:
            end -= 1
        elif closing.get(last, 0) > 0:
            closing[last] -= 1
            end -= 1
        else:
            break
    return link[:end]
