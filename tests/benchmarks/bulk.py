"""Rows by the million, straight into the tables: COPY on PostgreSQL, many at once on SQLite.

``written(url)`` gives a function that writes rows into a table. Foreign keys aren't looked at, and triggers don't fire,
for that connection alone; indexes and triggers are there afterwards as the schema has them, or it raises. Moments are
aware datetimes, identifiers and texts are strings.

Limits: for stores that nobody else uses meanwhile.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import Connection, Index, Table, Uuid, text

from mailgate.store import triggers
from mailgate.store.database import open_database
from mailgate.store.tables import metadata

AT_ONCE = 20_000  # rows


class Columns(tuple[str, ...]):
    """The names of the columns that are written, in order."""

    __slots__ = ()

    def __new__(cls, *names: str) -> "Columns":
        return super().__new__(cls, names)


Write = Callable[[str, Columns, Iterable[Sequence[Any]]], None]


@contextmanager
def written(url: str, *, without_indexes: bool = True) -> Iterator[Write]:
    """Write rows into a store; at the end it is as it would be had it grown by itself, and at rest."""
    database = open_database(url, create=False)
    filled: set[str] = set()
    try:
        with database.bare() as connection:
            is_postgresql = connection.dialect.name == "postgresql"
            _quick(connection, is_postgresql=is_postgresql)
            indexes = list(_dropped(connection)) if without_indexes else []
            if not is_postgresql:
                triggers.drop(connection)

            def write(table: str, columns: Columns, rows: Iterable[Sequence[Any]]) -> None:
                filled.add(table)
                put = _copy if is_postgresql else _insert
                put(connection, metadata.tables[table], columns, rows)

            yield write
            for index in indexes:
                index.create(connection)
            if not is_postgresql:
                triggers.create(connection)
            _settle(connection, filled, is_postgresql=is_postgresql)
            if not triggers.complete(connection):
                raise RuntimeError("the triggers are not as the schema has them")
    finally:
        database.close()


def _quick(connection: Connection, *, is_postgresql: bool) -> None:
    if is_postgresql:
        connection.exec_driver_sql("SET session_replication_role = replica")
        connection.exec_driver_sql("SET maintenance_work_mem = '1GB'")
        return
    for pragma in ("foreign_keys = OFF", "synchronous = OFF", "cache_size = -1000000", "temp_store = MEMORY"):
        connection.exec_driver_sql(f"PRAGMA {pragma}")


def _dropped(connection: Connection) -> Iterator[Index]:
    for table in metadata.tables.values():
        for index in table.indexes:
            index.drop(connection)
            yield index


def _settle(connection: Connection, filled: set[str], *, is_postgresql: bool) -> None:
    if not is_postgresql:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return
    for table in sorted(filled):
        key = next((column for column in metadata.tables[table].primary_key if column.autoincrement is True), None)
        if key is not None:
            sequence = f"pg_get_serial_sequence('{table}', '{key.name}')"
            connection.execute(text(f"SELECT setval({sequence}, (SELECT max({key.name}) FROM {table}))"))
        connection.exec_driver_sql(f"VACUUM ANALYZE {table}")
    connection.exec_driver_sql("CHECKPOINT")


def _copy(connection: Connection, table: Table, columns: Columns, rows: Iterable[Sequence[Any]]) -> None:
    raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # it is psycopg's
    names = ", ".join(f'"{name}"' for name in columns)
    with raw.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN'.encode()) as copy:
        for row in rows:
            copy.write_row(row)


def _insert(connection: Connection, table: Table, columns: Columns, rows: Iterable[Sequence[Any]]) -> None:
    marks = ", ".join("?" for _ in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    forms = [_form(table, name) for name in columns]
    raw: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]  # it is SQLite's
    cursor = raw.cursor()
    cursor.execute("BEGIN")
    cursor.executemany(
        f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})',
        ([form(value) for form, value in zip(forms, row, strict=True)] for row in rows),
    )
    cursor.execute("COMMIT")


def _form(table: Table, name: str) -> Callable[[Any], Any]:
    """Write a value as SQLAlchemy does on SQLite."""
    if isinstance(table.c[name].type, Uuid):
        return lambda value: value if value is None else value.replace("-", "")
    return lambda value: f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value


def progress(what: str, done: int, of: int, start: float) -> None:
    """Say on a terminal how far a long work is."""
    left = (time.monotonic() - start) * (of - done) / max(done, 1)
    bar = "#" * (30 * done // max(of, 1))
    print(f"\r{what} [{bar:30}] {done:,} of {of:,}, {left:.0f} s to go ", end="" if done < of else "\n", flush=True)
