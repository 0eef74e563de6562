"""Compares one table with the rows that follow from the ledger. Both come in key order; neither is held in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from telecine_auditor.breaches import Breach, BreachKind

from .reader import Row
from .schema import SERVICE, Table

__all__ = ["Difference", "TableDiff"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One value of the database that does not follow from the ledger.

    `column` is None for a whole row: `found` is None when it is missing, `expected` when it is superfluous.
    """

    table: str
    key: Row
    column: str | None
    found: Any
    expected: Any

    def breach(self) -> Breach:
        """The same as a breach."""
        row = f"{self.table} {'/'.join(map(str, self.key))}"
        if self.column is not None:
            message = f"{row}: {self.column} is {_shown(self.found)}, the ledger says {_shown(self.expected)}"
        elif self.found is None:
            message = f"{row}: the row is missing"
        else:
            message = f"{row}: the ledger has no such row"
        return Breach(BreachKind.DATABASE_DIFFERS, message, stream=SERVICE)

    def as_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        values = {"found": _plain(self.found), "expected": _plain(self.expected)}
        place = {"database": SERVICE, "table": self.table, "key": [_plain(part) for part in self.key]}
        return {"kind": BreachKind.DATABASE_DIFFERS.value, **place, "column": self.column, **values}


class TableDiff:
    """Takes the expected rows in key order and reports where `found` differs.

    `compared` counts rows that are in both.
    """

    def __init__(
        self, table: Table, found: Iterator[Row], on_difference: Callable[[Difference], None]
    ) -> None:
        self._table = table
        self._found = found
        self._on_difference = on_difference
        self._next = next(found, None)
        self.compared = 0

    def expect(self, row: Row) -> None:
        """The next row that the table must have."""
        key = self._key(row)
        while self._next is not None and self._key(self._next) < key:
            self._report_superfluous(self._next)
        if self._next is None or self._key(self._next) != key:
            self._report(key, None, None, "a row")
            return
        found, self._next = self._next, next(self._found, None)
        self.compared += 1
        for column, value, expected in zip(self._table.columns, found, row, strict=True):
            if not _same(value, expected):
                self._report(key, column.name, value, expected)

    def finish(self) -> None:
        """Report every row that is left: none of them was expected."""
        while self._next is not None:
            self._report_superfluous(self._next)

    def _report_superfluous(self, row: Row) -> None:
        self._report(self._key(row), None, "a row", None)
        self._next = next(self._found, None)

    def _report(self, key: Row, column: str | None, found: Any, expected: Any) -> None:
        self._on_difference(Difference(self._table.name, key, column, found, expected))

    def _key(self, row: Row) -> Row:
        return row[: self._table.keys]


def _same(found: Any, expected: Any) -> bool:
    # Postgres cannot store the character NUL in a text: services write a replacement character instead.
    if isinstance(found, str) and isinstance(expected, str):
        return found == expected or found == expected.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return bool(found == expected)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, (bool, int, str, list, dict)) else str(value)


def _shown(value: Any) -> str:
    text = repr(_plain(value))
    return text if len(text) <= 120 else f"{text[:117]}..."
