"""HTML of a mail, made safe to show, and read as plain text.

``sanitise`` keeps an allow-list of elements and attributes: no script, no style sheet, no form, no frame, nothing that
loads from elsewhere. Remote pictures lose their source and are counted; pictures of the mail itself keep their
``cid:``. Links go to http, https and mailto only. ``markup`` bounds the nesting, nh3 has the last word on safety.

Pictures of ``data:`` URLs are left out, with their alternative text in their place. What the mail hides (``styles``)
stays hidden and is not in the text. How the text is written says ``plain``; which links there are and which of them
deceive, ``links`` and ``mismatch``.

Raises nothing. Linear in the input; where nh3 itself fails, or the HTML is over ``MAX_HTML`` or ``MAX_MARKS``, the HTML
is "" and the text is still there, if only roughly.

Limits: style sheets are dropped, so what looked so by a class looks plain. ``position`` and the like are no allowed
styles: nothing can lie over the page around it. Relative links lead nowhere, ``base`` or not. Pictures are counted by
their addresses, each once; what a style sheet or a font file would load counts as well.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape

import nh3

from mailgate.mime import links, markup, plain, styles
from mailgate.mime.markup import Run, Token
from mailgate.mime.mismatch import Mismatch

MAX_HTML = 10 * 1024 * 1024
MAX_MARKS = 100_000  # "<" and "&": each costs some twenty microseconds
MAX_RUN = 2000  # letters of text that nh3 gets at once
MAX_VALUE = 10_000  # letters of an attribute; longer ones are left out

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
    *("border-width", "list-style-type", "direction", "display", "visibility"),
}
_REMOTE = re.compile(r"\s*(?:https?:|ftp:|//|\\\\)", re.IGNORECASE)
_CID = re.compile(r"\s*cid:(\S{1,1000})\s*", re.IGNORECASE)
_REMOTE_IN_SET = re.compile(r"(?:^|,)\s*(?:https?:|ftp:|//)", re.IGNORECASE)
_LOADED = re.compile(r"stylesheet|icon|preload|prefetch|preconnect", re.IGNORECASE)
_URL_IN_STYLE = re.compile(r"url\s*\(|image-set|expression|[\\<>{}@]|/\*", re.IGNORECASE)

_NO_BREAK = "\u00a0"
_AROUND = "\ufeff" + "".join(filter(str.isspace, map(chr, range(0x3001))))

_PIECE = 1024 * 1024
_ANY_TAG = re.compile(r"<[^<>]*>")
_UNREAD = re.compile(r"<(style|script|title|!--)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sanitised:
    """Safe HTML with what was met in it. ``failed``: there is none. ``marks``: how many of ``MAX_MARKS`` it took.

    ``links`` are those of the elements and of the words, in their order; ``cids`` the pictures that are shown;
    ``remote`` how many addresses elsewhere a picture or style would have been loaded from.
    """

    html: str = ""
    text: str = ""
    links: tuple[str, ...] = ()
    mismatches: tuple[Mismatch, ...] = ()
    cids: frozenset[str] = frozenset()
    remote: int = 0
    failed: bool = False
    marks: int = 0


def sanitise(source: str, most_marks: int = MAX_MARKS) -> Sanitised:
    """Make one HTML body safe, and read its words, links and pictures. ``most_marks`` is what may still be spent."""
    marks = source.count("<") + source.count("&")
    if len(source) > MAX_HTML or marks > most_marks:
        text = _roughly(source)
        return Sanitised(text=text, links=tuple(links.in_text(text)), failed=True)
    run = markup.read(source)
    tokens = list(_hidden(run))
    read = plain.write(tokens, len(source))
    seen = Sanitised(
        text=read.text,
        links=(*read.links, *_beside(run)),
        mismatches=read.mismatches,
        cids=frozenset(_cids(tokens)),
        remote=len(_remote(run)),
        marks=marks,
    )
    bounded = "".join(map(_written, tokens))
    del run, tokens, read  # nh3 takes as much again
    safe = _nh3(bounded)
    # parsers drop a mark of byte order at the start, the next time; also behind white space, once that is gone
    return replace(seen, html=(safe or "").strip(_AROUND), failed=safe is None)


def from_text(text: str) -> str:
    """Write plain text as HTML, for mails whose bodies are of both kinds."""
    return f'<div style="white-space:pre-wrap">{escape(text)}</div>'


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
        return value if links.is_link(value) else None
    if attribute == "cite":
        return None
    if attribute == "style" and _URL_IN_STYLE.search(value):
        return ";".join(rule for rule in value.split(";") if not _URL_IN_STYLE.search(rule))
    return value


def _hidden(run: Run) -> Iterator[Token]:
    """Mark what the mail hides: ``hidden`` among the attributes."""
    classes = styles.hidden_classes(run.sheets)
    for token in run.tokens:
        if token.attributes and _is_hidden(token, classes):
            yield Token(token.name, attributes={**token.attributes, "hidden": ""})
        else:
            yield token


def _is_hidden(token: Token, classes: frozenset[str]) -> bool:
    style = token.attributes.get("style", "")
    look = styles.look(style, of_table=token.name in plain.OF_TABLE) if style else styles.PLAIN
    if look.gone or "hidden" in token.attributes:
        return True
    return bool(classes) and not look.displayed and not classes.isdisjoint(token.attributes.get("class", "").split())


def _written(token: Token) -> str:
    if not token.name:
        return _text(token.text)
    if token.closes:
        return f"</{token.name}>"
    allowed = _ATTRIBUTES.get(token.name, set()) | _ANY
    attributes = dict(token.attributes)
    if "hidden" in attributes:
        attributes["style"] = "display:none"
    if "href" in attributes:
        attributes["href"] = attributes["href"].replace("<", "%3C").replace(">", "%3E")
    pairs = "".join(
        f' {key}="{escape(value.replace(_NO_BREAK, " "))}"'
        for key, value in attributes.items()
        if key in allowed and len(value) <= MAX_VALUE and _may_stand(key, value)
    )
    return f"<{token.name}{pairs}>"


def _may_stand(key: str, value: str) -> bool:
    """Refuse tags inside attributes: in a parser that errs they would be some. Pictures in data: URLs are megabytes."""
    return bool(_CID.fullmatch(value)) if key == "src" else "<" not in value


def _text(text: str) -> str:
    """Write text with comments in between, which nh3 drops: it takes quadratic time for the escapes of one run."""
    if len(text) <= MAX_RUN:
        return escape(text, quote=False)
    return "<!---->".join(escape(text[at : at + MAX_RUN], quote=False) for at in range(0, len(text), MAX_RUN))


def _cids(tokens: Iterable[Token]) -> Iterator[str]:
    """Name the pictures of the mail that its HTML shows."""
    hidden = 0  # elements that are open from the outermost hidden one on
    for token in tokens:
        if token.name == "img":
            found = _CID.fullmatch(token.attributes.get("src", ""))
            if found and not hidden and "hidden" not in token.attributes:
                yield found[1]
        elif token.name and token.name not in markup.VOID and (hidden or "hidden" in token.attributes):
            hidden += -1 if token.closes else 1


def _beside(run: Run) -> Iterator[str]:
    """List the links of image maps."""
    areas = (token.attributes.get("href", "") for token in run.beside if token.name == "area" and not token.closes)
    return (links.cleaned(href) for href in areas if links.is_link(href))


def _remote(run: Run) -> set[str]:
    """Gather the addresses elsewhere from which a mail program would load something without being asked."""
    found = {address for sheet in run.sheets for address in styles.remote(sheet)}
    for token in (*run.tokens, *run.beside):
        if token.attributes:
            found.update(_loaded_by(token.name, token.attributes))
            found.update(styles.remote(token.attributes.get("style", "")))
    return found


def _loaded_by(name: str, attributes: Mapping[str, str]) -> Iterator[str]:
    """List what an element names: at most one picture, and a background."""
    named = ["background"]
    if name in {"img", "input", "source"}:
        named += ["srcset", "src", "href", "xlink:href"]
    elif name == "video":
        named += ["poster"]
    elif name == "link" and _LOADED.search(attributes.get("rel", "")):
        named += ["href"]
    addresses = {key: attributes[key].strip() for key in named if key in attributes}
    if "srcset" in addresses and _REMOTE_IN_SET.search(addresses["srcset"]):
        yield addresses.pop("srcset")
        addresses.pop("src", "")
    yield from (address for address in addresses.values() if _REMOTE.match(address))
