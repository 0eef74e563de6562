"""Cost and revenue as text, as JSON and as lines of a CSV file."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from telecine_auditor.terminal.tables import render_plain_table

from .money import CAUSES, Line, Totals

__all__ = ["LINE_HEAD", "MoneySums", "line_cells"]

LINE_HEAD = (
    "account",
    "generation",
    "task",
    "on_the_ledger",
    "use",
    "tokens",
    "credits",
    "revenue",
    "cost",
    "billed",
    "difference",
    "cause",
)
_DIFFERENCE_HEAD = ("account", "generation", "task", "use", "tokens", "cost", "billed", "difference", "cause")
_PLACES = Decimal("0.000001")


def line_cells(line: Line, value: Decimal | None) -> tuple[Any, ...]:
    """The line as cells under LINE_HEAD. `value`: what a credit is sold for."""
    return (
        line.account,
        line.generation,
        line.task or "",
        line.outcome,
        line.use,
        "" if line.tokens is None else line.tokens,
        line.credits,
        "" if value is None else _amount(line.credits * value),
        _amount(line.cost),
        _amount(line.billed),
        _amount(line.difference),
        line.cause or "",
    )


@dataclass(frozen=True)
class MoneySums:
    """The sums of a period in `currency` (empty: no price table has been published). `value`: of a credit."""

    totals: Totals
    currency: str
    has_bill: bool
    value: Decimal | None

    def text(self) -> Iterator[str]:
        """Lines for a terminal; the last one says how many differences are unexplained."""
        totals = self.totals
        yield from (
            "",
            f"Money, in {self.currency}" if self.currency else "Money: no price table is known",
            "",
        )
        rows = [
            ("cost by usage", _amount(totals.cost)),
            ("  of it without settled credits", _amount(totals.unpaid)),
        ]
        if self.value is not None:
            revenue = totals.credits * self.value
            rows += [
                (f"revenue of {totals.credits} credits", _amount(revenue)),
                ("margin", _amount(revenue - totals.cost)),
            ]
        if self.has_bill:
            rows.append(("billed", _amount(totals.billed)))
        yield from render_plain_table(("", "amount"), rows)
        for cause, (count, money) in totals.causes.items():
            yield ""
            yield f"{cause}: {count}, {_amount(money)}: {CAUSES[cause]}"
            lines = [line for line in totals.differences if line.cause == cause]
            yield from (f"  {line}" for line in render_plain_table(_DIFFERENCE_HEAD, [*map(_cells, lines)]))
        yield from ("", f"unexplained: {len(totals.differences)}")

    def document(self) -> dict[str, Any]:
        """The part of the JSON document; amounts are texts."""
        totals = self.totals
        return {
            "currency": self.currency or None,
            "credits": totals.credits,
            "cost": _amount(totals.cost),
            "unpaid_cost": _amount(totals.unpaid),
            "billed": _amount(totals.billed) if self.has_bill else None,
            "revenue": None if self.value is None else _amount(totals.credits * self.value),
            "causes": {
                cause: {"count": count, "amount": _amount(money)}
                for cause, (count, money) in totals.causes.items()
            },
            "differences": [
                dict(zip(LINE_HEAD, line_cells(line, self.value), strict=True)) for line in totals.differences
            ],
            "unexplained": len(totals.differences),
        }


def _cells(line: Line) -> tuple[Any, ...]:
    return (
        line.account or "-",
        line.generation or "-",
        line.task or "-",
        line.use,
        "unknown" if line.tokens is None else line.tokens,
        _amount(line.cost) or "unknown",
        _amount(line.billed) or "-",
        _amount(line.difference),
        line.cause or "",
    )


def _amount(amount: Decimal | None) -> str:
    """At most six decimal places, without trailing zeros; empty for None."""
    if amount is None:
        return ""
    text = f"{amount.quantize(_PLACES):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
