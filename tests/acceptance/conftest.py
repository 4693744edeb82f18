"""The engines and transports that acceptance tests run over, and the check that what they need is there at all.

``pytest.mark.acceptance`` asks for Postfix, and names what else a test needs: ``acceptance("rspamd")``.
"""

import os
from pathlib import Path

import pytest

from mailgate import app
from tests.acceptance import opendkim, postfix, rspamd, sasl
from tests.acceptance.outside import SIGNING
from tests.acceptance.program import Program, program
from tests.acceptance.signing import Signer, signer

MARK = "acceptance"
INSTALLED = {
    "postfix": postfix.installed,
    "opendkim": opendkim.installed,
    "rspamd": rspamd.installed,
    "sasl": sasl.installed,
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a program that isn't there, and say so; where it is required, keep it: it then fails."""
    absent = {name for name, there in INSTALLED.items() if not (_required(name) or there())}
    without = [item for item in items if absent & _needed(item)]
    if not without:
        return
    items[:] = [item for item in items if item not in without]
    config.hook.pytest_deselected(items=without)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        names = ", ".join(sorted(absent))
        reporter.write_line(f"{len(without)} tests left out: they need root and {names} (.ci/run installs them)")


def _required(name: str) -> bool:
    return os.environ.get(f"TEST_REQUIRE_{name.upper()}") == "1"


def _needed(item: pytest.Item) -> set[str]:
    mark = item.get_closest_marker(MARK)
    return {"postfix", *mark.args} if mark else set()


@pytest.fixture(params=["sqlite", "postgresql"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    """Settle a program on each engine, with its schema in place."""
    tmp_path.chmod(0o755)
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    extra = {"MAILGATE_STORE__ALLOW_UNSAFE": "true"} if url else {}
    settled = program(tmp_path, url, **extra)
    app.migrate(settled.settings())
    return settled


@pytest.fixture(scope="session")
def keys() -> dict[str, Signer]:
    """Make the keys of the domains that sign."""
    return {domain: signer(domain) for domain in SIGNING}
