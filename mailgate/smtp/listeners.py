"""Listening sockets: bound here, or handed over by systemd. All is done before the event loop runs.

Refuses, with ``Misconfigured`` naming the key (``smtp.listen``, ``lmtp.listen``): a spec of another shape than
``HOST:PORT``, ``[V6]:PORT`` or ``unix:/path``; a name that can't be looked up; a port or path in use; a path that
can't be written. Whatever was opened before is closed again.

The file of a unix socket gets mode 0660. One that a dead process left is replaced; one that somebody answers on isn't.
"""

import os
import socket
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mailgate.errors import Misconfigured

Protocol = Literal["smtp", "lmtp"]

BACKLOG = 1024
MAX_PORT = 65535
_UNIX = "unix:"
_ALL_BUT_0660 = 0o117


@dataclass(frozen=True, slots=True)
class Listen:
    """One listener that is wished for: ``spec`` is ``HOST:PORT``, ``[V6]:PORT`` or ``unix:/path``."""

    protocol: Protocol
    spec: str

    @property
    def key(self) -> str:
        """The setting that it comes from."""
        return f"{self.protocol}.listen"


@dataclass(frozen=True, slots=True)
class BoundListener:
    """An open listening socket. ``inode`` is that of a unix socket's file that we made; 0 where we made none."""

    protocol: Protocol
    sock: socket.socket
    inherited: bool = False
    inode: int = 0

    @property
    def name(self) -> str:
        """Where it listens, as a setting would say it."""
        where = self.sock.getsockname()
        if isinstance(where, tuple):
            host, port = where[:2]
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f"{_UNIX}{where}"

    def close(self) -> None:
        """Listen no more. What systemd holds goes on queueing for the next process; our unix socket's file goes.

        Closing again changes nothing.
        """
        with suppress(OSError):
            path = Path(str(self.sock.getsockname()))
            if self.inode and path.stat().st_ino == self.inode:  # another process may have put its own there
                path.unlink()
        self.sock.close()


def open_sockets(listens: Sequence[Listen], inherited: Mapping[str, Sequence[socket.socket]]) -> list[BoundListener]:
    """Open every listener. Where systemd handed sockets over for a protocol, those are taken and none is bound."""
    opened: list[BoundListener] = []
    protocols: tuple[Protocol, ...] = ("smtp", "lmtp")
    try:
        for protocol in protocols:
            handed = inherited.get(protocol, ())
            opened += [BoundListener(protocol, sock, inherited=True) for sock in handed]
            wished = () if handed else tuple(listen for listen in listens if listen.protocol == protocol)
            for listen in wished:
                opened += _open(listen)
    except Misconfigured:
        for listener in opened:
            listener.close()
        raise
    for listener in opened:
        listener.sock.settimeout(0)
    return opened


def _open(listen: Listen) -> list[BoundListener]:
    if listen.spec.startswith(_UNIX):
        return [_open_unix(listen, Path(listen.spec.removeprefix(_UNIX)))]
    opened: list[BoundListener] = []
    try:
        for family, address in _look_up(listen):
            opened.append(BoundListener(listen.protocol, _bind_tcp(family, address)))
    except OSError as error:
        for listener in opened:
            listener.close()
        raise Misconfigured(
            f"{listen.key}: can't listen on {listen.spec} ({error.strerror}): free it, or name another."
        ) from error
    return opened


def _look_up(listen: Listen) -> list[tuple[int, tuple[str, int]]]:
    host, colon, port = listen.spec.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    bracketed = host != bare
    if not colon or not bare or not _is_port(port) or bracketed != (":" in bare):
        raise Misconfigured(f"{listen.key}: {listen.spec!r} is not HOST:PORT, [V6]:PORT or unix:/path.")
    try:
        found = socket.getaddrinfo(bare, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise Misconfigured(f"{listen.key}: {bare} can't be looked up.") from error
    return list(dict.fromkeys((int(family), (str(where[0]), int(where[1]))) for family, _, _, _, where in found))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PORT)) and int(text) <= MAX_PORT


def _bind_tcp(family: int, address: tuple[str, int]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # [::] means both versions, whatever the system's default
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _open_unix(listen: Listen, path: Path) -> BoundListener:
    if not path.is_absolute():
        raise Misconfigured(f"{listen.key}: {listen.spec!r} needs an absolute path: unix:/path.")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(_ALL_BUT_0660)  # never open to others, not even between bind and chmod
    try:
        _clear_away(listen, path)
        sock.bind(str(path))
        sock.listen(BACKLOG)
        return BoundListener(listen.protocol, sock, inode=path.stat().st_ino)
    except OSError as error:
        sock.close()
        raise Misconfigured(
            f"{listen.key}: can't listen on {path} ({error.strerror or error}): mend its folder, or name another."
        ) from error
    except Misconfigured:
        sock.close()
        raise
    finally:
        os.umask(before)


def _clear_away(listen: Listen, path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Misconfigured(f"{listen.key}: {path} exists and is no socket.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()  # nobody is behind it: its process died
            return
        except BlockingIOError:
            pass  # somebody is, with a full backlog
    raise Misconfigured(f"{listen.key}: another process listens on {path}.")
