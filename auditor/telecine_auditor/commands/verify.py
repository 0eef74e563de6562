"""`telecine-audit verify`: whether every credit is accounted for."""

import argparse
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from telecine_auditor.audit.audit import Audit, Terms
from telecine_auditor.audit.report import as_json, as_text
from telecine_auditor.audit.snapshot import read_state
from telecine_auditor.breaches import BreachList
from telecine_auditor.ledger.clock_skew import AHEAD, BEHIND, Clocks
from telecine_auditor.ledger.replay import Books
from telecine_auditor.ledger.rules.closing_checks import EXPIRY_DELAY
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN, CommandError
from telecine_auditor.terminal.options import add_key_option, add_source_options, opened
from telecine_auditor.terminal.tables import print_json
from telecine_auditor.transparency.checkpoint_coverage import MaxUnsigned
from telecine_auditor.transparency.checkpoints import from_place, read_keys

NAME = "verify"
SUMMARY = "check every entry: is every credit accounted for?"

_DESCRIPTION = """\
Replays LEDGER from its first entry by rules of its own, compares it with every signed checkpoint, and with VIDEO where
that may be read: what completed was settled, what failed or was cancelled was refunded, and nothing was charged that
nobody asked for. Reports every breach with its sequence, and what it could not check."""
_EPILOG = """\
examples:
  telecine-audit verify --key ledger.vkey
  telecine-audit verify --from ./mirror --key ledger.vkey --checkpoint kept.checkpoint
  telecine-audit verify --key ledger.vkey --save audited.state     and the next time only what is new:
  telecine-audit verify --key ledger.vkey --since audited.state --save audited.state

exit codes: 0 no breach, 1 a breach was found, 2 the audit could not be done"""
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="compare with this checkpoint, or with all in this folder, too; may be repeated",
    )
    add_key_option(parser)
    parser.add_argument("--ledger-only", action="store_true", help="leave VIDEO out")
    parser.add_argument(
        "--hold-limit",
        type=_span,
        default=timedelta(hours=24),
        metavar="TIME",
        help="a debit that nothing ended for longer is a breach, e.g. 90m (default: 24h)",
    )
    parser.add_argument(
        "--in-flight",
        type=_span,
        default=timedelta(minutes=5),
        metavar="TIME",
        help="what ended on VIDEO less long ago may still be settled or refunded (default: 5m)",
    )
    parser.add_argument(
        "--expiry-delay",
        type=_span,
        default=EXPIRY_DELAY,
        metavar="TIME",
        help="so long after their time was over credits may still be available (default: 1h)",
    )
    parser.add_argument(
        "--max-unsigned",
        action="append",
        type=_limit,
        metavar="N|TIME",
        help="with --key: more entries without a checkpoint over them are a breach, or such an entry that is older;"
        " may be given twice, e.g. 5000 and 2h (default: 24h)",
    )
    parser.add_argument(
        "--clock-ahead",
        type=_span,
        default=AHEAD,
        metavar="TIME",
        help="so long after it was stored an entry may say that it was decided (default: 5m)",
    )
    parser.add_argument(
        "--clock-behind",
        type=_span,
        default=BEHIND,
        metavar="TIME",
        help="and so long before (default: 1h)",
    )
    parser.add_argument(
        "--now",
        type=_time,
        metavar="TIME",
        help="judge holds and expiries as of that time, e.g. 2026-11-23T10:00:00Z"
        " (default: now; with --from when the last entry was stored)",
    )
    parser.add_argument(
        "--max-breaches", type=int, default=100, metavar="N", help="how many to list (default: 100)"
    )
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="save what the newest signed checkpoint came to"
    )
    parser.add_argument(
        "--since", type=Path, metavar="FILE", help="go on from a state that --save wrote; needs --key"
    )
    add_source_options(parser)


async def run(options: argparse.Namespace) -> int:
    """Verify, and say what came of it."""
    keys = read_keys(options.key)
    if options.save is not None and not keys:
        raise CommandError("--save needs --key: a state is saved where a checkpoint is signed")
    if options.max_unsigned is not None and not keys:
        raise CommandError("--max-unsigned needs --key: only a signature that was verified counts")
    found = BreachList(max(0, options.max_breaches))
    clocks = Clocks(options.clock_ahead, options.clock_behind)
    # Clocks of its own: the saved audit may turn out to be of another ledger.
    saved = Books(found, Clocks(options.clock_ahead, options.clock_behind))
    start = read_state(options.since, keys, saved) if options.since is not None else None
    terms = Terms(
        keys=keys,
        checkpoints=[one for place in options.checkpoint for one in from_place(place, keys)],
        hold_limit=options.hold_limit,
        in_flight=options.in_flight,
        expiry_delay=options.expiry_delay,
        max_unsigned=_max_unsigned(options.max_unsigned),
        clocks=clocks,
        as_of=options.now,
        is_copy=options.mirror is not None,
        with_video=not options.ledger_only,
        save=options.save,
        quiet=options.json,
    )
    async with opened(options, found) as source:
        audit = Audit(source, terms, found, start)
        await audit.run()
    if options.json:
        print_json(NAME, as_json(audit))
    else:
        print("\n".join(as_text(audit)))
    return BREACH if found.count else CLEAN


def _limit(text: str) -> int | timedelta:
    """A number of entries, or a length of time."""
    return int(text) if re.fullmatch(r"\d{1,15}", text) else _span(text)


def _max_unsigned(limits: list[int | timedelta] | None) -> MaxUnsigned:
    """Of several of one kind, the last one counts."""
    if limits is None:
        return MaxUnsigned()
    entries = [limit for limit in limits if isinstance(limit, int)]
    ages = [limit for limit in limits if isinstance(limit, timedelta)]
    return MaxUnsigned(entries[-1] if entries else None, ages[-1] if ages else None)


def _span(text: str) -> timedelta:
    """A length of time, e.g. 90s, 5m, 24h, 7d."""
    match = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time: write e.g. 90s, 5m, 24h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write e.g. 2026-11-23T10:00:00Z")
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
