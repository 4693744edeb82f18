"""What the activities of a mail have of its reading, and how that follows when the mail is read again.

Of those logged by BCC: ``occurred_at`` and Message-ID; who took part, with the time that stands there too; and these
notes of the activity's own: ``date_absurd`` is what is said now, ``address_exposed`` and (of whoever is new)
``contact_ambiguous`` are added. Somebody whom the mail no longer names goes, somebody new comes with whom the register
knows them as, seen from the activity's record; all others stay linked as they are. Record addresses, by our domain or
one that we had, are nobody who took part. Notes that tell of when the mail came (``same_message_id``, ``old_address``,
``no_known_participant``) stay, and so does a ``contact_ambiguous`` that was true then. Mails of the system keep all
they have: they are sealed.

The database allows this and no more (``store.triggers``).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from mailgate.domain.activity import EXPOSED, SHOWN, Known, Origin, Side, occurred, taking_part
from mailgate.domain.mail import Mail, Note, Party
from mailgate.domain.routing import is_ours
from mailgate.store.linking import Owner, look_again
from mailgate.store.orders import in_parts
from mailgate.store.tables import activity, activity_note, address, participation, record

ABSURD = "date_absurd"

Owners = Mapping[tuple[int, str], Owner]


@dataclass(frozen=True, slots=True)
class Logged:
    """An activity of a mail that is held."""

    id: str
    record: int
    origin: str
    occurred_at: datetime
    recorded_at: datetime
    message_id: str | None


def hold(connection: Connection, sha256: bytes) -> list[Logged] | None:
    """Hold the activities of a mail and their records, in the order of ``store.again``.

    ``None`` where a merge moved one meanwhile: to be done again.
    """
    of_mail = activity.c.mail_sha256 == sha256
    keys = set(connection.scalars(select(activity.c.record_id).where(of_mail)))
    for part in in_parts(sorted(keys)):
        there = select(record.c.id).where(record.c.id.in_(part)).order_by(record.c.id)
        connection.execute(there.with_for_update(read=True, key_share=True)).all()
    rows = connection.execute(select(activity).where(of_mail).order_by(activity.c.id).with_for_update()).all()
    held = [Logged(row.id, row.record_id, row.origin, row.occurred_at, row.recorded_at, row.message_id) for row in rows]
    return held if {one.record for one in held} <= keys else None


def are_all(connection: Connection, sha256: bytes, held: Sequence[Logged]) -> bool:
    """Say whether these are the activities of a mail, which the caller holds by now, so that none comes or goes."""
    there = connection.scalars(select(activity.c.id).where(activity.c.mail_sha256 == sha256))
    return set(there) == {one.id for one in held}


def follow(connection: Connection, held: Sequence[Logged], read: Mail, domain: str) -> None:
    """Have the activities follow what was read in their mail; its pointer has moved already.

    ``domain`` is that of the record addresses, folded.
    """
    theirs = [one for one in held if one.origin == Origin.BCC]
    changes = [(one, _Change.of(connection, one, read, domain)) for one in theirs]
    unknown = {(one.record, party.email) for one, change in changes for party in change.new if party.email}
    owners = look_again(connection, unknown)  # before any participation is touched: see store.linking
    for one, change in changes:
        at, absurd = occurred(read.sent_at, one.recorded_at)
        _follow_fields(connection, one, at, read.message_id or None)
        _follow_participants(connection, one, change, at, owners)
        exposed = [EXPOSED] if _is_exposed(connection, one, read, domain) else []
        _follow_notes(connection, one, absurd, [*exposed, *_ambiguous(one, change, owners, domain)])


# -- who took part --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Change:
    """Whom a mail names now and didn't before, once per address, and whose row (by ``n``) goes; the highest ``n``."""

    new: Sequence[Party]
    gone: Sequence[int]
    highest: int

    @classmethod
    def of(cls, connection: Connection, one: Logged, read: Mail, domain: str) -> "_Change":
        columns = select(participation.c.n, participation.c.email).where(participation.c.activity_id == one.id)
        there = {row.email: row.n for row in connection.execute(columns)}
        named = {party.email: party for party in read.parties}
        new = [party for email, party in named.items() if email not in there and not is_ours(email, domain)]
        secret = _record_addresses(connection, [party.email for party in new])
        return cls(
            new=[party for party in new if party.email not in secret],
            gone=[n for email, n in there.items() if email not in named],
            highest=max(there.values(), default=0),
        )


def _record_addresses(connection: Connection, emails: Collection[str]) -> set[str]:
    """Pick what is a record address, also where the instance had another domain when it was made."""
    by_local: dict[str, set[str]] = {}
    for email in emails:
        by_local.setdefault(email.rpartition("@")[0], set()).add(email)
    found: set[str] = set()
    for part in in_parts(sorted(by_local)):
        for local in connection.scalars(select(address.c.local).where(address.c.local.in_(part))):
            found |= by_local[local]
    return found


def _follow_participants(connection: Connection, one: Logged, change: _Change, at: datetime, owners: Owners) -> None:
    mine = participation.c.activity_id == one.id
    for part in in_parts(change.gone):
        connection.execute(delete(participation).where(mine, participation.c.n.in_(part)))
    if at != one.occurred_at:
        connection.execute(update(participation).where(mine).values(occurred_at=at))
    rows: list[dict[str, object]] = []
    for n, party in enumerate(change.new, start=change.highest + 1):
        owner = owners.get((one.record, party.email), Owner(Side.EXTERNAL))
        row = {"activity_id": one.id, "n": n, "email": party.email, "side": owner.side.value}
        rows.append({**row, "record_id": owner.person, "activity_record_id": one.record, "occurred_at": at})
    if rows:
        connection.execute(insert(participation), rows)


# -- its own fields and notes ---------------------------------------------------------------------------------------


def _follow_fields(connection: Connection, one: Logged, at: datetime, message_id: str | None) -> None:
    if (at, message_id) != (one.occurred_at, one.message_id):
        mine = update(activity).where(activity.c.id == one.id)
        connection.execute(mine.values(occurred_at=at, message_id=message_id))


def _ambiguous(one: Logged, change: _Change, owners: Owners, domain: str) -> Sequence[Note]:
    known = {
        email: Known(owner.side, ambiguous=owner.side is Side.EXTERNAL and owner.person is None)
        for (record_id, email), owner in owners.items()
        if record_id == one.record
    }
    return taking_part(change.new, known, domain)[1]


def _is_exposed(connection: Connection, one: Logged, read: Mail, domain: str) -> bool:
    """Say whether everybody has seen an address of the record, and mark it."""
    seen = {party.email for party in read.parties if party.header in SHOWN and is_ours(party.email, domain)}
    exposed = False
    for part in in_parts(sorted(email.rpartition("@")[0] for email in seen)):
        own = select(address.c.id).where(address.c.record_id == one.record, address.c.local.in_(part))
        found = connection.scalars(own.order_by(address.c.id)).all()
        mark = update(address).where(address.c.id.in_(found), address.c.exposed_at.is_(None))
        if found:
            connection.execute(mark.values(exposed_at=one.recorded_at))
            exposed = True
    return exposed


def _follow_notes(connection: Connection, one: Logged, absurd: Sequence[Note], more: Sequence[Note]) -> None:
    mine = activity_note.c.activity_id == one.id
    rows = connection.execute(select(activity_note).where(mine).order_by(activity_note.c.n)).all()
    dated = [row for row in rows if row.code == ABSURD]
    stays = bool(absurd and dated and dated[-1].text == absurd[0].text)
    added = [] if stays else list(absurd)
    added += [note for note in more if not any(_is_there(note, row.code, row.text) for row in rows)]
    highest = max((row.n for row in rows), default=0)
    if added:
        new = [
            {"activity_id": one.id, "n": n, "code": note.code, "text": note.text}
            for n, note in enumerate(added, start=highest + 1)
        ]
        connection.execute(insert(activity_note), new)
    outdated = [row.n for row in (dated[:-1] if stays else dated)]
    if outdated:
        connection.execute(delete(activity_note).where(mine, activity_note.c.n.in_(outdated)))


def _is_there(note: Note, code: str, text: str) -> bool:
    return note.code == code and (note.text == text or code == EXPOSED.code)
