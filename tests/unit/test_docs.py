"""The pages and the program say the same."""

import re
import tomllib
from pathlib import Path

import pytest

from mailgate import events
from mailgate.domain.mail import CODES
from mailgate.errors import Reason
from mailgate.mime import notes
from mailgate.smtp import replies

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("reason", list(Reason))
def test_the_readme_says_what_to_do_about_each_reason(reason: Reason) -> None:
    row = replies.ROWS[reason]
    line = next(line for line in README.splitlines() if line.startswith(f"| {row.stable} |"))
    assert f"`{reason.value}`" in line
    assert str(row.code) in line
    assert f"{row.code // 100}.{row.detail}" in line or not row.detail


def test_the_readme_lists_every_metric_and_no_other() -> None:
    families = {family.name for family in events.registry.collect() if not family.name.endswith("_created")}
    listed = {re.sub(r"_total$", "", name) for name in re.findall(r"^\| `(mailgate_\w+)", README, re.MULTILINE)}
    assert listed == families


@pytest.mark.parametrize("word", ["make run", "make test", "make check", "make fmt", "make bench"])
def test_the_readme_names_each_target(word: str) -> None:
    assert word in README


@pytest.mark.parametrize("page", ["README.md", *(f"deploy/{path.name}" for path in (ROOT / "deploy").glob("*.md"))])
def test_what_a_page_points_at_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((ROOT / page).parent / target).exists(), target


def test_the_readme_names_every_layer_in_its_place() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    (line,) = re.findall(r"^    errors.*(?:\n +<-.*)*", README, re.MULTILINE)
    shown = [{name.strip() for name in layer.split(",")} for layer in line.split("<-")]
    held = [{name.strip() for name in layer.split("|")} for layer in reversed(layers)]
    assert shown == held[:-1]
    assert held[-1] == {"__main__"}


def test_the_readme_explains_every_note_and_no_other() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "mailgate").rglob("*.py"))
    codes = {value for name, value in vars(notes).items() if name.isupper() and isinstance(value, str)}
    listed = re.findall(r"^\| `([a-z_]+)` \| ", README.partition("| note |")[2].partition("\n\n")[0], re.MULTILINE)
    assert sorted(listed) == sorted(codes | set(re.findall(r"\bNote\(\s*\"([a-z_]+)\"", sources)))
    assert sorted(listed) == sorted(CODES)
