"""`telecine-audit compare`: the tables of credits against the ledger."""

import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from telecine_auditor.databases.comparison import Comparison, compare_tables
from telecine_auditor.databases.diff import Difference
from telecine_auditor.databases.schema import SERVICE
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import SourceOptions, open_source
from telecine_auditor.terminal.sanitizer import one_line

NAME = "compare"
_KEPT = 1000


HELP = (
    "Replays LEDGER up to the entry that the database has reached, and compares the balances, grants and holds of "
    "credits row by row. The database is read in one transaction and never written to; credits may go on meanwhile. "
    "Ends with 1 when anything differs.\n\n"
    "The gateway's tables are a projection that can be rebuilt at any time (`telecine projections rebuild`): they "
    "decide nothing and are not compared."
)
EXAMPLES = """\
examples:
  telecine-audit compare --credits-db sqlite:///credits.db
  telecine-audit compare --credits-db postgresql://auditor@db.example/credits --json"""


@dataclass(frozen=True, kw_only=True)
class Options(SourceOptions):
    """Options of the command."""

    credits_db: Annotated[
        str,
        typer.Option(
            "--credits-db", metavar="URL", help="Database of credits: sqlite:///FILE or postgresql://…"
        ),
    ]


async def run(options: Options) -> int:
    """Print what was compared and what differs."""
    differences = _Differences()
    async with open_source(options) as source:
        comparison = await compare_tables(options.credits_db, source, differences.take)
    if options.json:
        document = {
            "databases": [comparison.as_json()],
            "count": differences.count,
            "differences": [difference.as_json() for difference in differences.first],
        }
        print_json(NAME, document)
    else:
        sys.stdout.write("\n".join(_text(comparison, differences)) + "\n")
    return BREACH if differences.count or comparison.reader.verdict() else CLEAN


class _Differences:
    """Counts the differences and keeps the first ones."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[Difference] = []

    def take(self, difference: Difference) -> None:
        self.count += 1
        if len(self.first) < _KEPT:
            self.first.append(difference)


def _text(comparison: Comparison, differences: _Differences) -> list[str]:
    rows = ", ".join(f"{count} of {table}" for table, count in comparison.rows.items())
    lines = [f"{SERVICE}: {rows} compared {comparison.reader.describe_position()}"]
    lines += [one_line(str(difference.breach())) for difference in differences.first]
    if differences.count > len(differences.first):
        lines.append(f"and {differences.count - len(differences.first)} more")
    ending = (
        f"Values that differ: {differences.count}" if differences.count else "Every row matches the ledger."
    )
    return [*lines, ending]
