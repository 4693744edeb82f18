"""HTML of a mail, made safe to show, and read as plain text.

``sanitise`` keeps an allow-list of elements and attributes: no script, no style sheet, no form, no frame, nothing that
loads from elsewhere. Remote pictures lose their source and are counted; pictures of the mail itself keep their
``cid:``. Links go to http, https and mailto only. ``markup`` bounds the nesting, nh3 has the last word on safety.

Pictures of ``data:`` URLs are left out, with their alternative text in their place. What the mail hides (``styles``)
stays hidden and is not in the text. How the text is written says ``plain``; which links there are and which of them
deceive, ``links`` and ``mismatch``.

Raises nothing. Linear in the input. HTML over ``MAX_HTML`` or ``MAX_MARKS`` is read up to there: ``cut``. Where nh3
itself fails the HTML is "" and the text is still there.

Limits: style sheets are dropped, so what looked so by a class looks plain. ``position`` and the like are no allowed
styles, but sizes and indents are, and what is larger than its box is painted beside it: show it in a frame, or in an
element that clips (``overflow: hidden``). Relative links lead nowhere, ``base`` or not. Pictures are counted by their
addresses, each once; what a style sheet or a font file would load counts as well.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from itertools import islice
from urllib.parse import unquote

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
_ALLOWED: Mapping[str, Collection[str]] = {name: _ATTRIBUTES.get(name, set()) | _ANY for name in markup.KEPT}
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
_ADDRESSES = markup.elements("background href poster src srcset xlink:href")
_REMOTE_IN_SET = re.compile(r"(?:^|,)\s*(?:https?:|ftp:|//)", re.IGNORECASE)
_LOADED = re.compile(r"stylesheet|icon|preload|prefetch|preconnect", re.IGNORECASE)
_URL_IN_STYLE = re.compile(r"url\s*\(|image-set|expression|[\\<>{}@]|/\*", re.IGNORECASE)

_NO_BREAK = "\u00a0"
_AROUND = "\ufeff" + "".join(filter(str.isspace, map(chr, range(0x3001))))

_MARK = re.compile(r"[<&]")


@dataclass(frozen=True, slots=True)
class Sanitised:
    """Safe HTML with what was met in it. ``failed``: there is none. ``cut``: it is of the beginning only.

    ``links`` are those of the elements and of the words, in their order; ``cids`` the pictures that are shown;
    ``remote`` how many addresses elsewhere a picture or style would have been loaded from; ``marks`` how many of
    ``MAX_MARKS`` it took.
    """

    html: str = ""
    text: str = ""
    links: tuple[str, ...] = ()
    mismatches: tuple[Mismatch, ...] = ()
    cids: frozenset[str] = frozenset()
    remote: int = 0
    failed: bool = False
    cut: bool = False
    marks: int = 0


def sanitise(source: str, most_marks: int = MAX_MARKS, content_ids: Collection[str] = ()) -> Sanitised:
    """Make one HTML body safe, and read its words, links and pictures.

    ``most_marks`` is what may still be spent. ``content_ids`` are those of the mail's parts: what HTML calls by one of
    them with percent signs (RFC 2392 section 2) is written as it is.
    """
    whole = len(source)
    source = _bounded(source, most_marks)
    run = markup.read(source)
    tokens = list(_told(run, frozenset(content_ids)))
    read = plain.write(tokens, len(source))
    seen = Sanitised(
        text=read.text,
        links=(*read.links, *_beside(run)),
        mismatches=read.mismatches,
        cids=frozenset(_cids(tokens)),
        remote=len(_remote(run)),
        cut=len(source) < whole,
        marks=source.count("<") + source.count("&"),
    )
    bounded = "".join(map(_written, tokens))
    del run, tokens, read  # nh3 takes as much again
    safe = _nh3(bounded)
    # parsers drop a mark of byte order at the start, the next time; also behind white space, once that is gone
    return replace(seen, html=(safe or "").strip(_AROUND), failed=safe is None)


def from_text(text: str) -> str:
    """Write plain text as HTML, for mails whose bodies are of both kinds."""
    return f'<div style="white-space:pre-wrap">{escape(text)}</div>'


def _bounded(source: str, most_marks: int) -> str:
    """Cut before the first mark that is one too many, and where it is too long before the last one."""
    if len(source) > MAX_HTML:
        start_of_tag = source.rfind("<", MAX_HTML - MAX_VALUE, MAX_HTML)  # the cut may go through it
        source = source[: start_of_tag if start_of_tag >= 0 else MAX_HTML]
    if source.count("<") + source.count("&") <= most_marks:
        return source
    beyond = next(islice(_MARK.finditer(source), max(most_marks, 0), None), None)
    return source[: beyond.start()] if beyond else source


def _nh3(source: str) -> str | None:
    try:
        return _CLEANER.clean(source)
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


# made once: it takes as long as a page
_CLEANER = nh3.Cleaner(
    tags=set(markup.KEPT),
    clean_content_tags=set(markup.DROPPED),
    attributes=_ATTRIBUTES,
    attribute_filter=_filter,
    filter_style_properties=_STYLES,
    url_schemes={"http", "https", "mailto", "cid"},
    url_relative="deny",
)


def _told(run: Run, content_ids: frozenset[str]) -> Iterator[Token]:
    """Mark what the mail hides, ``hidden`` among the attributes, and call its pictures what their parts are called."""
    classes = styles.hidden_classes(run.sheets)
    for token in run.tokens:
        if not token.attributes:
            yield token
            continue
        changed: dict[str, str] = {}
        if _is_hidden(token, classes):
            changed["hidden"] = ""
        if token.name == "img" and (source := _unquoted(token.attributes.get("src", ""), content_ids)):
            changed["src"] = source
        yield Token(token.name, attributes={**token.attributes, **changed}) if changed else token


def _unquoted(source: str, content_ids: frozenset[str]) -> str:
    """Return ``cid:`` and a part's name where that is written with percent signs, else ""."""
    found = _CID.fullmatch(source)
    if found is None or "%" not in found[1] or found[1] in content_ids:
        return ""
    name = unquote(found[1])
    return f"cid:{name}" if name in content_ids and _CID.fullmatch(f"cid:{name}") else ""


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
    if not token.attributes:
        return f"<{token.name}>"
    allowed = _ALLOWED[token.name]
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
    if _ADDRESSES.isdisjoint(attributes):
        return
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
