"""Telling log and metrics how the store fares; those who serve mails ask through this, the command line doesn't."""

from collections.abc import Iterator
from contextlib import contextmanager

from mailgate import events
from mailgate.errors import Deferred
from mailgate.store.database import Database


@contextmanager
def told(database: Database) -> Iterator[None]:
    """Tell whether the store answered what is asked in the block; errors pass."""
    try:
        yield
    except Deferred as error:
        events.store_trouble(database.kind, error.__cause__ or error)
        raise
    events.store_state(database.kind, up=True)
