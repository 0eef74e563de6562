"""Reads the tables of credits in one transaction: SQLite with the standard library, Postgres with psycopg.

Nothing is written: SQLite files are opened read-only, the transaction on Postgres is read-only.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from telecine_auditor.errors import CommandError

from .schema import PROJECTION, SERVICE, VERSION, Column, ColumnType, Table

__all__ = ["Row", "TableReader", "open_tables"]

Row = tuple[Any, ...]
"""Values in the order of a table's columns: int, str, datetime in UTC, bool, bytes, a JSON value; or None."""

_LIVE = "SELECT slot FROM live_slot WHERE version = {mark}"
_POSITION = "SELECT sequence FROM checkpoint WHERE projection = {mark}"
_FETCH = 2000


class TableReader(Protocol):
    """The tables of one slot in one read transaction."""

    def position(self) -> int:
        """The sequence of LEDGER up to which the tables are filled; 0 when they are new."""
        ...

    def rows(self, table: Table) -> Iterator[Row]:
        """Every row in the order of the primary key (texts by code point), read in batches."""
        ...


@contextmanager
def open_tables(url: str) -> Iterator[TableReader]:
    """The tables of the live slot; `url` is written as credits has it in TELECINE_DATABASE_URL.

    Raises CommandError when the database cannot be read, also when that fails while it is read.
    """
    kind, colon, rest = url.partition("://")
    kind = kind.partition("+")[0]
    if not colon or kind not in ("sqlite", "postgresql"):
        raise CommandError(
            f"the {SERVICE} database must be sqlite:///FILE or postgresql://…, as the service has it"
        )
    if kind == "sqlite":
        with _sqlite(Path(unquote(rest.removeprefix("/").partition("?")[0]))) as tables:
            yield tables
    else:
        with _postgres(f"postgresql://{rest}") as tables:
            yield tables


@contextmanager
def _sqlite(named: Path) -> Iterator[TableReader]:
    try:
        with closing(_open_file(named)) as pointers:
            slot = _first(pointers.execute(_LIVE.format(mark="?"), (VERSION,)).fetchone()) or 1
        file = named.with_name(f"{named.stem}.v{VERSION}_{slot}{named.suffix}")
        with closing(_open_file(file)) as connection:
            connection.execute("BEGIN")
            yield _SqliteTables(connection)
    except sqlite3.Error as error:
        raise CommandError(f"the {SERVICE} database {named} cannot be read: {error}") from error


def _open_file(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise CommandError(
            f"there is no database file {path}: it may be of another version or of another service"
        )
    try:
        return _connected(path, "mode=ro")
    except sqlite3.OperationalError:
        # Readers of a file in WAL mode need a writable folder; a copy that has no writer can be read without.
        if path.with_name(f"{path.name}-wal").exists():
            raise
        return _connected(path, "immutable=1")


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class _SqliteTables:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def position(self) -> int:
        query = _POSITION.format(mark="?")
        return _first(self._connection.execute(query, (PROJECTION,)).fetchone()) or 0

    def rows(self, table: Table) -> Iterator[Row]:
        readers = [_SQLITE[column.type] for column in table.columns]
        cursor = self._connection.execute(_query(table, f'"{table.name}"', ""))
        cursor.arraysize = _FETCH
        while batch := cursor.fetchmany():
            yield from (_read(readers, values) for values in batch)


@contextmanager
def _postgres(url: str) -> Iterator[TableReader]:
    try:
        import psycopg
    except ImportError:
        raise CommandError(
            "Postgres needs psycopg, which is not installed: pip install 'telecine-auditor[postgres]'"
        ) from None
    try:
        with psycopg.connect(url) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            found = connection.execute(_LIVE.format(mark="%s"), (VERSION,)).fetchone()
            yield _PostgresTables(connection, _first(found) or 1)
    except psycopg.Error as error:
        raise CommandError(f"the {SERVICE} database cannot be read: {error}") from error


class _PostgresTables:
    def __init__(self, connection: Any, slot: int) -> None:
        self._connection = connection
        connection.execute(f"SET LOCAL search_path TO v{VERSION}_{slot}")

    def position(self) -> int:
        query = _POSITION.format(mark="%s")
        return _first(self._connection.execute(query, (PROJECTION,)).fetchone()) or 0

    def rows(self, table: Table) -> Iterator[Row]:
        readers = [_POSTGRES[column.type] for column in table.columns]
        with self._connection.cursor(name=f"audit_{table.name}") as cursor:
            cursor.itersize = _FETCH
            cursor.execute(_query(table, f'"{table.name}"', ' COLLATE "C"'))
            yield from (_read(readers, values) for values in cursor)


def _query(table: Table, source: str, collation: str) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    order = ", ".join(f'"{column.name}"{_collated(column, collation)}' for column in table.key)
    return f"SELECT {names} FROM {source} ORDER BY {order}"  # noqa: S608 - the names are constants


def _collated(column: Column, collation: str) -> str:
    return collation if column.type is ColumnType.TEXT else ""


def _first(row: tuple[Any, ...] | None) -> int | None:
    return None if row is None else int(row[0])


def _read(readers: list[Callable[[Any], Any]], values: Row) -> Row:
    return tuple(
        None if value is None else reader(value) for reader, value in zip(readers, values, strict=True)
    )


def _unchanged(value: Any) -> Any:
    return value


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _utc_of_text(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


_POSTGRES: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.INTEGER: _unchanged,
    ColumnType.TEXT: _unchanged,
    ColumnType.TIME: _utc,
    ColumnType.BOOLEAN: _unchanged,
    ColumnType.JSON: _unchanged,
    ColumnType.BYTES: bytes,
}
_SQLITE = _POSTGRES | {ColumnType.TIME: _utc_of_text, ColumnType.BOOLEAN: bool, ColumnType.JSON: json.loads}
