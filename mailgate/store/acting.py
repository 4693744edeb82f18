"""What every command on one activity asks first: which one is meant, and who is acting.

Raises ``NotFound`` for an id that is none or isn't there (naming who took it away), and for an unknown user;
``BadInput`` for a disabled user, who changes nothing, and for one without the role that is needed; ``Deferred`` where
one merge after the other moves the activity.
"""

import uuid

from sqlalchemy import Connection, select

from mailgate.domain import address
from mailgate.domain.user import Role
from mailgate.errors import BadInput, Deferred, NotFound, Reason
from mailgate.store import users
from mailgate.store.tables import activity, record, removal
from mailgate.store.users import StoredUser

TRIES = 4


def read_id(text: str) -> str:
    """Read an activity's id as it was typed."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise NotFound(f"no activity {text[:80]!a}: see mailgate activity list") from None


def hold(connection: Connection, activity_id: str) -> int:
    """Hold an activity until the transaction ends, and give the key of its record, which can't be merged until then.

    The record is held first, as a merge does (``store.again``); where one was under way, it is another one afterwards.
    """
    found = read_id(activity_id)
    its_record = select(activity.c.record_id).where(activity.c.id == found)
    for _ in range(TRIES):
        key = connection.scalar(its_record)
        if key is None:
            raise gone(connection, activity_id)
        there = select(record.c.id).where(record.c.id == key).with_for_update(read=True, key_share=True)
        if connection.scalar(there) is not None and connection.scalar(its_record.with_for_update()) == key:
            return int(key)
    raise Deferred(Reason.STORE_DOWN)


def gone(connection: Connection, activity_id: str) -> NotFound:
    """Say that an activity isn't there, and what became of it."""
    found = read_id(activity_id)
    row = connection.execute(select(removal).where(removal.c.activity_id == found)).first()
    if row is None:
        return NotFound(f"no activity {found}: see mailgate activity list")
    return NotFound(f"no activity {found}: it was {row.state} by {row.actor} at {row.at:%Y-%m-%dT%H:%M:%SZ}")


def acting(connection: Connection, email: str) -> StoredUser:
    """Find the user who acts, by any of its addresses."""
    folded = address.fold(email)
    stored = users.load(connection, {folded})
    if folded not in stored:
        raise NotFound(f"no user {folded}: see mailgate user list")
    found = stored[folded]
    if not found.user.enabled:
        raise BadInput(f"{found.user.email} is disabled and changes nothing: use mailgate user enable")
    return found


def acting_with(connection: Connection, email: str, role: Role) -> StoredUser:
    """Find the user who acts and needs a role for it."""
    found = acting(connection, email)
    if role not in found.user.roles:
        raise BadInput(f"{found.user.email} lacks the role {role.value}: give it with mailgate user set --role")
    return found
