"""HTML as plain text that a person can read.

Blocks stand on lines of their own, paragraphs apart; lists are indented, with dashes or their numbers; quotes have
``> ``, preformatted text stays as it stands. A table of data becomes columns; one that only arranges a page becomes the
lines that are in it, and what stays beside each other has a tab between. A link's target stands in angle brackets
behind its words where they differ; a picture is its alternative text in square brackets.

What the mail hides (``styles``) isn't written, nor the invisible letters with which the lead of a newsletter is padded.

Raises nothing. No recursion; linear: indentation and columns cost no more than twice what they are made from, and are
left out beyond that.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mailgate.mime import columns, links, markup, mismatch, styles
from mailgate.mime.markup import Token
from mailgate.mime.mismatch import Mismatch

MAX_MISMATCHES = 20
MAX_PREFIX = 40  # letters of indentation

_LOOSE = markup.elements("blockquote dl h1 h2 h3 h4 h5 h6 ol p pre table ul")
_LINES = markup.elements(
    "address article aside caption center dd details div dt figcaption figure footer header hr li main nav section"
    " summary tbody tfoot thead tr"
)
_CELLS = frozenset({"td", "th"})
_LISTS = frozenset({"ol", "ul"})
OF_TABLE = markup.elements("table tbody td tfoot th thead tr")
_OF_THEIR_OWN = markup.elements("blockquote dd pre")  # change how what is inside is written, without a style
_UNALIGNED = markup.elements("blockquote dl pre")
_SPACES = re.compile(" {2,}+")
_EMPTY_LINES = re.compile(r"\n{3,}")
_INVISIBLE = "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2060-\u2064\ufeff\uffa0"
_PADDING = re.compile(rf"[{_INVISIBLE}](?:[\s\u2800]*+[{_INVISIBLE}]){{3,}}+[\s\u2800]*+")
_WORDLESS = re.compile(r"[^\x00-\u024f]{1,8}")  # an emoji
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc")),
    *((50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_MAX_ROMAN = 3999
_NUMBER = re.compile(r"\s*(-?\d{1,6})")


@dataclass(frozen=True, slots=True)
class Read:
    """The text; the links in it, in order; and of those that show an address, which go to another."""

    text: str
    links: tuple[str, ...]
    mismatches: tuple[Mismatch, ...]


def write(run: Sequence[Token], size: int) -> Read:
    """Write a run of tokens as text. ``size`` is of what they were read from. ``hidden`` elements aren't written."""
    writer = _Writer(2 * size + 10_000)
    for token in run:
        if not token.name:
            writer.text(token.text)
        elif token.closes:
            writer.closes(token.name)
        else:
            writer.opens(token.name, token.attributes)
    return writer.whole()


class _State(NamedTuple):
    """What holds inside an element."""

    prefix: str = ""  # of each line
    gone: bool = False
    unseen: bool = False
    tiny: bool = False
    as_it_stands: bool = False

    @property
    def silent(self) -> bool:
        return self.gone or self.unseen or self.tiny


@dataclass(slots=True)
class _List:
    """A list that is open: the number of its next item (``None``: dashes), and how it is written."""

    next: int | None
    kind: str


class _Cell(NamedTuple):
    """A cell that is closed: where its words stand among those written so far."""

    column: int
    begin: int
    end: int
    span: int


@dataclass(slots=True)
class _Table:
    """A table that is open. ``begin`` and those of its cells are places among what was written so far."""

    begin: int
    owed: str
    marker: tuple[int, str] | None
    prefix: str
    fits: bool
    rows: list[list[_Cell]] = field(default_factory=list)
    taken: dict[int, int] = field(default_factory=dict)  # column: rows for which one from above fills it
    cell: tuple[int, int, int] | None = None  # the open one: column, begin, span


class _Writer:
    """The words so far. ``_owed`` is the white space due before the next word, ``_spare`` what may go for looks."""

    def __init__(self, spare: int) -> None:
        self._out: list[str] = []
        self._owed = ""
        self._spare = spare
        self._stack: list[_State] = []
        self._now = _State()
        self._prefix = ""  # of the line last written
        self._marker: tuple[int, str] | None = None  # of a list item that has no words yet
        self._lists: list[_List] = []
        self._tables: list[_Table] = []
        self._anchors: list[tuple[str, int]] = []
        self._words: list[str] = []  # as said, without what was added
        self._targets: list[tuple[int, str]] = []  # links, and before which of the words
        self._mismatches: dict[Mismatch, None] = {}

    # -- tokens

    def text(self, text: str) -> None:
        if self._now.silent:
            return
        if not text.isascii():
            text = _PADDING.sub(" ", text)
        if self._now.as_it_stands:
            lines = _EMPTY_LINES.sub("\n\n", text.replace("\r\n", "\n"))
            self._say(self._indented(lines))
            self._words.append(lines)
            return
        words = _spaced(text)
        self._words.append(words)
        if words == " ":
            self._owe(" ")
            return
        if words.startswith(" "):
            self._owe(" ")
        if words.strip():
            self._say(words.strip(" "))
            if words.endswith(" "):
                self._owe(" ")

    def opens(self, name: str, attributes: Mapping[str, str]) -> None:
        self._breaks(name)
        state = self._state(name, attributes)
        if name in markup.VOID:
            self._void(name, attributes, state)
            return
        self._stack.append(self._now)
        self._now = state
        if name == "a":
            self._anchors.append((self._target(attributes.get("href", "")), len(self._out)))
        elif name == "q":
            self.text('"')
        elif name in _LISTS:
            self._opens_list(name, attributes)
        elif name == "li":
            self._opens_item(attributes)
        elif name == "table":
            self._opens_table(attributes)
        elif self._tables:
            self._opens_in_table(self._tables[-1], name, attributes)

    def closes(self, name: str) -> None:
        if name == "caption" and self._tables:
            self._closes_caption(self._tables[-1])
        elif name == "q":
            self.text('"')
        elif name == "a":
            self._closes_anchor(*self._anchors.pop())
        elif name in _CELLS and self._tables:
            self._closes_cell(self._tables[-1])
        elif name == "table":
            self._closes_table(self._tables.pop())
        self._now = self._stack.pop()
        if name == "li":
            self._marker = None
            self._owed = "\n"
        elif name in _LISTS:
            self._lists.pop()
        self._breaks(name)

    def whole(self) -> Read:
        # a regex for white space at the end of a line tries anew at each space of a run
        text = "\n".join(row.rstrip(" \t") for row in "".join(self._out).split("\n"))
        return Read(_EMPTY_LINES.sub("\n\n", text).strip("\n"), tuple(self._links()), tuple(self._mismatches))

    # -- what an element does to those inside

    def _state(self, name: str, attributes: Mapping[str, str]) -> _State:
        if not attributes and name not in _OF_THEIR_OWN:
            return self._now
        style = attributes.get("style", "")
        look = styles.look(style, of_table=name in OF_TABLE) if style else styles.PLAIN
        now = self._now
        return _State(
            prefix=self._prefix_in(name, look),
            gone=now.gone or "hidden" in attributes,
            unseen=now.unseen if look.unseen is None else look.unseen,
            tiny=now.tiny if look.tiny is None else look.tiny,
            as_it_stands=name == "pre" or (now.as_it_stands if look.as_it_stands is None else look.as_it_stands),
        )

    def _prefix_in(self, name: str, look: styles.Look) -> str:
        prefix = self._now.prefix
        if len(prefix) >= MAX_PREFIX:
            return prefix
        if name == "blockquote":
            return prefix + ("  " if look.indents else "> ")
        return prefix + "  " if name == "dd" else prefix

    def _void(self, name: str, attributes: Mapping[str, str], state: _State) -> None:
        if name == "br":
            self._words.append("\n")
            if not self._now.silent:
                self._owed = "\n\n" if "\n" in self._owed else "\n"  # more make no more empty lines
        elif name == "hr" and not state.silent:
            self._say("---")
            self._owe("\n")
        elif name == "img" and not (state.gone or state.unseen):
            shown = " ".join(attributes.get("alt", "").split())
            if shown:
                self._say(shown if _WORDLESS.fullmatch(shown) else f"[{shown}]")

    # -- links

    def _target(self, href: str) -> str:
        target = links.cleaned(href) if links.is_link(href) else ""
        if target:
            self._targets.append((len(self._words), target))
        return target

    def _closes_anchor(self, target: str, start: int) -> None:
        shown = "".join(self._out[start:]).strip()
        if not shown or not target:
            return
        found = mismatch.find(shown, target)
        if found and len(self._mismatches) < MAX_MISMATCHES:
            self._mismatches[found] = None
        if len(target) <= links.MAX_LENGTH and not _same_target(shown, target):
            apart, self._owed = self._owed, self._owed.strip(" ")
            self._say(f" <{target}>" if not self._owed else f"<{target}>")
            self._owed = " " if apart == " " else ""

    def _links(self) -> list[str]:
        """Merge those of the elements and those that stand in the words, by their places."""
        places = [0]
        for words in self._words:
            places.append(places[-1] + len(words))
        found = [(places[index], target) for index, target in self._targets]
        found.extend(links.placed("".join(self._words)))
        return [target for _, target in sorted(found, key=lambda each: each[0])]

    # -- lists

    def _opens_list(self, name: str, attributes: Mapping[str, str]) -> None:
        for table in self._tables[-1:]:
            table.fits = False
        start = _NUMBER.match(attributes.get("start", ""))
        first = (int(start[1]) if start else 1) if name == "ol" else None
        self._lists.append(_List(first, attributes.get("type", "")))

    def _opens_item(self, attributes: Mapping[str, str]) -> None:
        marker = "- "
        if self._lists and self._lists[-1].next is not None:
            value = _NUMBER.match(attributes.get("value", ""))
            number = int(value[1]) if value else self._lists[-1].next
            marker = f"{_numeral(number, self._lists[-1].kind)}. "
            self._lists[-1].next = number + 1
        self._marker = (len(self._now.prefix), marker)
        if len(self._now.prefix) < MAX_PREFIX:
            self._now = self._now._replace(prefix=self._now.prefix + " " * len(marker))

    # -- tables

    def _opens_table(self, attributes: Mapping[str, str]) -> None:
        for table in self._tables[-1:]:
            table.fits = False
        fits = attributes.get("role", "").strip().lower() not in {"presentation", "none"} and not self._now.silent
        self._tables.append(_Table(len(self._out), self._owed, self._marker, self._now.prefix, fits))

    def _opens_in_table(self, table: _Table, name: str, attributes: Mapping[str, str]) -> None:
        if name == "caption":
            table.cell = (0, 0, 1)
        elif name == "tr":
            self._opens_row(table)
        elif name in _CELLS:
            self._opens_cell(table, attributes)
        elif name in _UNALIGNED:
            table.fits = False

    def _closes_caption(self, table: _Table) -> None:
        table.fits = table.fits and not table.rows
        table.begin, table.owed, table.marker, table.cell = len(self._out), "\n", None, None

    @staticmethod
    def _opens_row(table: _Table) -> None:
        table.taken = {column: rows - 1 for column, rows in table.taken.items() if rows > 1}
        table.rows.append([])

    def _opens_cell(self, table: _Table, attributes: Mapping[str, str]) -> None:
        self._owe("\t")
        if not table.rows:
            self._opens_row(table)
        row = table.rows[-1]
        column = row[-1].column + row[-1].span if row else 0
        while column in table.taken:
            column += 1
        span, rows = _count(attributes, "colspan"), _count(attributes, "rowspan")
        if column + span > columns.MAX_COLUMNS:
            table.fits = False
        elif rows > 1 and table.fits:
            table.taken.update(dict.fromkeys(range(column, column + span), rows))
        table.cell = (column, len(self._out), span)

    def _closes_cell(self, table: _Table) -> None:
        if table.cell and table.fits:
            column, begin, span = table.cell
            table.rows[-1].append(_Cell(column, begin, len(self._out), span))
        table.cell = None

    def _closes_table(self, table: _Table) -> None:
        if not table.fits:
            return
        rows = [
            [columns.Cell(cell.column, cell.span, self._lines_of(cell, table)) for cell in row] for row in table.rows
        ]
        lines = columns.lines(rows, self._spare)
        if not lines:
            return
        self._spare -= sum(map(len, lines))
        del self._out[table.begin :]
        self._owed, self._marker = table.owed, table.marker
        for line in lines:
            self._say(line)
            self._owed = "\n"

    def _lines_of(self, cell: _Cell, table: _Table) -> list[str]:
        told = "".join(self._out[cell.begin + 1 : cell.end])  # the first is the white space before it
        if table.prefix:
            told = told.replace("\n" + table.prefix, "\n")
        return [line.strip() for line in told.strip().split("\n") if line.strip()]

    # -- white space

    def _breaks(self, name: str) -> None:
        if name in _LISTS and self._lists:
            self._owe("\n")
        elif name in _LOOSE:
            self._owe("\n" if self._marker else "\n\n")
        elif name in _LINES:
            self._owe("\n")
        if name in _LOOSE or name in _LINES or name in _CELLS:
            self._words.append("\n")

    def _owe(self, space: str) -> None:
        weight = " \t\n".find(space[0]) + len(space)
        held = " \t\n".find(self._owed[0]) + len(self._owed) if self._owed else 0
        if weight > held:
            self._owed = space

    def _say(self, words: str) -> None:
        prefix = self._now.prefix
        if self._tables and self._tables[-1].cell is None:
            self._tables[-1].fits = False
        if self._out and "\n" not in self._owed and not self._marker:
            self._out.append(self._owed)
        else:
            self._out.append(self._line_start(prefix))
            self._prefix = prefix
        self._owed = ""
        self._out.append(words)

    def _line_start(self, prefix: str) -> str:
        lead = prefix
        if self._marker:
            offset, marker = self._marker
            lead = prefix[:offset] + marker + prefix[offset + len(marker) :] if self._spare >= len(prefix) else marker
            self._marker = None
        elif self._spare < len(prefix):
            lead = ""
        if not self._out:
            return lead
        breaks = max(1, self._owed.count("\n"))
        between = prefix if self._prefix.startswith(prefix) else self._prefix if prefix.startswith(self._prefix) else ""
        empty = between.rstrip() if breaks > 1 and self._spare > len(between) else ""
        self._spare -= len(lead) + len(empty)
        return "\n" + (f"{empty}\n" if breaks > 1 else "") + lead

    def _indented(self, lines: str) -> str:
        prefix = self._now.prefix
        cost = lines.count("\n") * len(prefix)
        if cost == 0 or cost > self._spare:
            return lines
        self._spare -= cost
        return lines.replace("\n", "\n" + prefix)


def _spaced(text: str) -> str:
    """Put one space for each run of white space; most texts have none that isn't so."""
    for space in "\t\r\n\f\u00a0":
        text = text.replace(space, " ")
    return _SPACES.sub(" ", text) if "  " in text else text


def _same_target(shown: str, target: str) -> bool:
    bare = re.sub(r"^(?:mailto:|https?://)", "", target).rstrip("/")
    return shown.rstrip("/") in {target, target.rstrip("/"), bare}


def _count(attributes: Mapping[str, str], name: str) -> int:
    found = _NUMBER.match(attributes.get(name, ""))
    return min(max(int(found[1]), 1), 1000) if found else 1


def _numeral(number: int, kind: str) -> str:
    """Write an item's number in the way of its list (WHATWG HTML 4.4.5)."""
    told = str(number)
    if kind in {"a", "A"} and 0 < number <= len(_ALPHABET):
        told = _ALPHABET[number - 1]
    elif kind in {"i", "I"} and 0 < number <= _MAX_ROMAN:
        told = ""
        for value, letters in _ROMAN:
            told += letters * (number // value)
            number %= value
    return told.upper() if kind in {"A", "I"} else told
