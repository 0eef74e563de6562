"""`telecine-audit compare`: what services have in their databases against the ledger."""

import argparse
import sys

from telecine_auditor.databases.comparison import Comparison, compare_credits, compare_gateway
from telecine_auditor.databases.diff import Difference
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN, CommandError
from telecine_auditor.terminal.options import add_source_options, opened
from telecine_auditor.terminal.sanitizer import one_line
from telecine_auditor.terminal.tables import print_json

NAME = "compare"
SUMMARY = "the databases of credits and the gateway, row by row against the ledger"
_KEPT = 1000


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = (
        "Folds LEDGER anew, up to the entry that a database has come to, and compares its tables row by row.\n"
        "Each database is read in one transaction and never written to; services may go on meanwhile. Ends with 1\n"
        "when anything differs."
    )
    parser.epilog = (
        "examples:\n"
        "  telecine-audit compare --gateway-db sqlite:///gateway.db --credits-db sqlite:///credits.db\n"
        "  telecine-audit compare --gateway-db postgresql://auditor@db.example/gateway --json"
    )
    for service in ("credits", "gateway"):
        parser.add_argument(
            f"--{service}-db", metavar="URL", help=f"database of {service}: sqlite:///FILE or postgresql://…"
        )
    add_source_options(parser)


async def run(options: argparse.Namespace) -> int:
    """Print what was compared and what differs."""
    wanted = [(compare_credits, options.credits_db), (compare_gateway, options.gateway_db)]
    if not any(url for _, url in wanted):
        raise CommandError("say which database: --credits-db URL, --gateway-db URL, or both")
    differences = _Differences()
    async with opened(options) as source:
        found = [await compare(url, source, differences.take) for compare, url in wanted if url]
    if options.json:
        print_json(
            NAME,
            {
                "databases": [comparison.as_json() for comparison in found],
                "count": differences.count,
                "differences": [difference.as_json() for difference in differences.first],
            },
        )
    else:
        sys.stdout.write("\n".join(_text(found, differences)) + "\n")
    verdicts = [comparison.walk.verdict() for comparison in found]
    return BREACH if differences.count or any(verdicts) else CLEAN


class _Differences:
    """Counts them and keeps the first ones."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[Difference] = []

    def take(self, difference: Difference) -> None:
        self.count += 1
        if len(self.first) < _KEPT:
            self.first.append(difference)


def _text(found: list[Comparison], differences: _Differences) -> list[str]:
    lines = []
    for comparison in found:
        rows = ", ".join(f"{count} of {table}" for table, count in comparison.rows.items())
        lines.append(f"{comparison.database.service}: {rows} compared {comparison.walk.place_in_words()}")
    lines += [one_line(str(difference.breach())) for difference in differences.first]
    if differences.count > len(differences.first):
        lines.append(f"and {differences.count - len(differences.first)} more")
    ending = (
        f"Values that differ: {differences.count}"
        if differences.count
        else "Every row is as the ledger says."
    )
    return [*lines, ending]
