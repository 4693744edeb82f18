"""What was measured, part by part, in three files: ``figures.json`` for machines, ``table.md``, ``chart.svg``.

A run replaces the parts that it measured and leaves the others as they were, each with its own date and machine. It
writes once, at its end, each file beside and then in one go: an interrupted run changes nothing. Short runs
(``BENCH_SCALE`` below 1, or fewer than five pairs) go to files of their own (``*.local.*``, which git doesn't see) and
say so; they never touch the full ones.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.chart import drawn
from tests.benchmarks.figures import Row, Verdict, shown
from tests.benchmarks.machine import Machine

FOLDER = Path(__file__).parent / "results"
# what is to be reached, by part and row, on each engine: where a row is missing it stands there as not measured
REACH: tuple[tuple[str, str], ...] = (
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
    ("growth", "5 kB, connections reused, as the store grows"),
)
ALONE = (("start", "mailgate --version"), ("roundup", "5 kB, in-process"))  # those with one row for both engines
ON = ("mailgate on sqlite", "mailgate on postgresql")


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that were measured together. ``run`` says how long, with how many pairs, at which scale."""

    name: str
    machine: Machine
    run: Mapping[str, float]
    rows: Sequence[Row]

    def facts(self) -> dict[str, object]:
        """Write it for machines."""
        run = dict(self.run)
        return {"part": self.name, "machine": self.machine, "run": run, "rows": [row.facts() for row in self.rows]}

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> "Part":
        """Read what ``facts`` wrote."""
        rows = [Row(**{key: value for key, value in row.items() if key != "verdict"}) for row in facts["rows"]]
        return cls(facts["part"], facts["machine"], facts["run"], rows)


def keep(parts: Iterable[Part], *, short: bool, folder: Path = FOLDER) -> Path:
    """Write the parts beside those that are there; gives the file of the table."""
    folder.mkdir(exist_ok=True)
    middle = ".local" if short else ""
    figures = folder / f"figures{middle}.json"
    kept = {part.name: part for part in (*_before(figures), *parts)}
    whole = list(kept.values())
    _write(figures, json.dumps({"short": short, "parts": [part.facts() for part in whole]}, indent=1) + "\n")
    _write(folder / f"chart{middle}.svg", drawn([row for part in whole for row in part.rows], short=short))
    path = folder / f"table{middle}.md"
    _write(path, table(whole, short=short, chart=f"chart{middle}.svg"))
    return path


def _before(figures: Path) -> list[Part]:
    if not figures.exists():
        return []
    return [Part.read(part) for part in json.loads(figures.read_text(encoding="utf-8"))["parts"]]


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def missing(rows: Sequence[Row]) -> list[Row]:
    """Give a row for each that is to be reached and isn't there."""
    wanted = [(*reach, on) for reach in REACH for on in ON] + [(*alone, "mailgate") for alone in ALONE]
    there = {(row.part, row.work, row.on) for row in rows}
    return [
        Row(part=part, work=work, on=on, unit="", value=None, why="not in these results")
        for part, work, on in wanted
        if (part, work, on) not in there
    ]


def table(parts: Sequence[Part], *, short: bool, chart: str) -> str:
    """Write all rows as Markdown, those first that fall short of what must hold."""
    rows = [row for part in parts for row in part.rows]
    rows += missing(rows)
    lines = ["# What mailgate does on one machine", ""]
    if short:
        lines += ["**A short run: these figures are for who works on the benchmark, and say nothing of mailgate.**", ""]
    lines += [*_verdicts(rows), "", f"![ratios to Postfix]({chart})", ""]
    for name in dict.fromkeys(row.part for row in rows):
        lines += [f"## {name}", "", *_rows([row for row in rows if row.part == name]), ""]
    return "\n".join([*lines, "## Where and how", "", *_machines(parts)]) + "\n"


def _verdicts(rows: Sequence[Row]) -> list[str]:
    lines = []
    for verdict in (Verdict.MISSED, Verdict.ABSENT, Verdict.KEPT, Verdict.AIM):
        found = [f"{row.part}: {row.work} ({row.on})" for row in rows if row.verdict is verdict]
        hard = verdict in {Verdict.MISSED, Verdict.ABSENT}
        lines.append(f"- {verdict.value}: {len(found)}" + (f": {'; '.join(found)}" if found and hard else ""))
    return lines


def _rows(rows: Sequence[Row]) -> list[str]:
    lines = ["| work | on | figure | at least / most | aim | | beside |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        figure = "-" if row.value is None else f"{shown(row.value)} {row.unit}"
        verdict = f"**{row.verdict.value}**" if row.verdict is Verdict.MISSED else row.verdict.value
        cells = (row.work, row.on, figure, row.wanted, row.hoped, verdict, row.said)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def _machines(parts: Sequence[Part]) -> list[str]:
    lines = []
    for part in parts:
        machine = ", ".join(f"{name} {what}" for name, what in part.machine.items())
        run = ", ".join(f"{name} {shown(figure)}" for name, figure in part.run.items())
        lines.append(f"- {part.name}: {machine}; {run}")
    return lines
