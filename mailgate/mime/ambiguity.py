"""Mails that programs take apart in different ways: whoever looks at one elsewhere may see something else.

A part says twice, and differently, of what type it is, how it is encoded or disposed, or what a parameter is; an
encoding is none, or is said of a multipart, which has none (RFC 2045 section 6.4). A boundary begins another one, is
used again inside its multipart, ends in white space, or stands with more behind it. How such a mail is read here is
fixed all the same; see ``params``, ``transfer`` and ``tree``.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from mailgate.mime import tree
from mailgate.mime.tree import Part

_ONCE = ("content-type", "content-transfer-encoding", "content-disposition")
_ENCODING = re.compile(rb"\s*+[A-Za-z0-9-]*+\s*+(?:\([^()]*+\)\s*+)?")  # a token, and maybe a comment (RFC 2045 6.1)
_OF_MULTIPARTS = frozenset({b"", b"7bit", b"8bit", b"binary"})


def found(root: Part) -> bool:
    """Say whether a mail is ambiguous."""
    parts = tree.walk(root)
    return any(map(_is_ambiguous, parts)) or _boundaries_clash(parts)


def _is_ambiguous(part: Part) -> bool:
    encoding = part.fields.first("content-transfer-encoding")
    names = [name for name, _ in part.fields.items if name in _ONCE]
    twice = len(names) > len(set(names)) and any(len(set(part.fields.all(name))) > 1 for name in _ONCE)
    encoded = bool(part.parts) and encoding.strip().lower() not in _OF_MULTIPARTS
    return part.type.ambiguous or twice or encoded or not _ENCODING.fullmatch(encoding)


def _boundaries_clash(parts: Sequence[Part]) -> bool:
    """Say whether one boundary begins another: some programs take the line of the longer one for the shorter's."""
    multiparts = [part for part in parts if part.parts]
    boundaries = sorted({part.boundary for part in multiparts})
    begins = any(longer.startswith(shorter) for shorter, longer in pairwise(boundaries))
    return begins or any(part.reused or part.loose or bool(part.boundary_ending) for part in multiparts)
