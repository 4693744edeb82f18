"""A write that lost against another process's is done once more, so that its rules see what the other one wrote.

Locks are taken in one order, by everybody, so that there is seldom anything to do once more on PostgreSQL:

    1. records, by key: alone to merge or remove one, against other admins to change it or add to it by hand, shared
       (``FOR KEY SHARE``, as a foreign key does) to keep a mail on it, and to change or take away an activity on it
    2. receipts; where an activity is changed or taken away, first that activity and its participations
    3. mails, by SHA-256, then addresses and the ledger
    4. last of all in a registration, the lock that keeps mails off (``store.linking``)

Whoever holds a record alone moves all that is on it, so of what comes later nothing waits for two of them. What stays
open is who takes part: a contact's merge and a change of participants may meet, and one of them is done again.
"""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from mailgate.errors import Deferred, Reason
from mailgate.store.database import Database, is_transient

TRIES = 3

_Result = TypeVar("_Result")


def write(database: Database, work: Callable[[Connection], _Result]) -> _Result:
    """Run ``work`` in a transaction of its own; again where another one took a key or a lock before it."""
    for _ in range(TRIES - 1):
        try:
            with database.write() as connection:
                return work(connection)
        except IntegrityError:
            continue
        except Deferred as error:
            if not is_transient(error):
                raise
    try:
        with database.write() as connection:
            return work(connection)
    except IntegrityError as error:
        raise Deferred(Reason.STORE_DOWN) from error
