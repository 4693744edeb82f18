"""The links of a mail: http, https and mailto, in the order they stand, each once.

Those of the text come first, then those of the HTML that the text doesn't have. Nothing is taken off them: a tracking
parameter is part of what was sent. Limits: ``MAX_LINKS``; longer ones than ``MAX_LENGTH`` are no links.
"""

import re
from collections.abc import Iterable

from mailgate.mime import text

MAX_LINKS = 500
MAX_LENGTH = 8000

_IN_TEXT = re.compile(r"(?i:\bhttps?://|\bmailto:)[^\s<>\"\u00a0]+")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\u202a-\u202e\u2066-\u2069]")
_AFTER = ".,;:!?'\u2019\u201c\u201d\u00bb*_|"
_PAIRS = {")": "(", "]": "[", "}": "{"}


def in_text(body: str) -> list[str]:
    """Find the links that stand in plain text; a full stop or bracket of the sentence around one isn't part of it."""
    return [_trimmed(found[0]) for found in _IN_TEXT.finditer(body)]


def collect(found: Iterable[str]) -> tuple[tuple[str, ...], bool]:
    """Drop the repeated and the overlong; say whether there were more than ``MAX_LINKS``."""
    unique = dict.fromkeys(
        text.clean(_FORBIDDEN.sub("", link)) for link in found if _has_target(link) and len(link) <= MAX_LENGTH
    )
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
