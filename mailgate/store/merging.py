"""Merging one record into another: everything follows, nothing is lost, every mail still comes once.

The name, language and state of the record merged into stay; e-mails, relations, contacts and users are joined.

A mail that both records had makes two activities on one record afterwards. One receipt can say so for (record,
identity); the other gets an identity of its own, so that both activities can still be deleted, each by its recorder.
A third arrival is met by the first receipt.
"""

from hashlib import sha256

from sqlalchemy import Column, Connection, and_, delete, exists, select, update

from mailgate.domain.record import RecordRef
from mailgate.store.linking import link_again
from mailgate.store.orders import in_parts
from mailgate.store.tables import (
    activity,
    address,
    ledger,
    participation,
    receipt,
    record,
    record_contact,
    record_email,
    record_relation,
    record_user,
    removal,
)

Named = tuple[RecordRef, int]


def merge(connection: Connection, source: Named, into: Named) -> str:
    """Move all that hangs on ``source`` and take it out; say what moved. Both records must be held by the caller."""
    (old_ref, old), (new_ref, new) = source, into
    _move_receipts(connection, old, new)
    moved = [f"{_move_activities(connection, old, new)} activities"]
    moved += [
        f"{_repoint(connection, table.c.record_id, old, new)} {word}"
        for table, word in ((address, "addresses"), (removal, "removals"))
    ]
    _repoint(connection, participation.c.record_id, old, new)
    connection.execute(update(ledger).where(ledger.c.record == str(old_ref)).values(record=str(new_ref)))
    _join_lists(connection, old, new)
    connection.execute(delete(record).where(record.c.id == old))
    # where the two were the only ones with an address, there is one now
    emails = connection.scalars(select(record_email.c.email).where(record_email.c.record_id == new)).all()
    link_again(connection, emails)
    return ", ".join(moved)


def merged_identity(activity_id: str) -> str:
    """Make the identity of a receipt whose own is taken on the record merged into."""
    return sha256(f"mailgate-merged\0{activity_id}".encode()).hexdigest()


def _repoint(connection: Connection, column: Column[int], old: int, new: int) -> int:
    return connection.execute(update(column.table).where(column == old).values({column: new})).rowcount


def _move_activities(connection: Connection, old: int, new: int) -> int:
    """Move the activities, and then the record that stands with their participations: no index begins with that."""
    moving = update(activity).where(activity.c.record_id == old).values(record_id=new).returning(activity.c.id)
    moved = connection.scalars(moving).all()
    for part in in_parts(moved):
        follow = update(participation).where(participation.c.activity_id.in_(part))
        connection.execute(follow.values(activity_record_id=new))
    return len(moved)


def _move_receipts(connection: Connection, old: int, new: int) -> None:
    own = receipt.alias()
    both = select(receipt.c.activity_id).where(
        receipt.c.record_id == old, exists().where(own.c.record_id == new, own.c.identity == receipt.c.identity)
    )
    for activity_id in connection.execute(both).scalars().all():
        values = {"record_id": new, "identity": merged_identity(activity_id)}
        connection.execute(update(receipt).where(receipt.c.activity_id == activity_id).values(values))
    _repoint(connection, receipt.c.record_id, old, new)


def _join_lists(connection: Connection, old: int, new: int) -> None:
    owned: tuple[tuple[Column[int], tuple[Column[object], ...]], ...] = (
        (record_email.c.record_id, (record_email.c.email,)),
        (record_user.c.record_id, (record_user.c.role, record_user.c.user_id)),
        (record_relation.c.record_id, (record_relation.c.role, record_relation.c.other_id)),
        (record_relation.c.other_id, (record_relation.c.role, record_relation.c.record_id)),
        (record_contact.c.record_id, (record_contact.c.role, record_contact.c.contact_id)),
        (record_contact.c.contact_id, (record_contact.c.role, record_contact.c.record_id)),
    )
    # a record can't be related to itself
    for table, other in ((record_relation, record_relation.c.other_id), (record_contact, record_contact.c.contact_id)):
        inside = and_(table.c.record_id.in_((old, new)), other.in_((old, new)))
        connection.execute(delete(table).where(inside))
    for column, rest in owned:
        _join(connection, column, rest, old, new)


def _join(connection: Connection, column: Column[int], rest: tuple[Column[object], ...], old: int, new: int) -> None:
    """Repoint the rows that the other record doesn't have in the same way, and drop those that it has."""
    table = column.table
    same = table.alias()
    match = and_(same.c[column.name] == new, *(same.c[one.name] == one for one in rest))
    connection.execute(delete(table).where(column == old, exists().where(match)))
    _repoint(connection, column, old, new)
