"""What is left of a run: a table in Markdown, the same for machines in JSON, and a chart in SVG.

Results are kept part by part: a run replaces the parts that it measured and leaves the others as they were, each with
the date, the machine and the length of its own run. Short runs go to files of their own (``bench.local.*``), which are
not for keeping. All three files are written beside their places first and then moved there, at the end of a run, so
that an interrupted one leaves what was there. What is to be reached and isn't in the results stands in the table as
not measured.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from pathlib import Path
from typing import Any

from tests.benchmarks.chart import chart
from tests.benchmarks.figures import Row, Verdict, shown

FOLDER = Path(__file__).with_name("results")
SHORT = "A short run: its figures are for who works on the benchmark, and say nothing of mailgate."
OF_RUN = ("date", "mailgate", "load before")  # what is said of a machine and changes by the hour
ON = ("mailgate on sqlite", "mailgate on postgresql")
# what is to be reached: part and work, on what
REACH = (
    *product(
        (
            ("throughput", "5 kB, a connection each"),
            ("throughput", "5 kB, connections reused"),
            ("throughput", "100 kB with a PDF"),
            ("throughput", "5 MB with a PDF"),
            ("latency", "p99 to 250 at half the load, 5 kB"),
            ("latency", "one mail, idle server, to 250"),
            ("memory", "idle"),
            ("memory", "20 mails of 25 MB in flight"),
            ("look-up", "RCPT with 1,000,000 records"),
            ("mixed", "p99 of 5 kB beside four of 25 MB"),
            ("roundup", "5 kB, connections reused"),
            ("growth", "5 kB, connections reused, as the store grows"),
        ),
        ON,
    ),
    (("start", "mailgate --version"), "mailgate"),
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one part found in a run."""

    name: str
    machine: Mapping[str, str]
    pairs: int
    scale: float
    seconds: float
    rows: Sequence[Row]

    def facts(self) -> dict[str, object]:
        """Write it for machines."""
        return {
            "part": self.name,
            "machine": dict(self.machine),
            "pairs": self.pairs,
            "scale": self.scale,
            "seconds": self.seconds,
            "rows": [row.facts() for row in self.rows],
        }

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> "Part":
        """Read what ``facts`` wrote."""
        rows = [Row(**{name: value for name, value in row.items() if name != "verdict"}) for row in facts["rows"]]
        rest = {name: facts[name] for name in ("machine", "pairs", "scale", "seconds")}
        return cls(name=facts["part"], rows=rows, **rest)


def write(parts: Iterable[Part], *, short: bool, order: Sequence[str], folder: Path = FOLDER) -> list[Path]:
    """Put parts among those that are there, and say which files that made."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "bench.local" if short else "bench"
    figures = folder / f"{name}.json"
    merged = {part.name: part for part in (*_there(figures), *parts)}
    whole = [merged[each] for each in (*order, *merged.keys() - set(order)) if each in merged]
    made = {
        figures: as_json(whole),
        folder / f"{name}.md": markdown(whole, name, short=short),
        folder / f"{name}.svg": chart("mailgate beside Postfix" + (" (a short run)" if short else ""), _rows(whole)),
    }
    try:
        for path, words in made.items():
            _beside(path).write_text(words, encoding="utf-8")
        for path in made:
            _beside(path).replace(path)
    finally:
        for path in made:
            _beside(path).unlink(missing_ok=True)
    return list(made)


def _there(figures: Path) -> list[Part]:
    if not figures.exists():
        return []
    return [Part.read(part) for part in json.loads(figures.read_text(encoding="utf-8"))["parts"]]


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def _rows(parts: Iterable[Part]) -> list[Row]:
    return [row for part in parts for row in part.rows]


def missing(rows: Iterable[Row]) -> list[Row]:
    """Give a row for each that is to be reached and isn't there."""
    there = {(row.part, row.work, row.on) for row in rows}
    return [
        Row(part=part, work=work, on=on, unit="", value=None, why="not in these results")
        for (part, work), on in REACH
        if (part, work, on) not in there
    ]


def fallen_short(rows: Iterable[Row]) -> list[Row]:
    """Give the rows of which something is wanted that doesn't hold, or that could not be measured."""
    return [row for row in rows if row.verdict in {Verdict.MISSED, Verdict.ABSENT}]


def markdown(parts: Sequence[Part], name: str, *, short: bool) -> str:
    """Write the tables."""
    rows = _rows(parts)
    rows += missing(rows)
    lines = ["# What was measured", "", *([f"**{SHORT}**", ""] if short else [])]
    lines += [_summary(rows), "", f"![ratios to Postfix]({name}.svg)", ""]
    for part, found in groupby(sorted(rows, key=_place(rows)), lambda row: row.part):
        lines += [f"## {part}", "", "| work | on | figure | wanted | aim | | beside |", "|---|---|---|---|---|---|---|"]
        lines += [*map(_line, found), ""]
    return "\n".join([*lines, "## Where and when", "", *_machines(parts)]) + "\n"


def as_json(parts: Sequence[Part]) -> str:
    """Write all figures for machines."""
    return json.dumps({"parts": [part.facts() for part in parts]}, indent=1, ensure_ascii=False) + "\n"


def _place(rows: Sequence[Row]) -> Any:
    order = list(dict.fromkeys(row.part for row in rows))
    return lambda row: order.index(row.part)


def _summary(rows: Sequence[Row]) -> str:
    wanted = [row for row in rows if row.wanted or row.value is None]
    bad = fallen_short(rows)
    if not bad:
        return f"All {len(wanted)} figures that are wanted hold."
    named = "; ".join(f"{row.part}: {row.work} on {row.on}" for row in bad)
    return f"{len(bad)} of {len(wanted)} figures that are wanted are missed or not measured: {named}."


def _line(row: Row) -> str:
    value = "-" if row.value is None else f"{shown(row.value)} {row.unit}"
    verdict = f"**{row.verdict}**" if row.verdict in {Verdict.MISSED, Verdict.ABSENT} else str(row.verdict)
    cells = (row.work, row.on, value, row.wanted, row.hoped, verdict, row.said)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _machines(parts: Sequence[Part]) -> list[str]:
    lines = ["| part | date | mailgate | minutes | pairs | scale |", "|---|---|---|---|---|---|"]
    machines: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for part in parts:
        run = [part.machine.get(what, "") for what in OF_RUN[:2]]
        cells = (part.name, *run, shown(part.seconds / 60), str(part.pairs), f"{part.scale:g}")
        lines.append("| " + " | ".join(cells) + " |")
        lasting = tuple((name, said) for name, said in part.machine.items() if name not in OF_RUN)
        machines.setdefault(lasting, []).append(part.name)
    for machine, names in machines.items():
        lines += ["", f"{', '.join(names)}:", "", *(f"- {name}: {said}" for name, said in machine)]
    return lines
