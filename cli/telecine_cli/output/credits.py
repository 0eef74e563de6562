"""What the commands about credits print."""

import json
import sys
from collections.abc import Iterable
from typing import Any

import typer

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_cli.account_statement import GrantLine, account_after, grants_of, statement_of
from telecine_cli.errors import CommandError
from telecine_cli.ledger_client import balances_after, read_ledger, send_command
from telecine_cli.target import Target, connected
from telecine_contracts.commands import (
    AdjustCredits,
    CloseAccount,
    GrantCredits,
    LedgerAnswer,
    LedgerCommand,
    ReopenAccount,
    SetSpendLimits,
    SkipMessage,
)
from telecine_contracts.credits import Balances
from telecine_credits.rules.decider import Account
from telecine_gateway.credits import statement_csv
from telecine_gateway.credits.statement import describe_change
from telecine_gateway.read_model.entries import Period, Statement, StatementLine

from .event_summary import printable
from .timeline import align_columns, format_time, ledger_as_json, ledger_lines, signed

__all__ = ["print_balance", "print_change", "print_ledger", "print_statement"]


async def print_change(target: Target, command: LedgerCommand, *, as_json: bool) -> None:
    """Have the ledger changed and print the outcome."""
    async with connected(target) as connection:
        answer = await send_command(connection, command)
    if as_json:
        typer.echo(json.dumps(_change_as_json(command, answer), indent=2))
        return
    typer.echo(
        f"{_change_summary(command, answer)}{f', {_balance_summary(answer.balances)}' if answer.balances else ''}"
    )


def _change_summary(command: LedgerCommand, answer: LedgerAnswer) -> str:
    account = command.account
    match command:
        case GrantCredits() if answer.done:
            return f"granted {command.amount} credits to {account} (entry {answer.entry})"
        case GrantCredits():
            return f"nothing to do, this reference was granted before (entry {answer.entry}): {account}"
        case AdjustCredits() if answer.done:
            return f"adjusted entry {command.corrects} of {account} by {command.amount} credits (entry {answer.entry})"
        case AdjustCredits():
            return f"nothing to do, this reference was adjusted before (entry {answer.entry}): {account}"
        case CloseAccount():
            return f"{account} is closed" if answer.done else f"nothing to do: {account} was closed before"
        case ReopenAccount():
            return f"{account} is open again" if answer.done else f"nothing to do: {account} is open"
        case SetSpendLimits():
            whose = command.api_key or account
            return f"limits of {whose} are set" if answer.done else f"nothing to do: {whose} has these limits"
        case SkipMessage():
            what = f"message LEDGER#{command.sequence} of {account}"
            return (
                f"{what} is skipped (entry {answer.entry})"
                if answer.done
                else f"nothing to do: {what} was skipped before"
            )
        case _:
            return account


def _change_as_json(command: LedgerCommand, answer: LedgerAnswer) -> dict[str, Any]:
    """`changed`: whether this command made the entry; False when an earlier one had done so already."""
    return {
        "account": command.account,
        "changed": answer.done,
        "entry": answer.entry,
        "decided_at": format_time(answer.decided_at) if answer.decided_at else None,
        "balances": answer.balances.model_dump() if answer.balances else None,
    }


def _balance_summary(balances: Balances) -> str:
    held = f" and {balances.held} held for running generations" if balances.held else ""
    return f"has {balances.available} credits available{held}"


async def _entries(target: Target, account: str, *, whole: bool = False) -> list[RecordedEvent]:
    async with connected(target) as connection:
        return await read_ledger(connection, account, whole=whole)


def _require_entries(account: str, entries: list[RecordedEvent]) -> list[RecordedEvent]:
    if not entries:
        raise CommandError(
            f"account {account} has no entry yet: `telecine credits grant {account} …` makes the first"
        )
    return entries


async def print_ledger(target: Target, account: str, *, as_json: bool) -> None:
    """Print an account's ledger and balance. Raises Failure for an account that has no entry."""
    entries = await _entries(target, account)
    balances = balances_after(entries)
    if as_json:
        ledger = [ledger_as_json(entry) for entry in entries]
        document = {"account": account, "ledger": ledger, "balance": balances.model_dump()}
        typer.echo(json.dumps(document, indent=2))
        return
    for line in ledger_lines(_require_entries(account, entries)):
        typer.echo(line)
    typer.echo(f"{account} {_balance_summary(balances)}")


async def print_balance(target: Target, account: str, *, as_json: bool) -> None:
    """Print what an account has, what bounds it, and what is left of its grants. Raises Failure."""
    entries = _require_entries(account, await _entries(target, account, whole=True))
    standing, balances = account_after(entries), balances_after(entries)
    grants = grants_of(standing, entries)
    if as_json:
        typer.echo(json.dumps(_standing_as_json(account, standing, grants), indent=2))
        return
    typer.echo(f"{account} {_balance_summary(balances)}{', and is closed' if standing.is_closed else ''}")
    for scope, limits in sorted(standing.limits.items()):
        bounds = {"a day": limits.per_day, "a generation": limits.per_generation}
        told = " and ".join(f"{most} credits {per}" for per, most in bounds.items() if most is not None)
        if told:
            typer.echo(f"{scope or 'the account'} may spend {told}")
    if grants:
        head = ("grant", "kind", "granted", "available", "held", "usable until", "reference")
        for line in align_columns([head, *map(_grant_cells, grants)], right={0, 2, 3, 4}):
            typer.echo(line)


def _grant_cells(grant: GrantLine) -> tuple[str, ...]:
    granted = grant.granted
    return (
        str(granted.entry),
        granted.kind.value,
        str(granted.amount),
        str(grant.available),
        str(grant.held),
        format_time(grant.usable_until) if grant.usable_until else "-",
        printable(granted.reference),
    )


def _standing_as_json(account: str, standing: Account, grants: list[GrantLine]) -> dict[str, Any]:
    return {
        "account": account,
        "entry": standing.entry,
        "available": standing.available,
        "held": standing.held,
        "closed": standing.is_closed,
        "limits": [
            {"api_key": scope or None, "per_day": limits.per_day, "per_generation": limits.per_generation}
            for scope, limits in sorted(standing.limits.items())
        ],
        "grants": [
            {
                "entry": grant.granted.entry,
                "kind": grant.granted.kind.value,
                "amount": grant.granted.amount,
                "available": grant.available,
                "held": grant.held,
                "usable_until": format_time(grant.usable_until) if grant.usable_until else None,
                "reference": grant.granted.reference,
            }
            for grant in grants
        ],
    }


async def print_statement(target: Target, account: str, period: Period, *, as_csv: bool) -> None:
    """Print an account's statement. Raises Failure for an account that has no entry."""
    entries = _require_entries(account, await _entries(target, account))
    told, lines = statement_of(account, entries, period)
    if as_csv:
        parts = (statement_csv.begin(told), statement_csv.lines(lines), statement_csv.end(told))
        sys.stdout.buffer.write(b"".join(parts))
        return
    head = ("entry", "time", "what happened", "available", "held", "= available", "= held", "for")
    for line in align_columns([head, *_rows(told, lines)], right={0, 3, 4, 5, 6}):
        typer.echo(line)


def _rows(told: Statement, lines: Iterable[StatementLine]) -> list[tuple[str, ...]]:
    ends = [
        ("", format_time(at) if at else "", name, "", "", str(mark.available), str(mark.held), "")
        for name, mark, at in (
            ("opening balance", told.opening, told.period.since),
            ("closing balance", told.closing, told.period.until),
        )
    ]
    return [ends[0], *map(_line_cells, lines), ends[1]]


def _line_cells(line: StatementLine) -> tuple[str, ...]:
    about = " ".join(text for text in (line.reference, line.reason, line.generation) if text)
    return (
        str(line.entry),
        format_time(line.at),
        describe_change(line).lower(),
        signed(line.amount),
        signed(line.held_amount),
        str(line.available),
        str(line.held),
        printable(about),
    )
