"""Words that were handed over without a mail, treated like the bodies of one.

``clean`` makes HTML safe as that of a mail (``mime.html``), finds the links of all words and leaves the notes that a
mail would get: ``remote_images``, ``too_many_links``, ``defects``. Text stays as it is, save where there is none and
the HTML couldn't be made safe: then it is the HTML's. Of HTML with too much in it (``html.MAX_MARKS``, in all languages
together) the words alone are kept, if only roughly: of a mail the beginning would be shown, for the raw mail has the
rest. Raises nothing; linear in the input.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mailgate.domain.content import Content
from mailgate.domain.mail import Note
from mailgate.domain.user import Language
from mailgate.mime import html, links, markup, notes
from mailgate.mime.html import Sanitised
from mailgate.mime.notes import Notes

_PIECE = 1024 * 1024
_ANY_TAG = re.compile(r"<[^<>]*>")
_UNREAD = re.compile(r"<(style|script|title|!--)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Given:
    """Words as they are kept, with the links in them and what is noted."""

    content: Mapping[Language, Content]
    links: tuple[str, ...]
    notes: tuple[Note, ...]


def clean(content: Mapping[Language, Content]) -> Given:
    """Make words in several languages safe to keep."""
    said = Notes()
    safe: dict[Language, Content] = {}
    found: list[str] = []
    remote = 0
    most_marks = html.MAX_MARKS  # one allowance for all, as for a mail
    for language, one in content.items():
        body = _sanitised(one.html, most_marks)
        safe[language] = replace(one, html=body.html, text=one.text or (body.text if body.failed else ""))
        found += [*links.in_text(one.text), *body.links]
        remote += body.remote
        most_marks -= body.marks
        if body.failed:
            said.add(notes.DEFECTS, "The HTML could not be made safe; its text is shown.")
    kept, more = links.collect(found)
    if more:
        said.add(notes.TOO_MANY_LINKS, f"The mail has more than {links.MAX_LINKS} links.")
    if remote:
        said.add(notes.REMOTE_IMAGES, f"Pictures that lie elsewhere are not loaded: {remote}.")
    return Given(safe, kept, said.done())


def _sanitised(source: str, most_marks: int) -> Sanitised:
    if not source:
        return Sanitised()
    body = html.sanitise(source, most_marks)
    if not body.cut:
        return body
    words = _roughly(source)
    return Sanitised(text=words, links=tuple(links.in_text(words)), failed=True)


def _roughly(source: str) -> str:
    """Take the tags away, and what is no text in any mail."""
    kept: list[str] = []
    position = 0
    endless: set[str] = set()
    for start in _UNREAD.finditer(source):
        name = start[1].lower()
        if start.start() < position or name in endless:
            continue
        close = re.compile("-->" if name == "!--" else f"</{name}", re.IGNORECASE).search(source, start.end())
        if close is None:
            endless.add(name)
            continue
        kept.append(source[position : start.start()])
        position = close.start() if name != "!--" else close.end()
    return markup.unescaped(_without_tags("".join((*kept, source[position:])))).strip()


def _without_tags(source: str) -> str:
    """Put a space for each tag; in pieces, for what stands between two of a million tags is a string of its own."""
    pieces: list[str] = []
    start = 0
    while start < len(source):
        end = source.find("<", start + _PIECE)  # no tag goes on behind one
        end = len(source) if end < 0 else end
        pieces.append(_ANY_TAG.sub(" ", source[start:end]))
        start = end
    return "".join(pieces)
