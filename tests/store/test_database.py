from mailgate.store.database import Database


def test_a_fresh_database_answers(database: Database) -> None:
    database.ping()
