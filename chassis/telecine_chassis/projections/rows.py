"""Rows of a projection in memory: read in bulk, changed as plain objects, written in bulk.

A row of a SQLModel class is a plain object here, with the columns as attributes: setting one is neither validated nor
tracked, which costs an object-relational mapper most of its time. What has changed is found by comparison at the end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import Any, ClassVar, TypeVar, cast

from pydantic_core import PydanticUndefined
from sqlalchemy import Connection, Engine, Table
from sqlmodel import SQLModel

from .statements import TableStatements, Values

__all__ = ["RowCache", "RowKey", "Rows", "new_row"]

Row = TypeVar("Row", bound=SQLModel)
RowKey = tuple[type[SQLModel], Any]
"""A row's class, and the value of its primary key: a tuple if that has several columns."""
KEPT = 1000
"""Rows of each table that are kept for the next transaction, those used last."""


class _PlainRow:
    _model: ClassVar[type[SQLModel]]
    _defaults: ClassVar[dict[str, Any]]

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__ = values


def new_row(model: type[Row], /, **values: Any) -> Row:
    """A plain row of `model`; columns that are not named have the model's defaults.

    It has the attributes of a `model` but none of its methods and properties, and is not checked.
    """
    plain = _plain(model)
    return cast(Row, plain(plain._defaults | values))


@cache
def _plain(model: type[SQLModel]) -> type[_PlainRow]:
    defaults = {
        name: field.default
        for name, field in model.model_fields.items()
        if field.default is not PydanticUndefined and not field.is_required()
    }
    return type(model.__name__, (_PlainRow,), {"_model": model, "_defaults": defaults})


@dataclass(slots=True)
class _TableRows:
    """Rows of one table. `stored`: their values in the database; `used`: keys of this transaction.

    `known` has None for a row that does not exist, and those used last at its end.
    """

    plain: type[_PlainRow]
    statements: TableStatements
    known: dict[Any, Any] = field(default_factory=dict)
    stored: dict[Any, Values] = field(default_factory=dict)
    used: dict[Any, None] = field(default_factory=dict)
    inserted: list[Values] = field(default_factory=list)
    values: Any = None
    key: Any = None

    def __post_init__(self) -> None:
        names, key_at = self.statements.names, self.statements.key_at
        self.values = itemgetter(*names)
        self.key = itemgetter(*[names[at] for at in key_at])

    def load(self, connection: Connection, keys: Sequence[Any]) -> None:
        """Read rows that are not known yet."""
        self.known.update(dict.fromkeys(keys))
        for values in self.statements.select(connection, keys):
            self._know(values)

    def find(self, connection: Connection, equal: dict[str, Any]) -> list[Any]:
        """All rows whose columns have these values, changes of this transaction included."""
        key = itemgetter(*self.statements.key_at)
        for values in self.statements.select_where(connection, equal):
            if key(values) not in self.known:
                self._know(values)
        found = {
            name: row
            for name, row in self.known.items()
            if row is not None and all(row.__dict__[column] == value for column, value in equal.items())
        }
        self.used.update(dict.fromkeys(found))
        return list(found.values())

    def erase(self, connection: Connection, equal: dict[str, Any]) -> bool:
        """Delete all rows whose columns have these values, those of this transaction included; whether any had."""
        if self.used or self.inserted:
            self.write(connection)
        self.known, self.stored = {}, {}
        return self.statements.delete_where(connection, equal) > 0

    def write(self, connection: Connection) -> None:
        """Write what has changed."""
        new, changed, deleted, indexed = self.inserted, list[Values](), list[Any](), False
        stored, indexed_at = self.stored, self.statements.indexed_at
        for key in self.used:
            row, before = self.known[key], stored.get(key)
            if row is None:
                if before is not None:
                    deleted.append(key)
                    del stored[key]
                continue
            after = self.values(row.__dict__)
            if before is None:
                new.append(after)
            elif after != before:
                changed.append(after)
                indexed = indexed or any(after[at] != before[at] for at in indexed_at)
            stored[key] = after
        if deleted:
            self.statements.delete(connection, deleted)
        if changed:
            self.statements.update(connection, changed, indexed=indexed)
        if new:
            self.statements.insert(connection, new)
        self._trim()

    def _know(self, values: Values) -> None:
        row = self.plain(dict(zip(self.statements.names, values, strict=True)))
        key = self.key(row.__dict__)
        self.known[key], self.stored[key] = row, values

    def _trim(self) -> None:
        for key in self.used:
            row = self.known.pop(key)
            if row is not None:
                self.known[key] = row
        self.used, self.inserted = {}, []
        if len(self.known) > KEPT:
            for key in list(self.known)[:-KEPT]:
                del self.known[key]
                self.stored.pop(key, None)


class RowCache(dict[type[SQLModel], _TableRows]):
    """Rows of a projection's tables on one engine, kept between transactions while no other process writes them."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    def __missing__(self, model: type[SQLModel]) -> _TableRows:
        statements = TableStatements(cast(Table, model.__table__), self._engine)  # type: ignore[attr-defined]
        self[model] = _TableRows(_plain(model), statements)
        return self[model]

    def forget(self) -> None:
        """Read every row again: another process may have written it, or a transaction has failed."""
        for rows in self.values():
            rows.known, rows.stored, rows.used, rows.inserted = {}, {}, {}, []


class Rows:
    """The rows in one transaction, for the function that applies events.

    Values of rows are replaced, never changed in place: a list or dict of a JSON column would not be written.
    """

    __slots__ = ("_cache", "_connection", "has_erased")

    def __init__(self, cache: RowCache, connection: Connection) -> None:
        self.has_erased = False
        self._cache = cache
        self._connection = connection

    def load(self, keys: Iterable[RowKey]) -> None:
        """Read these rows with one query for each table, so that `get` needs none."""
        missing: dict[type[SQLModel], dict[Any, None]] = {}
        for model, key in keys:
            if key not in self._cache[model].known:
                missing.setdefault(model, {})[key] = None
        for model, wanted in missing.items():
            self._cache[model].load(self._connection, list(wanted))

    def get(self, model: type[Row], key: Any) -> Row | None:
        """The row with this primary key; changes of its attributes are written."""
        table = self._cache[model]
        if key not in table.known:
            table.load(self._connection, [key])
        table.used[key] = None
        return cast("Row | None", table.known[key])

    def find(self, model: type[Row], /, **equal: Any) -> Sequence[Row]:
        """All rows whose columns have these values. A query each time."""
        return self._cache[model].find(self._connection, equal)

    def add(self, model: type[Row], row: Row) -> Row:
        """Add a row made by `new_row`. Raises LookupError, or IntegrityError at the end, if its primary key exists."""
        table = self._cache[model]
        key = table.key(row.__dict__)
        if table.known.get(key) is not None:
            raise LookupError(f"{model.__name__} {key} exists already")
        table.known[key] = row
        table.used[key] = None
        return row

    def put(self, model: type[Row], row: Row) -> Row:
        """Add a row made by `new_row`, or replace the one with its primary key."""
        key = self._cache[model].key(row.__dict__)
        self.get(model, key)
        self._cache[model].known[key] = row
        return row

    def insert(self, model: type[Row], /, **values: Any) -> None:
        """Insert a row that no later event reads; every column must be named."""
        table = self._cache[model]
        table.inserted.append(table.values(values))

    def delete(self, model: type[Row], row: Row) -> None:
        """Delete a row that was returned by `get` or `find`."""
        table = self._cache[model]
        table.known[table.key(row.__dict__)] = None

    def erase(self, model: type[Row], /, **equal: Any) -> None:
        """Delete all rows whose columns have these values, for good: if there were any, the slot is compacted."""
        self.has_erased |= self._cache[model].erase(self._connection, equal)

    def write(self) -> None:
        """Write what has changed, with one statement for each table and kind of change."""
        for table in self._cache.values():
            if table.used or table.inserted:
                table.write(self._connection)
