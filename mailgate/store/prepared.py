"""The statements that every mail pays for: described by SQLAlchemy, compiled once, run on the driver's own cursor.

SQLAlchemy takes 100 to 200 microseconds for a statement before the driver gets it, ten times what the statement itself
takes. Here that is done once per engine: the text, the order of its parameters, and the functions that bring values
into and out of the types of the columns. The statement stays the one that SQLAlchemy writes.

``Asking`` runs a SELECT and gives plain tuples. A parameter with several values (``bindparam(..., expanding=True)``) is
compiled for 1, 2, 4, ... values, and filled up with the last one. ``Adding`` inserts many rows at once: by the driver's
``executemany`` on SQLite, by many rows of values on PostgreSQL.

Raises what SQLAlchemy would: ``DBAPIError`` and below, with the driver's error in ``orig``; a lost connection is
not used again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol, cast

from sqlalchemy import CompoundSelect, Connection, Dialect, LargeBinary, Select, Table, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.types import TypeEngine

Row = Mapping[str, object]
Convert = Callable[[Any], Any]

_MOST_ROWS = 64  # of one statement
# of the drivers' parameters, by place: psycopg's own is by name, which it turns into places each time
_STYLES = {"sqlite": "qmark", "postgresql": "format"}


class Cursor(Protocol):
    """The part of a driver's cursor that is used here."""

    def execute(self, statement: str, parameters: Sequence[object] = ...) -> object: ...  # noqa: D102 - PEP 249
    def executemany(self, statement: str, parameters: Sequence[Sequence[object]]) -> object: ...  # noqa: D102 - PEP 249
    def fetchall(self) -> list[tuple[Any, ...]]: ...  # noqa: D102 - PEP 249
    def close(self) -> None: ...  # noqa: D102 - PEP 249


@dataclass(frozen=True, slots=True)
class _Text:
    """A compiled statement: for each parameter its name, how it is written, and its value where that never changes.

    For the columns that need it, how they are read.
    """

    sql: str
    given: tuple[tuple[str, Convert | None, object], ...]
    read: tuple[tuple[int, Convert], ...]


class Asking:
    """A SELECT."""

    def __init__(self, statement: Select[Any] | CompoundSelect[Any], **several: object) -> None:
        """``several`` gives one value, of its kind, for each parameter that is a list."""
        self._statement = statement
        self._several = several
        self._texts: dict[tuple[str, tuple[int, ...]], _Text] = {}

    def rows(self, connection: Connection, given: Row) -> list[tuple[Any, ...]]:
        """Ask in the transaction of a connection."""
        with raw_cursor(connection) as cursor:
            return self.ask(cursor, connection.dialect, given)

    def ask(self, cursor: Cursor, dialect: Dialect, given: Row) -> list[tuple[Any, ...]]:
        """Ask by a driver's cursor."""
        values, sizes = self._filled(given)
        text = self._texts.get((dialect.name, sizes)) or self._compile(dialect, sizes)
        cursor.execute(text.sql, [_written(values.get(name, fixed), convert) for name, convert, fixed in text.given])
        found = cursor.fetchall()
        return [_read(row, text.read) for row in found] if text.read else found

    def _filled(self, given: Row) -> tuple[dict[str, Any], tuple[int, ...]]:
        values: dict[str, Any] = dict(given)
        sizes = []
        for name in self._several:
            listed: Sequence[Any] = values[name]
            size = 1 << (len(listed) - 1).bit_length() if len(listed) > 1 else 1
            sizes.append(size)
            filled = [*listed, *[listed[-1]] * (size - len(listed))]
            for n, value in enumerate(filled, start=1):
                if isinstance(value, tuple):
                    values.update({f"{name}_{n}_{m}": part for m, part in enumerate(value, start=1)})
                else:
                    values[f"{name}_{n}"] = value
        return values, tuple(sizes)

    def _compile(self, dialect: Dialect, sizes: tuple[int, ...]) -> _Text:
        by_place = _by_place(dialect)
        lists = {name: [one] * size for (name, one), size in zip(self._several.items(), sizes, strict=True)}
        compiled = self._statement.compile(dialect=by_place)
        # to write out the lists, the compiler wants values for all
        sample = {name: None for name, bind in compiled.binds.items() if bind.required} | lists
        state = compiled.construct_expanded_state(sample)
        fixed = state.parameters
        types = {name: bind.type for name, bind in compiled.binds.items()}
        text = _Text(
            sql=state.statement,
            given=tuple((name, _writes(types.get(name), by_place), fixed[name]) for name in state.positiontup or ()),
            read=tuple(
                (n, convert)
                for n, column in enumerate(self._statement.selected_columns)
                if (convert := _reads(column.type, by_place))
            ),
        )
        self._texts[(dialect.name, sizes)] = text
        return text


class Changing:
    """An UPDATE, for many rows of parameters."""

    def __init__(self, statement: Update) -> None:
        self._statement = statement
        self._texts: dict[str, _Text] = {}

    def change(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Update once for each row of parameters, in their order."""
        if not rows:
            return
        text = self._texts.get(connection.dialect.name) or self._compile(connection.dialect)
        with raw_cursor(connection) as cursor:
            cursor.executemany(text.sql, _by_row(rows, text.given))

    def _compile(self, dialect: Dialect) -> _Text:
        by_place = _by_place(dialect)
        compiled = self._statement.compile(dialect=by_place)
        kinds = {name: bind.type for name, bind in compiled.binds.items()}
        given = tuple((name, _writes(kinds[name], by_place), None) for name in compiled.positiontup or ())
        text = self._texts[dialect.name] = _Text(sql=str(compiled), given=given, read=())
        return text


class Adding:
    """An INSERT of rows that name these columns; ``unless`` names those of a unique key that may be there already."""

    def __init__(self, table: Table, columns: Sequence[str], unless: Sequence[str] = ()) -> None:
        self._table = table
        self._columns = tuple(columns)
        self._unless = tuple(unless)
        self._texts: dict[tuple[str, int], _Text] = {}

    def add(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Insert rows, in their order."""
        if not rows:
            return
        with raw_cursor(connection) as cursor:
            if connection.dialect.name == "sqlite":
                text = self._text(connection.dialect, 1)
                cursor.executemany(text.sql, _by_row(rows, text.given))
                return
            for part in _in_powers(rows):
                text = self._text(connection.dialect, len(part))
                cursor.execute(text.sql, list(chain.from_iterable(_by_row(part, text.given))))

    def _text(self, dialect: Dialect, rows: int) -> _Text:
        return self._texts.get((dialect.name, rows)) or self._compile(dialect, rows)

    def _compile(self, dialect: Dialect, rows: int) -> _Text:
        by_place = _by_place(dialect)
        table = by_place.identifier_preparer.format_table(self._table)
        named = ", ".join(by_place.identifier_preparer.quote(name) for name in self._columns)
        types = {name: self._table.c[name].type for name in self._columns}
        places = ", ".join(_place(types[name], by_place) for name in self._columns)
        key = ", ".join(self._unless)
        conflict = f" ON CONFLICT ({key}) DO NOTHING" if self._unless else ""
        text = _Text(
            sql=f"INSERT INTO {table} ({named}) VALUES {', '.join([f'({places})'] * rows)}{conflict}",  # noqa: S608 - names of our own tables
            given=tuple((name, _writes(types[name], by_place), None) for name in self._columns),
            read=(),
        )
        self._texts[dialect.name, rows] = text
        return text


def _place(kind: TypeEngine[Any], dialect: Dialect) -> str:
    """Write a parameter; PostgreSQL is told its type, as several rows of values are of no column yet."""
    if dialect.name == "sqlite":
        return "?"
    # the bytes of mails would come twice as long in text
    how = "%b" if isinstance(kind, LargeBinary) else "%s"
    return f"{how}::{kind.compile(dialect)}"


def _in_powers(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Cut into parts of 64, 32, ... 2 and 1, so that few texts do for any number."""
    start = 0
    while left := len(rows) - start:
        size = min(_MOST_ROWS, 1 << (left.bit_length() - 1))
        yield rows[start : start + size]
        start += size


@contextmanager
def raw_cursor(connection: Connection) -> Iterator[Cursor]:
    """Give the driver's cursor, in the transaction of a connection; its errors become SQLAlchemy's."""
    dialect = connection.dialect
    cursor = cast("Cursor", connection.connection.cursor())
    try:
        yield cursor
    except dialect.loaded_dbapi.Error as error:
        told = wrapped(error, dialect, connection.connection)
        if isinstance(told, DBAPIError) and told.connection_invalidated:
            connection.invalidate(error)
        raise told from error
    finally:
        cursor.close()


@contextmanager
def pipelined(connection: Connection) -> Iterator[None]:
    """Send what is written in the block without waiting for each answer; at its end all are there.

    On PostgreSQL (libpq's pipeline mode); a file answers at once. An error may show at the end of the block only.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            yield
    except connection.dialect.loaded_dbapi.Error as error:
        told = wrapped(error, connection.dialect, connection.connection)
        if isinstance(told, DBAPIError) and told.connection_invalidated:
            connection.invalidate(error)
        raise told from error


def wrapped(error: BaseException, dialect: Dialect, connection: PoolProxiedConnection) -> BaseException:
    """Give a driver's error as SQLAlchemy would, without statement and values; any other as it is."""
    base = dialect.loaded_dbapi.Error
    if not isinstance(error, base):
        return error
    lost = dialect.is_disconnect(error, connection.dbapi_connection, None)
    return DBAPIError.instance(
        None, None, error, base, hide_parameters=True, connection_invalidated=lost, dialect=dialect
    )


def _by_place(dialect: Dialect) -> Dialect:
    kind = type(dialect)
    return kind(paramstyle=_STYLES[dialect.name])  # type: ignore[call-arg]  # every dialect of ours takes it


def _writes(kind: TypeEngine[Any] | None, dialect: Dialect) -> Convert | None:
    return None if kind is None else kind.dialect_impl(dialect).bind_processor(dialect)


def _reads(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def _by_row(rows: Sequence[Row], given: tuple[tuple[str, Convert | None, object], ...]) -> Sequence[Sequence[object]]:
    return list(zip(*(_column(rows, name, convert) for name, convert, _ in given), strict=True))


def _written(value: Any, convert: Convert | None) -> Any:
    return value if convert is None else convert(value)


def _column(rows: Sequence[Row], name: str, convert: Convert | None) -> list[Any]:
    return [row[name] for row in rows] if convert is None else [convert(row[name]) for row in rows]


def _read(row: tuple[Any, ...], read: tuple[tuple[int, Convert], ...]) -> tuple[Any, ...]:
    values = list(row)
    for n, convert in read:
        values[n] = convert(values[n])
    return tuple(values)
