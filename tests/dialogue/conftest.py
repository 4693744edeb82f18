"""A certificate for the tests of STARTTLS, made by openssl as they begin."""

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
