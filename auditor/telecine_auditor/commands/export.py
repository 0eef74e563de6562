"""`telecine-audit export`: the ledger as books for other programs."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TextIO

import typer

from telecine_auditor.exports.beancount import BeancountWriter
from telecine_auditor.exports.csv_writer import CsvWriter
from telecine_auditor.exports.hledger import HledgerWriter
from telecine_auditor.exports.writer import ExportResult, ExportWriter, write_export
from telecine_auditor.ledger.reader import LedgerReader
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import checked, open_source, path_option
from telecine_auditor.terminal.output_files import text_file
from telecine_auditor.terminal.period_options import PeriodOptions

NAME = "export"
_WRITERS: dict[str, Callable[[TextIO], ExportWriter]] = {
    "hledger": HledgerWriter,
    "beancount": BeancountWriter,
    "csv": CsvWriter,
}
_CHECKS = {"hledger": "hledger -f {} check --strict", "beancount": "bean-check {}"}


HELP = (
    "Writes a transaction for every entry that moves credits. Books for hledger and beancount assert the balances that "
    "the entries state, so that those programs confirm the ledger by their own sums. CSV has a row for every posting; "
    "data tools convert it, e.g. DuckDB to Parquet. A period begins with one transaction for the balances before it."
)
EXAMPLES = """\
examples:
  telecine-audit export --format hledger --out books.journal && hledger -f books.journal check --strict
  telecine-audit export --format beancount --out books.beancount && bean-check books.beancount
  telecine-audit export --format csv --out november.csv --from 2026-11-01 --to 2026-11-30"""


@checked
def _parse_format(text: str) -> str:
    if text == "parquet":
        raise ValueError(
            "Parquet is no longer written: export csv, then"
            """ duckdb -c "COPY (SELECT * FROM 'x.csv') TO 'x.parquet'" converts it"""
        )
    if text not in _WRITERS:
        raise ValueError(f"invalid format {text!r}, expected {', '.join(_WRITERS)}")
    return text


@dataclass(frozen=True, kw_only=True)
class Options(PeriodOptions):
    """Options of the command."""

    format: Annotated[
        str,
        typer.Option("--format", parser=_parse_format, metavar="|".join(_WRITERS), help="Form of the books."),
    ]
    out: Annotated[
        Path,
        path_option("--out", help="File to write; replaced when it exists, or a pipe."),
    ]


async def run(options: Options) -> int:
    """Write the file, and say what is in it."""
    async with open_source(options) as source:
        reader = LedgerReader(source, until=options.until)
        with text_file(options.out) as file:
            export = await write_export(reader, options.since, _WRITERS[options.format](file))
    if options.json:
        print_json(
            NAME, {**reader.place(), "file": str(options.out), "format": options.format, **export.as_json()}
        )
    else:
        sys.stdout.write("\n".join(_text(options, reader, export)) + "\n")
    return reader.verdict() or (BREACH if export.left_out else CLEAN)


def _text(options: Options, reader: LedgerReader, export: ExportResult) -> list[str]:
    lines = [
        f"{options.out}: {export.transactions} transactions of {export.accounts} accounts; the ledger "
        f"{reader.describe_position()}"
    ]
    if export.left_out:
        lines.append(f"Entries that cannot be booked and were left out: {export.left_out}")
    if options.format in _CHECKS:
        lines.append(f"Check them: {_CHECKS[options.format].format(options.out)}")
    return lines
