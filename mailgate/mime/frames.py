"""What a reader in another process answers: frames of bytes, each behind its length in eight octets (big-endian).

``of_mail`` writes a ``Mail`` as three frames: JSON of everything but its two bodies, then the text and the HTML in
UTF-8. ``to_mail`` reads them back, and believes nothing: whoever wrote them has read hostile bytes. Every value must be
of exactly its type, and every text valid Unicode without NUL; ``ValueError`` says that something isn't.

``write`` and ``read`` move one frame; ``read`` raises ``EOFError`` at a cut end and ``ValueError`` for a frame above
the limit it is given. Linear; recursion only over the types of ``Mail``.
"""

import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, BinaryIO, cast, get_args, get_origin, get_type_hints

from mailgate import __version__
from mailgate.domain.mail import Mail

READ = b"read"  # what may be asked for: the mail follows as the next frame
ATTACHED = b"attached"
READY = f"ready, {__version__}".encode()  # said once; a program that was upgraded under us says another

_LENGTH = struct.Struct("!Q")
_PIECE = 1024 * 1024
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


def write(stream: BinaryIO, octets: bytes) -> None:
    """Write one frame; flushing is the caller's."""
    stream.write(_LENGTH.pack(len(octets)))
    rest = memoryview(octets)
    for start in range(0, len(rest), _PIECE):
        stream.write(rest[start : start + _PIECE])


def framed(*pieces: bytes) -> bytes:
    """Give small frames as they are written."""
    return b"".join(part for piece in pieces for part in (_LENGTH.pack(len(piece)), piece))


def read(stream: BinaryIO, limit: int) -> bytearray:
    """Read one frame of at most ``limit`` octets."""
    length = _LENGTH.unpack(_exactly(stream, _LENGTH.size))[0]
    if length > limit:
        raise ValueError("a frame is longer than it may be")
    return _exactly(stream, length)


def _exactly(stream: BinaryIO, length: int) -> bytearray:
    octets = bytearray()  # grows with what comes, not with what is announced
    while len(octets) < length:
        piece = stream.read(min(_PIECE, length - len(octets)))
        if not piece:
            raise EOFError
        octets += piece
    return octets


# -- mails ------------------------------------------------------------------------------------------------------------


def of_mail(mail: Mail) -> tuple[bytes, bytes, bytes]:
    """Write a mail as its frames."""
    told = asdict(replace(mail, text="", html=""))
    written = json.dumps(told, ensure_ascii=False, default=datetime.isoformat).encode()
    return written, mail.text.encode(), mail.html.encode()


def to_mail(told: bytes | bytearray, text: bytes | bytearray, html: bytes | bytearray) -> Mail:
    """Read a mail back from its frames; ``ValueError`` for what is none."""
    mail = _value(Mail, json.loads(told))
    assert isinstance(mail, Mail)  # noqa: S101 - the type that was asked for
    return replace(mail, text=_text(str(text, "utf-8")), html=_text(str(html, "utf-8")))


def of_attached(found: Sequence[tuple[int, bytes]]) -> bytes:
    """Write the numbers of attached mails; their bytes follow, a frame each."""
    return json.dumps([n for n, _ in found]).encode()


def to_numbers(told: bytes | bytearray) -> tuple[int, ...]:
    """Read the numbers of attached mails back."""
    return cast("tuple[int, ...]", _value(tuple[int, ...], json.loads(told)))


def _text(value: str) -> str:
    if _NO_TEXT.search(value):
        raise ValueError("a text holds what no text may")
    return value


def _value(kind: Any, told: object) -> object:
    """Check a value of JSON against a type, and give it in that type."""
    if isinstance(kind, UnionType):
        return _optional(kind, told)
    if get_origin(kind) is tuple:
        return tuple(_value(get_args(kind)[0], one) for one in _of(list, told))
    if is_dataclass(kind):
        return _dataclass(cast("type", kind), _of(dict, told))
    if kind is datetime:
        return datetime.fromisoformat(_of(str, told))
    if issubclass(kind, StrEnum):
        return kind(_of(str, told))
    return _text(_of(str, told)) if kind is str else _of(kind, told)


def _optional(kind: UnionType, told: object) -> object:
    (meant,) = set(get_args(kind)) - {NoneType}
    return None if told is None else _value(meant, told)


def _of(kind: type, told: object) -> Any:
    if type(told) is not kind:
        raise ValueError("a value is not of its type")
    return told


def _dataclass(kind: type, told: Mapping[str, object]) -> object:
    types = _types(kind)
    if told.keys() != types.keys():
        raise ValueError("a value has not the parts that it should have")
    return kind(**{name: _value(types[name], value) for name, value in told.items()})


@cache
def _types(kind: type) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}
