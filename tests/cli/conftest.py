"""A command line on a fresh SQLite database, run in this process."""

import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailgate import cli
from tests.store.admin import ANNA, LUCA

DOMAIN = "log.muster.example"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def facts(self) -> list[dict[str, Any]]:
        assert self.code == 0, self.err
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


def _settle(patch: pytest.MonkeyPatch, folder: Path) -> None:
    for name in [name for name in os.environ if name.startswith("MAILGATE_")]:
        patch.delenv(name)
    patch.setenv("MAILGATE_DATA_DIR", str(folder / "data"))
    patch.setenv("MAILGATE_ADDRESSES__DOMAIN", DOMAIN)
    patch.setenv("MAILGATE_INSTANCE__EDITION", "marketer")
    patch.chdir(folder)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run commands where there is no database yet."""
    _settle(monkeypatch, tmp_path)

    def run(*arguments: str, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfd.readouterr()
        code = cli.run(arguments)
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def run(bare: Run, sqlite_template: Path, tmp_path: Path) -> Run:
    """Run commands on a database with the schema in it."""
    _copy(sqlite_template, tmp_path)
    return bare


WORLD = (
    ("user", "add", ANNA, "--name", "Anna Muster", "--language", "de"),
    ("user", "add", LUCA, "--name", "Luca Rossi", "--role", "administer"),
    ("user", "alias", ANNA, "a.muster@muster.example"),
    ("record", "add", "customer:1", "--name", "Optik Beispiel AG"),
    ("record", "add", "contact:12", "--name", "Nora Keller", "--email", "nora@optik.example"),
    ("record", "add", "campaign:4711", "--name", "Herbst", "--relate", "customer=customer:1"),
)


@pytest.fixture(scope="session")
def world_template(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    folder = tmp_path_factory.mktemp("world")
    _copy(sqlite_template, folder)
    with pytest.MonkeyPatch.context() as patch:
        _settle(patch, folder)
        for arguments in WORLD:
            assert cli.run(arguments) == 0, arguments
    return folder / "data" / "mailgate.db"


@pytest.fixture
def world(bare: Run, world_template: Path, tmp_path: Path) -> Run:
    """Run commands where two users and some records are."""
    _copy(world_template, tmp_path)
    return bare


def _copy(template: Path, folder: Path) -> None:
    (folder / "data").mkdir()
    shutil.copy(template, folder / "data" / "mailgate.db")
