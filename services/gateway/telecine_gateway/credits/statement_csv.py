"""A statement as CSV (RFC 4180), a line at a time. Pure.

Texts that users wrote may hold what a spreadsheet takes for a formula: that gets an apostrophe before it.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from telecine_contracts.characters import spreadsheet_text
from telecine_gateway.read_model.entries import RunningBalance, Statement, StatementLine

__all__ = ["HEAD", "begin", "end", "lines"]

HEAD = (
    "entry",
    "time",
    "change",
    "concerns",
    "available_change",
    "held_change",
    "available",
    "held",
    "kind",
    "generation",
    "reference",
    "reason",
)


def begin(statement: Statement) -> bytes:
    """The header line and the opening balance."""
    return _rows([HEAD, _balance("opening", statement.opening, statement.period.since)])


def lines(entries: Iterable[StatementLine]) -> bytes:
    """A line for every entry."""
    return _rows(map(_cells, entries))


def end(statement: Statement) -> bytes:
    """The closing balance: the last line of a statement that is complete."""
    return _rows([_balance("closing", statement.closing, statement.period.until)])


def _balance(word: str, mark: RunningBalance, at: datetime | None) -> Sequence[object]:
    return ("", _time(at) if at else "", word, "", "", "", mark.available, mark.held, "", "", "", "")


def _cells(line: StatementLine) -> Sequence[object]:
    return (
        line.entry,
        _time(line.at),
        line.action,
        "" if line.related_entry is None else line.related_entry,
        line.amount,
        line.held_amount,
        line.available,
        line.held,
        line.data.get("kind", ""),
        *(spreadsheet_text(text or "") for text in (line.generation, line.reference, line.reason)),
    )


def _time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rows(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
