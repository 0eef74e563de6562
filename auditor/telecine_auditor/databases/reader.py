"""Reading a service's database as it was at one moment: SQLite with the standard library, Postgres with psycopg.

Nothing is ever written: SQLite files are opened read-only, on Postgres the transaction is.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from telecine_auditor.terminal.exit_codes import CommandError

from .schema import Column, Database, Kind, Table

__all__ = ["Row", "Tables", "open_tables"]

Row = tuple[Any, ...]
"""Values of a table's columns, in their order: int, str, datetime in UTC, bool, bytes, what JSON holds; or None."""

_LIVE = "SELECT slot FROM live_slot WHERE version = {mark}"
_CHECKPOINT = "SELECT sequence FROM checkpoint WHERE projection = {mark}"
_FETCH = 2000


class Tables(Protocol):
    """One slot's tables in one read transaction."""

    def checkpoint(self) -> int:
        """The sequence of LEDGER up to which the tables are filled; 0 when they are new."""
        ...

    def rows(self, table: Table) -> Iterator[Row]:
        """Every row, in the order of the primary key (texts by code points), without holding them all."""
        ...


@contextmanager
def open_tables(url: str, database: Database) -> Iterator[Tables]:
    """The live slot's tables of the database at `url`, in the form in which services have it.

    Raises CommandError when it can't be read, also later, while it is.
    """
    kind, colon, rest = url.partition("://")
    kind = kind.partition("+")[0]
    if not colon or kind not in ("sqlite", "postgresql"):
        raise CommandError(
            f"the {database.service} database must be sqlite:///FILE or postgresql://…, as the service has it"
        )
    if kind == "sqlite":
        with _sqlite(Path(unquote(rest.removeprefix("/").partition("?")[0])), database) as tables:
            yield tables
    else:
        with _postgres(f"postgresql://{rest}", database) as tables:
            yield tables


@contextmanager
def _sqlite(named: Path, database: Database) -> Iterator[Tables]:
    try:
        with closing(_open_file(named)) as pointers:
            slot = _first(pointers.execute(_LIVE.format(mark="?"), (database.version,)).fetchone()) or 1
        file = named.with_name(f"{named.stem}.v{database.version}_{slot}{named.suffix}")
        with closing(_open_file(file)) as connection:
            connection.execute("BEGIN")
            yield _SqliteTables(connection, database)
    except sqlite3.Error as error:
        raise CommandError(f"the {database.service} database {named} can't be read: {error}") from error


def _open_file(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise CommandError(
            f"there is no database file {path}: is it of another version, or of another service?"
        )
    try:
        return _connected(path, "mode=ro")
    except sqlite3.OperationalError:
        # Readers of a file in WAL mode need a folder that they can write to; a copy that nobody writes does not.
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
    def __init__(self, connection: sqlite3.Connection, database: Database) -> None:
        self._connection = connection
        self._database = database

    def checkpoint(self) -> int:
        query = _CHECKPOINT.format(mark="?")
        return _first(self._connection.execute(query, (self._database.projection,)).fetchone()) or 0

    def rows(self, table: Table) -> Iterator[Row]:
        readers = [_SQLITE[column.kind] for column in table.columns]
        cursor = self._connection.execute(_query(table, f'"{table.name}"', ""))
        cursor.arraysize = _FETCH
        while batch := cursor.fetchmany():
            yield from (_read(readers, values) for values in batch)


@contextmanager
def _postgres(url: str, database: Database) -> Iterator[Tables]:
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
            found = connection.execute(_LIVE.format(mark="%s"), (database.version,)).fetchone()
            yield _PostgresTables(connection, database, _first(found) or 1)
    except psycopg.Error as error:
        raise CommandError(f"the {database.service} database can't be read: {error}") from error


class _PostgresTables:
    def __init__(self, connection: Any, database: Database, slot: int) -> None:
        self._connection = connection
        self._database = database
        self._schema = f"v{database.version}_{slot}"
        connection.execute(f"SET LOCAL search_path TO {self._schema}")

    def checkpoint(self) -> int:
        query = _CHECKPOINT.format(mark="%s")
        return _first(self._connection.execute(query, (self._database.projection,)).fetchone()) or 0

    def rows(self, table: Table) -> Iterator[Row]:
        readers = [_POSTGRES[column.kind] for column in table.columns]
        with self._connection.cursor(name=f"audit_{table.name}") as cursor:
            cursor.itersize = _FETCH
            cursor.execute(_query(table, f'"{table.name}"', ' COLLATE "C"'))
            yield from (_read(readers, values) for values in cursor)


def _query(table: Table, source: str, collation: str) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    order = ", ".join(f'"{column.name}"{_collated(column, collation)}' for column in table.key)
    return f"SELECT {names} FROM {source} ORDER BY {order}"  # noqa: S608 - names are ours


def _collated(column: Column, collation: str) -> str:
    return collation if column.kind is Kind.TEXT else ""


def _first(row: tuple[Any, ...] | None) -> int | None:
    return None if row is None else int(row[0])


def _read(readers: list[Callable[[Any], Any]], values: Row) -> Row:
    return tuple(
        None if value is None else reader(value) for reader, value in zip(readers, values, strict=True)
    )


def _as_it_is(value: Any) -> Any:
    return value


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _utc_of_text(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


_POSTGRES: dict[Kind, Callable[[Any], Any]] = {
    Kind.WHOLE: _as_it_is,
    Kind.TEXT: _as_it_is,
    Kind.TIME: _utc,
    Kind.TRUTH: _as_it_is,
    Kind.JSON: _as_it_is,
    Kind.BYTES: bytes,
}
_SQLITE = _POSTGRES | {Kind.TIME: _utc_of_text, Kind.TRUTH: bool, Kind.JSON: json.loads}
