"""The books as rows, one for every leg: for spreadsheets (CSV) and for data tools (Parquet)."""

import csv
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self, TextIO

from telecine_auditor.terminal.exit_codes import CommandError
from telecine_auditor.terminal.sanitizer import spreadsheet_text, storable
from telecine_auditor.timestamps import text_of

from .transactions import Opening, Side, Transaction

__all__ = ["CsvWriter", "ParquetWriter", "Row"]

_BATCH = 10_000
_WHOLE = ("sequence", "entry", "amount", "grant", "available", "held")
_ALWAYS = ("sequence", "booked", "time", "type", "side", "amount")


class Row(NamedTuple):
    """One leg. `amount` in credits onto `side`; `grant` is the entry number of the grant whose credits move.

    `available` and `held` are what the account has after the entry, as the entry states it. An opening has no entry.
    """

    sequence: int
    booked: datetime
    time: datetime
    type: str
    account: str | None
    entry: int | None
    side: str
    amount: int
    grant: int | None
    available: int | None
    held: int | None
    generation: str | None
    reference: str | None
    reason: str | None
    event: str | None


def _of_transaction(transaction: Transaction) -> Iterator[Row]:
    for leg in transaction.legs:
        yield Row(
            sequence=transaction.sequence,
            booked=transaction.booked,
            time=transaction.time,
            type=transaction.type,
            account=transaction.account,
            entry=transaction.entry,
            side=str(leg.side),
            amount=leg.amount,
            grant=leg.grant,
            available=transaction.available,
            held=transaction.held,
            generation=transaction.generation,
            reference=transaction.reference,
            reason=transaction.reason,
            event=transaction.event_id,
        )


def _of_opening(opening: Opening) -> Iterator[Row]:
    for side, balance in (*opening.shared(), *opening.owned()):
        if balance:
            yield _opening_row(opening, side, balance)


def _opening_row(opening: Opening, side: Side, balance: int) -> Row:
    empty = dict.fromkeys(Row._fields)
    place = {
        "sequence": opening.sequence,
        "booked": opening.booked,
        "time": opening.booked,
        "type": "opening",
    }
    return Row(**{**empty, **place, "account": side.owner, "side": str(side), "amount": balance})  # type: ignore[arg-type]


class CsvWriter:
    """RFC 4180 with a head; texts are quoted, and an apostrophe stands before one that a spreadsheet would compute."""

    def __init__(self, file: TextIO) -> None:
        self._rows = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        self._rows.writerow(Row._fields)

    def open_with(self, opening: Opening) -> None:
        """A row for every side that is not empty."""
        self._write(_of_opening(opening))

    def take(self, transaction: Transaction) -> None:
        """A row for every leg."""
        self._write(_of_transaction(transaction))

    def leave_out(self, sequence: int, why: str) -> None:
        """Rows have no place for it."""

    def close_with(self, closing: Opening) -> None:
        """Nothing is left to write."""

    def _write(self, rows: Iterator[Row]) -> None:
        self._rows.writerows([_cell(value) for value in row] for row in rows)


class ParquetWriter:
    """Whole numbers as int64, times as UTC in microseconds; written in groups of some thousand rows."""

    def __init__(self, file: BinaryIO) -> None:
        """Raises CommandError where pyarrow is missing."""
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise CommandError(
                "Parquet needs pyarrow, which is not installed: pip install 'telecine-auditor[parquet]'"
            ) from None
        self._arrow: Any = pyarrow
        self._schema: Any = _schema(pyarrow)
        self._file: Any = pyarrow.parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[Row] = []

    def open_with(self, opening: Opening) -> None:
        """A row for every side that is not empty."""
        for row in _of_opening(opening):
            self._add(row)

    def take(self, transaction: Transaction) -> None:
        """A row for every leg."""
        for row in _of_transaction(transaction):
            self._add(row)

    def leave_out(self, sequence: int, why: str) -> None:
        """Rows have no place for it."""

    def close_with(self, closing: Opening) -> None:
        """Write the rows that still wait."""
        self._write()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _add(self, row: Row) -> None:
        self._waiting.append(row)
        if len(self._waiting) >= _BATCH:
            self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        columns = {
            name: [storable(value) if isinstance(value, str) else value for value in values]
            for name, values in zip(Row._fields, zip(*self._waiting, strict=True), strict=True)
        }
        try:
            self._file.write_table(self._arrow.table(columns, schema=self._schema))
        except (OverflowError, self._arrow.ArrowInvalid) as error:
            first, last = self._waiting[0].sequence, self._waiting[-1].sequence
            raise CommandError(f"LEDGER#{first} to #{last} do not fit Parquet's types: {error}") from error
        self._waiting.clear()


def _schema(arrow: Any) -> Any:
    whole, text, time = arrow.int64(), arrow.string(), arrow.timestamp("us", tz="UTC")
    types = {"booked": time, "time": time} | dict.fromkeys(_WHOLE, whole)
    return arrow.schema(
        [arrow.field(name, types.get(name, text), nullable=name not in _ALWAYS) for name in Row._fields]
    )


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return text_of(value)
    return spreadsheet_text(value) if isinstance(value, str) else value
