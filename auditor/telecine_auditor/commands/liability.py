"""`telecine-audit liability`: credits that were given and are not used up, and what they are."""

import argparse
import sys
from datetime import UTC, datetime
from typing import Any

from telecine_auditor.ledger.reader import Walk
from telecine_auditor.reports.liabilities import Owed, liability
from telecine_auditor.terminal.options import add_source_options, opened
from telecine_auditor.terminal.period_options import add_point_options
from telecine_auditor.terminal.plain_tables import plain_table
from telecine_auditor.terminal.tables import print_json

NAME = "liability"
SUMMARY = "unspent credits by kind (paid, plan, promotional) and by when they expire"


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = (
        "Credits that were granted and are neither spent nor expired nor taken back: what is still owed for them.\n"
        "By kind of grant and by the month (of UTC) in which they expire."
    )
    parser.epilog = (
        "examples:\n  telecine-audit liability\n  telecine-audit liability --at 2026-12-31 --accounts --json"
    )
    parser.add_argument("--accounts", action="store_true", help="for every account by itself, too")
    add_point_options(parser)
    add_source_options(parser)


async def run(options: argparse.Namespace) -> int:
    """Print what is owed."""
    async with opened(options) as source:
        walk = Walk(source, until=options.until, sequence=options.sequence)
        books = await walk.to_the_end()
    owed = liability(books, _as_of(options, walk), each_account=options.accounts)
    if options.json:
        print_json(NAME, {**walk.place(), **owed.as_json()})
    else:
        sys.stdout.write("\n".join(_text(walk, owed, options.accounts)) + "\n")
    return walk.verdict()


def _as_of(options: argparse.Namespace, walk: Walk) -> datetime:
    """Whether the time of a grant is over is judged at the point that was asked for."""
    if options.sequence is not None and walk.at is not None:
        return walk.at
    until: datetime | None = options.until
    return until or datetime.now(UTC)


def _text(walk: Walk, owed: Owed, each_account: bool) -> list[str]:
    head: tuple[str, ...] = ("kind", "expires", "available", "held", "unspent")
    rows: list[tuple[Any, ...]] = [(*group, *amounts.columns()) for group, amounts in owed.groups()]
    totals: list[tuple[Any, ...]] = [(kind, "", *amounts.columns()) for kind, amounts in owed.kinds()]
    totals.append(("total", "", *owed.total.columns()))
    if each_account:
        head, blank = ("account", *head), ("",)
        totals = [(*blank, *row) for row in totals]
    lines = [f"Unspent credits {walk.place_in_words()}", "", *plain_table(head, [*rows, *totals])]
    if owed.past.unspent:
        lines += ["", f"{owed.past.unspent} of them are past their time and will expire"
                  f" ({owed.past.available} available, {owed.past.held} held)."]  # fmt: skip
    return lines + walk.footer()
