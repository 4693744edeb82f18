"""HTML of a mail, made safe to show, and read as plain text.

``sanitise`` keeps an allow-list of elements and attributes: no script, no style sheet, no form, no frame, nothing that
loads from elsewhere. Remote pictures lose their source and are counted; pictures of the mail itself keep their
``cid:``. Links go to http, https and mailto only. ``markup`` bounds the nesting, nh3 has the last word on safety.

Its words: blocks on lines of their own, list items with a dash, cells with a tab between them, a link's target behind
its words where they differ.

Raises nothing. Linear in the input; where nh3 itself fails, or the HTML is over ``MAX_HTML`` or ``MAX_MARKS``, the HTML
is "" and the text is still there.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

import nh3

from mailgate.mime import markup
from mailgate.mime.markup import Token

MAX_HTML = 10 * 1024 * 1024
MAX_MARKS = 300_000  # "<" and "&": each costs some ten microseconds

_ANY = {"align", "dir", "lang", "style", "title", "valign"}
_ATTRIBUTES: dict[str, set[str]] = {
    "*": _ANY,
    "a": {"href"},
    "blockquote": {"cite", "type"},
    "col": {"span", "width"},
    "colgroup": {"span", "width"},
    "font": {"color", "face", "size"},
    "hr": {"size", "width"},
    "img": {"alt", "height", "src", "width"},
    "li": {"value"},
    "ol": {"start", "type"},
    "table": {"bgcolor", "border", "cellpadding", "cellspacing", "width"},
    "td": {"bgcolor", "colspan", "height", "rowspan", "width"},
    "th": {"bgcolor", "colspan", "height", "rowspan", "width"},
    "time": {"datetime"},
    "tr": {"bgcolor", "height"},
    "ul": {"type"},
}
# none of these takes a url()
_STYLES = {
    *("color", "background-color", "font", "font-family", "font-size", "font-style", "font-weight", "line-height"),
    *("text-align", "text-decoration", "text-indent", "vertical-align", "white-space", "width", "height"),
    *("padding", "padding-bottom", "padding-left", "padding-right", "padding-top", "border-collapse"),
    *("border", "border-bottom", "border-left", "border-right", "border-top", "border-color", "border-style"),
    *("border-width", "list-style-type", "direction"),
}
_REMOTE = re.compile(r"\s*(?:https?:|ftp:|//|\\\\)", re.IGNORECASE)
_CID = re.compile(r"\s*cid:(\S{1,1000})\s*", re.IGNORECASE)
_LINK = re.compile(r"\s*(?:https?:|mailto:)", re.IGNORECASE)
_URL_IN_STYLE = re.compile(r"url\s*\(|image-set|expression|\\", re.IGNORECASE)

_ANY_TAG = re.compile(r"<[^<>]*>")

_LOOSE = markup.elements("blockquote dl h1 h2 h3 h4 h5 h6 ol p pre table ul")
_LINES = markup.elements(
    "address article aside caption center dd details div dt figcaption figure footer header hr li main nav section"
    " summary tbody tfoot thead tr"
)
_CELLS = frozenset({"td", "th"})
_SPACE = re.compile(r"[ \t\r\n\f\u00a0]+")
_EMPTY_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Sanitised:
    """Safe HTML with what was met in it. ``failed``: there is none. ``marks``: how many of ``MAX_MARKS`` it took."""

    html: str = ""
    text: str = ""
    links: tuple[str, ...] = ()
    cids: frozenset[str] = frozenset()
    remote: int = 0
    failed: bool = False
    marks: int = 0


def sanitise(source: str, most_marks: int = MAX_MARKS) -> Sanitised:
    """Make one HTML body safe, and read its words, links and pictures. ``most_marks`` is what may still be spent."""
    marks = source.count("<") + source.count("&")
    if len(source) > MAX_HTML or marks > most_marks:
        return Sanitised(text=_roughly(source), failed=True)
    run = markup.tokens(source)
    images = [token.attributes.get("src", "") for token in run if token.name == "img" and not token.closes]
    safe = _nh3("".join(_written(token) for token in run))
    return Sanitised(
        html=(safe or "").strip(),
        text=_words(run),
        links=tuple(_links(run)),
        cids=frozenset(found[1] for found in map(_CID.fullmatch, images) if found),
        remote=sum(1 for image in images if _REMOTE.match(image)) + sum(map(_remote_background, run)),
        failed=safe is None,
        marks=marks,
    )


def from_text(text: str) -> str:
    """Write plain text as HTML, for mails whose bodies are of both kinds."""
    return f'<div style="white-space:pre-wrap">{escape(text)}</div>'


def _roughly(source: str) -> str:
    return markup.unescaped(_ANY_TAG.sub(" ", source)).strip()


def _nh3(source: str) -> str | None:
    try:
        return nh3.clean(
            source,
            tags=set(markup.KEPT),
            clean_content_tags=set(markup.DROPPED),
            attributes=_ATTRIBUTES,
            attribute_filter=_filter,
            filter_style_properties=_STYLES,
            url_schemes={"http", "https", "mailto", "cid"},
            url_relative="deny",
        )
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001 - a panic in Rust arrives as a BaseException
        return None


def _filter(_tag: str, attribute: str, value: str) -> str | None:
    if attribute == "src":
        return value if _CID.fullmatch(value) else None
    if attribute == "href":
        return value if _LINK.match(value) else None
    if attribute == "cite":
        return None
    if attribute == "style" and _URL_IN_STYLE.search(value):
        return ";".join(rule for rule in value.split(";") if not _URL_IN_STYLE.search(rule))
    return value


def _written(token: Token) -> str:
    if not token.name:
        return escape(token.text, quote=False)
    if token.closes:
        return f"</{token.name}>"
    allowed = _ATTRIBUTES.get(token.name, set()) | _ANY
    pairs = "".join(
        f' {key}="{escape(value)}"'
        for key, value in token.attributes.items()
        if key in allowed and (key != "src" or _CID.fullmatch(value))  # pictures inside a data: URL are megabytes
    )
    return f"<{token.name}{pairs}>"


def _remote_background(token: Token) -> bool:
    return bool(_REMOTE.match(token.attributes.get("background", "")))


def _links(run: Iterable[Token]) -> Iterable[str]:
    return (
        token.attributes["href"].strip()
        for token in run
        if token.name == "a" and not token.closes and _LINK.match(token.attributes.get("href", ""))
    )


# -- to text -----------------------------------------------------------------------------------------------------------


class _Writer:
    """The words so far. ``owed`` is the white space due before the next word."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._owed = ""
        self._pre = 0
        self._link: tuple[str, int] | None = None

    def text(self, text: str) -> None:
        if self._pre:
            self._say(text.replace("\r\n", "\n"))
            return
        words = _SPACE.sub(" ", text)
        if words.startswith(" "):
            self._owe(" ")
        if words.strip():
            self._say(words.strip(" "))
            if words.endswith(" "):
                self._owe(" ")

    def opens(self, name: str, attributes: Mapping[str, str]) -> None:
        self._breaks(name)
        if name == "br":
            self._owed = self._owed.rstrip(" ") + "\n" if self._owed.strip(" ") else "\n"
        elif name == "li":
            self._say("- ")
        elif name in _CELLS:
            self._owe("\t")
        elif name == "hr":
            self._say("---")
            self._owe("\n")
        elif name == "img" and attributes.get("alt", "").strip():
            self._say(f"[{attributes['alt'].strip()}]")
        elif name == "a":
            self._link = (attributes.get("href", "").strip(), len(self._out))
        self._pre += name == "pre"

    def closes(self, name: str) -> None:
        if name == "a" and self._link:
            href, start = self._link
            self._link = None
            shown = "".join(self._out[start:]).strip()
            if shown and _LINK.match(href) and not _same_target(shown, href):
                self._say(f" <{href}>")
        self._breaks(name)
        self._pre -= name == "pre"

    def whole(self) -> str:
        # a regex for white space at the end of a line tries anew at each space of a run
        text = "\n".join(row.rstrip(" \t") for row in "".join(self._out).split("\n"))
        return _EMPTY_LINES.sub("\n\n", text).strip()

    def _breaks(self, name: str) -> None:
        if name in _LOOSE:
            self._owe("\n\n")
        elif name in _LINES:
            self._owe("\n")

    def _owe(self, space: str) -> None:
        weight = " \t\n".find(space[0]) + len(space)
        held = " \t\n".find(self._owed[0]) + len(self._owed) if self._owed else 0
        if weight > held:
            self._owed = space

    def _say(self, words: str) -> None:
        if self._out:
            self._out.append(self._owed)
        self._owed = ""
        self._out.append(words)


def _same_target(shown: str, href: str) -> bool:
    bare = re.sub(r"^(?:mailto:|https?://)", "", href).rstrip("/")
    return shown.rstrip("/") in {href, href.rstrip("/"), bare}


def _words(run: Iterable[Token]) -> str:
    writer = _Writer()
    for token in run:
        if not token.name:
            writer.text(token.text)
        elif token.closes:
            writer.closes(token.name)
        else:
            writer.opens(token.name, token.attributes)
    return writer.whole()
