"""One table against the rows that the ledger makes of it, both in the order of the key, neither held in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from telecine_auditor.breaches import Breach, BreachKind

from .reader import Row
from .schema import Table

__all__ = ["Difference", "RowCheck"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that the database has and the ledger does not say. `column` None: the row is missing, or too much.

    A value that is not there at all is None.
    """

    service: str
    table: str
    key: Row
    column: str | None
    found: Any
    expected: Any

    def breach(self) -> Breach:
        """The same as a breach, in words."""
        row = f"{self.table} {'/'.join(map(str, self.key))}"
        if self.column is not None:
            says = f"{row}: {self.column} is {_shown(self.found)}, the ledger says {_shown(self.expected)}"
        elif self.found is None:
            says = f"{row}: the row is missing"
        else:
            says = f"{row}: the ledger knows of no such row"
        return Breach(BreachKind.DATABASE_DIFFERS, says, stream=self.service)

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        values = {"found": _plain(self.found), "expected": _plain(self.expected)}
        place = {"database": self.service, "table": self.table, "key": [_plain(part) for part in self.key]}
        return {"kind": BreachKind.DATABASE_DIFFERS.value, **place, "column": self.column, **values}


class RowCheck:
    """Takes the rows that must be there, in the order of the key, and tells where `found` differs.

    `compared` counts rows that are in both.
    """

    def __init__(
        self, service: str, table: Table, found: Iterator[Row], on_difference: Callable[[Difference], None]
    ) -> None:
        self._service = service
        self._table = table
        self._found = found
        self._on_difference = on_difference
        self._next = next(found, None)
        self.compared = 0

    def expect(self, row: Row) -> None:
        """The next row that must be there. A function in place of a value is asked for differences of its column.

        It gets the value found and returns (column, found, expected) of each.
        """
        key = row[: self._table.keys]
        self._pass_over(key)
        if self._next is None or self._key(self._next) != key:
            self._tell(key, None, None, "a row")
            return
        found, self._next = self._next, next(self._found, None)
        self.compared += 1
        if found != row:
            self._compare(key, found, row)

    def allow(self, key: Row) -> None:
        """A row with this key may be there, whatever it says: the ledger does not tell."""
        self._pass_over(key)
        if self._next is not None and self._key(self._next) == key:
            self._next = next(self._found, None)

    def finish(self) -> None:
        """No more rows must be there."""
        while self._next is not None:
            self._superfluous(self._next)
            self._next = next(self._found, None)

    def _pass_over(self, key: Row) -> None:
        while self._next is not None and self._key(self._next) < key:
            self._superfluous(self._next)
            self._next = next(self._found, None)

    def _compare(self, key: Row, found: Row, row: Row) -> None:
        for column, is_there, must_be in zip(self._table.columns, found, row, strict=True):
            if callable(must_be):
                for name, value, wanted in must_be(is_there):
                    self._tell(key, f"{column.name}.{name}" if name else column.name, value, wanted)
            elif not _same(is_there, must_be):
                self._tell(key, column.name, is_there, must_be)

    def _superfluous(self, row: Row) -> None:
        self._tell(self._key(row), None, "a row", None)

    def _tell(self, key: Row, column: str | None, found: Any, expected: Any) -> None:
        self._on_difference(Difference(self._service, self._table.name, key, column, found, expected))

    def _key(self, row: Row) -> Row:
        return row[: self._table.keys]


def _same(found: Any, expected: Any) -> bool:
    """Postgres can't keep the character NUL in a text; services put a replacement there."""
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
