"""SQL text for many rows of one table in one statement, on SQLite and Postgres.

Written out rather than compiled by SQLAlchemy for each execution: compiling costs more than the rows of a small batch.
Values go through the types of SQLAlchemy, so that every other query reads them as usual. Names come from the tables'
definitions, values are always parameters.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

from sqlalchemy import Column, Connection, CursorResult, Engine, String, Table, exc

__all__ = ["TableStatements", "Values", "execute"]

Values = tuple[Any, ...]
"""The values of a row in the order of the table's columns."""
Convert = Callable[[Any], Any]
LARGEST = 128
"""Rows or keys of one statement on SQLite. Fewer go in powers of two: the driver keeps 128 prepared.

On Postgres a column is one parameter, an array, and a statement takes any number of rows: psycopg would spend more time
on thousands of parameters than on everything else."""


class TableStatements:
    """Reads, writes and deletes rows of `table`. Methods raise SQLAlchemy's errors."""

    def __init__(self, table: Table, engine: Engine) -> None:
        self.names = tuple(column.name for column in table.columns)
        keys = [column.name for column in table.primary_key]
        self.key_at = tuple(map(self.names.index, keys))
        """Places of the primary key among the columns."""
        indexed = {column.name for index in table.indexes for column in index.columns}
        self.indexed_at = tuple(at for at, name in enumerate(self.names) if name in indexed)
        """Places of the columns that other indexes contain."""
        self._keys, self._indexed = keys, indexed
        preparer = engine.dialect.identifier_preparer
        self._quote: Callable[[str], str] = preparer.quote
        self.mark = "?" if engine.dialect.name == "sqlite" else "%s"
        schema = engine.get_execution_options().get("schema_translate_map", {}).get(table.schema)
        self.table = f"{preparer.quote_schema(schema)}." if schema else ""
        self.table += preparer.quote(table.name)
        self._dialect = engine.dialect
        self._types = [column.type.dialect_impl(engine.dialect) for column in table.columns]
        self._to_driver = _by_place(one.bind_processor(engine.dialect) for one in self._types)
        self._from_driver: list[tuple[int, Convert]] | None = None
        self._arrays: dict[str, str] | None = None
        if engine.dialect.name != "sqlite":
            self._arrays = {column.name: _array_type(column, engine) for column in table.columns}
        self._inserts: dict[int, str] = {}
        self._upserts: dict[tuple[int, bool], str] = {}

    def select(self, connection: Connection, keys: Sequence[Any]) -> list[Values]:
        """The rows with these primary keys: the value of the one column, or a tuple of values."""
        found: list[Values] = []
        for some in self._chunks(keys):
            query = f"SELECT {self._columns} FROM {self.table} WHERE {self._is_any_of(len(some))}"  # noqa: S608
            found += self._read(connection, query, self._flat_keys(some))
        return found

    def select_where(self, connection: Connection, equal: dict[str, Any]) -> list[Values]:
        """The rows whose columns, plain texts or numbers, have these values."""
        query = f"SELECT {self._columns} FROM {self.table} WHERE {self._where(equal)}"  # noqa: S608
        return self._read(connection, query, tuple(equal.values()))

    def delete_where(self, connection: Connection, equal: dict[str, Any]) -> int:
        """Delete the rows whose columns, plain texts or numbers, have these values; returns how many there were."""
        text = f"DELETE FROM {self.table} WHERE {self._where(equal)}"  # noqa: S608
        return int(execute(connection, text, tuple(equal.values())).rowcount)

    def insert(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Insert new rows. Raises IntegrityError for a key that exists."""
        for some in self._chunks(rows):
            size = 0 if self._arrays else len(some)
            text = self._inserts.get(size)
            if text is None:
                text = self._inserts[size] = self._insert(size)
            execute(connection, text, self._flat(some))

    def update(self, connection: Connection, rows: Sequence[Values], *, indexed: bool) -> None:
        """Update existing rows. `indexed`: whether columns of `indexed_at` have changed; writing them costs more."""
        for some in self._chunks(rows):
            size = 0 if self._arrays else len(some)
            text = self._upserts.get((size, indexed))
            if text is None:
                text = self._upserts[size, indexed] = self._insert(size) + self._on_conflict(indexed)
            execute(connection, text, self._flat(some))

    def delete(self, connection: Connection, keys: Sequence[Any]) -> None:
        """Delete the rows with these primary keys."""
        for some in self._chunks(keys):
            text = f"DELETE FROM {self.table} WHERE {self._is_any_of(len(some))}"  # noqa: S608
            execute(connection, text, self._flat_keys(some))

    @cached_property
    def _columns(self) -> str:
        return ", ".join(map(self._quote, self.names))

    def _where(self, equal: dict[str, Any]) -> str:
        return " AND ".join(f"{self._quote(name)} = {self.mark}" for name in equal)

    def _insert(self, count: int) -> str:
        if self._arrays:
            values = f"SELECT * FROM {self._unnest(self.names)}"  # noqa: S608
        else:
            row = f"({', '.join([self.mark] * len(self.names))})"
            values = f"VALUES {', '.join([row] * count)}"
        return f"INSERT INTO {self.table} ({self._columns}) {values}"

    def _on_conflict(self, indexed: bool) -> str:
        kept = {*self._keys, *(() if indexed else self._indexed)}
        changed = [self._quote(name) for name in self.names if name not in kept]
        assignments = ", ".join(f"{name} = excluded.{name}" for name in changed)
        return f" ON CONFLICT ({', '.join(map(self._quote, self._keys))}) DO UPDATE SET {assignments}"

    def _is_any_of(self, count: int) -> str:
        names = ", ".join(map(self._quote, self._keys))
        if self._arrays:
            return f"({names}) IN (SELECT * FROM {self._unnest(self._keys)})"  # noqa: S608
        if len(self._keys) == 1:
            return f"{names} IN ({', '.join([self.mark] * count)})"
        key = f"({', '.join([self.mark] * len(self._keys))})"
        return f"({names}) IN (VALUES {', '.join([key] * count)})"

    def _unnest(self, names: Iterable[str]) -> str:
        assert self._arrays is not None
        return f"unnest({', '.join(f'{self.mark}::{self._arrays[name]}' for name in names)})"

    def _flat_keys(self, keys: Sequence[Any]) -> Values:
        if self._arrays:
            return (list(keys),) if len(self._keys) == 1 else tuple(map(list, zip(*keys, strict=True)))
        return tuple(keys) if len(self._keys) == 1 else tuple(chain.from_iterable(keys))

    def _flat(self, rows: Sequence[Values]) -> Values:
        values = _converted(rows, self._to_driver)
        return (
            tuple(map(list, zip(*values, strict=True)))
            if self._arrays
            else tuple(chain.from_iterable(values))
        )

    def _chunks(self, rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
        at = 0
        while left := len(rows) - at:
            size = left if self._arrays else min(LARGEST, 1 << left.bit_length() - 1)
            yield rows[at : at + size]
            at += size

    def _read(self, connection: Connection, query: str, parameters: Values) -> list[Values]:
        result = execute(connection, query, parameters)
        if self._from_driver is None:
            cursor = result.cursor if isinstance(result, CursorResult) else result
            codes = [column[1] for column in cursor.description]
            self._from_driver = _by_place(
                one.result_processor(self._dialect, code)
                for one, code in zip(self._types, codes, strict=True)
            )
        return list(_converted(list(map(tuple, result.fetchall())), self._from_driver))


def execute(connection: Connection, text: str, parameters: Values) -> Any:
    """The result of a statement in the driver's form: its rows, and `rowcount`. Raises SQLAlchemy's errors."""
    if connection.dialect.name != "sqlite":
        return connection.exec_driver_sql(text, parameters)
    # Without SQLAlchemy's execution context, which takes longer than a statement of a few rows.
    driver = connection.connection.dbapi_connection
    assert driver is not None
    try:
        return driver.execute(text, parameters)
    except sqlite3.Error as error:
        raise getattr(exc, type(error).__name__, exc.DBAPIError)(None, None, error) from error


def _by_place(converters: Iterable[Convert | None]) -> list[tuple[int, Convert]]:
    return [(at, convert) for at, convert in enumerate(converters) if convert is not None]


def _converted(rows: Sequence[Values], converters: Sequence[tuple[int, Convert]]) -> Iterable[Values]:
    if not rows or not converters:
        return rows
    columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
    for at, convert in converters:
        columns[at] = map(convert, columns[at])
    return zip(*columns, strict=True)


def _array_type(column: Column[Any], engine: Engine) -> str:
    # A cast to VARCHAR(n) would cut off what is longer.
    text = isinstance(column.type, String)
    return "TEXT[]" if text else f"{column.type.compile(engine.dialect)}[]"
