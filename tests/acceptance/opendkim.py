"""A real OpenDKIM in a folder of its own, as a milter that checks signatures and writes what it found.

Needs root (it changes to its own user) and Debian's ``opendkim``. It knows the keys it is given and asks no DNS.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.postfix import accepts, free_port, wait_for
from tests.acceptance.signing import Signer

# Postfix runs on this machine, and mail from this machine is otherwise signed, not checked; what others wrote stays, so
# that it comes to us (by default OpenDKIM takes away what carries its own name)
SETTINGS = """\
Mode v
Socket inet:{port}@127.0.0.1
AuthservID {authserv_id}
TestPublicKeys {base}/keys
InternalHosts 192.0.2.255
KeepAuthResults yes
UserID opendkim
Background no
"""


def installed() -> bool:
    """Say whether an OpenDKIM is there and may be started by us."""
    return shutil.which("opendkim") is not None and os.geteuid() == 0


@contextmanager
def opendkim(authserv_id: str, keys: Sequence[Signer]) -> Iterator[str]:
    """Run an OpenDKIM; gives its milter as Postfix writes it."""
    base = Path(tempfile.mkdtemp(prefix="mailgate-opendkim-"))
    base.chmod(0o755)
    port = free_port()
    (base / "keys").write_text("".join(f"{key.name} {key.record}\n" for key in keys))
    (base / "conf").write_text(SETTINGS.format(base=base, port=port, authserv_id=authserv_id))
    process = subprocess.Popen(["opendkim", "-x", str(base / "conf"), "-f"])
    try:
        wait_for(lambda: process.poll() is not None or accepts(port))
        assert process.poll() is None, f"OpenDKIM did not start: {process.returncode}"
        yield f"inet:127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(base, ignore_errors=True)
