"""A write that lost against another process's is done once more, so that its rules see what the other one wrote."""

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
