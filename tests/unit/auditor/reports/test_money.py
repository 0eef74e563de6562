"""Cost and revenue of each task, and every difference between the bill and what was made, by its cause."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.audit.streams import november_time
from tests.support.audit.usage import UsageHistory

from telecine_auditor.errors import CommandError
from telecine_auditor.ledger.price_tables import PriceTables
from telecine_auditor.reports.bill import Bill, BillRow, read_bill
from telecine_auditor.reports.money import Line, Money, Totals
from telecine_auditor.reports.money_output import MoneySums
from telecine_auditor.reports.usage_store import UsageStore
from telecine_contracts.generation import FailureCode
from telecine_contracts.price_catalog import PriceCatalog, PricesPublished
from telecine_contracts.price_files import built_in_table

CATALOG = PriceCatalog(
    (PricesPublished(catalog="prices", table=built_in_table(), effective_from=november_time(1)),)
)
TOKENS = 100_000
COST = Decimal("1.5")
"""100,000 tokens of the default model at 15 a million."""


@pytest.fixture
def history() -> UsageHistory:
    return UsageHistory()


@pytest.fixture
def book() -> Iterator[UsageStore]:
    with UsageStore() as found:
        yield found


def bill(*rows: BillRow) -> Bill:
    found: dict[str, list[BillRow]] = {}
    for row in rows:
        found.setdefault(row.task, []).append(row)
    return Bill(found)


def row(task: str, amount: str = "1.50", tokens: int | None = TOKENS, mark: str | None = None) -> BillRow:
    return BillRow(task, Decimal(amount), tokens, mark)


def judged(history: UsageHistory, book: UsageStore, billed: Bill | None) -> tuple[dict[str, Line], Totals]:
    history.fill(book)
    lines = list(Money(book, PriceTables(CATALOG), billed).lines())
    totals = Totals()
    for line in lines:
        totals.add(line)
    return {line.task or line.generation: line for line in lines}, totals


def causes(totals: Totals) -> dict[str, tuple[int, str]]:
    return {cause: (count, str(money)) for cause, (count, money) in totals.causes.items()}


def test_a_bill_that_agrees_leaves_nothing_unexplained(history: UsageHistory, book: UsageStore) -> None:
    for number in range(3):
        history.video_for(f"g{number}", TOKENS)
    lines, totals = judged(history, book, bill(*(row(f"task-g{number}") for number in range(3))))
    assert causes(totals) == {}
    assert (totals.cost, totals.billed, totals.credits) == (3 * COST, 3 * COST, 150)
    assert {line.use for line in lines.values()} == {"delivered"}
    sums = MoneySums(totals, "CNY", has_bill=True, value=Decimal("0.05"))
    assert list(sums.text())[-1] == "unexplained: 0"
    assert (sums.document()["revenue"], sums.document()["unpaid_cost"]) == ("7.5", "0")


def test_every_planted_difference_is_found_and_named(history: UsageHistory, book: UsageStore) -> None:
    for name in ("right", "rate", "quantity", "missing", "twice"):
        history.video_for(name, TOKENS)
    history.asked("lost")
    history.submitted("lost", "task-lost")
    _, totals = judged(
        history,
        book,
        bill(
            row("task-right"),
            row("task-rate", "1.65"),
            row("task-quantity", "3.00", 2 * TOKENS),
            row("task-twice"),
            row("task-twice"),
            row("task-lost", "1.50"),
            row("task-of-another", "0.70", None),
        ),
    )
    assert causes(totals) == {
        "rate": (1, "0.15"),
        "quantity": (1, "1.50"),
        "missing": (1, "-1.5"),
        "twice": (1, "1.50"),
        "orphan": (1, "0.70"),
        "unknown_usage": (1, "1.50"),
    }
    assert totals.billed == totals.cost + sum(money for _, money in totals.causes.values())
    text = list(MoneySums(totals, "CNY", has_bill=True, value=None).text())
    assert text[-1] == "unexplained: 6"
    assert any("task-of-another" in line for line in text)


def test_amounts_on_a_bill_may_be_rounded_and_not_more(history: UsageHistory, book: UsageStore) -> None:
    for name, tokens in (("down", 100_300), ("up", 100_300), ("more", 100_300)):
        history.video_for(name, tokens)
    rows = [("down", "1.50"), ("up", "1.51"), ("more", "1.52")]
    _, totals = judged(history, book, bill(*(row(f"task-{name}", amount, 100_300) for name, amount in rows)))
    assert [line.generation for line in totals.differences] == ["more"]


def test_what_was_made_and_not_paid_for_is_a_cost_without_revenue(
    history: UsageHistory, book: UsageStore
) -> None:
    history.asked("late")
    history.submitted("late", "task-late")
    history.failed("late", FailureCode.DEADLINE)
    history.late("late", "task-late", TOKENS)
    lines, totals = judged(history, book, bill(row("task-late")))
    assert (lines["task-late"].use, lines["task-late"].outcome) == ("late, not delivered", "refunded")
    assert (totals.unpaid, totals.credits, causes(totals)) == (COST, 0, {})


def test_a_lost_attempt_is_recognised_by_its_mark(history: UsageHistory, book: UsageStore) -> None:
    history.asked("g")
    history.started("g")
    lines, _ = judged(history, book, bill(row("task-lost", mark="s")))
    line = lines["task-lost"]
    assert (line.generation, line.use, line.cause) == ("g", "of an attempt whose response was lost", "orphan")


def test_usage_alone_gives_costs(history: UsageHistory, book: UsageStore) -> None:
    history.video_for("g", TOKENS)
    _, totals = judged(history, book, None)
    assert (totals.cost, causes(totals)) == (COST, {})
    history.fill(book)
    unknown = Totals()
    for line in Money(book, PriceTables(), None).lines():
        unknown.add(line)
    assert unknown.cost == 0, "without tables nothing is known of costs"
    assert unknown.causes == {}


def test_a_bill_is_read_by_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "bill.csv"
    path.write_text(
        '\ufeffTask_ID,Model,total_tokens,Amount\nt1,m,100000,1.5\nt1,m,,"1,000.25"\n,total,,1001.75\n'
    )
    assert read_bill(path, {}).rows == {
        "t1": [BillRow("t1", Decimal("1.5"), 100_000), BillRow("t1", Decimal("1000.25"))]
    }
    assert read_bill(path, {}).total == Decimal("1001.75")
    path.write_text("Instance,Payable\nt1,2\n")
    assert read_bill(path, {"task": "instance", "amount": "Payable"}).total == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,price\nt,1\n", "has no column amount or cost or 应付金额, only id, price"),
        ("", "has no column task_id"),
        ("id,amount\nt,\n", "line 2: amount is empty"),
        ("id,amount\nt,x\n", "line 2: amount is 'x'"),
        ("id,amount\nt,-1\n", "line 2: amount is '-1'"),
        ("id,amount,tokens\nt,1,1.5\n", "tokens is 1.5, expected a whole number"),
    ],
)
def test_a_wrong_bill_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bill.csv"
    path.write_text(text)
    with pytest.raises(CommandError, match=message):
        read_bill(path, {})
