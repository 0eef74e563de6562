"""The ledger as CSV for spreadsheets and data tools: one row for every posting."""

import csv
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, TextIO

from telecine_auditor.terminal.sanitizer import escape_spreadsheet_cell
from telecine_auditor.timestamps import format_time

from .transactions import Opening, Side, Transaction

__all__ = ["CsvWriter"]


class Row(NamedTuple):
    """One posting: `amount` credits added to `side`; `grant` is the entry number of the grant that they belong to.

    `available` and `held` are the account's balances after the entry as the entry states them. An opening has no entry.
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
    for posting in transaction.postings:
        yield Row(
            sequence=transaction.sequence,
            booked=transaction.booked,
            time=transaction.time,
            type=transaction.type,
            account=transaction.account,
            entry=transaction.entry,
            side=str(posting.side),
            amount=posting.amount,
            grant=posting.grant,
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
    """RFC 4180 with a header row; texts are quoted, and an apostrophe precedes what a spreadsheet would compute."""

    def __init__(self, file: TextIO) -> None:
        self._rows = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        self._rows.writerow(Row._fields)

    def open_with(self, opening: Opening) -> None:
        """A row for every side that is not empty."""
        self._write(_of_opening(opening))

    def take(self, transaction: Transaction) -> None:
        """A row for every posting."""
        self._write(_of_transaction(transaction))

    def leave_out(self, sequence: int, why: str) -> None:
        """Rows have no place for it; the command counts it."""

    def close_with(self, closing: Opening) -> None:
        """Nothing to write."""

    def _write(self, rows: Iterator[Row]) -> None:
        self._rows.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return format_time(value)
    return escape_spreadsheet_cell(value) if isinstance(value, str) else value
