"""The rows of a CSV file as people's programs write them, read in bounded memory and more than once if need be.

The first row names the columns, in any order and case. Separated by comma, semicolon or tab: whichever gives the
header the most columns. UTF-8 with or without BOM, UTF-16 with BOM (Excel's "Unicode text"), else windows-1252.

Refuses, with ``BadInput``: no header, an unknown column, one named twice, the key column missing. A bad row carries its
error and costs only itself: a control character or line break in a cell, a character that was lost, more filled cells
than columns, a line longer than 64 Ki characters, a quotation mark that isn't closed (the next lines are rows again).
Missing cells at the end of a row are empty (Excel leaves them out), rows without any text are passed over.
"""

import codecs
import csv
import io
import shutil
import tempfile
import unicodedata
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from mailgate.errors import BadInput

SEPARATORS = (",", ";", "\t")
MAX_LINE = 64 * 1024  # characters
MAX_JOINED = 20  # lines that one quoted cell may run over before its quotation mark counts as forgotten
LOST = "\ufffd"
_CHUNK = 1 << 20
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NOT_IN_CELLS = {"Cc", "Cs", "Zl", "Zp"}
_UNCLOSED = "a quotation mark isn't closed in this row"
_CLOSED_EARLY = "a quotation mark closes in the middle of a cell: write two for one in the text"


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row: ``number`` as a spreadsheet counts (the header is 1), trimmed cells by column, or what is wrong."""

    number: int
    cells: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None


class Sheet:
    """An open CSV file. ``file`` must stay open; what can't be read twice is copied to disk first."""

    def __init__(self, file: BinaryIO, columns: Sequence[str], key: str) -> None:
        self._file = file if file.seekable() else _copied(file)
        self._encoding = _encoding(self._file)
        first = next(self._lines(), "")
        self._separator = max(SEPARATORS, key=lambda one: len(_cells([first], one) or ()))
        self._columns = [cell.strip().lower() for cell in _cells([first], self._separator) or ()]
        _check_header(self._columns, columns, key)

    def rows(self) -> Iterator[SheetRow]:
        """Give the rows behind the header, from the first one each time."""
        lines = _Lines(self._lines())
        for number, line in enumerate(lines, start=1):
            cells = self._joined(line, lines)
            if number == 1:
                continue
            if isinstance(cells, str):
                yield SheetRow(number, error=cells)
            elif any(cell.strip() for cell in cells):
                yield self._row(number, cells)

    def _lines(self) -> Iterator[str]:
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding=self._encoding, errors="replace", newline="")
        try:
            while line := text.readline(MAX_LINE):
                yield line
                while len(line) == MAX_LINE and not line.endswith(("\n", "\r")):
                    line = text.readline(MAX_LINE)  # the rest of a line that is too long anyway
        finally:
            text.detach()

    def _joined(self, line: str, lines: "_Lines") -> list[str] | str:
        """Read the cells of a row that may run over several lines; text is an error."""
        if len(line) >= MAX_LINE:
            return f"the line has {MAX_LINE} characters or more"
        taken = [line]
        while (cells := self._accepted(taken)) is None:
            if not _is_open(taken, self._separator):
                lines.put_back(taken[1:])
                return _UNCLOSED if taken[1:] else _CLOSED_EARLY
            more = next(lines, None)
            taken += [] if more is None else [more]
            if more is None or len(taken) > MAX_JOINED:
                lines.put_back(taken[1:])
                return _UNCLOSED
        return cells

    def _accepted(self, taken: Sequence[str]) -> list[str] | None:
        cells = _cells(taken, self._separator)
        # with more cells than columns, a forgotten quotation mark was closed by the first one of a later row
        too_many = cells is not None and len(taken) > 1 and len(cells) > len(self._columns)
        return None if too_many else cells

    def _row(self, number: int, cells: Sequence[str]) -> SheetRow:
        if any(cell.strip() for cell in cells[len(self._columns) :]):
            return SheetRow(number, error=f"the row has {len(cells)} cells, the header {len(self._columns)}")
        named = {column: cell.strip() for column, cell in zip(self._columns, cells, strict=False)}
        errors = (_unfit(column, cell) for column, cell in zip(self._columns, cells, strict=False))
        error = next((one for one in errors if one), None)
        return SheetRow(number, named, error)


class _Lines(Iterator[str]):
    """Lines, some of which were put back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._back: deque[str] = deque()

    def __next__(self) -> str:
        return self._back.popleft() if self._back else next(self._lines)

    def put_back(self, lines: Sequence[str]) -> None:
        self._back.extendleft(reversed(lines))


def _cells(lines: Sequence[str], separator: str) -> list[str] | None:
    try:
        return next(csv.reader(lines, delimiter=separator, strict=True), [])
    except csv.Error:
        return None


def _is_open(lines: Sequence[str], separator: str) -> bool:
    """Say whether the lines end inside quotation marks, by reading them once more with one at the end."""
    closed = [*lines[:-1], lines[-1].rstrip("\r\n") + '"']
    return _cells(closed, separator) is not None


def _unfit(column: str, cell: str) -> str | None:
    if LOST in cell:
        return f"{column}: a character of {cell[:80]!a} was lost: save the file as UTF-8"
    bad = next((char for char in cell if unicodedata.category(char) in _NOT_IN_CELLS), None)
    return None if bad is None else f"{column}: {cell[:80]!a} holds the control character {bad!a}: take it out"


def _check_header(header: Sequence[str], columns: Sequence[str], key: str) -> None:
    known = f"the columns are {', '.join(columns)}"
    if not any(header):
        raise BadInput(f"the file has no header: its first row must name the columns; {known}")
    for name in header:
        if name not in columns:
            raise BadInput(f"unknown column {name[:80]!a}: {known}")
        if header.count(name) > 1:
            raise BadInput(f"column {name} stands twice in the header: {known}")
    if key not in header:
        raise BadInput(f"no column {key} in the header: it names what each row is about; {known}")


def _encoding(file: BinaryIO) -> str:
    """Tell how the file is written; whatever isn't UTF-8 throughout and has no BOM is windows-1252."""
    file.seek(0)
    start = file.read(4)
    for bom, encoding in _BOMS:
        if start.startswith(bom):
            return encoding
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(start)
        while piece := file.read(_CHUNK):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "windows-1252"
    return "utf-8"


def _copied(file: BinaryIO) -> BinaryIO:
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the sheet and vanishes with it
    shutil.copyfileobj(file, copy)
    return copy
