"""Exports the ledger: a writer for each format is given every transaction of a period."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol

from telecine_auditor.ledger.reader import BookedEntry, LedgerReader
from telecine_auditor.terminal.sanitizer import one_line
from telecine_auditor.timestamps import BookingClock

from .transactions import Opening, Transaction, to_transaction

__all__ = ["ExportResult", "ExportWriter", "write_export"]


class ExportWriter(Protocol):
    """Writes one format.

    Calls come in this order: `open_with` (only when the period begins after the first entry), any number of `take` and
    `leave_out`, `close_with`.
    """

    def open_with(self, opening: Opening) -> None:
        """The balances before the first entry of the period."""
        ...

    def take(self, transaction: Transaction) -> None:
        """The next entry that moves credits."""
        ...

    def leave_out(self, sequence: int, why: str) -> None:
        """An entry that cannot be booked; `why` is one line."""
        ...

    def close_with(self, closing: Opening) -> None:
        """The balances after the last entry, by the auditor's own sums; write what is left."""
        ...


@dataclass
class ExportResult:
    """What was written: the number of transactions and accounts, and of entries that could not be booked."""

    transactions: int = 0
    accounts: int = 0
    left_out: int = 0

    def as_json(self) -> dict[str, int]:
        """The same as JSON values."""
        return asdict(self)


async def write_export(reader: LedgerReader, since: datetime | None, writer: ExportWriter) -> ExportResult:
    """Write the period from `since` (None: the first entry) to the end of `reader`.

    Dates of transactions never go back in the whole file. Raises CommandError, SourceError.
    """
    dates = BookingClock()
    if since is not None:
        before = LedgerReader(reader.source, until=since)
        writer.open_with(Opening(await before.read_all(), dates.book(since)))
    export = ExportResult()
    async for booked in reader.entries():
        if since is None or booked.at >= since:
            _write(booked, dates.book(booked.at), writer, export)
    writer.close_with(Opening(reader.replay, dates.now))
    export.accounts = len(reader.replay.accounts)
    return export


def _write(booked: BookedEntry, date: datetime, writer: ExportWriter, export: ExportResult) -> None:
    entry, reading, _ = booked
    try:
        if reading is None:
            raise ValueError("it cannot be read")
        found = to_transaction(reading, entry.header("ce-id") or "", date)
    except ValueError as error:
        export.left_out += 1
        writer.leave_out(entry.sequence, one_line(str(error)))
    else:
        if found is not None:
            export.transactions += 1
            writer.take(found)
