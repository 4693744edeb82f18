"""A certificate for the tests of STARTTLS, made by openssl as they begin; and what is done without HAProxy."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mailgate.smtp.tls import TlsFiles
from tests.dialogue.running import HOSTNAME


def make_certificate(folder: Path, name: str = HOSTNAME) -> TlsFiles:
    files = TlsFiles(folder / "cert.pem", folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(files.key), "-out", str(files.cert)]
    subprocess.run(command, check=True, capture_output=True)
    return files


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "haproxy: needs Debian's haproxy")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs HAProxy where it isn't there, and say so; where it is required, keep it: it then fails."""
    there = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    without = [item for item in items if item.get_closest_marker("haproxy")]
    if there or not without or os.environ.get("TEST_REQUIRE_HAPROXY") == "1":
        return
    items[:] = [item for item in items if item not in without]
    config.hook.pytest_deselected(items=without)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"{len(without)} tests left out: they need haproxy (.ci/run installs it)")
