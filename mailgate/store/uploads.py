"""The bytes of mails, in pieces of at most 1 MiB: written, claimed by a mail, read, and swept where no mail came.

A big mail's pieces are written before the mail, each in a transaction of its own, so that a small mail never waits for
25 MB to reach the disk. Until the mail claims them, a row in ``upload`` says that they belong to nobody; what was not
claimed for an hour is swept.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from mailgate.errors import NotFound
from mailgate.store.database import Database
from mailgate.store.identifiers import new_id
from mailgate.store.prepared import Adding
from mailgate.store.tables import mail, piece, upload

PIECE = 1 << 20  # bytes
_ADD_PIECES = Adding(piece, ("upload", "n", "bytes"))
ABANDONED_AFTER = timedelta(hours=1)


def write_ahead(database: Database, raw: bytes) -> str:
    """Write the bytes of a big mail and return the id of the upload, which nobody claimed yet."""
    number = new_id()
    with database.write() as connection:
        connection.execute(insert(upload), {"id": number, "started_at": datetime.now(UTC)})
    try:
        for row in _pieces(number, raw):
            with database.write() as connection:
                connection.execute(insert(piece), row)
    except BaseException:
        discard(database, number)
        raise
    return number


def is_there(database: Database, sha256: bytes) -> bool:
    """Say whether a mail with these bytes is kept now."""
    with database.read() as connection:
        return connection.execute(select(mail.c.size).where(mail.c.sha256 == sha256)).first() is not None


def write_claimed(connection: Connection, contents: Mapping[str, bytes]) -> None:
    """Write the bytes of mails, by the numbers of their uploads, in the same transaction as the mails."""
    _ADD_PIECES.add(connection, [row for number, raw in contents.items() for row in _pieces(number, raw)])


def claim(connection: Connection, number: str) -> bool:
    """Take an upload for a mail; ``False`` where it was swept or taken."""
    return connection.execute(delete(upload).where(upload.c.id == number)).rowcount == 1


def discard(database: Database, number: str) -> None:
    """Remove an upload that nobody will claim; one that was claimed stays."""
    with database.write() as connection:
        if claim(connection, number):
            connection.execute(delete(piece).where(piece.c.upload == number))


def sweep(database: Database, now: datetime) -> int:
    """Remove what was not claimed in time, and say how many uploads that were."""
    with database.read() as connection:
        left = connection.scalars(select(upload.c.id).where(upload.c.started_at < now - ABANDONED_AFTER)).all()
    for number in left:
        discard(database, number)
    return len(left)


def raw_bytes(connection: Connection, sha256: bytes) -> bytes:
    """Read the bytes of a mail by their SHA-256 (32 bytes, as in ``mail.sha256``), and check them against it.

    ``NotFound`` where there is none, or where they are not what was kept.
    """
    found = connection.scalars(
        select(piece.c.bytes)
        .join(mail, mail.c.upload == piece.c.upload)
        .where(mail.c.sha256 == sha256)
        .order_by(piece.c.n)
    ).all()
    if not found:
        raise NotFound(f"there is no mail with SHA-256 {sha256.hex()}")
    raw = b"".join(found)
    if hashlib.sha256(raw).digest() != sha256:
        raise NotFound(f"the bytes of the mail with SHA-256 {sha256.hex()} are damaged: bring them back from a backup")
    return raw


def _pieces(number: str, raw: bytes) -> Iterator[dict[str, object]]:
    for n, start in enumerate(range(0, max(len(raw), 1), PIECE), start=1):
        yield {"upload": number, "n": n, "bytes": raw[start : start + PIECE]}
