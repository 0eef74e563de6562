"""Cost and revenue of each generation, and every difference between what the provider billed and what it should have.

The cost of a task is its usage (tokens, as the provider reported them) times the cost in the price table that its
request names, or, where that table has no costs, in the one that was in force then. Each difference has a cause:

    rate              the bill has the same tokens at another price
    quantity          the bill has other tokens than the provider reported
    missing           the bill lacks a task that the provider reported as made
    twice             the bill has several rows for a task
    orphan            the bill has a task that is not on VIDEO
    unknown_usage     the bill has a task whose usage was never reported
    no_cost           no price table says what the task costs
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from telecine_auditor.ledger.events import Price
from telecine_auditor.ledger.price_tables import PriceTables
from telecine_auditor.timestamps import from_microseconds, to_microseconds
from telecine_contracts.pricing import price_inputs

from .bill import Bill, BillRow
from .usage_store import UsageStore

__all__ = ["CAUSES", "Line", "Money", "Totals"]

CAUSES: Mapping[str, str] = {
    "rate": "billed at another price than the price table's",
    "quantity": "billed for other tokens than the provider reported",
    "missing": "made, and not on the bill",
    "twice": "several rows of the bill for one task",
    "orphan": "on the bill, and no task of ours",
    "unknown_usage": "on the bill, and its usage was never reported",
    "no_cost": "no price table says what it costs",
}
"""Causes of differences, in the order in which they are reported."""
_MOST_ROUNDING = Decimal("0.01")
_TASKS = """
    SELECT g.account, g.id, t.id, t.how, t.tokens, g.outcome,
           coalesce(g.credits, 0) - coalesce(g.returned, 0), g.price, g.at
    FROM generation g LEFT JOIN task t ON t.account = g.account AND t.generation = g.id
    WHERE (:since IS NULL OR g.at >= :since) AND (:until IS NULL OR g.at < :until)
    ORDER BY g.at, g.account, g.id, t.id
"""
_OUTSIDE = "SELECT account, generation FROM task WHERE id = :task"
_MARKED = "SELECT account, generation FROM attempt WHERE mark = :mark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One task of a generation, or one generation without a task, or rows of the bill that belong to none.

    `outcome`: on the ledger. `use`: what came of the task. `credits`: settled and not returned, for the task that was
    delivered. `cost`: by usage and price table; `billed`: on the bill. `cause`: of the `difference` of the two.
    """

    account: str
    generation: str
    task: str | None
    outcome: str
    use: str
    tokens: int | None = None
    credits: int = 0
    cost: Decimal | None = None
    billed: Decimal | None = None
    cause: str | None = None
    difference: Decimal = Decimal(0)


@dataclass
class Totals:
    """Sums of lines. `unpaid`: the part of `cost` without settled credits. `differences`: lines with a cause."""

    credits: int = 0
    cost: Decimal = Decimal(0)
    unpaid: Decimal = Decimal(0)
    billed: Decimal = Decimal(0)
    differences: list[Line] = field(default_factory=list)

    def add(self, line: Line) -> None:
        """Count one more line."""
        self.credits += line.credits
        self.cost += line.cost or 0
        self.unpaid += 0 if line.credits else line.cost or 0
        self.billed += line.billed or 0
        if line.cause is not None:
            self.differences.append(line)

    @property
    def causes(self) -> dict[str, tuple[int, Decimal]]:
        """The number of differences and their sum, by cause."""
        found: dict[str, tuple[int, Decimal]] = {}
        for cause in CAUSES:
            lines = [line for line in self.differences if line.cause == cause]
            if lines:
                found[cause] = len(lines), _sum(line.difference for line in lines)
        return found


class Money:
    """The lines of a period."""

    def __init__(
        self,
        book: UsageStore,
        tables: PriceTables,
        bill: Bill | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        self.bill = bill
        self._book = book
        self._tables = tables
        self._period = {
            "since": None if since is None else to_microseconds(since),
            "until": None if until is None else to_microseconds(until),
        }

    def lines(self) -> Iterator[Line]:
        """Every task, in the order in which the generations were requested; then the rows of the bill that are left."""
        left = dict(self.bill.rows) if self.bill is not None else {}
        for account, generation, task, how, tokens, outcome, credits, price, at in self._book.rows(
            _TASKS, self._period
        ):
            is_delivered = outcome == "settled" and how in ("ready", None)
            line = Line(
                account=account,
                generation=generation,
                task=task,
                outcome=outcome or "not on the ledger",
                use=_use(how, outcome),
                tokens=tokens,
                credits=credits if is_delivered else 0,
                cost=self._cost(price, at, tokens),
            )
            rows = left.pop(task, []) if task is not None else []
            yield self._compared(line, rows)
        for task, rows in left.items():
            yield self._left_over(task, rows)

    def _cost(self, price: str | None, at: int | None, tokens: int | None) -> Decimal | None:
        if tokens is None or price is None:
            return None
        stated = Price(**_price_fields(json.loads(price)))
        table = self._tables.catalog.table(stated.table)
        inputs = price_inputs(stated)
        cost = table.cost(inputs, tokens) if table is not None else None
        if cost is None and at is not None:
            in_force = self._tables.catalog.at(from_microseconds(at)) or next(
                iter(self._tables.catalog.published), None
            )
            cost = in_force.table.cost(inputs, tokens) if in_force is not None else None
        return cost

    def _compared(self, line: Line, rows: Sequence[BillRow]) -> Line:
        """The line with what was billed, the difference and its cause."""
        if not rows:
            if self.bill is not None and line.cost:
                return replace(line, cause="missing", difference=-line.cost)
            lacks_cost = line.tokens is not None and line.cost is None and self._tables.catalog.published
            return replace(line, cause="no_cost") if lacks_cost else line
        billed = _sum(row.amount for row in rows)
        difference = billed - (line.cost or Decimal(0))
        return replace(line, billed=billed, difference=difference, cause=_cause(line, rows, difference))

    def _left_over(self, task: str, rows: Sequence[BillRow]) -> Line:
        """Rows of the bill without a task in the period: of another period, of a lost attempt, or of nothing here."""
        billed = _sum(row.amount for row in rows)
        mark = next((row.mark for row in rows if row.mark), None)
        use, found = "in another period", next(iter(self._book.rows(_OUTSIDE, {"task": task})), None)
        if found is None:
            use, found = "not known", None
            if mark is not None:
                found = next(iter(self._book.rows(_MARKED, {"mark": mark})), None)
                use = "of an attempt whose response was lost" if found else use
        account, generation = found or ("", "")
        return Line(
            account=account,
            generation=generation,
            task=task,
            outcome="-",
            use=use,
            tokens=next((row.tokens for row in rows if row.tokens is not None), None),
            billed=billed,
            cause="orphan",
            difference=billed,
        )


def _use(how: str | None, outcome: str | None) -> str:
    match how, outcome:
        case "ready", "settled":
            return "delivered"
        case "ready", "held":
            return "being stored"
        case "ready", _:
            return "made, not delivered"
        case "late_result", _:
            return "late, not delivered"
        case None, "held":
            return "not submitted yet"
        case None, _:
            return "no task"
        case _, "held":
            return "running"
        case _:
            return "result not known"


def _sum(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((amount for amount in amounts if amount is not None), Decimal(0))


def _cause(line: Line, rows: Sequence[BillRow], difference: Decimal) -> str | None:
    [row, *more] = rows
    if more:
        return "twice"
    if line.tokens is None:
        return "unknown_usage"
    if row.tokens is not None and row.tokens != line.tokens:
        return "quantity"
    if line.cost is None:
        return "no_cost"
    return "rate" if abs(difference) >= _rounding(row.amount) else None


def _rounding(amount: Decimal) -> Decimal:
    """One unit in the last place of an amount on the bill: it may be rounded either way."""
    exponent = amount.as_tuple().exponent
    return min(Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0), _MOST_ROUNDING)


def _price_fields(price: Mapping[str, Any]) -> dict[str, Any]:
    names = ("credits", "table", "resolution", "duration", "model", "audio", "input_video", "tier")
    return {name: price.get(name) for name in names}
