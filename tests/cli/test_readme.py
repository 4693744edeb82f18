"""The examples of the README, run as they stand there, one after the other, in the demo world."""

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

from mailgate import demo
from tests.cli.conftest import Run

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def _commands(heading: str) -> list[list[str]]:
    """Read the first indented block under a heading, without the program's name."""
    section = README.split(f"\n### {heading}\n", 1)[1]
    (block,) = re.findall(r"(?:^    .*\n)+", section.split("\n### ", 1)[0], re.MULTILINE)[:1]
    lines = [shlex.split(line) for line in block.replace("\\\n", " ").splitlines()]
    assert all(line[0] == "mailgate" for line in lines)
    return [line[1:] for line in lines]


def test_what_is_shown_of_activities_made_by_hand_works(run: Run, tmp_path: Path) -> None:
    assert run("demo").code == 0
    (tmp_path / "offer.pdf").write_bytes(b"%PDF-1.4")
    (address,) = run("address", "show", "campaign:4711", "--json").facts
    (said,) = run("ingest", "-", "--to", address["address"], "--json", stdin=demo.a_mail(datetime.now(UTC))).facts
    ids = {"MAIL": said["activity"]}
    commands = _commands("Activities made by hand")
    assert {words[1] for words in commands} == {"add", "set", "done", "topic", "topics"}
    for words in commands:
        ran = run(*(ids.get(word, word) for word in words), "--json")
        assert ran.code == 0, (words, ran.err)
        if words[1] == "add":
            ids[words[words.index("--type") + 1].upper()] = ran.facts[0]["id"]
    meeting, task, mail = (
        run("activity", "show", ids[name], "--json").facts[0] for name in ("MEETING", "TASK", "MAIL")
    )
    assert (meeting["place"], meeting["occurred_at"]) == (None, "2026-11-20T08:30:00Z")
    assert (task["done"], mail["topic"]) == (True, "offer")
