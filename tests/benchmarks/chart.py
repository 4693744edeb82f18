"""A chart as SVG, of plain code: a bar for each ratio to Postfix, and the line at which both are as fast.

Bars of what must be at least so much and of what must be at most so much stand apart. A bar is darker where what must
hold does, and hatched where it doesn't; a tick shows what must hold.
"""

from collections.abc import Sequence
from html import escape

from tests.benchmarks.figures import TIMES, Row, Verdict, shown

WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 960, 430, 70, 18, 8, 64
MOST = 3.0
COLOURS = {Verdict.AIM: "#1b7f4b", Verdict.KEPT: "#4c9f70", Verdict.MISSED: "url(#missed)", Verdict.FREE: "#9aa5b1"}
STYLE = "font-family:sans-serif;font-size:12px;fill:#222"
HATCHED = (
    '<pattern id="missed" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" fill="#c0392b"/><rect width="2" height="6" fill="#f2d7d5"/></pattern>'
)


def chart(title: str, rows: Sequence[Row]) -> str:
    """Draw the rows whose unit is Postfix's figure; text only where there are none."""
    most = [row for row in rows if row.unit == TIMES and row.most is not None]
    rates = [row for row in rows if row.unit == TIMES and row.most is None]
    groups: list[tuple[str, list[Row]]] = [("rate: longer is better", rates), ("waiting: shorter is better", most)]
    drawn: list[Row | str] = []
    for heading, bars in groups:
        drawn += [heading, *bars] if bars else []
    height = TOP + len(drawn) * (BAR + GAP) + 30
    longest = max([2.0, *(row.value for row in drawn if isinstance(row, Row) and row.value is not None)])
    widest = min(longest, MOST)
    body = [f'<text x="12" y="24" style="{STYLE};font-size:16px">{escape(title)}</text>', _scale(widest, height)]
    for n, line in enumerate(drawn):
        y = TOP + n * (BAR + GAP)
        body.append(_bar(line, y, widest) if isinstance(line, Row) else _heading(line, y))
    size = f'width="{WIDTH}" height="{height}"'
    begin = f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {height}">'
    return "\n".join([begin, f"<defs>{HATCHED}</defs>", f'<rect {size} fill="#fff"/>', *body, "</svg>\n"])


def _across(value: float, widest: float) -> float:
    return round(value / widest * (WIDTH - LEFT - RIGHT), 1)


def _scale(widest: float, height: int) -> str:
    x = LEFT + _across(1, widest)
    return (
        f'<line x1="{x}" y1="{TOP - 14}" x2="{x}" y2="{height - 22}" stroke="#222" stroke-dasharray="4 3"/>'
        f'<text x="{x}" y="{height - 8}" text-anchor="middle" style="{STYLE}">1.0: as Postfix</text>'
    )


def _heading(words: str, y: int) -> str:
    return f'<text x="12" y="{y + 14}" style="{STYLE};font-weight:bold">{escape(words)}</text>'


def _bar(row: Row, y: int, widest: float) -> str:
    words = escape(f"{row.work}: {row.on}")
    label = f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end" style="{STYLE}">{words}</text>'
    if row.value is None:
        return label + f'<text x="{LEFT + 4}" y="{y + 14}" style="{STYLE}">not measured</text>'
    long = _across(min(row.value, widest), widest)
    bar = f'<rect x="{LEFT}" y="{y}" width="{long}" height="{BAR}" fill="{COLOURS[row.verdict]}"/>'
    wanted = row.least if row.least is not None else row.most
    tick = ""
    if wanted is not None:
        x = LEFT + _across(min(wanted, widest), widest)
        tick = f'<line x1="{x}" y1="{y - 2}" x2="{x}" y2="{y + BAR + 2}" stroke="#222" stroke-width="2"/>'
    figure = f'<text x="{LEFT + long + 6}" y="{y + 14}" style="{STYLE}">{shown(row.value)}</text>'
    return label + bar + tick + figure
