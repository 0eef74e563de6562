"""A statement as CSV, a batch of entries at a time. Pure."""

from collections.abc import Iterable

from telecine_contracts.statement_csv import StatementRow, closing_row, entry_rows, header_and_opening_row
from telecine_gateway.read_model.entries import Statement, StatementLine

__all__ = ["begin", "end", "lines"]


def begin(statement: Statement) -> bytes:
    """The header and the opening balance."""
    opening = statement.opening
    return header_and_opening_row(opening.available, opening.held, statement.period.since)


def lines(entries: Iterable[StatementLine]) -> bytes:
    """A row for each entry."""
    return entry_rows(map(_row, entries))


def end(statement: Statement) -> bytes:
    """The closing balance."""
    closing = statement.closing
    return closing_row(closing.available, closing.held, statement.period.until)


def _row(line: StatementLine) -> StatementRow:
    return StatementRow(
        entry=line.entry,
        time=line.at,
        action=line.action,
        related_entry=line.related_entry,
        available_change=line.amount,
        held_change=line.held_amount,
        available=line.available,
        held=line.held,
        kind=line.data.get("kind"),
        generation=line.generation,
        reference=line.reference,
        reason=line.reason,
    )
