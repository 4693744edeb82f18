"""Which parts are the body, and which are documents (the algorithm of JMAP, RFC 8621 section 4.1.4).

A part is a body if it is text/plain or text/html, not sent as an attachment, and first in its multipart or without a
file name (in a multipart/related: its root only). Of alternatives each list gets its own kind; where a kind is missing,
the other stands in. Every other leaf is a document. Unlike JMAP, a picture is a document wherever it stands, and
everything inside a multipart that was sent as an attachment is one too.

No recursion; linear in the number of parts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from mailgate.mime import params, words
from mailgate.mime.tree import Part

PLAIN = "text/plain"
HTML = "text/html"
MAX_HELD = 64 * 1024  # octets of a text whose content is held while the mail is read


class Piece(Protocol):
    """What may be shown or listed: a part of the mail, or a file found inside one."""

    @property
    def media(self) -> str:
        """The type, in lower case."""

    @property
    def name(self) -> str:
        """The declared file name, not made safe."""

    @property
    def content(self) -> bytes:
        """The decoded content."""

    @property
    def content_id(self) -> str:
        """What HTML calls it behind ``cid:``, or ""."""

    def parameter(self, name: str) -> str:
        """Return a parameter of the type that is a token, such as charset; "" where it is missing."""


@dataclass(frozen=True, slots=True)
class File:
    """A file inside a part: of a winmail.dat, of a signed envelope, or uuencoded in a text."""

    media: str
    name: str
    content: bytes
    content_id: str = ""
    charset: str = ""

    def parameter(self, name: str) -> str:
        """Return the charset; it has nothing else."""
        return self.charset if name == "charset" else ""


class Leaf:
    """A part without parts, with its type, disposition and name as they were declared."""

    __slots__ = ("_content", "_name", "disposition", "media", "part")

    def __init__(self, part: Part, media: str) -> None:
        self.part = part
        self.media = media
        self.disposition = params.parse(part.fields.first("content-disposition"))
        self._name: str | None = None
        self._content: bytes | None = None

    @property
    def name(self) -> str:
        """The declared file name, not made safe; the disposition's wins over the type's.

        Programs that take one parameter for the other name their files nowhere else.
        """
        if self._name is None:
            disposition, declared = self.disposition, self.part.type
            self._name = (
                disposition.parameter("filename")
                or declared.parameter("name")
                or declared.parameter("filename")
                or disposition.parameter("name")
            )
        return self._name

    @property
    def content(self) -> bytes:
        """The decoded content; decoded anew each time unless it is a short body, which is asked for several times."""
        if self._content is not None:
            return self._content
        content = self.part.content()
        if self.media in {PLAIN, HTML} and self.part.size <= MAX_HELD:
            self._content = content
        return content

    @property
    def content_id(self) -> str:
        """The Content-ID without its brackets (RFC 2392)."""
        return words.decode(self.part.fields.first("content-id")).text.strip().removeprefix("<").removesuffix(">")

    def parameter(self, name: str) -> str:
        """Return a parameter of Content-Type."""
        return self.part.type.token(name)


@dataclass(frozen=True, slots=True)
class Bodies:
    """The parts to show as text, those to show as HTML, and the documents, each in the order of the mail."""

    text: list[Piece] = field(default_factory=list)
    html: list[Piece] = field(default_factory=list)
    documents: list[Piece] = field(default_factory=list)
    # of bodies that are documents too, as they are too long to be shown: how many octets are, by their identity
    long: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Level:
    """One open multipart."""

    kind: str
    rest: Iterator[tuple[int, Part]]
    alternative: bool  # it or one above it holds alternatives
    attached: bool
    to_text: bool
    to_html: bool
    text_before: int
    html_before: int
    first: int = 0  # which part is the first one for us: of a multipart/related its root


def choose(root: Part) -> Bodies:
    """Sort the leaves of a tree into bodies and documents."""
    bodies = Bodies()
    levels = [_Level("", iter([(0, root)]), False, False, True, True, 0, 0)]  # noqa: FBT003 - the frame around the root
    while levels:
        level = levels[-1]
        index, part = next(level.rest, (0, None))
        if part is None:
            _fill_in(bodies, levels.pop())
        elif part.parts:
            levels.append(_inner(bodies, level, part))
        else:
            _sort_in(bodies, level, index, part)
    return bodies


def _inner(bodies: Bodies, level: _Level, part: Part) -> _Level:
    kind = part.media.removeprefix("multipart/")
    return _Level(
        kind=kind,
        rest=iter(list(enumerate(part.parts))),
        alternative=level.alternative or kind == "alternative",
        attached=level.attached or params.parse(part.fields.first("content-disposition")).value == "attachment",
        to_text=level.to_text,
        to_html=level.to_html,
        text_before=len(bodies.text),
        html_before=len(bodies.html),
        first=_root_of(part) if kind == "related" else 0,
    )


def _root_of(related: Part) -> int:
    """Find what a multipart/related shows (RFC 2387 section 3.2): the part of ``start``, else its first text."""
    start = words.decode(related.type.octets.get("start", b"")).text.strip().strip("<>")
    wanted = (n for n, part in enumerate(related.parts) if start and Leaf(part, part.media).content_id == start)
    texts = (n for n, part in enumerate(related.parts) if part.parts or part.media in {PLAIN, HTML})
    return next(wanted, next(texts, 0))


def _sort_in(bodies: Bodies, level: _Level, index: int, part: Part) -> None:
    # a multipart without a single boundary is shown as the text that it is
    leaf = Leaf(part, PLAIN if part.media.startswith("multipart/") else part.media)
    if not _is_body(leaf, level, index):
        bodies.documents.append(leaf)
    elif level.kind == "alternative":
        (bodies.text if leaf.media == PLAIN else bodies.html).append(leaf)
    else:
        if level.alternative:
            level.to_html = level.to_html and leaf.media != PLAIN
            level.to_text = level.to_text and leaf.media != HTML
        if level.to_text or (leaf.media == PLAIN and not level.to_html):
            bodies.text.append(leaf)
        if level.to_html or (leaf.media == HTML and not level.to_text):
            bodies.html.append(leaf)


def _is_body(leaf: Leaf, level: _Level, index: int) -> bool:
    if leaf.media not in {PLAIN, HTML} or level.attached or leaf.disposition.value == "attachment":
        return False
    return index == level.first or (level.kind != "related" and not leaf.name)


def _fill_in(bodies: Bodies, level: _Level) -> None:
    """Let one kind stand in for the other where a multipart/alternative holds only one."""
    if level.kind != "alternative" or not (level.to_text and level.to_html):
        return
    text, html = bodies.text[level.text_before :], bodies.html[level.html_before :]
    if html and not any(each.content.strip() for each in text):  # some programs send an empty text beside their HTML
        bodies.text[level.text_before :] = html
    elif text and not html:
        bodies.html.extend(text)
