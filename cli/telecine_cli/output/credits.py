"""The output of `telecine credits`."""

import json
import sys
from datetime import datetime
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
from telecine_credits.rules.account import Account
from telecine_gateway.credits import statement_csv
from telecine_gateway.credits.statement import describe_change
from telecine_gateway.read_model.entries import Period, RunningBalance, Statement, StatementLine

from .formats import format_change, format_time, printable
from .ledger import LEDGER_HEAD, LEDGER_RIGHT, ledger_as_json, ledger_row
from .tables import print_table

__all__ = ["print_balance", "print_change", "print_ledger", "print_statement"]


async def print_change(target: Target, command: LedgerCommand, *, as_json: bool) -> None:
    """Send a command to the credits service and print the outcome."""
    async with connected(target) as connection:
        answer = await send_command(connection, command)
    if as_json:
        typer.echo(json.dumps(_change_as_json(command, answer), indent=2))
        return
    summary = _change_summary(command, answer) if answer.done else _no_change_summary(command, answer)
    balance = f"; {command.account} {_balance_summary(answer.balances)}" if answer.balances else ""
    typer.echo(f"{summary}{balance}")


def _change_summary(command: LedgerCommand, answer: LedgerAnswer) -> str:
    account = command.account
    match command:
        case GrantCredits():
            return f"granted {command.amount} credits to {account} (entry {answer.entry})"
        case AdjustCredits():
            return f"adjusted entry {command.corrects} of {account} by {command.amount} credits (entry {answer.entry})"
        case CloseAccount():
            return f"closed {account}"
        case ReopenAccount():
            return f"reopened {account}"
        case SetSpendLimits():
            return f"set the limits of {command.api_key or account}"
        case SkipMessage():
            return f"skipped message LEDGER#{command.sequence} of {account} (entry {answer.entry})"
        case _:
            return account


def _no_change_summary(command: LedgerCommand, answer: LedgerAnswer) -> str:
    account = command.account
    match command:
        case GrantCredits() | AdjustCredits():
            return f"no change: the reference was already used for entry {answer.entry} of {account}"
        case CloseAccount():
            return f"no change: {account} is already closed"
        case ReopenAccount():
            return f"no change: {account} is open"
        case SetSpendLimits():
            return f"no change: {command.api_key or account} already has these limits"
        case SkipMessage():
            return f"no change: message LEDGER#{command.sequence} of {account} was already skipped"
        case _:
            return account


def _change_as_json(command: LedgerCommand, answer: LedgerAnswer) -> dict[str, Any]:
    """`changed`: whether this command made the entry; False if an earlier one did."""
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


async def _entries(target: Target, account: str, *, complete: bool = False) -> list[RecordedEvent]:
    async with connected(target) as connection:
        return await read_ledger(connection, account, complete=complete)


def _require_entries(account: str, entries: list[RecordedEvent]) -> list[RecordedEvent]:
    if not entries:
        raise CommandError(
            f"account {account} has no entries: `telecine credits grant {account} …` makes the first one"
        )
    return entries


async def print_ledger(target: Target, account: str, *, as_json: bool) -> None:
    """Print an account's ledger and balance.

    Raises:
        CommandError: the account has no entries.
    """
    entries = await _entries(target, account)
    balances = balances_after(entries)
    if as_json:
        ledger = [ledger_as_json(entry) for entry in entries]
        document = {"account": account, "ledger": ledger, "balance": balances.model_dump()}
        typer.echo(json.dumps(document, indent=2))
        return
    rows = map(ledger_row, _require_entries(account, entries))
    print_table(rows, head=LEDGER_HEAD, right=LEDGER_RIGHT)
    typer.echo(f"{account} {_balance_summary(balances)}")


async def print_balance(target: Target, account: str, *, as_json: bool) -> None:
    """Print an account's balance, its spend limits, and what is left of its grants.

    Raises:
        CommandError: the account has no entries.
    """
    entries = _require_entries(account, await _entries(target, account, complete=True))
    state, balances = account_after(entries), balances_after(entries)
    grants = grants_of(state, entries)
    if as_json:
        typer.echo(json.dumps(_balance_as_json(account, state, grants), indent=2))
        return
    typer.echo(f"{account} {_balance_summary(balances)}{', and is closed' if state.is_closed else ''}")
    for scope, limits in sorted(state.limits.items()):
        bounds = {"day": limits.per_day, "generation": limits.per_generation}
        text = " and ".join(
            f"{most} credits per {period}" for period, most in bounds.items() if most is not None
        )
        if text:
            typer.echo(f"{scope or 'the account'} may spend {text}")
    if grants:
        head = ("grant", "kind", "granted", "available", "held", "usable until", "reference")
        print_table(map(_grant_cells, grants), head=head, right={0, 2, 3, 4})


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


def _balance_as_json(account: str, state: Account, grants: list[GrantLine]) -> dict[str, Any]:
    return {
        "account": account,
        "entry": state.entry,
        "available": state.available,
        "held": state.held,
        "closed": state.is_closed,
        "limits": [
            {"api_key": scope or None, "per_day": limits.per_day, "per_generation": limits.per_generation}
            for scope, limits in sorted(state.limits.items())
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
    """Print an account's statement.

    Raises:
        CommandError: the account has no entries.
    """
    entries = _require_entries(account, await _entries(target, account))
    statement, lines = statement_of(account, entries, period)
    if as_csv:
        parts = (statement_csv.begin(statement), statement_csv.lines(lines), statement_csv.end(statement))
        sys.stdout.buffer.write(b"".join(parts))
        return
    head = ("entry", "time", "what happened", "available", "held", "= available", "= held", "for")
    rows = [_opening_cells(statement), *map(_line_cells, lines), _closing_cells(statement)]
    print_table(rows, head=head, right=LEDGER_RIGHT)


def _opening_cells(statement: Statement) -> tuple[str, ...]:
    return _balance_cells("opening balance", statement.opening, statement.period.since)


def _closing_cells(statement: Statement) -> tuple[str, ...]:
    return _balance_cells("closing balance", statement.closing, statement.period.until)


def _balance_cells(name: str, balance: RunningBalance, time: datetime | None) -> tuple[str, ...]:
    shown = format_time(time) if time else ""
    return "", shown, name, "", "", str(balance.available), str(balance.held), ""


def _line_cells(line: StatementLine) -> tuple[str, ...]:
    about = " ".join(text for text in (line.reference, line.reason, line.generation) if text)
    return (
        str(line.entry),
        format_time(line.at),
        describe_change(line).lower(),
        format_change(line.amount),
        format_change(line.held_amount),
        str(line.available),
        str(line.held),
        printable(about),
    )
