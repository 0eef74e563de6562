"""`telecine-audit statement`: one account's entries and balances."""

import argparse
import shutil
import sys
from tempfile import SpooledTemporaryFile
from typing import IO

from telecine_auditor.ledger.reader import Walk
from telecine_auditor.reports.statement import (
    CsvStatement,
    JsonStatement,
    StatementWriter,
    TextStatement,
    write_statement,
)
from telecine_auditor.terminal.options import add_source_options, opened
from telecine_auditor.terminal.period_options import add_period_options

NAME = "statement"
_IN_MEMORY = 2**24
"""Bytes."""
SUMMARY = "one account: opening balance, every entry, closing balance"


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = (
        "One account's entries in a period. The balances are added up anew from the ledger's first entry."
    )
    parser.epilog = (
        "examples:\n"
        "  telecine-audit statement ann\n"
        "  telecine-audit statement ann --from 2026-11-01 --to 2026-11-30 --csv > ann.csv\n"
        "  telecine-audit statement ann --from ./mirror --from 2026-11-01"
    )
    parser.add_argument("account", metavar="ACCOUNT")
    add_source_options(parser)
    add_period_options(parser)
    parser.add_argument("--csv", action="store_true", help="rows for a spreadsheet on stdout")


async def run(options: argparse.Namespace) -> int:
    """Print the statement."""
    # A document is printed whole or not at all: half of one would have the error of the other half behind it.
    with SpooledTemporaryFile(_IN_MEMORY, mode="w+", encoding="utf-8", newline="") as document:
        async with opened(options) as source:
            walk = Walk(source, until=options.until)
            writer = _writer(options, walk, document if options.json else sys.stdout)
            await write_statement(walk, options.account, options.since, writer)
        document.seek(0)
        shutil.copyfileobj(document, sys.stdout)
    return walk.verdict()


def _writer(options: argparse.Namespace, walk: Walk, file: IO[str]) -> StatementWriter:
    if options.csv:
        return CsvStatement(file)
    if options.json:
        return JsonStatement(file, walk, options.account)
    return TextStatement(file, options.account)
