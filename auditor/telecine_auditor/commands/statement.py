"""`telecine-audit statement`: one account's entries and balances."""

import shutil
import sys
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated

import typer

from telecine_auditor.ledger.reader import LedgerReader
from telecine_auditor.reports.statement import (
    CsvStatement,
    JsonStatement,
    StatementWriter,
    TextStatement,
    write_statement,
)
from telecine_auditor.terminal.options import open_source
from telecine_auditor.terminal.period_options import PeriodOptions

NAME = "statement"
_IN_MEMORY = 2**24
"""Bytes."""


HELP = "One account's entries in a period. The balances are added up again from the ledger's first entry."
EXAMPLES = """\
examples:
  telecine-audit statement ann
  telecine-audit statement ann --from 2026-11-01 --to 2026-11-30 --csv > ann.csv
  telecine-audit statement ann --from ./mirror --from 2026-11-01"""


@dataclass(frozen=True, kw_only=True)
class Options(PeriodOptions):
    """Options of the command."""

    account: Annotated[str, typer.Argument(metavar="ACCOUNT", show_default=False)]
    csv: Annotated[
        bool,
        typer.Option(
            "--csv", help="Rows for a spreadsheet on stdout: the same as `telecine credits statement --csv`."
        ),
    ] = False


async def run(options: Options) -> int:
    """Print the statement."""
    # A document is printed completely or not at all: after half of one the error document would not be valid JSON.
    with SpooledTemporaryFile(_IN_MEMORY, mode="w+", encoding="utf-8", newline="") as document:
        async with open_source(options) as source:
            reader = LedgerReader(source, until=options.until)
            writer = _writer(options, reader, document if options.json else sys.stdout)
            await write_statement(reader, options.account, options.since, writer)
        document.seek(0)
        shutil.copyfileobj(document, sys.stdout)
    return reader.verdict()


def _writer(options: Options, reader: LedgerReader, file: IO[str]) -> StatementWriter:
    if options.csv:
        return CsvStatement(sys.stdout.buffer, options.since, options.until)
    if options.json:
        return JsonStatement(file, reader, options.account)
    return TextStatement(file, options.account)
