"""The CSV form of an account's statement (RFC 4180), shared by the API, the command line and the auditor. Pure.

A header, a row for the opening balance, a row for each entry, a row for the closing balance. Rows are made one batch at
a time, so that no statement has to fit into memory; one without its closing row is incomplete.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from .characters import spreadsheet_text
from .timestamps import format_timestamp

__all__ = ["COLUMNS", "DENIED", "StatementRow", "closing_row", "entry_rows", "header_and_opening_row"]

DENIED = "denied"
"""The action of entries that a statement leaves out: they change no balance."""
COLUMNS = (
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


class StatementRow(NamedTuple):
    """One entry, in the order of COLUMNS. `related_entry`: the entry that it corrects, or the grant that expired."""

    entry: int
    time: datetime
    action: str
    related_entry: int | None
    available_change: int
    held_change: int
    available: int
    held: int
    kind: str | None
    generation: str | None
    reference: str | None
    reason: str | None


def header_and_opening_row(available: int, held: int, since: datetime | None) -> bytes:
    """The first two rows."""
    return _encode([COLUMNS, _balance("opening", available, held, since)])


def entry_rows(rows: Iterable[StatementRow]) -> bytes:
    """A row for each entry."""
    return _encode([_cell(value) for value in row] for row in rows)


def closing_row(available: int, held: int, until: datetime | None) -> bytes:
    """The last row."""
    return _encode([_balance("closing", available, held, until)])


def _balance(name: str, available: int, held: int, at: datetime | None) -> Sequence[object]:
    return ("", format_timestamp(at) or "", name, "", "", "", available, held, "", "", "", "")


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, str):
        # Users wrote references and reasons: a spreadsheet must not compute them, and UTF-8 and databases can hold
        # neither halves of surrogate pairs nor NUL.
        text = value.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
        return spreadsheet_text(text)
    return "" if value is None else value


def _encode(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
