"""The provider's bill, as a CSV file that is exported from its console: one row for each task that it charges."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from telecine_auditor.errors import CommandError

__all__ = ["COLUMNS", "Bill", "BillRow", "read_bill"]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "task": ("task_id", "task", "id", "任务ID"),
    "tokens": ("total_tokens", "completion_tokens", "tokens", "usage", "用量"),
    "amount": ("amount", "cost", "应付金额"),
    "mark": ("safety_identifier",),
}
"""Fields of a row and the column names by which they are found. A file needs task and amount."""
_NEEDED = ("task", "amount")


@dataclass(frozen=True, slots=True)
class BillRow:
    """One row: `tokens` and `mark` (the safety identifier) are None if the bill does not say."""

    task: str
    amount: Decimal
    tokens: int | None = None
    mark: str | None = None


@dataclass(frozen=True)
class Bill:
    """The rows by task, in the order of the file."""

    rows: Mapping[str, list[BillRow]]

    @property
    def total(self) -> Decimal:
        """The sum of all amounts."""
        return sum((row.amount for rows in self.rows.values() for row in rows), Decimal(0))


def read_bill(path: Path, columns: Mapping[str, str]) -> Bill:
    """A bill from a file. `columns`: names of columns by field, beside the known ones. Raises CommandError."""
    rows: dict[str, list[BillRow]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in _rows(csv.DictReader(file), columns, path):
                rows.setdefault(row.task, []).append(row)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path} is not a CSV file in UTF-8: {error}") from None
    return Bill(rows)


def _rows(reader: "csv.DictReader[str]", columns: Mapping[str, str], path: Path) -> Iterator[BillRow]:
    named = _columns(reader.fieldnames or [], columns, path)
    for values in reader:
        text = {field: (values.get(column) or "").strip() for field, column in named.items()}
        if not text["task"]:
            continue  # a line of totals
        where = f"{path} line {reader.line_num}"
        tokens = _number(text.get("tokens", ""), where, "tokens")
        amount = _number(text["amount"], where, "amount")
        if amount is None:
            raise CommandError(f"{where}: amount is empty")
        if tokens is not None and tokens != int(tokens):
            raise CommandError(f"{where}: tokens is {tokens}, expected a whole number")
        yield BillRow(text["task"], amount, None if tokens is None else int(tokens), text.get("mark") or None)


def _columns(head: Sequence[str], given: Mapping[str, str], path: Path) -> dict[str, str]:
    """The column of each field. Raises CommandError if a needed one is missing."""
    there = {name.strip().lower(): name for name in head}
    found = {}
    for field, known in COLUMNS.items():
        wanted = (given[field],) if field in given else known
        column = next((there[name.lower()] for name in wanted if name.lower() in there), None)
        if column is not None:
            found[field] = column
        elif field in _NEEDED or field in given:
            raise CommandError(
                f"{path} has no column {' or '.join(wanted)}, only {', '.join(head) or 'nothing'}: "
                f"name it with --bill-column {field}=COLUMN"
            )
    return found


def _number(text: str, where: str, field: str) -> Decimal | None:
    if not text:
        return None
    try:
        number = Decimal(text.replace(",", ""))
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or number < 0:
        raise CommandError(f"{where}: {field} is {text!r}, expected a number of 0 or more")
    return number
