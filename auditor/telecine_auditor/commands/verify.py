"""`telecine-audit verify`: whether every credit is accounted for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from telecine_auditor.audit.audit import Audit, AuditOptions
from telecine_auditor.audit.report import as_json, as_text
from telecine_auditor.audit.snapshot import read_snapshot
from telecine_auditor.breaches import BreachList
from telecine_auditor.errors import CommandError
from telecine_auditor.ledger.clock_skew import MAX_AHEAD, MAX_BEHIND, ClockSkew
from telecine_auditor.ledger.replay import LedgerReplay
from telecine_auditor.ledger.rules.closing_checks import EXPIRY_DELAY
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import KeyOption, SourceOptions, checked, open_source, path_option
from telecine_auditor.timestamps import parse_duration, parse_instant
from telecine_auditor.transparency.checkpoint_coverage import UnsignedLimits
from telecine_auditor.transparency.checkpoints import read_checkpoints, read_keys

NAME = "verify"

HELP = (
    "Replays LEDGER from its first entry by rules of its own, compares it with every signed checkpoint, and with VIDEO "
    "where that may be read: what completed was settled, what failed or was cancelled was refunded, and nothing was "
    "charged without a request. Reports every breach with its sequence, and what it could not check."
)
EXAMPLES = """\
examples:
  telecine-audit verify --key ledger.vkey
  telecine-audit verify --from ./mirror --key ledger.vkey --checkpoint kept.checkpoint
  telecine-audit verify --key ledger.vkey --save audited.state     and the next time only what is new:
  telecine-audit verify --key ledger.vkey --since audited.state --save audited.state

exit codes: 0 no breach, 1 a breach was found, 2 the audit could not be done"""


_duration = checked(parse_duration)


def _parse_limit(text: str) -> int | timedelta:
    """A number of entries, or a duration. Raises ValueError."""
    return int(text) if re.fullmatch(r"\d{1,15}", text) else parse_duration(text)


@checked
def _check_limit(text: str) -> str:
    _parse_limit(text)
    return text


@dataclass(frozen=True, kw_only=True)
class Options(SourceOptions):
    """Options of the command."""

    checkpoint: Annotated[
        list[Path],
        path_option(
            "--checkpoint",
            help="Compare with this checkpoint as well, or with all in this folder; may be repeated.",
            show_default=False,
        ),
    ] = field(default_factory=list)
    key: KeyOption = field(default_factory=list)
    ledger_only: Annotated[bool, typer.Option("--ledger-only", help="Do not read VIDEO.")] = False
    hold_limit: Annotated[
        timedelta,
        typer.Option(
            "--hold-limit",
            parser=_duration,
            metavar="TIME",
            help="A debit without an ending is a breach after this time, e.g. 90m.",
            show_default="24h",
        ),
    ] = timedelta(hours=24)
    in_flight: Annotated[
        timedelta,
        typer.Option(
            "--in-flight",
            parser=_duration,
            metavar="TIME",
            help="What ended on VIDEO less long ago may still be settled or refunded.",
            show_default="5m",
        ),
    ] = timedelta(minutes=5)
    expiry_delay: Annotated[
        timedelta,
        typer.Option(
            "--expiry-delay",
            parser=_duration,
            metavar="TIME",
            help="For how long after their time credits may still be available.",
            show_default="1h",
        ),
    ] = EXPIRY_DELAY
    max_unsigned: Annotated[
        list[str],
        typer.Option(
            "--max-unsigned",
            parser=_check_limit,
            metavar="N|TIME",
            help="With --key: more entries than that without a checkpoint over them are a breach, or such an entry that"
            " is older; may be given twice, e.g. 5000 and 2h.",
            show_default="24h",
        ),
    ] = field(default_factory=list)
    clock_ahead: Annotated[
        timedelta,
        typer.Option(
            "--clock-ahead",
            parser=_duration,
            metavar="TIME",
            help="How long after it was stored an entry may say that it was decided.",
            show_default="5m",
        ),
    ] = MAX_AHEAD
    clock_behind: Annotated[
        timedelta,
        typer.Option(
            "--clock-behind",
            parser=_duration,
            metavar="TIME",
            help="And how long before.",
            show_default="1h",
        ),
    ] = MAX_BEHIND
    now: Annotated[
        datetime | None,
        typer.Option(
            "--now",
            parser=checked(parse_instant),
            metavar="TIME",
            help="Judge holds and expiries as of that time, e.g. 2026-11-23T10:00:00Z; by default now, and with --from"
            " when the last entry was stored.",
            show_default=False,
        ),
    ] = None
    max_breaches: Annotated[int, typer.Option("--max-breaches", metavar="N", help="How many to list.")] = 100
    save: Annotated[
        Path | None,
        path_option("--save", help="Save the state at the newest signed checkpoint."),
    ] = None
    since: Annotated[
        Path | None,
        path_option(
            "--since",
            help="Continue from a state that --save wrote; needs --key.",
        ),
    ] = None


async def run(options: Options) -> int:
    """Verify and print the result."""
    keys = read_keys(options.key)
    if options.save is not None and not keys:
        raise CommandError("--save needs --key: the state is saved at a signed checkpoint")
    if options.max_unsigned and not keys:
        raise CommandError("--max-unsigned needs --key: only verified signatures count")
    found = BreachList(max(0, options.max_breaches))
    clocks = ClockSkew(options.clock_ahead, options.clock_behind)
    # Separate clocks: the saved audit may turn out to be of another ledger.
    saved = LedgerReplay(found, ClockSkew(options.clock_ahead, options.clock_behind))
    start = read_snapshot(options.since, keys, saved) if options.since is not None else None
    terms = AuditOptions(
        keys=keys,
        checkpoints=[one for place in options.checkpoint for one in read_checkpoints(place, keys)],
        hold_limit=options.hold_limit,
        in_flight=options.in_flight,
        expiry_delay=options.expiry_delay,
        max_unsigned=_max_unsigned(options.max_unsigned),
        clocks=clocks,
        as_of=options.now,
        is_copy=options.mirror_folder is not None,
        with_video=not options.ledger_only,
        save=options.save,
        quiet=options.json,
    )
    async with open_source(options, found) as source:
        audit = Audit(source, terms, found, start)
        await audit.run()
    if options.json:
        print_json(NAME, as_json(audit))
    else:
        print("\n".join(as_text(audit)))
    return BREACH if found.count else CLEAN


def _max_unsigned(texts: Sequence[str]) -> UnsignedLimits:
    """The limits; of several of one kind the last one counts."""
    if not texts:
        return UnsignedLimits()
    limits = [_parse_limit(text) for text in texts]
    entries = [limit for limit in limits if isinstance(limit, int)]
    ages = [limit for limit in limits if isinstance(limit, timedelta)]
    return UnsignedLimits(entries[-1] if entries else None, ages[-1] if ages else None)
