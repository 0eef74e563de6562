"""`telecine-audit liability`: unspent credits by kind and expiry."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from telecine_auditor.ledger.reader import LedgerReader
from telecine_auditor.reports.liabilities import LiabilityTable, build_liability_table
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import open_source
from telecine_auditor.terminal.period_options import PointOptions
from telecine_auditor.terminal.tables import render_plain_table

NAME = "liability"


HELP = (
    "Credits that were granted and are neither spent nor expired nor taken back: what is still owed for them. By kind "
    "of grant and by the month (in UTC) in which they expire."
)
EXAMPLES = """\
examples:
  telecine-audit liability
  telecine-audit liability --at 2026-12-31 --accounts --json"""


@dataclass(frozen=True, kw_only=True)
class Options(PointOptions):
    """Options of the command."""

    accounts: Annotated[bool, typer.Option("--accounts", help="For each account separately as well.")] = False


async def run(options: Options) -> int:
    """Print what is owed."""
    async with open_source(options) as source:
        reader = LedgerReader(source, until=options.until, sequence=options.sequence)
        books = await reader.read_all()
    owed = build_liability_table(books, _as_of(options, reader), each_account=options.accounts)
    if options.json:
        print_json(NAME, {**reader.place(), **owed.as_json()})
    else:
        sys.stdout.write("\n".join(_text(reader, owed, options.accounts)) + "\n")
    return reader.verdict()


def _as_of(options: Options, reader: LedgerReader) -> datetime:
    """The time at which it is judged whether a grant has expired: that of the requested point."""
    if options.sequence is not None and reader.at is not None:
        return reader.at
    return options.until or datetime.now(UTC)


def _text(reader: LedgerReader, owed: LiabilityTable, each_account: bool) -> list[str]:
    head: tuple[str, ...] = ("kind", "expires", "available", "held", "unspent")
    rows: list[tuple[Any, ...]] = [(*group, *amounts.columns()) for group, amounts in owed.groups()]
    totals: list[tuple[Any, ...]] = [(kind, "", *amounts.columns()) for kind, amounts in owed.kinds()]
    totals.append(("total", "", *owed.total.columns()))
    if each_account:
        head, blank = ("account", *head), ("",)
        totals = [(*blank, *row) for row in totals]
    lines = [f"Unspent credits {reader.describe_position()}", "", *render_plain_table(head, [*rows, *totals])]
    if owed.past.unspent:
        lines += ["", f"{owed.past.unspent} of them are past their time and will expire"
                  f" ({owed.past.available} available, {owed.past.held} held)."]  # fmt: skip
    return lines + reader.footer()
