"""What the auditor knows of the services' tables: names, keys and columns. No service is imported.

A test holds this page against the services' own.
"""

from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["CREDITS", "GATEWAY", "TREE", "Column", "Database", "Kind", "Table"]


class Kind(Enum):
    """What a column holds."""

    WHOLE = auto()
    TEXT = auto()
    TIME = auto()
    TRUTH = auto()
    JSON = auto()
    BYTES = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Table:
    """One table: rows are in the order of `columns`, of which the first `keys` are the primary key."""

    name: str
    keys: int
    columns: tuple[Column, ...]

    @property
    def key(self) -> tuple[Column, ...]:
        """The columns of the primary key."""
        return self.columns[: self.keys]


@dataclass(frozen=True, slots=True)
class Database:
    """One service's tables: their version, the projection that fills them from LEDGER, and those to be compared.

    Postgres keeps them in a schema of their own, SQLite in a file beside the named one: a slot.
    """

    service: str
    version: int
    projection: str
    tables: tuple[Table, ...]

    def table(self, name: str) -> Table:
        """One of its tables."""
        return next(table for table in self.tables if table.name == name)


def _table(name: str, keys: int, **columns: Kind) -> Table:
    return Table(name, keys, tuple(Column(column, kind) for column, kind in columns.items()))


_GRANT_SIDES = {
    "amount": Kind.WHOLE,
    "available": Kind.WHOLE,
    "held": Kind.WHOLE,
    "spent": Kind.WHOLE,
    "expired": Kind.WHOLE,
    "taken_back": Kind.WHOLE,
    "granted_at": Kind.TIME,
    "expires_at": Kind.TIME,
    "usable_until": Kind.TIME,
}

GATEWAY = Database(
    "gateway",
    2,
    "ledger",
    (
        _table(
            "balance",
            1,
            account=Kind.TEXT,
            entry=Kind.WHOLE,
            available=Kind.WHOLE,
            held=Kind.WHOLE,
            at=Kind.TIME,
            closed=Kind.TRUTH,
            attributed=Kind.TRUTH,
        ),
        _table(
            "credit_grant",
            2,
            account=Kind.TEXT,
            number=Kind.WHOLE,
            kind=Kind.TEXT,
            reference=Kind.TEXT,
            reason=Kind.TEXT,
            **_GRANT_SIDES,
        ),
        _table(
            "spend_limit",
            2,
            account=Kind.TEXT,
            api_key=Kind.TEXT,
            per_day=Kind.WHOLE,
            per_generation=Kind.WHOLE,
        ),
        _table(
            "ledger_entry",
            1,
            sequence=Kind.WHOLE,
            account=Kind.TEXT,
            entry=Kind.WHOLE,
            type=Kind.TEXT,
            action=Kind.TEXT,
            time=Kind.TIME,
            at=Kind.TIME,
            generation=Kind.TEXT,
            amount=Kind.WHOLE,
            held_amount=Kind.WHOLE,
            available=Kind.WHOLE,
            held=Kind.WHOLE,
            reason=Kind.TEXT,
            reference=Kind.TEXT,
            data=Kind.JSON,
        ),
        _table(
            "charge",
            1,
            generation=Kind.TEXT,
            account=Kind.TEXT,
            state=Kind.TEXT,
            amount=Kind.WHOLE,
            available=Kind.WHOLE,
            reason=Kind.TEXT,
            limit=Kind.JSON,
        ),
    ),
)

TREE = _table("ledger_tree", 1, log=Kind.TEXT, size=Kind.WHOLE, peaks=Kind.BYTES)
"""Not filled by a projection: as far as checkpoints were signed. `peaks`: the roots of its perfect subtrees, joined."""

CREDITS = Database(
    "credits",
    1,
    "ledger",
    (
        _table(
            "account",
            1,
            account=Kind.TEXT,
            entry=Kind.WHOLE,
            available=Kind.WHOLE,
            held=Kind.WHOLE,
            is_closed=Kind.TRUTH,
            sequence=Kind.WHOLE,
        ),
        _table(
            "ledger_grant",
            2,
            account=Kind.TEXT,
            entry=Kind.WHOLE,
            kind=Kind.TEXT,
            reference=Kind.TEXT,
            **_GRANT_SIDES,
        ),
        _table(
            "hold",
            2,
            account=Kind.TEXT,
            generation=Kind.TEXT,
            amount=Kind.WHOLE,
            parts=Kind.JSON,
            since=Kind.TIME,
        ),
        TREE,
    ),
)
