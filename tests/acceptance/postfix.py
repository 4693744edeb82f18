"""A real Postfix in a folder of its own: its own settings, queue, log and ports; nothing of the system's is touched.

Needs root (Postfix changes users by itself) and Debian's ``postfix``. ``TEST_REQUIRE_POSTFIX=1`` makes a missing one a
failure; without it the tests that need one are not collected, and say so.
"""

import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

PORTS = 10_000, 32_000  # below those of clients on Linux, macOS and the BSDs

MASTER = """\
{listen} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

MAIN = """\
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {base}/log
maillog_file_prefixes = {base}
mail_owner = postfix
setgid_group = postdrop
myhostname = {name}.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
smtpd_relay_restrictions = {who_may_relay}
smtpd_recipient_restrictions =
alias_maps =
alias_database =
local_recipient_maps =
smtp_host_lookup = native
smtp_dns_support_level = disabled
transport_maps = inline:{{ {record_domain}={transport} }}
default_transport = {elsewhere}
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
smtp_connection_cache_on_demand = no
smtputf8_enable = yes
message_size_limit = 60000000
mailbox_size_limit = 0
disable_dns_lookups = yes
"""

NO_FILES: Mapping[str, str] = {}


def installed() -> bool:
    """Say whether a Postfix is there and may be started by us."""
    return shutil.which("postfix") is not None and os.geteuid() == 0


def free_port() -> int:
    """Find a TCP port on loopback that is free now.

    Not one of those that the system gives to clients: between our look and the use of it another test may connect.
    """
    while True:
        port = random.randrange(*PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for(what: Callable[[], object], seconds: float = 90) -> None:
    """Wait until ``what()`` is true; fail after ``seconds`` (a bound against hanging, not a figure)."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise TimeoutError(f"never came true: {what}")
        time.sleep(0.05)


def answers(port: int) -> bool:
    """Say whether somebody greets on this port of loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            return bool(probe.recv(1))
    except OSError:
        return False


def accepts(port: int) -> bool:
    """Say whether somebody takes connections on this port of loopback, and leave at once."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


class Postfix:
    """One running instance; ``port`` takes mail from loopback."""

    def __init__(self, base: Path, port: int) -> None:
        self.base = base
        self.port = port

    @property
    def log(self) -> str:
        """What Postfix wrote in its log so far."""
        return (self.base / "log").read_text(errors="replace")

    def queue_is_empty(self) -> bool:
        """Say whether nothing waits for delivery."""
        return "Mail queue is empty" in self._postqueue("-p")

    def wait_for_retry(self, recipient: str) -> None:
        """Wait until deferred mail for this recipient went out.

        Postfix retries by itself each second. A mail that its delivery agent still holds open just then goes back to
        ``incoming``, "skipped, still being delivered", and is looked at again only minutes later: so ask for it too.
        """

        def sent() -> bool:
            self._postqueue("-f")
            time.sleep(1)
            return "sent" in self.statuses(recipient)

        wait_for(sent)

    def statuses(self, recipient: str) -> list[str]:
        """List what became of this recipient, try by try: sent, bounced, deferred."""
        return re.findall(rf"to=<{re.escape(recipient)}>.*? status=(\w+)", self.log)

    def _postqueue(self, option: str) -> str:
        done = subprocess.run(
            ["postqueue", "-c", str(self.base / "etc"), option], capture_output=True, text=True, check=False
        )
        return done.stdout


@contextmanager
def postfix(
    *,
    name: str,
    record_domain: str,
    transport: str,
    elsewhere: str,
    who_may_relay: str = "permit_mynetworks, reject",
    extra: str = "",
    files: Mapping[str, str] = NO_FILES,
) -> Iterator[Postfix]:
    """Run a Postfix that hands mail for ``record_domain`` to ``transport`` and all else to ``elsewhere``.

    Whoever speaks from loopback may relay, unless ``who_may_relay`` says otherwise. ``files`` are
    written beside main.cf.
    """
    base = Path(tempfile.mkdtemp(prefix="mailgate-postfix-"))
    base.chmod(0o755)
    port = free_port()
    for folder in ("etc", "queue", "data"):
        (base / folder).mkdir()
    shutil.chown(base / "data", "postfix")
    (base / "etc/main.cf").write_text(
        MAIN.format(
            base=base,
            name=name,
            record_domain=record_domain,
            transport=transport,
            elsewhere=elsewhere,
            who_may_relay=who_may_relay,
        )
        + extra
    )
    for file, text in files.items():
        (base / "etc" / file).parent.mkdir(exist_ok=True)
        (base / "etc" / file).write_text(text)
    (base / "etc/master.cf").write_text(MASTER.format(listen=f"127.0.0.1:{port}"))
    command = ["postfix", "-c", str(base / "etc")]
    started = subprocess.run([*command, "start"], capture_output=True, text=True, check=False)
    if started.returncode:
        raise RuntimeError(f"Postfix did not start: {started.stdout}{started.stderr}")
    running = Postfix(base, port)
    try:
        wait_for(lambda: answers(port))
        yield running
    finally:
        print(running.log)  # pytest shows it beside a failure
        subprocess.run([*command, "stop"], capture_output=True, check=False)
        shutil.rmtree(base, ignore_errors=True)
