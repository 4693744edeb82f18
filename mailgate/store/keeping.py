"""Writing many mails in one transaction, each once: what ``store.archive`` does between begin and commit.

Locks are taken in one order by all processes (records, receipts, mails, addresses, ledger; each sorted), so that two
of them don't wait for each other (``store.again``). The receipt decides: its unique key lets one of two twins through,
and it outlives its activity, so that a retry during a delete revives nothing. A mail's row is locked against deletion
or inserted; where it vanished under a delete that just committed, it is inserted after all.

A mail that was attached to another gets its receipt under an identity of its own, and is met by that of the mail itself
too (``known_as``), never the other way round. No unique key stands over both: where the mail itself and a forward of it
are committed at the same instant, both may be kept, as they are when the forward is first.

Raises ``Unkeepable`` where one of the mails can't be kept like this; the caller then tries them one by one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, or_, select, tuple_, update

from mailgate.domain.activity import ActivityType, Origin, Participant, Side
from mailgate.domain.ledger import LedgerEntry, Verdict
from mailgate.domain.mail import Note
from mailgate.domain.record import RecordRef
from mailgate.domain.topic import TOPIC_OTHER
from mailgate.errors import Reason
from mailgate.ports import Kept
from mailgate.store.content import write_mails
from mailgate.store.ledger_rows import Row, row_of, write_rows
from mailgate.store.linking import Owner, look_again
from mailgate.store.orders import Order, Slot, Unkeepable, in_parts
from mailgate.store.prepared import Adding, Asking, Changing, pipelined
from mailgate.store.tables import activity, activity_note, address, participation, receipt, record, user_account

KEPT = "kept"
SAME_MESSAGE_ID = Note("same_message_id", "Another mail with this Message-ID and author is on this record already.")

Key = tuple[int, str]  # record id, identity

_FINDING_RECORDS = select(record.c.id, record.c.kind, record.c.ref).where(
    tuple_(record.c.kind, record.c.ref).in_(bindparam("keys", expanding=True))
)
_RECORDS = Asking(_FINDING_RECORDS, keys=("", ""))
_HELD_RECORDS = Asking(_FINDING_RECORDS.order_by(record.c.id).with_for_update(read=True, key_share=True), keys=("", ""))
_RECEIPTS = Asking(
    select(receipt.c.record_id, receipt.c.identity, receipt.c.state, receipt.c.activity_id).where(
        tuple_(receipt.c.record_id, receipt.c.identity).in_(bindparam("keys", expanding=True))
    ),
    keys=(0, ""),
)
_RECORDERS = Asking(
    select(user_account.c.email, user_account.c.id).where(
        user_account.c.email.in_(bindparam("emails", expanding=True))
    ),
    emails="",
)
_NAMES = (activity.c.record_id, activity.c.message_id, activity.c.author)
_NAMED = Asking(select(*_NAMES).where(tuple_(*_NAMES).in_(bindparam("names", expanding=True))), names=(0, "", ""))
_ADD_RECEIPTS = Adding(
    receipt, ("record_id", "identity", "state", "activity_id", "at"), unless=("record_id", "identity")
)
_ADD_ACTIVITIES = Adding(
    activity,
    (
        *("id", "record_id", "type", "topic", "origin", "occurred_at", "recorded_at", "recorder_id"),
        *("mail_sha256", "author", "envelope_from", "message_id", "trust"),
    ),
)
_ADD_NOTES = Adding(activity_note, ("activity_id", "n", "code", "text"))
_ADD_PARTICIPATIONS = Adding(
    participation, ("activity_id", "n", "email", "side", "record_id", "activity_record_id", "occurred_at")
)
_OF_THE_NAME = update(address).where(address.c.local == bindparam("name"))
_USED = Changing(
    _OF_THE_NAME.values(last_used_at=bindparam("moment")).where(
        or_(address.c.last_used_at.is_(None), address.c.last_used_at < bindparam("moment"))
    )
)
_EXPOSED = Changing(_OF_THE_NAME.values(exposed_at=bindparam("moment")).where(address.c.exposed_at.is_(None)))


@dataclass(frozen=True, slots=True)
class _Receipt:
    state: str
    activity_id: str


def keep(connection: Connection, orders: Sequence[Order]) -> list[tuple[Kept, ...]]:
    """Write what is new of these mails, and say for each what became of its activities."""
    slots = _slots(connection, [each for order in orders for each in order.all()])
    receipts = _find_receipts(connection, {key for slot in slots for key in slot.keys})
    fresh = _give_receipts(connection, slots, receipts)
    activities = _Rows()
    if fresh:
        # of twins in one transaction the first is written
        write_mails(connection, {slot.new.raw_sha256: slot.order for slot in reversed(fresh)}.values())
        activities = _activities(connection, fresh)
    each_kept = {slot.ledger_id: _kept(slot, _met_by(slot, receipts)) for slot in slots}
    answers = [
        _answer(ledger_id, attached, each_kept)
        for order in orders
        for ledger_id, attached in zip(order.ledger_ids, order.attached, strict=True)
    ]
    said = each_kept | {answer.ledger_id: answer for answer in answers}
    with pipelined(connection):
        if fresh:
            _write_activities(connection, activities)
            _touch_addresses(connection, fresh)
        write_rows(connection, [row for order in orders for each in order.all() for row in _ledger_rows(each, said)])
    return [tuple(said[ledger_id] for ledger_id in order.ledger_ids) for order in orders]


def met(connection: Connection, ref: RecordRef, identity: str, known_as: str | None) -> Reason | None:
    """Say how the receipt of this mail on this record stands, if there is one under either name."""
    columns = select(receipt.c.state).join(record, record.c.id == receipt.c.record_id)
    names = receipt.c.identity.in_({identity, known_as or identity})
    states = connection.scalars(columns.where(record.c.kind == ref.kind.value, record.c.ref == ref.ref, names)).all()
    if not states:
        return None
    return Reason.DUPLICATE if KEPT in states else Reason.DELETED


def _slots(connection: Connection, orders: Sequence[Order]) -> list[Slot]:
    refs = {new_activity.record for order in orders for new_activity in order.new.activities}
    record_ids = _record_ids(connection, refs, held=True)
    if len(record_ids) < len(refs):
        raise Unkeepable("a record is gone")
    return [
        Slot(
            record_id=record_ids[new_activity.record],
            order=order,
            activity=new_activity,
            activity_id=activity_id,
            ledger_id=ledger_id,
        )
        for order in orders
        for new_activity, activity_id, ledger_id in zip(
            order.new.activities, order.activity_ids, order.ledger_ids, strict=True
        )
        if new_activity.says_anything
    ]


def _record_ids(connection: Connection, refs: Iterable[RecordRef], *, held: bool = False) -> dict[RecordRef, int]:
    """Find records; ``held`` against merging and removing, as their rows will do anyway, but in order."""
    by_key = {(ref.kind.value, ref.ref): ref for ref in refs}
    found: dict[RecordRef, int] = {}
    for part in in_parts(by_key):
        rows = (_HELD_RECORDS if held else _RECORDS).rows(connection, {"keys": part})
        found.update({by_key[(kind, ref)]: number for number, kind, ref in rows})
    return found


# -- receipts -------------------------------------------------------------------------------------------------------


def _find_receipts(connection: Connection, keys: Iterable[Key]) -> dict[Key, _Receipt]:
    found: dict[Key, _Receipt] = {}
    for part in in_parts(keys):
        rows = _RECEIPTS.rows(connection, {"keys": part})
        found.update({(number, name): _Receipt(state, activity_id) for number, name, state, activity_id in rows})
    return found


def _give_receipts(connection: Connection, slots: Sequence[Slot], receipts: dict[Key, _Receipt]) -> list[Slot]:
    """Return the slots that got a new receipt; ``receipts`` then holds one for every slot, under one of its keys."""
    wanted: dict[Key, Slot] = {}
    for slot in slots:
        if not any(key in receipts or key in wanted for key in slot.keys):
            wanted[slot.key] = slot
    if not wanted:
        return []
    _ADD_RECEIPTS.add(connection, [_receipt_row(wanted[key]) for key in sorted(wanted)])
    there = _find_receipts(connection, wanted)
    if len(there) < len(wanted):
        raise Unkeepable("a receipt comes and goes")
    receipts.update(there)
    return [slot for key, slot in wanted.items() if there[key].activity_id == slot.activity_id]


def _receipt_row(slot: Slot) -> Row:
    return {
        "record_id": slot.record_id,
        "identity": slot.new.identity,
        "state": KEPT,
        "activity_id": slot.activity_id,
        "at": slot.new.received_at,
    }


def _met_by(slot: Slot, receipts: Mapping[Key, _Receipt]) -> _Receipt:
    """Give the receipt that a slot got or was met by: kept before deleted, its own before the other."""
    found = [receipts[key] for key in slot.keys if key in receipts]
    return next((each for each in found if each.state == KEPT), found[0])


def _kept(slot: Slot, found: _Receipt) -> Kept:
    if found.activity_id == slot.activity_id:  # also where a commit succeeded and its answer was lost
        return Kept(verdict=Verdict.KEPT, reason=None, ledger_id=slot.ledger_id, activity=slot.activity_id)
    if found.state == KEPT:
        return Kept(
            verdict=Verdict.DUPLICATE, reason=Reason.DUPLICATE, ledger_id=slot.ledger_id, activity=found.activity_id
        )
    return Kept(verdict=Verdict.DUPLICATE, reason=Reason.DELETED, ledger_id=slot.ledger_id, activity=None)


def _answer(ledger_id: str, attached: Sequence[Order], each_kept: Mapping[str, Kept]) -> Kept:
    """Say of a mail and what is attached to it what became of them together: see ``ports.Archive.keep``."""
    ids = (ledger_id, *(number for order in attached for number in order.ledger_ids))
    parts = [each_kept[number] for number in ids if number in each_kept]
    activity_id = next((part.activity for part in parts if part.activity), None)
    reason = Reason.DUPLICATE if activity_id else Reason.DELETED
    if any(part.verdict is Verdict.KEPT for part in parts):
        return Kept(verdict=Verdict.KEPT, reason=None, ledger_id=ledger_id, activity=activity_id)
    return Kept(verdict=Verdict.DUPLICATE, reason=reason, ledger_id=ledger_id, activity=activity_id)


def _ledger_rows(order: Order, said: Mapping[str, Kept]) -> list[Row]:
    new = order.new
    return [
        row_of(
            LedgerEntry(
                id=ledger_id,
                at=new.received_at,
                verdict=said[ledger_id].verdict,
                reason=said[ledger_id].reason,
                record=one.record,
                relay=new.relay,
                queue_id=new.queue_id,
                author=new.author or None,
                message_id=new.mail.message_id or None,
                activity=said[ledger_id].activity,
            )
        )
        for one, ledger_id in zip(new.activities, order.ledger_ids, strict=True)
    ]


# -- activities -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is written of activities."""

    activities: Sequence[Row] = ()
    notes: Sequence[Row] = ()
    participations: Sequence[Row] = ()


def _activities(connection: Connection, fresh: Sequence[Slot]) -> _Rows:
    """Find out who and what is meant, and make the rows."""
    recorders = _recorder_ids(connection, {slot.new.recorder for slot in fresh})
    persons = _record_ids(
        connection, {person.record for slot in fresh for person in slot.activity.participants if person.record}
    )
    repeated = _same_message_id(connection, fresh)
    notes = [row for slot in fresh for row in _note_rows(slot, repeated)]
    owners = look_again(connection, {(slot.record_id, email) for slot in fresh for email in _unknown(slot, persons)})
    return _Rows(
        activities=[_activity_row(slot, recorders) for slot in fresh],
        notes=notes,
        participations=[row for slot in fresh for row in _participation_rows(slot, persons, owners)],
    )


def _write_activities(connection: Connection, rows: _Rows) -> None:
    _ADD_ACTIVITIES.add(connection, rows.activities)
    _ADD_NOTES.add(connection, rows.notes)
    _ADD_PARTICIPATIONS.add(connection, rows.participations)


def _recorder_ids(connection: Connection, emails: set[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in in_parts(emails):
        found.update(dict(_RECORDERS.rows(connection, {"emails": part})))
    if len(found) < len(emails):
        raise Unkeepable("a user is gone")
    return found


def _activity_row(slot: Slot, recorders: Mapping[str, int]) -> Row:
    new = slot.new
    return {
        "id": slot.activity_id,
        "record_id": slot.record_id,
        "type": ActivityType.EMAIL.value,
        "topic": TOPIC_OTHER,
        "origin": Origin.BCC.value,
        "occurred_at": new.occurred_at,
        "recorded_at": new.received_at,
        "recorder_id": recorders[new.recorder],
        "mail_sha256": bytes.fromhex(new.raw_sha256),
        "author": new.author,
        "envelope_from": new.envelope_from,
        "message_id": new.mail.message_id or None,
        "trust": new.trust,
    }


def _same_message_id(connection: Connection, fresh: Sequence[Slot]) -> set[str]:
    """Name the new activities (by id) whose record has another mail of the same Message-ID and author."""
    named = [slot for slot in fresh if slot.new.mail.message_id]
    seen: set[tuple[int, str, str]] = set()
    for part in in_parts({_name(slot) for slot in named}):
        seen.update((number, name, author) for number, name, author in _NAMED.rows(connection, {"names": part}))
    repeated = set()
    for slot in named:
        if _name(slot) in seen:
            repeated.add(slot.activity_id)
        seen.add(_name(slot))
    return repeated


def _name(slot: Slot) -> tuple[int, str, str]:
    return slot.record_id, slot.new.mail.message_id, slot.new.author


def _note_rows(slot: Slot, repeated: set[str]) -> list[Row]:
    # those of the reading stand with the reading, and are read anew with it
    own = [note for note in slot.activity.notes if note not in slot.new.mail.notes]
    notes = [*own, *([SAME_MESSAGE_ID] if slot.activity_id in repeated else [])]
    return [
        {"activity_id": slot.activity_id, "n": n, "code": note.code, "text": note.text}
        for n, note in enumerate(notes, start=1)
    ]


def _unknown(slot: Slot, persons: Mapping[RecordRef, int]) -> set[str]:
    """Give the addresses that were nobody's when the mail was looked at, or whose owner is gone since."""
    return {
        person.email
        for person in slot.activity.participants
        if person.email and person.side is Side.EXTERNAL and (person.record is None or person.record not in persons)
    }


def _owner(person: Participant, persons: Mapping[RecordRef, int]) -> Owner:
    return Owner(person.side, persons.get(person.record) if person.record else None)


def _participation_rows(
    slot: Slot, persons: Mapping[RecordRef, int], owners: Mapping[tuple[int, str], Owner]
) -> list[Row]:
    once = {person.email: person for person in slot.activity.participants}
    found = {email: owners.get((slot.record_id, email)) or _owner(person, persons) for email, person in once.items()}
    return [
        {
            "activity_id": slot.activity_id,
            "n": n,
            "email": email,
            "side": owner.side.value,
            "record_id": owner.person,
            "activity_record_id": slot.record_id,
            "occurred_at": slot.new.occurred_at,
        }
        for n, (email, owner) in enumerate(found.items(), start=1)
    ]


# -- addresses ------------------------------------------------------------------------------------------------------


def _touch_addresses(connection: Connection, fresh: Sequence[Slot]) -> None:
    used: dict[str, datetime] = {}
    exposed: dict[str, datetime] = {}
    for slot in fresh:
        local = slot.activity.address.rpartition("@")[0]
        used[local] = max(used.get(local, slot.new.received_at), slot.new.received_at)
        if slot.activity.exposed:
            exposed[local] = min(exposed.get(local, slot.new.received_at), slot.new.received_at)
    _USED.change(connection, _moments(used))
    _EXPOSED.change(connection, _moments(exposed))


def _moments(moments: Mapping[str, datetime]) -> list[Row]:
    return [{"name": local, "moment": moments[local]} for local in sorted(moments) if local]
