"""The engines and transports that every acceptance test runs over, and the check that Postfix is there at all."""

import os
from pathlib import Path

import pytest

from mailgate import app
from tests.acceptance.postfix import installed
from tests.acceptance.program import Program, program

NEEDS_POSTFIX = "acceptance"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs Postfix where there is none, and say so; where one is required, keep it: it then fails."""
    if installed() or os.environ.get("TEST_REQUIRE_POSTFIX") == "1":
        return
    without = [item for item in items if item.get_closest_marker(NEEDS_POSTFIX) is not None]
    if not without:
        return
    items[:] = [item for item in items if item not in without]
    config.hook.pytest_deselected(items=without)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"{len(without)} tests need root and a Postfix (Debian: apt-get install postfix): left out")


@pytest.fixture(params=["sqlite", "postgresql"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    """Settle a program on each engine, with its schema in place."""
    tmp_path.chmod(0o755)
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    extra = {"MAILGATE_STORE__ALLOW_UNSAFE": "true"} if url else {}
    settled = program(tmp_path, url, **extra)
    app.migrate(settled.settings())
    return settled
