"""An account's statement: what it had, every entry and what it changed, what it has."""

import csv
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import IO, Any, Protocol

from telecine_auditor.errors import CommandError
from telecine_auditor.event_descriptions import describe_body
from telecine_auditor.json_documents import name_of
from telecine_auditor.ledger.reader import LedgerReader
from telecine_auditor.ledger.replay import LedgerReplay, ParsedEvent
from telecine_auditor.terminal.sanitizer import escape_spreadsheet_cell, one_line
from telecine_auditor.timestamps import format_time

__all__ = ["CsvStatement", "JsonStatement", "Line", "StatementWriter", "TextStatement", "write_statement"]


@dataclass(frozen=True, slots=True)
class Balance:
    """What the account has at one point, in credits, by the auditor's own sums."""

    available: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of the account. `available` and `held`: what it has afterwards; `…_change`: what the entry did to them.

    `about` is the entry's generation or reference.
    """

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
    """A form of a statement, written while the entries come."""

    def begin(self, opening: Balance) -> None: ...

    def line(self, line: Line) -> None: ...

    def end(self, closing: Balance) -> None: ...


async def write_statement(
    walk: LedgerReader, account: str, since: datetime | None, writer: StatementWriter
) -> None:
    """Write the statement of one account from `since` (None: from its first entry) to the point where `walk` ends.

    Raises CommandError when the account has no entry up to there.
    """
    begun = False
    async for opening, line in _lines(walk, account, since):
        if not begun:
            writer.begin(opening)
            begun = True
        writer.line(line)
    if account not in walk.replay.accounts:
        raise CommandError(f"account {account!r} has no entry at that point")
    closing = _balance(walk.replay, account)
    if not begun:
        writer.begin(closing)
    writer.end(closing)


async def _lines(
    walk: LedgerReader, account: str, since: datetime | None
) -> AsyncIterator[tuple[Balance, Line]]:
    """The lines of the period, each with what the account had before it."""
    before = Balance()
    async for booked in walk.entries():
        if booked.parsed is None or booked.parsed.account != account:
            continue
        after = _balance(walk.replay, account)
        if since is None or booked.at >= since:
            yield before, _line(booked.parsed, before, after)
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
    """For people: columns of fixed widths, what was done in words at the end."""

    def __init__(self, file: IO[str], account: str) -> None:
        self._file = file
        self._account = account

    def begin(self, opening: Balance) -> None:
        """The head, and what there was."""
        self._file.write(f"Statement of account {one_line(self._account)}\n\n")
        self._row("sequence", "entry", "time", "change", "change held", "available", "held", "what")
        self._row(*("-" * width for width in (10, 7, 20, 10, 11, 12, 12, 4)))
        self._row("", "", "", "", "", opening.available, opening.held, "opening balance")

    def line(self, line: Line) -> None:
        """One entry; a change of nothing is left blank."""
        changes = [f"{change:+d}" if change else "" for change in (line.available_change, line.held_change)]
        time = format_time(line.time.replace(microsecond=0))
        what = one_line(line.what)
        self._row(line.sequence, line.entry, time, *changes, line.available, line.held, what)

    def end(self, closing: Balance) -> None:
        """What there is."""
        self._row("", "", "", "", "", closing.available, closing.held, "closing balance")

    def _row(self, *cells: object) -> None:
        sequence, entry, time, change, held_change, available, held, what = cells
        self._file.write(
            f"{sequence:>10}  {entry:>7}  {time:<20}  {change:>10}  {held_change:>11}  {available:>12}  {held:>12}"
            f"  {what}\n"
        )


class CsvStatement:
    """For spreadsheets: a row for each entry between two rows for the balances."""

    HEAD = (
        "sequence", "entry", "time", "action", "about",
        "available_change", "held_change", "available", "held", "what",
    )  # fmt: skip

    def __init__(self, file: IO[str]) -> None:
        self._rows = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)

    def begin(self, opening: Balance) -> None:
        """The head, and what there was."""
        self._rows.writerow(self.HEAD)
        self._balance("opening", opening)

    def line(self, line: Line) -> None:
        """One entry."""
        values = [getattr(line, name) for name in self.HEAD]
        texts = [format_time(value) if isinstance(value, datetime) else value for value in values]
        self._rows.writerow(
            [escape_spreadsheet_cell(value) if isinstance(value, str) else value for value in texts]
        )

    def end(self, closing: Balance) -> None:
        """What there is."""
        self._balance("closing", closing)

    def _balance(self, action: str, balance: Balance) -> None:
        self._rows.writerow(
            [None, None, None, action, None, None, None, balance.available, balance.held, f"{action} balance"]
        )


class JsonStatement:
    """For machines: one document, written as it comes. `place` tells at the end where in the ledger it ends."""

    def __init__(self, file: IO[str], walk: LedgerReader, account: str) -> None:
        self._file = file
        self._walk = walk
        self._account = account
        self._separator = ""

    def begin(self, opening: Balance) -> None:
        """Account and opening balance."""
        self._file.write(
            f'{{"document": {json.dumps(name_of("statement"))}, "account": {json.dumps(self._account)}, '
            f'"opening": {json.dumps(asdict(opening))}, "entries": ['
        )

    def line(self, line: Line) -> None:
        """One entry."""
        fields: dict[str, Any] = asdict(line) | {"time": format_time(line.time)}
        self._file.write(f"{self._separator}\n  {json.dumps(fields)}")
        self._separator = ","

    def end(self, closing: Balance) -> None:
        """Closing balance, and where the ledger was read to."""
        rest = json.dumps({"closing": asdict(closing), **self._walk.place()})
        self._file.write(f"\n], {rest[1:]}\n")
