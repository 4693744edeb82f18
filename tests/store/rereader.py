"""Readers that see more than the one that first read a mail; and a process that reads again until it is killed.

``python -m tests.store.rereader URL``
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import update

from mailgate import mime
from mailgate.domain.mail import Mail, Note, Party
from mailgate.domain.rereading import MailReread, RereadWish
from mailgate.store import tables, triggers
from mailgate.store.database import Database, open_database
from mailgate.store.rereading import Rereading
from tests.store.admin import DOMAIN

BETTER = "Besser: "


@dataclass
class Better:
    """Reads as ever, and then makes of it what a test wants."""

    make: Callable[[Mail], Mail]

    def read(self, raw: bytes) -> Mail:
        return self.make(mime.read(raw))

    def read_soon(self, raw: bytes, done: Callable[[Mail], None]) -> None:
        done(self.read(raw))

    def attached(self, raw: bytes) -> Sequence[tuple[int, bytes]]:
        return mime.attached(raw)


def all_better(mail: Mail) -> Mail:
    """Read something else in everything that follows."""
    return replace(
        mail,
        subject=BETTER + mail.subject,
        text=BETTER + mail.text,
        html=f"<p>{BETTER}</p>",
        sent_at=mail.sent_at - timedelta(days=1) if mail.sent_at else None,
        message_id=mail.message_id.replace("<", "<b."),
        parties=(*mail.parties[:1], Party("to", "new@optik.example", "New")),
        documents=mail.documents[:-1],
        links=("https://better.example/",),
        notes=(Note("charset_guessed", "Guessed."),),
    )


def grow_old(database: Database, reader: int = 1) -> None:
    """Have all that was read so far be an older reader's."""
    with database.write() as connection:
        triggers.drop(connection)
        connection.execute(update(tables.reading).values(reader=reader))
        triggers.create(connection)


def again(database: Database, make: Callable[[Mail], Mail] = lambda mail: mail, **wish: object) -> list[MailReread]:
    """Read again, without a rest."""
    rereading = Rereading(database, DOMAIN, Better(make), rest=lambda _: None)
    return list(rereading.run(RereadWish(**wish)))  # type: ignore[arg-type]  # tests hand over any field


def main() -> None:
    database = open_database(sys.argv[1], create=False, allow_unsafe=True)
    for one in Rereading(database, DOMAIN, Better(all_better)).run(RereadWish()):
        print(one.became.value, flush=True)


if __name__ == "__main__":
    main()
