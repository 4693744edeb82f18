"""Tables of data as columns of text.

A table is one of data where at least two rows have two cells with words, no cell is long or of many lines, and the
whole isn't wide; ``lines`` gives nothing for any other. Letters of East Asia count as two wide.

Raises nothing; linear, and never more than ``most`` letters.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

MAX_COLUMNS = 20
MAX_CELL = 60  # letters of a line in a column
MAX_CELL_LINES = 4
MAX_ROW = 160
LEAST = 2  # rows, and cells in them

_WIDE = re.compile(
    "[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6"
    "\U0001f300-\U0001f64f\U0001f900-\U0001f9ff\U00020000-\U0003fffd]"
)


class Cell(NamedTuple):
    """The lines of a cell, and where it stands in its row."""

    column: int
    span: int
    lines: Sequence[str]


def lines(rows: Sequence[Sequence[Cell]], most: int) -> list[str]:
    """Write a table of data as columns; nothing where it isn't one."""
    filled = [row for row in rows if any(cell.lines for cell in row)]
    if sum(sum(bool(cell.lines) for cell in row) >= LEAST for row in filled) < LEAST:
        return []
    cells = [cell for row in filled for cell in row if cell.lines]
    if any(len(cell.lines) > MAX_CELL_LINES or max(map(_width, cell.lines)) > MAX_CELL for cell in cells):
        return []
    starts = _starts(cells)
    if starts[-1] > MAX_ROW or starts[-1] * sum(map(_height, filled)) > most:
        return []
    return [line for row in filled for line in _row(row, starts)]


def _starts(cells: Sequence[Cell]) -> list[int]:
    """Say where each column starts, and where the last one ends."""
    widths: dict[int, int] = {}
    for cell in cells:
        if cell.span == 1:
            widths[cell.column] = max(widths.get(cell.column, 0), *map(_width, cell.lines))
    starts = [0]
    for column in range(max(widths, default=0) + 1):
        width = widths.get(column, 0)
        starts.append(starts[-1] + (width + 2 if width else 0))
    return starts


def _height(row: Sequence[Cell]) -> int:
    return max(len(cell.lines) for cell in row)


def _row(row: Sequence[Cell], starts: Sequence[int]) -> list[str]:
    told = []
    for n in range(_height(row)):
        line, width = "", 0
        for cell in row:
            if n < len(cell.lines):
                start = starts[min(cell.column, len(starts) - 1)]
                gap = " " * max(start - width, 2 if line else 0)
                line += gap + cell.lines[n]
                width += len(gap) + _width(cell.lines[n])
        told.append(line)
    return told


def _width(line: str) -> int:
    return len(line) + (0 if line.isascii() else len(_WIDE.findall(line)))
