"""The schema: made, brought up to date, and checked; one history of revisions for both engines.

``migrate`` takes the triggers of ``store.triggers`` away, runs the revisions that are missing, and puts the triggers
back from the one list, all in one transaction. Two processes may migrate at once: the second finds nothing to do.
On SQLite a copy of a database that holds something is put beside it first (``mailgate.db.before-REVISION-TIME``), and
foreign keys are off meanwhile and checked at the end, for there a table is changed by making it anew.

``check_schema`` raises ``Misconfigured`` unless the database is exactly at the newest revision known here, with the
triggers of this version.

Limits: going down is for tests; no command does it.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from mailgate.errors import Misconfigured
from mailgate.store import triggers
from mailgate.store.database import Database, sqlite_module
from mailgate.store.tables import metadata

_PG_LOCK = 0x6D61696C67617465  # "mailgate": one migration at a time
HEAD = "head"


def migrate(database: Database, revision: str = HEAD) -> bool:
    """Bring the schema to ``revision``; say whether there was anything to do. ``base`` takes it all away."""
    if revision == HEAD and _is_current(database):
        return False
    config = _config()
    with _exclusively(database) as connection:
        found = _revision(connection)
        _refuse_strange(connection, database, found)
        if revision == HEAD and found == _newest() and triggers.complete(connection):
            return False  # another process was faster
        if database.kind == "sqlite" and found is not None:
            _copy(Path(database.place), found)
        triggers.drop(connection)
        config.attributes["connection"] = connection
        step = command.downgrade if _is_behind(revision, found) else command.upgrade
        step(config, revision)
        if _revision(connection) == _newest():
            triggers.create(connection)
    return True


def check_schema(database: Database) -> None:
    """Raise ``Misconfigured`` unless this version of mailgate and the database fit together."""
    with database.read() as connection:
        found = _revision(connection)
        _refuse_strange(connection, database, found)
        if found != _newest() or not triggers.complete(connection):
            raise Misconfigured(f"store.url: the schema of {database.place} is old or not there: run mailgate migrate")


def _is_current(database: Database) -> bool:
    with database.read() as connection:
        return _revision(connection) == _newest() and triggers.complete(connection)


def _refuse_strange(connection: Connection, database: Database, found: str | None) -> None:
    if found is not None and found not in _known():
        raise Misconfigured(
            f"store.url: the schema of {database.place} is newer than this mailgate (revision {found}): "
            "install the newer one"
        )
    if found is None and set(inspect(connection).get_table_names()) & set(metadata.tables):
        raise Misconfigured(
            f"store.url: {database.place} holds tables that mailgate did not make: give it a database of its own"
        )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _config() -> Config:
    config = Config()
    # a path may hold the sign that this format gives a meaning
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _known() -> list[str]:
    """List the revisions, newest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]


def _newest() -> str:
    return _known()[0]


def _is_behind(wanted: str, found: str | None) -> bool:
    if wanted == HEAD or found is None:
        return False
    known = [*_known(), "base"]
    return known.index(wanted) > known.index(found)


@contextmanager
def _exclusively(database: Database) -> Iterator[Connection]:
    if database.kind == "postgresql":
        with database.write() as connection:
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PG_LOCK})
            yield connection
        return
    with database.bare() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")  # does nothing inside a transaction
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
            _check_foreign_keys(connection, database)
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


def _check_foreign_keys(connection: Connection, database: Database) -> None:
    broken = {row[0] for row in connection.exec_driver_sql("PRAGMA foreign_key_check")}
    if broken:
        tables = ", ".join(sorted(broken))
        raise Misconfigured(
            f"store.url: {database.place} holds rows that refer to nothing ({tables}): nothing was changed"
        )


def _copy(path: Path, revision: str) -> None:
    """Copy the database as it is; the caller holds its write lock, so it stands still."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    target = path.with_name(f"{path.name}.before-{revision}-{moment}")
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    module = sqlite_module()
    with closing(module.connect(path)) as source, closing(module.connect(target)) as copy:
        source.backup(copy)
