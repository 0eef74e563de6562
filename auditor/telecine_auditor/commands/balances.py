"""`telecine-audit balances`: the balances of accounts."""

import sys
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from telecine_auditor.errors import CommandError
from telecine_auditor.ledger.reader import LedgerReader
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import open_source
from telecine_auditor.terminal.period_options import PointOptions
from telecine_auditor.terminal.tables import render_plain_table

NAME = "balances"


HELP = "What accounts have, added up from the first entry on. All accounts, or those named."
EXAMPLES = """\
examples:
  telecine-audit balances
  telecine-audit balances ann bob --at 2026-11-23
  telecine-audit balances --sequence 120000 --json"""


@dataclass(frozen=True, kw_only=True)
class Options(PointOptions):
    """Options of the command."""

    account: Annotated[
        list[str],
        typer.Argument(metavar="ACCOUNT", help="Accounts to show; all without one.", show_default=False),
    ] = field(default_factory=list)


async def run(options: Options) -> int:
    """Print the table."""
    async with open_source(options) as source:
        reader = LedgerReader(source, until=options.until, sequence=options.sequence)
        replay = await reader.read_all()
    names = _wanted(options.account, replay)
    rows = [(name, replay.accounts[name].available, replay.accounts[name].held) for name in names]
    available, held = sum(row[1] for row in rows), sum(row[2] for row in rows)
    if options.json:
        print_json(NAME, _document(reader, rows, available, held))
    else:
        lines = render_plain_table(("account", "available", "held"), [*rows, ("total", available, held)])
        sys.stdout.write(
            "\n".join([f"Balances {reader.describe_position()}", "", *lines, *reader.footer()]) + "\n"
        )
    return reader.verdict()


def _wanted(names: list[str], replay: LedgerReplay) -> list[str]:
    for name in names:
        if name not in replay.accounts:
            raise CommandError(f"account {name!r} has no entry at that point")
    return list(dict.fromkeys(names)) or sorted(replay.accounts)


def _document(
    reader: LedgerReader, rows: list[tuple[str, int, int]], available: int, held: int
) -> dict[str, Any]:
    return {
        **reader.place(),
        "accounts": [{"account": name, "available": free, "held": kept} for name, free, kept in rows],
        "total": {"available": available, "held": held},
    }
