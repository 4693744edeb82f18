import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mailgate import systemd

PROGRAM = """
import os
from mailgate import systemd
found = systemd.inherited_sockets()
print({name: [s.getsockname()[1] for s in socks] for name, socks in found.items()})
print([os.get_inheritable(s.fileno()) for socks in found.values() for s in socks])
print(sorted(name for name in os.environ if name.startswith("LISTEN_")))
"""


def handed_over(sockets: list[socket.socket], names: str, count: str | None = None, pid: str = "$$") -> list[str]:
    """Start Python as systemd would: descriptors from 3 on, and its own process id in LISTEN_PID."""
    moves = " ".join(f"{3 + n}<&{sock.fileno()}" for n, sock in enumerate(sockets))
    script = f"exec {moves}\nexport LISTEN_PID={pid} LISTEN_FDS={count or len(sockets)} LISTEN_FDNAMES={names}\n"
    script += f'exec {sys.executable} -W error -c "$PROGRAM"'
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PROGRAM": PROGRAM},
        pass_fds=[sock.fileno() for sock in sockets],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    return done.stdout.splitlines() or done.stderr.splitlines()[-1:]


def port(sock: socket.socket) -> int:
    found: int = sock.getsockname()[1]
    return found


def test_sockets_are_taken_by_their_names_and_the_environment_is_cleared() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        assert handed_over([one, two], "smtp:lmtp") == [
            str({"smtp": [port(one)], "lmtp": [port(two)]}),
            "[False, False]",
            "[]",
        ]


def test_several_sockets_of_a_name_and_one_without() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        assert handed_over([one, two], "smtp:smtp")[0] == str({"smtp": [port(one), port(two)]})
        assert handed_over([one], "")[0] == str({"unknown": [port(one)]})


def test_sockets_for_another_process_are_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        assert handed_over([one], "smtp", pid="1") == ["{}", "[]", str(["LISTEN_FDNAMES", "LISTEN_FDS", "LISTEN_PID"])]


@pytest.mark.parametrize("count", ["many", "-1", "2"])
def test_what_is_no_listening_socket_is_refused(count: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        assert "mailgate.errors.Misconfigured: LISTEN_FDS: " in handed_over([one], "smtp", count=count)[0]


def test_a_socket_that_does_not_listen_is_refused() -> None:
    with socket.socket() as idle, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        for sock in (idle, datagram):
            assert "Misconfigured: LISTEN_FDS: descriptor 3 (smtp)" in handed_over([sock], "smtp")[0]


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LISTEN_PID", "LISTEN_FDS", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    assert systemd.inherited_sockets() == {}
    assert systemd.ready() is False
    assert systemd.watchdog_seconds() is None


@pytest.mark.parametrize("abstract", [False, True])
def test_notifications(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, abstract: bool) -> None:
    name = f"@mailgate-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if abstract else name)
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        assert systemd.ready()
        assert listener.recv(1000) == b"READY=1"
        assert systemd.reloading()
        assert listener.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert systemd.stopping()
        assert listener.recv(1000) == b"STOPPING=1"
        assert systemd.alive()
        assert listener.recv(1000) == b"WATCHDOG=1"


def test_a_dead_notify_socket_harms_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert systemd.ready() is False


@pytest.mark.parametrize(
    ("microseconds", "pid", "seconds"),
    [
        ("30000000", None, 15.0),
        ("30000000", "ours", 15.0),
        ("30000000", "1", None),
        ("0", None, None),
        ("x", None, None),
    ],
)
def test_the_watchdog(
    monkeypatch: pytest.MonkeyPatch, microseconds: str, pid: str | None, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "ours" else pid)
    assert systemd.watchdog_seconds() == seconds
