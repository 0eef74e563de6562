"""The tables of credits as the auditor knows them: names, keys and column types. No service is imported.

A test compares this module with the tables that credits itself declares.
"""

from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["PROJECTION", "SERVICE", "TABLES", "TREE", "VERSION", "Column", "ColumnType", "Table"]

SERVICE = "credits"
VERSION = 1
"""Version of the tables. Postgres has a schema for each version and slot, SQLite a file beside the named one."""
PROJECTION = "ledger"
"""The projection that fills the tables from LEDGER."""


class ColumnType(Enum):
    """What a column holds."""

    INTEGER = auto()
    TEXT = auto()
    TIME = auto()
    BOOLEAN = auto()
    JSON = auto()
    BYTES = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Table:
    """One table. Rows have the order of `columns`, of which the first `keys` are the primary key."""

    name: str
    keys: int
    columns: tuple[Column, ...]

    @property
    def key(self) -> tuple[Column, ...]:
        """The columns of the primary key."""
        return self.columns[: self.keys]


def _table(name: str, keys: int, **columns: ColumnType) -> Table:
    return Table(name, keys, tuple(Column(column, type) for column, type in columns.items()))


ACCOUNT = _table(
    "account",
    1,
    account=ColumnType.TEXT,
    entry=ColumnType.INTEGER,
    available=ColumnType.INTEGER,
    held=ColumnType.INTEGER,
    is_closed=ColumnType.BOOLEAN,
    sequence=ColumnType.INTEGER,
)
GRANT = _table(
    "ledger_grant",
    2,
    account=ColumnType.TEXT,
    entry=ColumnType.INTEGER,
    kind=ColumnType.TEXT,
    reference=ColumnType.TEXT,
    amount=ColumnType.INTEGER,
    available=ColumnType.INTEGER,
    held=ColumnType.INTEGER,
    spent=ColumnType.INTEGER,
    expired=ColumnType.INTEGER,
    taken_back=ColumnType.INTEGER,
    granted_at=ColumnType.TIME,
    expires_at=ColumnType.TIME,
    usable_until=ColumnType.TIME,
)
HOLD = _table(
    "hold",
    2,
    account=ColumnType.TEXT,
    generation=ColumnType.TEXT,
    amount=ColumnType.INTEGER,
    parts=ColumnType.JSON,
    since=ColumnType.TIME,
)
TREE = _table("ledger_tree", 1, log=ColumnType.TEXT, size=ColumnType.INTEGER, peaks=ColumnType.BYTES)
"""Written when a checkpoint is signed, not by the projection. `peaks`: the roots of its perfect subtrees, joined."""

TABLES = (ACCOUNT, GRANT, HOLD, TREE)
