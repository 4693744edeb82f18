"""What people sent, written once: the mail, its bytes, and what was read in it.

A mail has one reading. Another one takes its place under the next ``version`` (``store.rereading``); ``reader`` says
which version of the reader it is from, or which one read the same since.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from sqlalchemy import Connection, Table, bindparam, delete, select

from mailgate.domain.mail import Mail
from mailgate.mime import READER_VERSION
from mailgate.store import uploads
from mailgate.store.identifiers import new_id
from mailgate.store.ledger_rows import Row
from mailgate.store.orders import BytesGone, Unkeepable, in_parts
from mailgate.store.prepared import Adding, Asking, pipelined
from mailgate.store.tables import document, link, mail, reading, reading_body, reading_note, reading_party

FIRST_READING = 1
_TRIES = 5


class Whole(Protocol):
    """A mail with its bytes and what was read in it."""

    @property
    def raw(self) -> bytes: ...  # noqa: D102 - the class says it
    @property
    def raw_sha256(self) -> str: ...  # noqa: D102 - the same
    @property
    def mail(self) -> Mail: ...  # noqa: D102 - the same


class Order(Protocol):
    """A mail to be written; ``upload`` names its bytes where they were written ahead."""

    @property
    def new(self) -> Whole: ...  # noqa: D102 - the class says it
    @property
    def upload(self) -> str | None: ...  # noqa: D102 - the same


@dataclass(frozen=True, slots=True)
class _Ours:
    """A mail that we insert; ``reading`` and ``upload`` are the ids that its row has if it gets in."""

    order: Order
    sha256: bytes
    reading: str
    upload: str


_LOCK = Asking(
    select(mail.c.sha256, mail.c.reading_id)
    .where(mail.c.sha256.in_(bindparam("mails", expanding=True)))
    .order_by(mail.c.sha256)
    .with_for_update(read=True, key_share=True),
    mails=b"",
)
_ADD_MAILS = Adding(mail, ("sha256", "size", "upload", "reading_id"), unless=("sha256",))
_ADD_READINGS = Adding(
    reading,
    ("id", "mail_sha256", "version", "reader", "subject", "sent_at", "message_id", "folds"),
)


def write_mails(connection: Connection, orders: Iterable[Order]) -> None:
    """Make sure that the mails are there and stay until the end of the transaction; new ones are written whole."""
    wanted = {bytes.fromhex(order.new.raw_sha256): order for order in orders}
    ours: Mapping[bytes, _Ours] = {}
    for _ in range(_TRIES):
        there = _lock(connection, wanted)
        _write_content(connection, [one for sha256, one in ours.items() if there.get(sha256) == one.reading])
        wanted = {sha256: order for sha256, order in wanted.items() if sha256 not in there}
        if not wanted:
            return
        # another process may insert one meanwhile, or delete it: look again
        ours = _insert(connection, wanted)
    raise Unkeepable("a mail comes and goes")


def write_readings(connection: Connection, readings: Sequence[tuple[str, bytes, int, Mail]]) -> None:
    """Write what was read: (reading id, SHA-256 of the mail, version, mail) each."""
    _ADD_READINGS.add(connection, [_reading_row(*each) for each in readings])
    for adding, rows_of in zip(_ADD_PARTS, (rows_of for _, rows_of in _PARTS), strict=True):
        adding.add(connection, [row for number, _, _, read in readings for row in rows_of(number, read)])


def is_read_so(connection: Connection, number: str, read: Mail) -> bool:
    """Say whether a reading holds just this."""
    wanted = _words(read)
    row = connection.execute(select(reading).where(reading.c.id == number)).mappings().first()
    if row is None or any(row[name] != value for name, value in wanted.items()):
        return False
    return all(_rows_there(connection, table, number) == rows_of(number, read) for table, rows_of in _PARTS)


def delete_reading(connection: Connection, number: str) -> None:
    """Take a reading away that counts no more; the database refuses that of any other."""
    for table, _ in _PARTS:
        connection.execute(delete(table).where(table.c.reading_id == number))
    connection.execute(delete(reading).where(reading.c.id == number))


def _rows_there(connection: Connection, table: Table, number: str) -> list[Row]:
    there = select(table).where(table.c.reading_id == number).order_by(*table.primary_key)
    return [dict(row) for row in connection.execute(there).mappings()]


def _lock(connection: Connection, wanted: Iterable[bytes]) -> dict[bytes, str]:
    """Hold the mails that are there against deletion; gives the reading of each."""
    found: dict[bytes, str] = {}
    for part in in_parts(sorted(wanted)):
        # waits for a delete that is under way; one that committed leaves no row
        found.update({bytes(sha256): reading_id for sha256, reading_id in _LOCK.rows(connection, {"mails": part})})
    return found


def _insert(connection: Connection, wanted: Mapping[bytes, Order]) -> dict[bytes, _Ours]:
    """Insert mails, and say which reading each would have; whose row got in shows when it is locked."""
    ours = {
        sha256: _Ours(order=order, sha256=sha256, reading=new_id(), upload=order.upload or new_id())
        for sha256, order in sorted(wanted.items())
    }
    _ADD_MAILS.add(
        connection,
        [
            {"sha256": sha256, "size": len(one.order.new.raw), "upload": one.upload, "reading_id": one.reading}
            for sha256, one in ours.items()
        ],
    )
    return ours


def _write_content(connection: Connection, written: Sequence[_Ours]) -> None:
    if not written:
        return
    contents: dict[str, bytes] = {}
    for one in written:
        if one.order.upload is not None:
            if not uploads.claim(connection, one.order.upload):
                raise BytesGone("an upload was swept")
        elif len(one.order.new.raw) > uploads.PIECE:
            raise BytesGone("a big mail was deleted meanwhile")
        else:
            contents[one.upload] = one.order.new.raw
    with pipelined(connection):
        uploads.write_claimed(connection, contents)
        write_readings(connection, [(one.reading, one.sha256, FIRST_READING, one.order.new.mail) for one in written])


# -- rows -----------------------------------------------------------------------------------------------------------


def _reading_row(number: str, sha256: bytes, version: int, read: Mail) -> Row:
    return {
        "id": number,
        "mail_sha256": sha256,
        "version": version,
        "reader": READER_VERSION,
        **_words(read),
    }


def _words(read: Mail) -> Row:
    return {
        "subject": read.subject,
        "sent_at": read.sent_at,
        "message_id": read.message_id,
        "folds": json.dumps([[fold.kind.value, fold.start, fold.end] for fold in read.folds]),
    }


def _body_rows(number: str, read: Mail) -> list[Row]:
    return [{"reading_id": number, "text": read.text, "html": read.html}]


def _party_rows(number: str, read: Mail) -> list[Row]:
    return [
        {"reading_id": number, "n": n, "header": party.header, "email": party.email, "name": party.name}
        for n, party in enumerate(read.parties, start=1)
    ]


def _document_rows(number: str, read: Mail) -> list[Row]:
    return [
        {
            "reading_id": number,
            "n": each.n,
            "name": each.name,
            "type": each.type,
            "size": each.size,
            "sha256": each.sha256,
            "inline": each.inline,
            "content_id": each.content_id,
            "appointment": json.dumps(asdict(each.appointment)) if each.appointment else None,
        }
        for each in read.documents
    ]


def _link_rows(number: str, read: Mail) -> list[Row]:
    return [{"reading_id": number, "n": n, "url": url} for n, url in enumerate(read.links, start=1)]


def _note_rows(number: str, read: Mail) -> list[Row]:
    return [
        {"reading_id": number, "n": n, "code": note.code, "text": note.text}
        for n, note in enumerate(read.notes, start=1)
    ]


_PARTS: Sequence[tuple[Table, Callable[[str, Mail], list[Row]]]] = (
    (reading_body, _body_rows),
    (reading_party, _party_rows),
    (document, _document_rows),
    (link, _link_rows),
    (reading_note, _note_rows),
)
_ADD_PARTS = tuple(Adding(table, tuple(column.name for column in table.c)) for table, _ in _PARTS)
