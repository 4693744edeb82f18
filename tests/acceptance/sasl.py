"""Logins for a Postfix: Cyrus SASL with a password file of its own (Debian: ``sasl2-bin``, ``libsasl2-modules``)."""

import os
import shutil
import subprocess
from pathlib import Path

PASSWORD = "invented"  # of logins that exist while a test runs

SETTINGS = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {file}
mech_list: PLAIN LOGIN
"""

ENABLED = "smtpd_sasl_auth_enable = yes\n"


def installed() -> bool:
    """Say whether logins can be made, and Postfix be started by us."""
    return shutil.which("saslpasswd2") is not None and os.geteuid() == 0


def logins(folder: Path, *names: str) -> dict[str, str]:
    """Make logins, each an address; ``folder`` is one that Postfix may enter. Gives the file for beside main.cf."""
    file = folder / "sasldb"
    for name in names:
        local, _, realm = name.partition("@")
        command = ["saslpasswd2", "-p", "-c", "-f", str(file), "-u", realm, local]
        subprocess.run(command, input=PASSWORD.encode(), capture_output=True, check=True)
    shutil.chown(file, "postfix")
    return {"sasl/smtpd.conf": SETTINGS.format(file=file)}
