"""The directory when the store is in trouble. What it answers else is tests/contract's."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from mailgate import events
from mailgate.errors import Deferred, Reason
from mailgate.store.database import Database
from mailgate.store.directory import Directory
from tests.worlds import CAMPAIGN, DOMAIN


@pytest.mark.parametrize(
    "ask",
    [
        lambda directory: directory.find_address(f"aaaa@{DOMAIN}"),
        lambda directory: directory.find_user("anna@firma.example"),
        lambda directory: directory.known(CAMPAIGN, ["anna@firma.example"]),
        lambda directory: directory.has_users(),
        lambda directory: directory.has_addresses(),
    ],
    ids=["find_address", "find_user", "known", "has_users", "has_addresses"],
)
def test_a_question_the_store_cannot_answer_is_deferred_and_told(
    database: Database, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Directory], object]
) -> None:
    told: list[object] = []
    monkeypatch.setattr(events, "store_trouble", lambda store, _error: told.append(store))
    monkeypatch.setattr(events, "store_state", lambda store, *, up: told.append((store, up)))
    directory = Directory(database, DOMAIN)
    ask(directory)
    with database.write() as connection:
        for name in ("address", "user_account", "user_address"):
            connection.execute(text(f"ALTER TABLE {name} RENAME TO gone_{name}"))
    with pytest.raises(Deferred) as caught:
        ask(directory)
    assert caught.value.reason is Reason.STORE_DOWN
    assert told == [(database.kind, True), database.kind]


def test_another_domain_is_not_asked_for(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("ALTER TABLE address RENAME TO gone"))
    assert Directory(database, DOMAIN).find_address("aaaa@else.example") is None
