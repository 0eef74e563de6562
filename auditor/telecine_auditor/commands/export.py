"""`telecine-audit export`: the books for programs that others wrote."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from telecine_auditor.exports.beancount import BeancountWriter
from telecine_auditor.exports.csv_writer import CsvWriter, ParquetWriter
from telecine_auditor.exports.hledger import HledgerWriter
from telecine_auditor.exports.writer import BooksWriter, Export, write_books
from telecine_auditor.ledger.reader import Walk
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.options import add_source_options, opened
from telecine_auditor.terminal.output_files import new_file, text_file
from telecine_auditor.terminal.period_options import add_period_options
from telecine_auditor.terminal.tables import print_json

NAME = "export"
SUMMARY = "the books for hledger, beancount, a spreadsheet (CSV) or data tools (Parquet)"
_TEXT: dict[str, Callable[[TextIO], BooksWriter]] = {
    "hledger": HledgerWriter,
    "beancount": BeancountWriter,
    "csv": CsvWriter,
}
_CHECKS = {"hledger": "hledger -f {} check --strict", "beancount": "bean-check {}"}


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description = (
        "Writes a transaction for every entry that moves credits. hledger and beancount books assert the balances\n"
        "that the entries state, so that those programs confirm the ledger by their own sums. CSV and Parquet have\n"
        "a row for every leg. A period begins with one transaction for what was there before."
    )
    parser.epilog = (
        "examples:\n"
        "  telecine-audit export --format hledger --out books.journal && hledger -f books.journal check --strict\n"
        "  telecine-audit export --format beancount --out books.beancount && bean-check books.beancount\n"
        "  telecine-audit export --format parquet --out november.parquet --from 2026-11-01 --to 2026-11-30"
    )
    parser.add_argument("--format", required=True, choices=[*_TEXT, "parquet"], help="form of the books")
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="FILE",
        help="file to write; replaced when it exists, or a pipe",
    )
    add_source_options(parser)
    add_period_options(parser)


async def run(options: argparse.Namespace) -> int:
    """Write the file, and say what is in it."""
    since: datetime | None = options.since
    async with opened(options) as source:
        walk = Walk(source, until=options.until)
        with _writer(options.format, options.out) as writer:
            export = await write_books(walk, since, writer)
    if options.json:
        print_json(
            NAME, {**walk.place(), "file": str(options.out), "format": options.format, **export.as_json()}
        )
    else:
        sys.stdout.write("\n".join(_text(options, walk, export)) + "\n")
    return walk.verdict() or (BREACH if export.left_out else CLEAN)


@contextmanager
def _writer(form: str, path: Path) -> Iterator[BooksWriter]:
    if form == "parquet":
        with new_file(path) as output, ParquetWriter(output) as writer:
            yield writer
    else:
        with text_file(path) as file:
            yield _TEXT[form](file)


def _text(options: argparse.Namespace, walk: Walk, export: Export) -> list[str]:
    lines = [
        f"{options.out}: {export.transactions} transactions of {export.accounts} accounts; the ledger "
        f"{walk.place_in_words()}"
    ]
    if export.left_out:
        lines.append(f"Entries that can't be booked and were left out: {export.left_out}")
    if options.format in _CHECKS:
        lines.append(f"Check them: {_CHECKS[options.format].format(options.out)}")
    return lines
