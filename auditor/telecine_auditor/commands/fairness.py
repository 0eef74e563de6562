"""`telecine-audit fairness`: the order in which generations were dispatched to the provider."""

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from telecine_auditor.errors import CommandError
from telecine_auditor.reports.fairness import FairnessCheck
from telecine_auditor.sources.port import QUEUE
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import SourceOptions, open_source
from telecine_auditor.terminal.progress import Progress
from telecine_auditor.terminal.tables import render_plain_table
from telecine_auditor.timestamps import format_time

NAME = "fairness"
HELP = (
    "Checks every decision of the dispatch queues (on QUEUE): accounts take turns, nothing is dispatched beyond the "
    "places of a model or of an account, and nothing jumps the queue. Shows how long each account waited."
)
EXAMPLES = """\
examples:
  telecine-audit fairness
  telecine-audit fairness --nats nats://ledger.example:4222 --nkey-seed auditor.nk --json"""


@dataclass(frozen=True, kw_only=True)
class Options(SourceOptions):
    """Options of the command."""


async def run(options: Options) -> int:
    """Print the report."""
    check = FairnessCheck()
    async with open_source(options) as source:
        if not await source.has(QUEUE):
            raise CommandError(
                "there is no stream QUEUE: `telecine provision` makes it, and mirrors do not have it"
            )
        with Progress("reading QUEUE", await source.last(QUEUE)) as progress:
            async for batch in source.batches(QUEUE):
                for entry in batch:
                    check.take(entry)
                progress.advance(len(batch))
    if options.json:
        print_json(NAME, _document(check))
    else:
        sys.stdout.write("\n".join(_text(check)) + "\n")
    return BREACH if check.violations else CLEAN


def _text(check: FairnessCheck) -> Iterator[str]:
    yield f"Dispatch queues: {check.entries} entries of QUEUE"
    if check.is_partial:
        yield "  The stream keeps some days: what entered before its first entry is not known."
    yield ""
    rows = [
        (model, account, turns.dispatched, turns.waited, f"{turns.longest.total_seconds():.1f}")
        for (model, account), turns in sorted(check.turns.items())
    ]
    yield from render_plain_table(("model", "account", "dispatched", "waited", "longest wait, s"), rows)
    waiting = check.waiting()
    yield from ("", f"waiting now: {len(waiting)}")
    if check.lowered:
        yield f"times that the provider took no more tasks: {check.lowered}"
    if check.unreadable:
        yield f"entries that could not be read: {check.unreadable}"
    yield f"violations: {len(check.violations)}"
    for each in check.violations:
        yield f"  QUEUE#{each.sequence}  {each.model}: {each.generation} of {each.account} {each.message}"


def _document(check: FairnessCheck) -> dict[str, Any]:
    return {
        "entries": check.entries,
        "partial": check.is_partial,
        "accounts": [
            {
                "model": model,
                "account": account,
                "dispatched": turns.dispatched,
                "waited": turns.waited,
                "longest_wait_seconds": turns.longest.total_seconds(),
            }
            for (model, account), turns in sorted(check.turns.items())
        ],
        "waiting": [
            {"model": model, "account": account, "generation": generation, "since": format_time(at)}
            for model, account, generation, at in check.waiting()
        ],
        "capacity_lowered": check.lowered,
        "unreadable": check.unreadable,
        "violations": [asdict(each) for each in check.violations],
    }
