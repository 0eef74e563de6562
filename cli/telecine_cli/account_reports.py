"""What the commands about credits and keys print."""

import json

import typer

from telecine_cli.api_keys import KeyLine, create, listed, revoke
from telecine_cli.event_words import printable
from telecine_cli.failure import Failure
from telecine_cli.granting import balances_after, grant, ledger_of
from telecine_cli.target import Target, connected
from telecine_cli.timeline import columns, ledger_as_json, moment, statement
from telecine_contracts.commands import GrantCredits
from telecine_gateway.access import new_key

__all__ = ["tell_grant", "tell_keys", "tell_ledger", "tell_new_key", "tell_revoked"]


async def tell_grant(target: Target, request: GrantCredits) -> None:
    """Grant credits and print the balance."""
    async with connected(target.nats_url) as connection:
        answer = await grant(connection, request)
    done = "granted" if answer.done else "nothing to do, this reference was granted before:"
    amount = f"{request.amount} credits to {request.account}" if answer.done else request.account
    typer.echo(
        f"{done} {amount}"
        + (f", {_has(answer.balances.available, answer.balances.held)}" if answer.balances else "")
    )


async def tell_ledger(target: Target, account: str, *, as_json: bool) -> None:
    """Print an account's ledger and balance. Raises Failure for an account that has no entry."""
    async with connected(target.nats_url) as connection:
        entries = await ledger_of(connection, account)
    balances = balances_after(entries)
    if as_json:
        ledger = [ledger_as_json(entry) for entry in entries]
        typer.echo(
            json.dumps({"account": account, "ledger": ledger, "balance": balances.model_dump()}, indent=2)
        )
        return
    if not entries:
        raise Failure(
            f"account {account} has no entry yet: `telecine credits grant {account} …` makes the first"
        )
    for line in statement(entries):
        typer.echo(line)
    typer.echo(f"{account} {_has(balances.available, balances.held)}")


def _has(available: int, held: int) -> str:
    return f"has {available} credits available" + (
        f" and {held} held for running generations" if held else ""
    )


async def tell_new_key(target: Target, account: str, name: str) -> None:
    """Make a key and print it: the key alone on standard output, the rest beside it."""
    key = new_key()
    async with connected(target.nats_url) as connection:
        await create(connection, account, key, name=name)
    typer.echo(f"{key.key_id} for account {account}. Keep the key, it is not shown again:", err=True)
    typer.echo(key.secret)


async def tell_keys(target: Target, account: str | None, *, as_json: bool) -> None:
    """Print the keys of one account or of all."""
    async with connected(target.nats_url) as connection:
        keys = await listed(connection, account)
    if as_json:
        typer.echo(json.dumps([_key_as_json(key) for key in keys], indent=2))
        return
    if not keys:
        typer.echo("no keys yet: `telecine keys create ACCOUNT` makes one", err=True)
        return
    head = ("key", "account", "created", "revoked", "name")
    for line in columns([head, *map(_key_cells, keys)]):
        typer.echo(line)


def _key_cells(key: KeyLine) -> tuple[str, ...]:
    revoked = moment(key.revoked_at) if key.revoked_at else "-"
    return key.key_id, key.account, moment(key.created_at), revoked, printable(key.name)


def _key_as_json(key: KeyLine) -> dict[str, str | None]:
    return {
        "key_id": key.key_id,
        "account": key.account,
        "name": key.name,
        "created_at": moment(key.created_at),
        "revoked_at": moment(key.revoked_at) if key.revoked_at else None,
    }


async def tell_revoked(target: Target, key_id: str) -> None:
    """Revoke a key and say so."""
    async with connected(target.nats_url) as connection:
        before = await revoke(connection, key_id)
    if before.revoked_at is not None:
        typer.echo(f"{key_id} of account {before.account} was revoked before, {moment(before.revoked_at)}")
    else:
        typer.echo(f"{key_id} of account {before.account} is revoked")
