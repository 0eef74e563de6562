"""Statements from the tables, in batches: no statement has to fit into memory."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, Select, bindparam
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from telecine_contracts.statement_csv import DENIED

from .entries import ZERO_BALANCE, Period, RunningBalance, Statement, StatementLine
from .queries import END, Queries, table_of
from .tables import Balance, LedgerEntry

__all__ = ["EntryPage", "StatementPart", "StatementQueries"]

BATCH_SIZE = 1000
"""Lines in a batch."""
_FIELDS = tuple(field.name for field in fields(StatementLine))


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries of an account, newest first, denied ones among them; its balance; and whether older entries follow."""

    available: int
    held: int
    entries: Sequence[StatementLine]
    more: bool


@dataclass(frozen=True, slots=True)
class StatementPart:
    """Lines of a statement, the balances before and after them, and whether more lines follow."""

    statement: Statement
    opening: RunningBalance
    lines: Sequence[StatementLine]
    closing: RunningBalance
    more: bool


# Building a statement takes longer than running it.
_NEWEST = (
    columns(*(table_of(LedgerEntry).c[name] for name in _FIELDS))
    .where(table_of(LedgerEntry).c.account == bindparam("account"))
    .where(table_of(LedgerEntry).c.entry < bindparam("before"))
    .order_by(table_of(LedgerEntry).c.entry.desc())
    .limit(bindparam("most", type_=Integer))
)
_TOTALS = columns(table_of(Balance).c.available, table_of(Balance).c.held).where(
    table_of(Balance).c.account == bindparam("account")
)


class StatementQueries:
    """Reads entries and statements through `queries`."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def newest(self, account: str, limit: int, before: int | None) -> EntryPage:
        """At most `limit` entries, those below number `before`, and the balance in the same read."""

        def read(connection: Connection) -> EntryPage:
            wanted = {"account": account, "before": before or END, "most": limit + 1}
            found = [StatementLine(*row) for row in connection.execute(_NEWEST, wanted)]
            available, held = connection.execute(_TOTALS, {"account": account}).first() or (0, 0)
            return EntryPage(available, held, found[:limit], len(found) > limit)

        if before is not None:
            return await self._queries.read(read)
        page = await self._queries.of_account(account, ("newest", limit), read)
        assert page is not None
        return page

    async def page(self, account: str, period: Period, after: int | None, limit: int) -> StatementPart | None:
        """At most `limit` lines after entry number `after`. None if `after` is not in the period."""

        def ask(session: Session) -> StatementPart | None:
            statement = _statement(session, account, period)
            opening = statement.opening if after is None else _running_balance(session, account, entry=after)
            if not statement.opening.entry <= opening.entry <= statement.closing.entry:
                return None
            found = _lines(session, statement, opening.entry, limit + 1)
            more, shown = len(found) > limit, found[:limit]
            return StatementPart(
                statement, opening, shown, shown[-1].after if more else statement.closing, more
            )

        return await self._queries.run(ask)

    async def statement(self, account: str, period: Period) -> Statement:
        """Opening and closing balance."""
        return await self._queries.run(lambda session: _statement(session, account, period))

    async def render(
        self, statement: Statement, render: Callable[[Sequence[StatementLine]], bytes]
    ) -> AsyncIterator[bytes]:
        """Every line, rendered in batches, in a thread."""
        last = statement.opening.entry
        while (read := await self._queries.run(_next(statement, last, render))) is not None:
            last, part = read
            yield part


def _next(
    statement: Statement, after: int, render: Callable[[Sequence[StatementLine]], bytes]
) -> Callable[[Session], tuple[int, bytes] | None]:
    """Reads the batch after an entry: the number of its last entry, and the batch rendered."""

    def ask(session: Session) -> tuple[int, bytes] | None:
        found = _lines(session, statement, after, BATCH_SIZE)
        return (found[-1].entry, render(found)) if found else None

    return ask


def _statement(session: Session, account: str, period: Period) -> Statement:
    opening = _running_balance(session, account, before=period.since) if period.since else ZERO_BALANCE
    return Statement(account, period, opening, _running_balance(session, account, before=period.until))


def _running_balance(
    session: Session, account: str, *, before: datetime | None = None, entry: int | None = None
) -> RunningBalance:
    """The balance after entry number `entry`, or after the last entry `before` a time."""
    query = select(LedgerEntry.entry, LedgerEntry.available, LedgerEntry.held)
    query = query.where(col(LedgerEntry.account) == account)
    if entry is not None:
        query = query.where(col(LedgerEntry.entry) == entry)
    elif before is not None:
        query = query.where(col(LedgerEntry.at) < before).order_by(
            col(LedgerEntry.at).desc(), col(LedgerEntry.entry).desc()
        )
    else:
        query = query.order_by(col(LedgerEntry.entry).desc())
    found = session.exec(query.limit(1)).first()
    return RunningBalance(*found) if found else ZERO_BALANCE


def _columns(account: str) -> Select[Any]:
    return columns(*(getattr(LedgerEntry, name) for name in _FIELDS)).where(
        col(LedgerEntry.account) == account
    )


def _lines(session: Session, statement: Statement, after: int, limit: int) -> list[StatementLine]:
    query = (
        _columns(statement.account)
        .where(
            col(LedgerEntry.entry) > after,
            col(LedgerEntry.entry) <= statement.closing.entry,
            col(LedgerEntry.action) != DENIED,
        )
        .order_by(col(LedgerEntry.entry))
        .limit(limit)
    )
    return [StatementLine(*row) for row in session.execute(query)]
