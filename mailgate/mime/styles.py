"""What the styles of a mail say that matters for reading it: what is hidden, what is set as it stands, what is loaded.

``look`` reads one style attribute, ``hidden_classes`` the style elements: classes that a simple rule (``.name`` or
``element.name``) hides on a wide screen. Styles aren't kept for anything else.

Limits: no cascade (of two rules the later counts), no other selectors, no hiding by colour, by place or behind
something. ``mso-hide`` alone hides in Outlook only and is no hiding. Raises nothing; linear in the input.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

MAX_NESTED = 5  # rules inside @media and the like; deeper ones aren't read
MAX_KNOWN = 200  # letters of a style attribute that is remembered
MAX_VISIBLE = 1.0  # px or pt; smaller letters aren't there to be read

_BRACE = re.compile(r"[{}]")
_CLASS = re.compile(r"[a-z0-9*]*\.([a-z0-9_-]+)", re.IGNORECASE)
_LENGTH = re.compile(r"(\d{0,9}\.?\d{1,9})\s*+([a-z%]*)")
_FONT_SIZE = re.compile(r"(?:^|\s)(\d{0,9}\.?\d{1,9}(?:px|pt|rem|em|%|mm|cm|in)?)(?=[\s/]|$)")
_RELATIVE = frozenset({"%", "em", "ex", "inherit", "larger", "smaller"})
_CLIPPED = ("height", "max-height", "width", "max-width")
_PHONE = re.compile(r"max-(?:device-)?width|print", re.IGNORECASE)
_URL = re.compile(r"""(?:\burl\(|@import\s)\s*+["']?\s*+((?:https?:|ftp:|//)[^"'()\s]{1,2000})""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Look:
    """How a style attribute makes an element look; ``None`` is: as the element around it."""

    gone: bool = False  # whatever stands inside
    displayed: bool = False  # it says that it is no less than shown
    unseen: bool | None = None
    tiny: bool | None = None
    as_it_stands: bool | None = None  # white space counts
    indents: bool = False  # a blockquote that isn't meant as a quote


PLAIN = Look()


def look(style: str, *, of_table: bool = False) -> Look:
    """Read a style attribute. Parts of a table are never clipped: they grow with what they hold."""
    return (_known if len(style) <= MAX_KNOWN else _look)(style, of_table=of_table)


def _look(style: str, *, of_table: bool) -> Look:
    rules = _declarations(style)
    display = rules.get("display", "")
    return Look(
        gone=display == "none" or _is_zero(rules.get("opacity", "")) or (not of_table and _is_clipped(rules)),
        displayed=display not in {"", "none"},
        unseen=rules["visibility"] in {"hidden", "collapse"} if "visibility" in rules else None,
        tiny=_tiny(rules),
        as_it_stands=rules["white-space"].startswith(("pre", "break-spaces")) if "white-space" in rules else None,
        indents=rules.get("border", "").startswith(("none", "0")),
    )


_known = lru_cache(maxsize=500)(_look)  # mails say the same again and again


def hidden_classes(sheets: Iterable[str]) -> frozenset[str]:
    """Name the classes that style sheets hide on a wide screen."""
    hidden: dict[str, bool] = {}
    for sheet in sheets:
        for selector, body, conditional in _rules(sheet):
            said = look(body)
            if said.gone and not conditional:
                hidden.update(dict.fromkeys(_classes(selector), True))
            elif said.displayed:
                hidden.update(dict.fromkeys(_classes(selector), False))
    return frozenset(name for name, is_hidden in hidden.items() if is_hidden)


def remote(style: str) -> list[str]:
    """List the addresses elsewhere that styles would load."""
    return _URL.findall(style) if "(" in style or "@" in style else []


def _declarations(style: str) -> Mapping[str, str]:
    rules: dict[str, str] = {}
    important: set[str] = set()
    for declaration in _without_comments(style).lower().split(";"):
        name, _, value = declaration.partition(":")
        value, mark, _ = value.partition("!")
        name = name.strip()
        if mark:
            important.add(name)
        if mark or name not in important:
            rules[name] = value.strip()
    return rules


def _without_comments(style: str) -> str:
    kept = []
    position = 0
    while (start := style.find("/*", position)) >= 0:
        kept.append(style[position:start])
        end = style.find("*/", start + 2)
        position = len(style) if end < 0 else end + 2
    return "".join((*kept, style[position:]))


def _rules(sheet: str) -> Iterable[tuple[str, str, bool]]:
    """Yield each rule's selector and body, and whether it is under a condition; none of what holds on phones alone."""
    bare = _without_comments(sheet)
    outer: list[str] = []
    start = 0
    opened = False  # the brace before was an opening one
    for brace in _BRACE.finditer(bare):
        between = bare[start : brace.start()]
        start = brace.end()
        if brace[0] == "{":
            outer.append(between.rpartition(";")[2].strip())
        elif outer:
            selector = outer.pop()
            if opened and len(outer) < MAX_NESTED and not any(map(_PHONE.search, outer)):
                yield selector, between, bool(outer)
        opened = brace[0] == "{"


def _classes(selector: str) -> list[str]:
    return [found[1] for found in map(_CLASS.fullmatch, map(str.strip, selector.split(","))) if found]


def _is_zero(value: str) -> bool:
    found = _LENGTH.match(value)
    return found is not None and float(found[1]) == 0


def _is_clipped(rules: Mapping[str, str]) -> bool:
    nothing = any(_is_zero(rules.get(name, "")) for name in _CLIPPED)
    return nothing and (rules.get("overflow", "").startswith(("hidden", "clip")) or _tiny(rules) is True)


def _tiny(rules: Mapping[str, str]) -> bool | None:
    size = rules.get("font-size", "")
    if not size and "font" in rules:
        found = _FONT_SIZE.search(rules["font"])
        size = found[1] if found else ""
    if not size or size in _RELATIVE:
        return None
    length = _LENGTH.match(size)
    if length is None:
        return False  # a word: small, medium, ...
    number = float(length[1])
    if length[2] in _RELATIVE:
        return True if number == 0 else None
    return number == 0 or (number <= MAX_VISIBLE and length[2] in {"", "px", "pt"})
