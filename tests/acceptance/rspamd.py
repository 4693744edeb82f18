"""A real rspamd in a folder of its own, as a milter that checks SPF, DKIM and DMARC and writes what it found.

Needs root (it changes to its own user) and Debian's ``rspamd``, started with nothing but those modules: no network
lists, no statistics, no files of the system's. It judges by the name server it is given and by nothing else. What
others wrote stays in the mail, so that it comes to us (by default it takes away all Authentication-Results).
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.postfix import accepts, free_port, wait_for

SETTINGS = """\
options {{
  filters = "dkim";
  dns {{ nameserver = ["{name_server}"]; timeout = 1s; retransmits = 2; }}
  local_addrs = ["127.0.0.0/8"];
  tempdir = "{base}"; dynamic_conf = "{base}/dynamic"; cache_file = "{base}/cache"; history_file = "{base}/history";
  stats_file = "{base}/stats"; control_socket = "{base}/control mode=0600"; pidfile = "{base}/pid";
  url_tld = "{base}/suffixes"; disable_hyperscan = true; max_lua_urls = 1024; words_decay = 600;
}}
logging {{ type = "console"; level = "info"; }}
lua = "{base}/rules.lua";
worker "rspamd_proxy" {{
  bind_socket = "127.0.0.1:{port}"; count = 1; milter = yes; timeout = 30s;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
modules {{
  path = "{plugins}/spf.lua"; path = "{plugins}/dmarc.lua"; path = "{plugins}/milter_headers.lua";
}}
metric {{ name = "default"; actions {{ }} }}
dkim {{ }}
spf {{ }}
dmarc {{ }}
milter_headers {{
  use = ["authentication-results"]; skip_local = false; skip_authenticated = false;
  routines {{ authentication-results {{ remove = false }} }}
}}
"""

# what rspamd's own rules start with, and none of those rules
RULES = 'require "global_functions" ()\nconfig["regexp"] = {}\nrspamd_maps = {}\n'
PLUGINS = "/usr/share/rspamd/plugins"


def installed() -> bool:
    """Say whether an rspamd is there and may be started by us."""
    return shutil.which("rspamd") is not None and os.geteuid() == 0


@contextmanager
def rspamd(name_server: str) -> Iterator[str]:
    """Run an rspamd that asks this name server, ``ADDRESS:PORT``; gives its milter as Postfix writes it.

    Its authserv-id is the ``myhostname`` of the Postfix that asks it.
    """
    base = Path(tempfile.mkdtemp(prefix="mailgate-rspamd-"))
    base.chmod(0o755)
    shutil.chown(base, "_rspamd")
    port = free_port()
    (base / "rules.lua").write_text(RULES)
    (base / "suffixes").write_text("example\ntest\n")
    (base / "rspamd.conf").write_text(SETTINGS.format(base=base, port=port, name_server=name_server, plugins=PLUGINS))
    command = ["rspamd", "-c", str(base / "rspamd.conf"), "-f", "-u", "_rspamd", "-g", "_rspamd"]
    with (base / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(lambda: process.poll() is not None or accepts(port))
        assert process.poll() is None, (base / "log").read_text()
        yield f"inet:127.0.0.1:{port}"
    finally:
        print((base / "log").read_text(errors="replace"))  # pytest shows it beside a failure
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        shutil.rmtree(base, ignore_errors=True)
