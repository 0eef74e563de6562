"""An account's statement: its opening balance, its entries with their changes, its closing balance."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import IO, Any, Protocol

from telecine_auditor.errors import CommandError
from telecine_auditor.event_descriptions import describe_body
from telecine_auditor.json_documents import name_of
from telecine_auditor.ledger.reader import BookedEntry, LedgerReader
from telecine_auditor.ledger.replay import LedgerReplay, ParsedEvent
from telecine_auditor.terminal.sanitizer import one_line
from telecine_auditor.timestamps import format_time
from telecine_contracts.statement_csv import (
    DENIED,
    StatementRow,
    closing_row,
    entry_rows,
    header_and_opening_row,
)

__all__ = ["CsvStatement", "JsonStatement", "Line", "StatementWriter", "TextStatement", "write_statement"]


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's balance at one point, in credits, by the auditor's own sums."""

    available: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of the account: its changes, and the balance after it. `about` is its generation or reference."""

    sequence: int
    entry: int
    time: datetime
    action: str
    about: str | None
    available_change: int
    held_change: int
    available: int
    held: int
    what: str


class StatementWriter(Protocol):
    """A format of a statement, written while entries are read."""

    def begin(self, opening: Balance) -> None: ...

    def line(self, line: Line, booked: BookedEntry) -> None: ...

    def end(self, closing: Balance) -> None: ...


async def write_statement(
    reader: LedgerReader, account: str, since: datetime | None, writer: StatementWriter
) -> None:
    """Write the statement of one account from `since` (None: from its first entry) to the point where `reader` ends.

    Raises CommandError when the ledger has no entry of the account at all.
    """
    begun = False
    async for opening, line, booked in _lines(reader, account, since):
        if not begun:
            writer.begin(opening)
            begun = True
        writer.line(line, booked)
    if not reader.has_entry_of(account):
        raise CommandError(f"account {account!r} has no entry in the ledger")
    closing = _balance(reader.replay, account)
    if not begun:
        writer.begin(closing)
    writer.end(closing)


async def _lines(
    reader: LedgerReader, account: str, since: datetime | None
) -> AsyncIterator[tuple[Balance, Line, BookedEntry]]:
    """The lines of the period, each with the balance before it and the entry that it shows."""
    before = Balance()
    async for booked in reader.entries():
        if booked.parsed is None or booked.parsed.account != account:
            continue
        after = _balance(reader.replay, account)
        if since is None or booked.at >= since:
            yield before, _line(booked.parsed, before, after), booked
        before = after


def _balance(replay: LedgerReplay, account: str) -> Balance:
    book = replay.accounts.get(account)
    return Balance(book.available, book.held) if book else Balance()


def _line(parsed: ParsedEvent, before: Balance, after: Balance) -> Line:
    about = parsed.body.get("generation") or parsed.body.get("reference")
    return Line(
        sequence=parsed.sequence,
        entry=parsed.number,
        time=parsed.decided_at,
        action=parsed.action,
        about=None if about is None else str(about),
        available_change=after.available - before.available,
        held_change=after.held - before.held,
        available=after.available,
        held=after.held,
        what=describe_body(parsed.action, parsed.body),
    )


class TextStatement:
    """For people: columns of fixed width, with a description in words last."""

    def __init__(self, file: IO[str], account: str) -> None:
        self._file = file
        self._account = account

    def begin(self, opening: Balance) -> None:
        """The header and the opening balance."""
        self._file.write(f"Statement of account {one_line(self._account)}\n\n")
        self._row("sequence", "entry", "time", "change", "change held", "available", "held", "what")
        self._row(*("-" * width for width in (10, 7, 20, 10, 11, 12, 12, 4)))
        self._row("", "", "", "", "", opening.available, opening.held, "opening balance")

    def line(self, line: Line, booked: BookedEntry) -> None:
        """One entry; a change of zero is left blank."""
        changes = [f"{change:+d}" if change else "" for change in (line.available_change, line.held_change)]
        time = format_time(line.time.replace(microsecond=0))
        what = one_line(line.what)
        self._row(line.sequence, line.entry, time, *changes, line.available, line.held, what)

    def end(self, closing: Balance) -> None:
        """The closing balance."""
        self._row("", "", "", "", "", closing.available, closing.held, "closing balance")

    def _row(self, *cells: object) -> None:
        sequence, entry, time, change, held_change, available, held, what = cells
        self._file.write(
            f"{sequence:>10}  {entry:>7}  {time:<20}  {change:>10}  {held_change:>11}  {available:>12}  {held:>12}"
            f"  {what}\n"
        )


class CsvStatement:
    """For spreadsheets: the same bytes as the API and the command line write for this period."""

    def __init__(self, file: IO[bytes], since: datetime | None, until: datetime | None) -> None:
        self._file = file
        self._since = since
        self._until = until

    def begin(self, opening: Balance) -> None:
        """The header and the opening balance."""
        self._file.write(header_and_opening_row(opening.available, opening.held, self._since))

    def line(self, line: Line, booked: BookedEntry) -> None:
        """One entry, unless it changed nothing by definition."""
        if line.action == DENIED or booked.parsed is None:
            return
        body = booked.parsed.body
        row = StatementRow(
            entry=line.entry,
            time=booked.at,
            action=line.action,
            related_entry=body.get("corrects", body.get("grant")),
            available_change=line.available_change,
            held_change=line.held_change,
            available=line.available,
            held=line.held,
            kind=body.get("kind"),
            generation=body.get("generation"),
            reference=body.get("reference"),
            reason=body.get("reason"),
        )
        self._file.write(entry_rows([row]))

    def end(self, closing: Balance) -> None:
        """The closing balance."""
        self._file.write(closing_row(closing.available, closing.held, self._until))


class JsonStatement:
    """For programs: one document, written while entries are read. It ends with the point up to which they were read."""

    def __init__(self, file: IO[str], reader: LedgerReader, account: str) -> None:
        self._file = file
        self._reader = reader
        self._account = account
        self._separator = ""

    def begin(self, opening: Balance) -> None:
        """Account and opening balance."""
        self._file.write(
            f'{{"document": {json.dumps(name_of("statement"))}, "account": {json.dumps(self._account)}, '
            f'"opening": {json.dumps(asdict(opening))}, "entries": ['
        )

    def line(self, line: Line, booked: BookedEntry) -> None:
        """One entry."""
        fields: dict[str, Any] = asdict(line) | {"time": format_time(line.time)}
        self._file.write(f"{self._separator}\n  {json.dumps(fields)}")
        self._separator = ","

    def end(self, closing: Balance) -> None:
        """The closing balance, and the point up to which the ledger was read."""
        rest = json.dumps({"closing": asdict(closing), **self._reader.place()})
        self._file.write(f"\n], {rest[1:]}\n")
