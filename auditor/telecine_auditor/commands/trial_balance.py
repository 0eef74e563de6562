"""`telecine-audit trial-balance`: the sums of all sides, which are zero together."""

import sys
from dataclasses import dataclass

from telecine_auditor.ledger.reader import LedgerReader
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import open_source
from telecine_auditor.terminal.period_options import PointOptions
from telecine_auditor.terminal.tables import render_plain_table

NAME = "trial-balance"


HELP = (
    "The sums of all sides of the double entry. Issued credits count below zero, all others above: together they are "
    "zero, or the command ends with 1."
)
EXAMPLES = """\
examples:
  telecine-audit trial-balance
  telecine-audit trial-balance --at 2026-11-30 --json"""


@dataclass(frozen=True, kw_only=True)
class Options(PointOptions):
    """Options of the command."""


async def run(options: Options) -> int:
    """Print the sums and whether they are zero together."""
    async with open_source(options) as source:
        reader = LedgerReader(source, until=options.until, sequence=options.sequence)
        books = await reader.read_all()
    sums = {
        "issued": -books.issued,
        "available": books.available,
        "held": books.held,
        "spent": books.spent,
        "expired": books.expired,
    }
    total = sum(sums.values())
    if options.json:
        print_json(NAME, {**reader.place(), "accounts": len(books.accounts), "sums": sums, "total": total})
    else:
        lines = render_plain_table(("side", "credits"), [*sums.items(), ("total", total)])
        verdict = (
            "Every credit is accounted for: the sum is zero."
            if total == 0
            else f"The sum is {total}, not zero."
        )
        head = f"Trial balance of {len(books.accounts)} accounts {reader.describe_position()}"
        sys.stdout.write("\n".join([head, "", *lines, "", verdict, *reader.footer()]) + "\n")
    return reader.verdict() or (BREACH if total else CLEAN)
