"""`telecine-audit reconcile`: the provider's usage against settled credits."""

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from telecine_auditor.errors import CommandError
from telecine_auditor.ledger.price_tables import PriceTables
from telecine_auditor.ledger.reader import LedgerReader
from telecine_auditor.reports.bill import COLUMNS, read_bill
from telecine_auditor.reports.money import Money, Totals
from telecine_auditor.reports.money_output import LINE_HEAD, MoneySums, line_cells
from telecine_auditor.reports.usage_reconciliation import Group, Listing, PossibleTask, Reconciliation
from telecine_auditor.reports.usage_store import UsageStore
from telecine_auditor.sources.port import VIDEO, Source
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import checked, open_source, path_option
from telecine_auditor.terminal.output_files import text_file
from telecine_auditor.terminal.period_options import PeriodOptions
from telecine_auditor.terminal.progress import Progress
from telecine_auditor.terminal.tables import render_plain_table

NAME = "reconcile"
_HEAD = ("model", "resolution", "seconds", "settled", "credits", "tokens", "tokens/credit", "unpaid tokens")
_POSSIBLE_HEAD = ("account", "generation", "attempt", "mark", "seed", "from", "to", "because")
_LIST_HEAD = ("account", "generation", "task", "tokens", "on the ledger", "at the provider")


HELP = (
    "Compares the usage that the provider reported (VideoReady and late results, on VIDEO) with the credits that were "
    "settled (on LEDGER), and lists what does not match. A generation belongs to the period in which it was requested, "
    "with everything that followed until now. Adjusted credits do not count as settled.\n\n"
    "In money: the cost of each task is its usage by the costs of the price tables (on CATALOG). With --bill, the "
    "provider's bill is compared with it, task by task, and every difference is named. The last line says how many are "
    "unexplained; with --bill, any leads to exit code 1."
)
EXAMPLES = """\
examples:
  telecine-audit reconcile
  telecine-audit reconcile --from 2026-11-01 --to 2026-11-30 --tokens-per-credit 2500 --json
  telecine-audit reconcile --from 2026-11-01 --to 2026-11-30 --bill november.csv --credit-value 0.05
  telecine-audit reconcile --bill export.csv --bill-column task='Instance ID' --bill-column amount='Payable'"""


@checked
def _parse_rate(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise ValueError(f"invalid number of tokens {text!r}, expected a whole number of 1 or more")
    return int(text)


@checked
def _parse_value(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or value <= 0:
        raise ValueError(f"invalid amount {text!r}, expected a number, e.g. 0.05")
    return value


def _parse_columns(given: Sequence[str]) -> dict[str, str]:
    columns = dict(text.partition("=")[::2] for text in given)
    if not all(field in COLUMNS and column for field, column in columns.items()):
        raise typer.BadParameter(
            f"expected FIELD=COLUMN, where FIELD is one of {', '.join(COLUMNS)}", param_hint="--bill-column"
        )
    return columns


@dataclass(frozen=True, kw_only=True)
class Options(PeriodOptions):
    """Options of the command."""

    bill: Annotated[
        Path | None,
        path_option(
            "--bill",
            metavar="FILE",
            help="The provider's bill as CSV: task_id, amount, and total_tokens and safety_identifier if it has them.",
        ),
    ] = None
    bill_column: Annotated[
        list[str],
        typer.Option(
            "--bill-column",
            metavar="FIELD=COLUMN",
            help="Name of a column of the bill: of task, amount, tokens or mark. May be repeated.",
            show_default=False,
        ),
    ] = field(default_factory=list)
    generations: Annotated[
        Path | None,
        path_option(
            "--generations",
            metavar="FILE",
            help="Write a CSV file with a line for each task: cost, billed, revenue, difference and its cause.",
        ),
    ] = None
    credit_value: Annotated[
        Decimal | None,
        typer.Option(
            "--credit-value",
            parser=_parse_value,
            metavar="AMOUNT",
            help="What a credit is sold for, in the currency of the price tables: revenue and margin are shown.",
            show_default=False,
        ),
    ] = None
    tokens_per_credit: Annotated[
        int | None,
        typer.Option(
            "--tokens-per-credit",
            parser=_parse_rate,
            metavar="N",
            help="Tokens that a credit pays for: list settled generations that used more.",
        ),
    ] = None


async def run(options: Options) -> int:
    """Print sums and lists."""
    columns = _parse_columns(options.bill_column)
    bill = read_bill(options.bill, columns) if options.bill is not None else None
    async with open_source(options) as source:
        reader = LedgerReader(source)
        with UsageStore() as book:
            await _fill(book, reader, source)
            found = Reconciliation(book, options.since, options.until, options.tokens_per_credit)
            tables = reader.replay.prices
            money = Money(book, tables, bill, since=options.since, until=options.until)
            totals = _write_lines(money, options)
            sums = MoneySums(totals, _currency(tables), bill is not None, options.credit_value)
            if options.json:
                print_json(NAME, {**reader.place(), **_document(found), "money": sums.document()})
            else:
                for line in (*_text(found), *sums.text()):
                    sys.stdout.write(f"{line}\n")
    return reader.verdict() or (BREACH if bill is not None and totals.differences else CLEAN)


def _write_lines(money: Money, options: Options) -> Totals:
    """The sums of all lines, which are written to the file that `--generations` names."""
    totals = Totals()
    if options.generations is None:
        for line in money.lines():
            totals.add(line)
        return totals
    with text_file(options.generations) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(LINE_HEAD)
        for line in money.lines():
            totals.add(line)
            writer.writerow(line_cells(line, options.credit_value))
    return totals


def _currency(tables: PriceTables) -> str:
    published = tables.catalog.published
    return published[-1].table.currency if published else ""


async def _fill(book: UsageStore, reader: LedgerReader, source: Source) -> None:
    if not await source.has(VIDEO):
        raise CommandError("usage is on VIDEO, which cannot be read: reconcile needs both streams")
    with Progress("reading VIDEO", await source.last(VIDEO)) as progress:
        async for batch in source.batches(VIDEO):
            for entry in batch:
                book.video(entry)
            progress.advance(len(batch))
    async for booked in reader.entries():
        if booked.parsed is not None:
            book.ledger(booked.parsed)
    book.outcomes(reader.replay)


def _text(found: Reconciliation) -> Iterator[str]:
    yield "Usage and settled credits"
    yield ""
    groups = [*found.groups(), found.total()]
    yield from render_plain_table(_HEAD, [_row(group) for group in groups])
    for listing in found.listings():
        yield from _list_text(found, listing)
    yield from _possible_text(list(found.possible_tasks()))
    if found.book.unreadable:
        yield from (
            "",
            f"{found.book.unreadable} entries of VIDEO could not be read and are not included.",
        )


def _row(group: Group) -> tuple[int | str | None, ...]:
    amounts = (group.settled, group.credits, group.tokens, group.rate, group.unpaid)
    return (group.model or "(unknown)", group.resolution, group.duration, *amounts)


def _list_text(found: Reconciliation, listing: Listing) -> Iterator[str]:
    rows = [tuple(asdict(finding).values()) for finding in found.findings(listing)]
    tokens = sum(row[3] or 0 for row in rows)
    yield ""
    if not rows:
        yield f"{listing.title}: none"
        return
    yield f"{listing.title}: {len(rows)}, {tokens} tokens known"
    yield from (f"  {line}" for line in listing.message.split("\n"))
    table = render_plain_table(
        _LIST_HEAD, [(*row[:3], "unknown" if row[3] is None else row[3], *row[4:]) for row in rows]
    )
    yield from (f"  {line}" for line in table)


def _possible_text(tasks: Sequence[PossibleTask]) -> Iterator[str]:
    yield ""
    if not tasks:
        yield "tasks that the provider may have: none"
        return
    yield f"tasks that the provider may have: {len(tasks)}"
    yield "  The response to these attempts was lost, and the provider did not list a task for them. Look for the mark"
    yield "  (safety_identifier) or the seed in its list and on its bill, created between the two times."
    rows = [
        (
            task.account,
            task.generation,
            task.attempt,
            task.safety_identifier,
            task.seed,
            *_window(task),
            task.how,
        )
        for task in tasks
    ]
    yield from (f"  {line}" for line in render_plain_table(_POSSIBLE_HEAD, rows))


def _window(task: PossibleTask) -> tuple[str, str]:
    begun, closed = (moment.isoformat(timespec="milliseconds") for moment in (task.begun_at, task.closed_at))
    return begun, closed


def _document(found: Reconciliation) -> dict[str, Any]:
    return {
        "groups": [_fields(group) for group in found.groups()],
        "total": {
            name: getattr(found.total(), name) for name in ("settled", "credits", "tokens", "unpaid", "rate")
        },
        "lists": {
            listing.name: [asdict(finding) for finding in found.findings(listing)]
            for listing in found.listings()
        },
        "possible_tasks": [
            asdict(task) | dict(zip(("begun_at", "closed_at"), _window(task), strict=True))
            for task in found.possible_tasks()
        ],
        "unreadable": found.book.unreadable,
    }


def _fields(group: Group) -> dict[str, Any]:
    return asdict(group) | {"rate": group.rate}
