import os
import socket
import stat
from pathlib import Path

import pytest

from mailgate.errors import Misconfigured
from mailgate.smtp.listeners import BoundListener, Listen, open_sockets
from tests.dialogue.running import running


def opened(*wished: Listen, **inherited: list[socket.socket]) -> list[BoundListener]:
    return open_sockets(wished, inherited)


def close(listeners: list[BoundListener]) -> None:
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize(
    "spec",
    ["", "127.0.0.1", ":8025", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:-1", "::1:8025", "[::1]8025",
     "[127.0.0.1]:8025", "[]:8025", "unix:relative", "unix:", "127.0.0.1:\u0661", "127.0.0.1:" + "1" * 5000],
)  # fmt: skip
def test_a_spec_of_another_shape_is_refused_by_the_name_of_its_key(spec: str) -> None:
    for protocol in ("smtp", "lmtp"):
        with pytest.raises(Misconfigured, match=rf"^{protocol}\.listen: "):
            opened(Listen("smtp" if protocol == "smtp" else "lmtp", spec))


def test_a_name_that_cannot_be_looked_up_is_refused() -> None:
    with pytest.raises(Misconfigured, match=r"^smtp\.listen: no-such-host\.invalid can't be looked up"):
        opened(Listen("smtp", "no-such-host.invalid:8025"))


def test_a_port_in_use_is_refused_and_what_was_opened_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as probe:
            free = probe.getsockname()[1]
        with pytest.raises(
            Misconfigured,
            match=rf"^lmtp\.listen: can't listen on 127\.0\.0\.1:{port} \(Address already in use\): free it",
        ):
            opened(Listen("smtp", f"127.0.0.1:{free}"), Listen("lmtp", f"127.0.0.1:{port}"))
        socket.create_server(("127.0.0.1", free)).close()


def test_names_and_both_versions() -> None:
    listeners = opened(Listen("smtp", "localhost:0"), Listen("smtp", "[::1]:0"), Listen("lmtp", "127.0.0.1:0"))
    assert listeners[-1].name.startswith("127.0.0.1:")
    assert any(listener.name.startswith("[::1]:") for listener in listeners)
    assert [listener.protocol for listener in listeners] == ["smtp"] * (len(listeners) - 1) + ["lmtp"]
    assert all(listener.sock.gettimeout() == 0 for listener in listeners)
    close(listeners)


def test_the_file_of_a_unix_socket_is_for_owner_and_group_and_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    before = os.umask(0)
    try:
        listeners = opened(Listen("lmtp", f"unix:{path}"))
    finally:
        assert os.umask(before) == 0, "the umask is as it was"
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert listeners[0].name == f"unix:{path}"
    close(listeners)
    assert not path.exists()
    close(listeners)


def test_a_unix_socket_that_a_dead_process_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.listen()
    dead.close()
    listeners = opened(Listen("lmtp", f"unix:{path}"))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    close(listeners)


def test_a_unix_socket_that_lives_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    first = opened(Listen("lmtp", f"unix:{path}"))
    with pytest.raises(Misconfigured, match=r"^lmtp\.listen: another process listens on "):
        opened(Listen("lmtp", f"unix:{path}"))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    close(first)


def test_the_file_of_a_successor_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    first = opened(Listen("lmtp", f"unix:{path}"))
    path.rename(tmp_path / "old")  # keeps the inode from being used again
    second = opened(Listen("lmtp", f"unix:{path}"))
    close(first)
    assert path.exists()
    close(second)


@pytest.mark.parametrize("spec", ["file", "missing/lmtp", "x" * 200])
def test_a_path_that_cannot_be_used_is_refused(tmp_path: Path, spec: str) -> None:
    (tmp_path / "file").write_text("not a socket")
    with pytest.raises(Misconfigured, match=r"^lmtp\.listen: "):
        opened(Listen("lmtp", f"unix:{tmp_path}/{spec}"))
    assert (tmp_path / "file").read_text() == "not a socket"


def test_sockets_of_systemd_are_taken_instead_of_binding() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        same = f"127.0.0.1:{held.getsockname()[1]}"
        listeners = opened(Listen("smtp", same), Listen("lmtp", "127.0.0.1:0"), smtp=[held])
        assert [(one.protocol, one.inherited) for one in listeners] == [("smtp", True), ("lmtp", False)]
        assert listeners[0].name == same
        close(listeners)


def test_an_inherited_unix_socket_keeps_its_file(tmp_path: Path) -> None:
    path = tmp_path / "held"
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(path))
        held.listen()
        close(opened(lmtp=[held]))
    assert path.exists()


def test_lmtp_over_a_unix_socket(tmp_path: Path) -> None:
    with running(folder=tmp_path) as server:
        client = server.connect("lmtp")
        client.greet("LHLO")
        client.open_mail("one@log.test", "two@log.test")
        assert client.ask("DATA").startswith("354 ")
        client.send(b"a: b\r\n\r\n.\r\n")
        assert [client.reply(), client.reply()] == ["250 2.0.0 [MG-KEPT] L0", "250 2.0.0 [MG-KEPT] L1"]
        assert server.intake.deliveries[0].envelope.relay.name == "mx"


def test_a_relay_without_unix_does_not_speak_over_it(tmp_path: Path) -> None:
    with running(folder=tmp_path) as server:
        server.intake.policy.relays = ()
        assert server.connect("lmtp").reply().startswith("554 [MG-RELAY] ")
        assert server.intake.turned_away[-1][0] == "unknown"
