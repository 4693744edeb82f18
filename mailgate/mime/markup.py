"""HTML as a flat run of tokens, well nested and bounded, whatever was sent.

``read`` reads HTML the way browsers tokenise it (WHATWG HTML 13.2.5, without its oddest corners) and gives a run in
which every element that opens is closed, in order, and of which no more are open at once than real parsers take in
linear time: ``MAX_FORMATS`` formatting elements, ``MAX_WRAPPERS`` others around something, and ``MAX_CONTAINERS``
tables and lists with their parts. An element beyond that is left out and its text kept, in lines of its own where it
stood so; links, pictures and paragraphs come through at any depth. Comments (Outlook's conditional ones too, as in
browsers), doctypes and everything inside ``DROPPED`` elements are gone; what of it tells of addresses elsewhere or of
hidden classes stands beside the run. It makes nothing safe: ``html`` does, with nh3.

No recursion, linear. Limits: what an element that is left out would have hidden is there.
"""

import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from types import MappingProxyType
from typing import NamedTuple

MAX_WRAPPERS = 200
MAX_CONTAINERS = 100
MAX_FORMATS = 20
MAX_ATTRIBUTES = 100


def elements(names: str) -> frozenset[str]:
    """Write a set of element names as one line of them."""
    return frozenset(names.split())


KEPT = elements(
    "a abbr address article aside b bdi big blockquote br caption center cite code col colgroup dd del details dfn div"
    " dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q s"
    " samp section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var"
    " wbr"
)
VOID = elements("br col hr img wbr")
# what they hold is no text of the mail; of these, browsers read the second to the end of the mail if they aren't closed
DROPPED = elements(
    "applet audio canvas embed frameset iframe math noembed noframes object script select style svg template textarea"
    " title video xml xmp"
)
_RAW_TEXT = elements("iframe noembed noframes script style textarea title xmp")
# all that anybody looks at, or may show; elements with thousands of made-up ones cost no memory
ATTRIBUTES = elements(
    "align alt background bgcolor border cellpadding cellspacing class color colspan datetime dir face height hidden"
    " href lang poster rel role rowspan size span src srcset start style title type valign value width xlink:href"
)
# not kept, but what they name is told
_NAMING = elements("area body input link source video")
# dropped with all that is inside, save the names of the pictures
_PICTURING = elements("object svg video")
_FORMATS = elements("b big code em font i s small strike strong tt u")
_ENDS_PARAGRAPH = elements(
    "address article aside blockquote center details div dl figcaption figure footer h1 h2 h3 h4 h5 h6 header hr main"
    " nav ol p pre section summary table ul"
)
_CONTAINERS = elements("dl ol table ul")
# elements that are bounded by those they stand in, and those
_PARTS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(elements("caption tbody td tfoot th thead tr"), frozenset({"table"})),
    **dict.fromkeys(elements("dd dt"), frozenset({"dl"})),
    "li": frozenset({"ol", "ul"}),
}
_UNBOUNDED = elements("a p") | _PARTS.keys()
_LINES = _ENDS_PARAGRAPH | elements("caption dd dt figcaption li p tbody tfoot thead tr")
# an element that ends an open one of its kind, up to the nearest of the second
_SIBLINGS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "li": (frozenset({"li"}), frozenset({"ul", "ol"})),
    "dd": (frozenset({"dd", "dt"}), frozenset({"dl"})),
    "dt": (frozenset({"dd", "dt"}), frozenset({"dl"})),
    "td": (frozenset({"td", "th", "caption"}), frozenset({"table"})),
    "th": (frozenset({"td", "th", "caption"}), frozenset({"table"})),
    "tr": (frozenset({"tr", "td", "th", "caption"}), frozenset({"table"})),
    "tbody": (frozenset({"tbody", "thead", "tfoot", "tr", "td", "th", "caption"}), frozenset({"table"})),
    "thead": (frozenset({"tbody", "thead", "tfoot", "tr", "td", "th", "caption"}), frozenset({"table"})),
    "tfoot": (frozenset({"tbody", "thead", "tfoot", "tr", "td", "th", "caption"}), frozenset({"table"})),
    "a": (frozenset({"a"}), frozenset({"td", "th", "caption"})),
}
_FENCES = frozenset({"td", "th", "caption", "table"})
_THROUGH_FENCES = elements("table tbody td tfoot th thead tr")

_TAG = re.compile(
    r"""<(?:(?P<comment>!--)|(?P<bogus>[!?]|/(?![a-zA-Z]))|(?P<slash>/?)(?P<name>[a-zA-Z][^\s/>]*)"""
    r"""(?P<rest>(?:[^>=]+|=\s*"[^"]*"|=\s*'[^']*'|=)*+)(?P<end>>?))"""
)
_ATTRIBUTE = re.compile(r"""([^\s=/>"']+)\s*(?:=\s*("[^"]*"|'[^']*'|[^\s>]*))?""")
_COMMENT_END = re.compile(r"(?<=<!--)-?>|--!?>")
_BOGUS_END = re.compile(r">")
_PICTURE = re.compile(r"<(?:image|img|feimage|source)(?=[\s/])([^<>]*+)", re.IGNORECASE)
# Python converts no number of more than 4,300 digits; long before that it names no letter
_ENDLESS_NUMBER = re.compile(r"&#[0-9]{100,}+;?")
_NONE: Mapping[str, str] = MappingProxyType({})


class Token(NamedTuple):
    """Text (``name`` empty), or an element that opens or closes. Text and attribute values are unescaped."""

    name: str = ""
    text: str = ""
    closes: bool = False
    attributes: Mapping[str, str] = _NONE


@dataclass(frozen=True, slots=True)
class Run:
    """Tokens, well nested; elements beside them that name something (in order), and the style sheets."""

    tokens: list[Token]
    beside: list[Token]
    sheets: list[str]


def read(html: str) -> Run:
    """Read HTML into a well-nested run of tokens."""
    nest = _Nest()
    beside: list[Token] = []
    sheets: list[str] = []
    for token in _raw_tokens(html):
        if not token.name:
            nest.text(token)
        elif token.name == "style":
            sheets.append(token.text)
        elif token.name not in KEPT:
            beside.append(token)
        elif token.closes:
            nest.close(token.name)
        else:
            nest.open(token)
    nest.close_down_to(0)
    return Run(nest.out, beside, sheets)


def unescaped(text: str) -> str:
    """Put letters in the place of character references; numbers of 100 digits and more become U+FFFD."""
    return unescape(_ENDLESS_NUMBER.sub("\ufffd", text)) if "&" in text else text


_CLOSING = {name: Token(name, closes=True) for name in KEPT | _NAMING}  # one for all
_BREAK = Token("br")
_SPACE = Token(text=" ")
_DASH = Token(text="- ")


class _Nest:
    """The open elements, and the run so far."""

    def __init__(self) -> None:
        self.out: list[Token] = []
        self._open: list[str] = []
        self._at: defaultdict[str, list[int]] = defaultdict(list)  # where each is among them
        self._left: defaultdict[str, list[int]] = defaultdict(list)  # how many were open around those left out
        self._wrappers = self._formats = self._containers = 0
        self._midline = False  # words stand in this line

    def text(self, token: Token) -> None:
        self.out.append(token)
        self._midline = self._midline or not token.text.isspace()

    def open(self, token: Token) -> None:
        name = token.name
        if name in VOID:
            self._end_paragraph(name)
            self.out.append(token)
            self._midline = name == "img" or (self._midline and name == "wbr")
        elif self._is_left_out(name):
            self._leave_out(name)
        else:
            self._end_paragraph(name)
            if name in _SIBLINGS:
                self._end_open(*_SIBLINGS[name])
            if self._has_room(name):
                self._push(token)
            else:
                self._left[name].append(len(self._open))
                self._leave_out(name)

    def close(self, name: str) -> None:
        if name == "br":
            self.out.append(_BREAK)
        elif self._left.get(name):
            self._close_left(name)
        elif self._is_left_out(name):
            self._break(name)
        elif self._open and self._open[-1] == name:
            self.close_down_to(len(self._open) - 1)
        elif self._at[name] and (name in _THROUGH_FENCES or self._at[name][-1] >= self._nearest(_FENCES)):
            self.close_down_to(self._at[name][-1])

    def close_down_to(self, depth: int) -> None:
        while len(self._open) > depth:
            name = self._open.pop()
            self._at[name].pop()
            self._weigh(name, -1)
            self.out.append(_CLOSING[name])
            self._midline = self._midline and name not in _LINES and name not in _FENCES
        for inside in self._left.values():
            while inside and inside[-1] > depth:
                inside.pop()

    def _is_left_out(self, name: str) -> bool:
        """Say whether an element is a part of a table or list that is left out."""
        return bool(self._left) and any(self._left.get(container) for container in _PARTS.get(name, ()))

    def _has_room(self, name: str) -> bool:
        if name in _UNBOUNDED:
            return True
        if name in _CONTAINERS:
            return self._containers < MAX_CONTAINERS
        return self._wrappers < MAX_WRAPPERS and (name not in _FORMATS or self._formats < MAX_FORMATS)

    def _push(self, token: Token) -> None:
        name = token.name
        self._at[name].append(len(self._open))
        self._open.append(name)
        self._weigh(name, 1)
        self.out.append(token)
        self._midline = self._midline and name not in _LINES and name not in _FENCES

    def _weigh(self, name: str, weight: int) -> None:
        if name in _CONTAINERS:
            self._containers += weight
        elif name not in _UNBOUNDED:
            self._wrappers += weight
            self._formats += weight * (name in _FORMATS)

    def _leave_out(self, name: str) -> None:
        self._break(name)
        if name == "li":
            self.out.append(_DASH)

    def _close_left(self, name: str) -> None:
        depth = self._left[name][-1]
        if name == "table" or depth > self._nearest(_FENCES):
            self._left[name].pop()
            self.close_down_to(depth)
            self._break(name)

    def _break(self, name: str) -> None:
        """Begin a line, or part words, where an element does so that is left out."""
        if self._midline and name in _LINES:
            self.out.append(_BREAK)
            self._midline = False
        elif self._midline and name in _FENCES:
            self.out.append(_SPACE)

    def _end_paragraph(self, name: str) -> None:
        if name in _ENDS_PARAGRAPH and self._at["p"]:
            self._end_open(frozenset({"p"}), _FENCES)

    def _nearest(self, names: frozenset[str]) -> int:
        return max((self._at[name][-1] for name in names if self._at[name]), default=-1)

    def _end_open(self, kinds: frozenset[str], fences: frozenset[str]) -> None:
        """End the outermost open element of some kinds within the nearest fence."""
        fence = self._nearest(fences - kinds)
        first = ((places, bisect(places, fence)) for places in map(self._at.__getitem__, kinds))
        depth = min((places[index] for places, index in first if index < len(places)), default=-1)
        if depth >= 0:
            self.close_down_to(depth)


def _raw_tokens(html: str) -> Iterator[Token]:
    """Read tags and text as they come. A tag that never ends takes the rest with it, as in browsers."""
    position = text_from = 0
    endless: set[str] = set()  # dropped elements without an end from here on
    while (start := html.find("<", position)) >= 0:
        tag = _TAG.match(html, start)
        if tag is None:
            position = start + 1  # a bare "<" is text
            continue
        if start > text_from:
            yield Token(text=unescaped(html[text_from:start]))
        if tag["end"] and (name := tag["name"].lower()) in KEPT:
            text_from = position = tag.end()
            yield _token(tag, name)
            continue
        found, position = _tag(html, tag, endless)
        text_from = position
        yield from found
    if text_from < len(html):
        yield Token(text=unescaped(html[text_from:]))


def _tag(html: str, tag: re.Match[str], endless: set[str]) -> tuple[Iterable[Token], int]:
    if tag["comment"] or tag["bogus"]:
        end = (_COMMENT_END if tag["comment"] else _BOGUS_END).search(html, tag.end())
        return (), end.end() if end else len(html)
    if not tag["end"]:
        return (), len(html)
    name = tag["name"].lower()
    name = "img" if name == "image" else name  # WHATWG HTML 13.2.6.4.7
    if name in DROPPED:
        return _dropped(html, tag, name, endless)
    return _element(tag, name), tag.end()


def _element(tag: re.Match[str], name: str) -> Iterable[Token]:
    if name not in KEPT and name not in _NAMING:
        return ()
    return (_token(tag, name),)


def _token(tag: re.Match[str], name: str) -> Token:
    return _CLOSING[name] if tag["slash"] else Token(name, attributes=_attributes(tag["rest"]))


def _dropped(html: str, tag: re.Match[str], name: str, endless: set[str]) -> tuple[Iterable[Token], int]:
    if tag["slash"]:
        return (), tag.end()
    content_end, end = _behind(html, name, tag.end(), endless)
    if name == "style":
        return (Token(name, text=html[tag.end() : content_end]),), end
    found = list(_element(tag, name))
    if name in _PICTURING:
        pictures = _PICTURE.finditer(html, tag.end(), content_end)
        found.extend(Token("source", attributes=_attributes(picture[1])) for picture in pictures)
    return found, end


def _behind(html: str, name: str, start: int, endless: set[str]) -> tuple[int, int]:
    """Find where the content of a dropped element ends, and what ends it; with the mail where raw text doesn't."""
    tag = None if name in endless else re.compile(rf"</{name}\b", re.IGNORECASE).search(html, start)
    # where the first end tag has no ">", none has
    end = html.find(">", tag.end()) if tag else -1
    if tag and end >= 0:
        return tag.start(), end + 1
    endless.add(name)
    return (len(html), len(html)) if name in _RAW_TEXT else (start, start)


def _attributes(rest: str) -> Mapping[str, str]:
    if not rest:
        return _NONE
    attributes: dict[str, str] = {}
    for count, found in enumerate(_ATTRIBUTE.finditer(rest)):
        if count >= MAX_ATTRIBUTES:
            break
        name = found[1].lower()
        if name not in ATTRIBUTES:
            continue
        value = found[2] or ""
        if value[:1] in {'"', "'"}:
            value = value[1:-1]
        attributes.setdefault(name, unescaped(value))
    return attributes or _NONE
