"""`telecine credits`: grant and correct credits, close accounts, limit spending, show ledgers."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import TIME_FORMATS, Account, AsJson, TargetOptions, group, in_utc, with_target

if TYPE_CHECKING:
    from telecine_contracts.commands import LedgerCommand

__all__ = ["app"]

_MAX_CREDITS = 2**53 - 1
_EXAMPLES = {
    "grant": ("grant alice 500 --reference invoice-2031 --reason 'November plan'",),
    "adjust": ("adjust alice 3 50 --reference ticket-4711 --reason 'The video was black'",),
    "close": ("close alice --reason 'Contract ended'",),
    "reopen": ("reopen alice",),
    "limits": ("limits alice --per-day 2000 --per-generation 100", "limits alice --lift"),
    "balance": ("balance alice",),
    "statement": ("statement alice --from 2026-11-01 --to 2026-11-30 --csv",),
    "ledger": ("ledger alice --json",),
    "skip": ("skip alice 4711 --reason 'Written by hand, incident 12'",),
    "show": ("show alice",),
}
Amount = Annotated[int, typer.Argument(min=1, max=_MAX_CREDITS, help="Whole credits.")]
Reference = Annotated[
    str,
    typer.Option(
        help="What it is for, unique within the account, e.g. a payment id. Repeating a command with the same "
        "reference changes nothing."
    ),
]
Reason = Annotated[str, typer.Option(help="A note, shown in the statement.", show_default=False)]


def app() -> typer.Typer:
    """The commands of `telecine credits`."""
    commands = group("Grant and correct credits, close accounts, limit spending, show balances and ledgers.")
    for command in (grant, adjust, close, reopen, limits, balance, statement, ledger, skip):
        commands.command(epilog=_examples(command.__name__))(command)
    # The name of `ledger` before 0.2.
    commands.command("show", hidden=True, epilog=_examples("show"))(ledger)
    return commands


def _examples(name: str) -> str:
    calls = [f"    telecine credits {example}" for example in _EXAMPLES[name]]
    return "\n\n".join([f"Example{'s' if len(calls) > 1 else ''}:", *calls])


@with_target
def grant(
    target: TargetOptions,
    account: Account,
    amount: Amount,
    reference: Reference,
    kind: Annotated[
        str, typer.Option(help="Where the credits come from: paid, promotional or plan.")
    ] = "paid",
    reason: Reason = "",
    expires: Annotated[
        datetime | None,
        typer.Option(
            metavar="DATE",
            formats=TIME_FORMATS,
            help="When the unspent rest of the grant expires, e.g. 2030-12-31 (UTC). [default: never]",
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Grant credits to an account. The first grant creates the account."""
    from telecine_contracts.commands import GrantCredits

    given = {"account": account, "amount": amount, "reference": reference}
    more = {"kind": kind, "reason": reason, "expires_at": in_utc(expires)}
    _send(GrantCredits, given | more, target, as_json=json)


@with_target
def adjust(
    target: TargetOptions,
    account: Account,
    entry: Annotated[
        int,
        typer.Argument(
            min=1,
            max=_MAX_CREDITS,
            help="Number of the entry to correct: a grant, a settlement or an expiry.",
        ),
    ],
    amount: Amount,
    reference: Reference,
    reason: Reason = "",
    json: AsJson = False,
) -> None:
    """Correct an entry: take back (part of) a grant, or give back (part of) spent or expired credits."""
    from telecine_contracts.commands import AdjustCredits

    given = {"account": account, "corrects": entry, "amount": amount, "reference": reference}
    _send(AdjustCredits, given | {"reason": reason}, target, as_json=json)


@with_target
def close(
    target: TargetOptions,
    account: Account,
    reason: Reason = "",
    json: AsJson = False,
) -> None:
    """Close an account: it is neither charged nor granted credits. Running generations finish, its history stays."""
    from telecine_contracts.commands import CloseAccount

    _send(CloseAccount, {"account": account, "reason": reason}, target, as_json=json)


@with_target
def reopen(
    target: TargetOptions,
    account: Account,
    reason: Reason = "",
    json: AsJson = False,
) -> None:
    """Reopen a closed account."""
    from telecine_contracts.commands import ReopenAccount

    _send(ReopenAccount, {"account": account, "reason": reason}, target, as_json=json)


@with_target
def limits(
    target: TargetOptions,
    account: Account,
    per_day: Annotated[
        int | None,
        typer.Option(min=0, max=_MAX_CREDITS, help="Maximum credits per day (UTC).", show_default=False),
    ] = None,
    per_generation: Annotated[
        int | None,
        typer.Option(min=0, max=_MAX_CREDITS, help="Maximum credits per generation.", show_default=False),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Limit only this API key of the account, by its id.", show_default=False),
    ] = None,
    lift: Annotated[
        bool, typer.Option("--lift", help="Remove the limits that are not given (required if none is given).")
    ] = False,
    json: AsJson = False,
) -> None:
    """Set both spend limits of an account or of one of its keys. A limit that is not given is removed."""
    from telecine_contracts.commands import SetSpendLimits

    if per_day is None and per_generation is None and not lift:
        raise typer.BadParameter("give --per-day, --per-generation or both; --lift alone removes both")
    given = {"account": account, "api_key": key, "per_day": per_day, "per_generation": per_generation}
    _send(SetSpendLimits, given, target, as_json=json)


@with_target
def skip(
    target: TargetOptions,
    account: Account,
    sequence: Annotated[
        int, typer.Argument(min=1, max=_MAX_CREDITS, help="The message's sequence on the stream LEDGER.")
    ],
    reason: Annotated[str, typer.Option(help="Why it is ignored; shown to auditors.", show_default=False)],
    unknown_type: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE",
            help="Its type, if it has the form of an event: only if no version of telecine ever wrote such events.",
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Record that a message on an account's ledger is not an event and is ignored, so that the account works again.

    Entries and events of newer versions cannot be skipped.
    """
    from telecine_contracts.commands import SkipMessage

    given = {
        "account": account,
        "sequence": sequence,
        "reason": reason.strip(),
        "unknown_type": unknown_type,
    }
    _send(SkipMessage, given, target, as_json=json)


def _send(
    model: "type[LedgerCommand]",
    given: dict[str, Any],
    target: TargetOptions,
    *,
    as_json: bool,
) -> None:
    from pydantic import ValidationError

    from telecine_cli.output.credits import print_change
    from telecine_cli.runner import run

    try:
        command = model.model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise typer.BadParameter(problem["msg"], param_hint=f"--{problem['loc'][0]}") from None
    run(print_change(target.find(), command, as_json=as_json))


@with_target
def balance(
    target: TargetOptions,
    account: Account,
    json: AsJson = False,
) -> None:
    """Show an account's balance, its spend limits, and what is left of each grant."""
    from telecine_cli.output.credits import print_balance
    from telecine_cli.runner import run

    run(print_balance(target.find(), account, as_json=json))


@with_target
def statement(
    target: TargetOptions,
    account: Account,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="First day (UTC), or the time at which it begins.",
            metavar="TIME",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="Last day (UTC), or the time before which it ends. [default: now]",
            metavar="TIME",
            show_default=False,
        ),
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="As CSV: the same as the API's and telecine-audit's.")
    ] = False,
) -> None:
    """Show an account's statement: opening balance, every movement, closing balance."""
    from telecine_cli.output.credits import print_statement
    from telecine_cli.runner import run
    from telecine_contracts.timestamps import parse_period_end, parse_period_start
    from telecine_gateway.read_model.entries import Period

    period = Period(_time("--from", parse_period_start, since), _time("--to", parse_period_end, until))
    if period.since and period.until and period.since >= period.until:
        raise typer.BadParameter("must not be earlier than --from", param_hint="--to")
    run(print_statement(target.find(), account, period, as_csv=csv))


def _time(option: str, parse: Callable[[str], datetime], text: str | None) -> datetime | None:
    from telecine_contracts.timestamps import InvalidTimestamp

    try:
        return None if text is None else parse(text)
    except InvalidTimestamp as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


@with_target
def ledger(
    target: TargetOptions,
    account: Account,
    json: AsJson = False,
) -> None:
    """Show every entry of an account's ledger, and its balance."""
    from telecine_cli.output.credits import print_ledger
    from telecine_cli.runner import run

    run(print_ledger(target.find(), account, as_json=json))
