"""`telecine-audit trial-balance`: everything that was ever issued is somewhere."""

import argparse
import sys

from telecine_auditor.ledger.reader import Walk
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.options import add_source_options, opened
from telecine_auditor.terminal.period_options import add_point_options
from telecine_auditor.terminal.plain_tables import plain_table
from telecine_auditor.terminal.tables import print_json

NAME = "trial-balance"
SUMMARY = "issued, available, held, spent and expired credits, which add up to zero"


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = (
        "The sums of all sides of the double entry. Issued credits count below zero, all others above:\n"
        "together they are zero, or the command ends with 1."
    )
    parser.epilog = (
        "examples:\n  telecine-audit trial-balance\n  telecine-audit trial-balance --at 2026-11-30 --json"
    )
    add_point_options(parser)
    add_source_options(parser)


async def run(options: argparse.Namespace) -> int:
    """Print the sums and whether they are zero together."""
    async with opened(options) as source:
        walk = Walk(source, until=options.until, sequence=options.sequence)
        books = await walk.to_the_end()
    sums = {
        "issued": -books.issued,
        "available": books.available,
        "held": books.held,
        "spent": books.spent,
        "expired": books.expired,
    }
    total = sum(sums.values())
    if options.json:
        print_json(NAME, {**walk.place(), "accounts": len(books.accounts), "sums": sums, "total": total})
    else:
        lines = plain_table(("side", "credits"), [*sums.items(), ("total", total)])
        verdict = (
            "Every credit is somewhere: the sum is zero." if total == 0 else f"The sum is {total}, not zero."
        )
        head = f"Trial balance of {len(books.accounts)} accounts {walk.place_in_words()}"
        sys.stdout.write("\n".join([head, "", *lines, "", verdict, *walk.footer()]) + "\n")
    return walk.verdict() or (BREACH if total else CLEAN)
