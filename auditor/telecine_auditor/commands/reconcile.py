"""`telecine-audit reconcile`: the provider's usage against settled credits."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from telecine_auditor.errors import CommandError
from telecine_auditor.ledger.reader import LedgerReader
from telecine_auditor.reports.usage_reconciliation import Group, Listing, PossibleTask, Reconciliation
from telecine_auditor.reports.usage_store import UsageStore
from telecine_auditor.sources.port import VIDEO, Source
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import checked, open_source
from telecine_auditor.terminal.period_options import PeriodOptions
from telecine_auditor.terminal.progress import Progress
from telecine_auditor.terminal.tables import render_plain_table

NAME = "reconcile"
_HEAD = ("model", "resolution", "seconds", "settled", "credits", "tokens", "tokens/credit", "unpaid tokens")
_POSSIBLE_HEAD = ("account", "generation", "attempt", "mark", "seed", "from", "to", "because")
_LIST_HEAD = ("account", "generation", "task", "tokens", "on the ledger", "at the provider")


HELP = (
    "Compares the usage that the provider reported (VideoReady and late results, on VIDEO) with the credits that were "
    "settled (on LEDGER), and lists what does not match. A generation belongs to the period in which it was requested, "
    "with everything that followed until now. Adjusted credits do not count as settled."
)
EXAMPLES = """\
examples:
  telecine-audit reconcile
  telecine-audit reconcile --from 2026-11-01 --to 2026-11-30 --tokens-per-credit 2500 --json"""


@checked
def _parse_rate(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise ValueError(f"invalid number of tokens {text!r}, expected a whole number of 1 or more")
    return int(text)


@dataclass(frozen=True, kw_only=True)
class Options(PeriodOptions):
    """Options of the command."""

    tokens_per_credit: Annotated[
        int | None,
        typer.Option(
            "--tokens-per-credit",
            parser=_parse_rate,
            metavar="N",
            help="Tokens that a credit pays for: list settled generations that used more.",
        ),
    ] = None


async def run(options: Options) -> int:
    """Print sums and lists."""
    async with open_source(options) as source:
        reader = LedgerReader(source)
        with UsageStore() as book:
            await _fill(book, reader, source)
            found = Reconciliation(book, options.since, options.until, options.tokens_per_credit)
            if options.json:
                print_json(NAME, {**reader.place(), **_document(found)})
            else:
                for line in _text(found):
                    sys.stdout.write(f"{line}\n")
    return reader.verdict()


async def _fill(book: UsageStore, reader: LedgerReader, source: Source) -> None:
    if not await source.has(VIDEO):
        raise CommandError("usage is on VIDEO, which cannot be read: reconcile needs both streams")
    with Progress("reading VIDEO", await source.last(VIDEO)) as progress:
        async for batch in source.batches(VIDEO):
            for entry in batch:
                book.video(entry)
            progress.advance(len(batch))
    async for booked in reader.entries():
        if booked.parsed is not None:
            book.ledger(booked.parsed)
    book.outcomes(reader.replay)


def _text(found: Reconciliation) -> Iterator[str]:
    yield "Usage and settled credits"
    yield ""
    groups = [*found.groups(), found.total()]
    yield from render_plain_table(_HEAD, [_row(group) for group in groups])
    for listing in found.listings():
        yield from _list_text(found, listing)
    yield from _possible_text(list(found.possible_tasks()))
    if found.book.unreadable:
        yield from (
            "",
            f"{found.book.unreadable} entries of VIDEO could not be read and are not included.",
        )


def _row(group: Group) -> tuple[int | str | None, ...]:
    amounts = (group.settled, group.credits, group.tokens, group.rate, group.unpaid)
    return (group.model or "(unknown)", group.resolution, group.duration, *amounts)


def _list_text(found: Reconciliation, listing: Listing) -> Iterator[str]:
    rows = [tuple(asdict(finding).values()) for finding in found.findings(listing)]
    tokens = sum(row[3] or 0 for row in rows)
    yield ""
    if not rows:
        yield f"{listing.title}: none"
        return
    yield f"{listing.title}: {len(rows)}, {tokens} tokens known"
    yield from (f"  {line}" for line in listing.message.split("\n"))
    table = render_plain_table(
        _LIST_HEAD, [(*row[:3], "unknown" if row[3] is None else row[3], *row[4:]) for row in rows]
    )
    yield from (f"  {line}" for line in table)


def _possible_text(tasks: Sequence[PossibleTask]) -> Iterator[str]:
    yield ""
    if not tasks:
        yield "tasks that the provider may have: none"
        return
    yield f"tasks that the provider may have: {len(tasks)}"
    yield "  The response to these attempts was lost, and the provider did not list a task for them. Look for the mark"
    yield "  (safety_identifier) or the seed in its list and on its bill, created between the two times."
    rows = [
        (
            task.account,
            task.generation,
            task.attempt,
            task.safety_identifier,
            task.seed,
            *_window(task),
            task.how,
        )
        for task in tasks
    ]
    yield from (f"  {line}" for line in render_plain_table(_POSSIBLE_HEAD, rows))


def _window(task: PossibleTask) -> tuple[str, str]:
    begun, closed = (moment.isoformat(timespec="milliseconds") for moment in (task.begun_at, task.closed_at))
    return begun, closed


def _document(found: Reconciliation) -> dict[str, Any]:
    return {
        "groups": [_fields(group) for group in found.groups()],
        "total": {
            name: getattr(found.total(), name) for name in ("settled", "credits", "tokens", "unpaid", "rate")
        },
        "lists": {
            listing.name: [asdict(finding) for finding in found.findings(listing)]
            for listing in found.listings()
        },
        "possible_tasks": [
            asdict(task) | dict(zip(("begun_at", "closed_at"), _window(task), strict=True))
            for task in found.possible_tasks()
        ],
        "unreadable": found.book.unreadable,
    }


def _fields(group: Group) -> dict[str, Any]:
    return asdict(group) | {"rate": group.rate}
