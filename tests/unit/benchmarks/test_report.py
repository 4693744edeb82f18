"""The files of a run: complete, whole or not at all, short ones apart."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.benchmarks import report
from tests.benchmarks.chart import chart
from tests.benchmarks.figures import TIMES, Row, Verdict

MACHINE = {"processor": "two cores", "date": "2026-01-01", "mailgate": "abc", "load before": "0.10"}
ORDER = ("start", "throughput", "growth")


def row(value: float | None, *, work: str = "5 kB, a connection each", on: str = report.ON[0], why: str = "") -> Row:
    beside: dict[str, float | str] = {"worst": 0.5, "note": "a | b"}
    return Row(part="throughput", work=work, on=on, unit=TIMES, value=value, least=1.0, aim=1.5, beside=beside, why=why)


def part(*rows: Row, name: str = "throughput", machine: str = "two cores") -> report.Part:
    return report.Part(
        name=name, machine=MACHINE | {"processor": machine}, pairs=5, scale=1.0, seconds=60.0, rows=list(rows)
    )


def test_a_missed_row_is_shown_as_missed() -> None:
    text = report.markdown([part(row(0.4), row(1.2, on=report.ON[1]))], "bench", short=False)
    assert "| 5 kB, a connection each | mailgate on sqlite | 0.40 x Postfix | ≥ 1.00 | ≥ 1.50 | **MISSED** |" in text
    assert "| 5 kB, a connection each | mailgate on postgresql | 1.20 x Postfix | ≥ 1.00 | ≥ 1.50 | kept |" in text
    assert "throughput: 5 kB, a connection each on mailgate on sqlite" in text.splitlines()[2]


def test_cells_keep_their_columns() -> None:
    text = report.markdown([part(row(0.4))], "bench", short=False)
    (line,) = [line for line in text.splitlines() if "0.40 x Postfix" in line]
    assert line.replace("\\|", "").count("|") == 8


def test_what_is_to_be_reached_and_not_there_is_not_measured() -> None:
    gone = {((one.part, one.work), one.on) for one in report.missing([row(1.0)])}
    assert gone == set(report.REACH) - {(("throughput", "5 kB, a connection each"), report.ON[0])}
    text = report.markdown([part(row(1.0))], "bench", short=False)
    assert "| mailgate --version | mailgate | - |  |  | **not measured** | not in these results |" in text


def test_all_reached_is_said() -> None:
    rows = [Row(part=what, work=work, on=on, unit="x", value=1.0, least=1.0) for (what, work), on in report.REACH]
    assert f"All {len(rows)} figures that are wanted hold." in report.markdown([part(*rows)], "bench", short=False)


def test_short_runs_stand_apart_and_say_so(tmp_path: Path) -> None:
    report.write([part(row(1.0))], short=False, order=ORDER, folder=tmp_path)
    full = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    report.write([part(row(0.1))], short=True, order=ORDER, folder=tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in full} == full
    assert report.SHORT in (tmp_path / "bench.local.md").read_text()
    assert report.SHORT not in (tmp_path / "bench.md").read_text()


def test_a_run_replaces_its_parts_and_keeps_the_others(tmp_path: Path) -> None:
    report.write([part(row(0.4)), part(name="growth")], short=False, order=ORDER, folder=tmp_path)
    report.write([part(row(1.6), machine="four cores"), part(name="start")], short=False, order=ORDER, folder=tmp_path)
    kept = json.loads((tmp_path / "bench.json").read_text())["parts"]
    assert [each["part"] for each in kept] == ["start", "throughput", "growth"]
    assert [each["value"] for each in kept[1]["rows"]] == [1.6]
    text = (tmp_path / "bench.md").read_text()
    assert "throughput:\n\n- processor: four cores" in text
    assert "start, growth:\n\n- processor: two cores" in text


def test_figures_come_back_as_they_were() -> None:
    before = part(row(0.4), row(None, why="no Postfix"))
    facts = json.loads(report.as_json([before]))["parts"][0]
    assert report.Part.read(facts) == before
    assert [each["verdict"] for each in facts["rows"]] == [Verdict.MISSED.value, Verdict.ABSENT.value]


def test_a_run_that_ends_while_writing_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report.write([part(row(1.0))], short=False, order=ORDER, folder=tmp_path)
    full = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "chart", interrupted)
    with pytest.raises(KeyboardInterrupt):
        report.write([part(row(0.1))], short=False, order=ORDER, folder=tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == full


def test_the_chart_has_a_bar_for_each_ratio_and_the_line_at_one() -> None:
    other = Row(part="start", work="w", on="o", unit="s", value=0.1, most=0.3)
    drawn = chart("Mails & <more>", [row(0.5), row(1.5), row(None), other])
    tree = ET.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    bars = [bar for bar in tree.findall(f"{space}rect") if bar.get("x")]
    line = next(each for each in tree.findall(f"{space}line") if each.get("stroke-dasharray"))
    left = float(bars[0].get("x", ""))
    one = float(line.get("x1", "")) - left
    assert [float(bar.get("width", "")) for bar in bars] == pytest.approx([0.5 * one, 1.5 * one], abs=0.2)
    assert "not measured" in drawn
