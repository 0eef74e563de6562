"""`telecine-audit balances`: what accounts have."""

import argparse
import sys
from typing import Any

from telecine_auditor.ledger.reader import Walk
from telecine_auditor.ledger.replay import Books
from telecine_auditor.terminal.exit_codes import CommandError
from telecine_auditor.terminal.options import add_source_options, opened
from telecine_auditor.terminal.period_options import add_point_options
from telecine_auditor.terminal.plain_tables import plain_table
from telecine_auditor.terminal.tables import print_json

NAME = "balances"
SUMMARY = "what accounts have available and held, now or at an earlier point"


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = "What accounts have, added up from the first entry on. All accounts, or those named."
    parser.epilog = (
        "examples:\n"
        "  telecine-audit balances\n"
        "  telecine-audit balances ann bob --at 2026-11-23\n"
        "  telecine-audit balances --sequence 120000 --json"
    )
    parser.add_argument("account", nargs="*", metavar="ACCOUNT", help="accounts to show; all without one")
    add_point_options(parser)
    add_source_options(parser)


async def run(options: argparse.Namespace) -> int:
    """Print the table."""
    async with opened(options) as source:
        walk = Walk(source, until=options.until, sequence=options.sequence)
        books = await walk.to_the_end()
    names = _wanted(options.account, books)
    rows = [(name, books.accounts[name].available, books.accounts[name].held) for name in names]
    available, held = sum(row[1] for row in rows), sum(row[2] for row in rows)
    if options.json:
        print_json(NAME, _document(walk, rows, available, held))
    else:
        lines = plain_table(("account", "available", "held"), [*rows, ("total", available, held)])
        sys.stdout.write("\n".join([f"Balances {walk.place_in_words()}", "", *lines, *walk.footer()]) + "\n")
    return walk.verdict()


def _wanted(names: list[str], books: Books) -> list[str]:
    for name in names:
        if name not in books.accounts:
            raise CommandError(f"account {name!r} has no entry at that point")
    return list(dict.fromkeys(names)) or sorted(books.accounts)


def _document(walk: Walk, rows: list[tuple[str, int, int]], available: int, held: int) -> dict[str, Any]:
    return {
        **walk.place(),
        "accounts": [{"account": name, "available": free, "held": kept} for name, free, kept in rows],
        "total": {"available": available, "held": held},
    }
