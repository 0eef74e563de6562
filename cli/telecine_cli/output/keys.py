"""What the commands about keys print."""

import json
from typing import Any

import typer

from telecine_cli.api_keys import KeyLine, create, listed, revoke
from telecine_cli.target import Target, connected
from telecine_gateway.access.api_keys import new_key

from .event_summary import printable
from .timeline import columns, moment

__all__ = ["tell_keys", "tell_new_key", "tell_revoked"]


async def tell_new_key(
    target: Target, account: str, name: str, scopes: tuple[str, ...], *, as_json: bool
) -> None:
    """Make a key and print it: the key alone on standard output, the rest on standard error; or all of it as JSON."""
    key = new_key()
    async with connected(target) as connection:
        await create(connection, account, key, name=name, scopes=scopes)
    if as_json:
        made = {"key": key.secret, "key_id": key.key_id, "account": account, "name": name, "scopes": scopes}
        typer.echo(json.dumps(made, indent=2))
        return
    scope = " and ".join(scopes)
    told = f"{key.key_id} for account {account}, scope {scope}. Keep the key, it is not shown again:"
    typer.echo(told, err=True)
    typer.echo(key.secret)


async def tell_keys(target: Target, account: str | None, *, as_json: bool) -> None:
    """Print the keys of one account or of all."""
    async with connected(target) as connection:
        keys = await listed(connection, account)
    if as_json:
        typer.echo(json.dumps([_key_as_json(key) for key in keys], indent=2))
        return
    if not keys:
        typer.echo("no keys yet: `telecine keys create ACCOUNT` makes one", err=True)
        return
    head = ("key", "account", "scopes", "created", "revoked", "name")
    for line in columns([head, *map(_key_cells, keys)]):
        typer.echo(line)


def _key_cells(key: KeyLine) -> tuple[str, ...]:
    revoked = moment(key.revoked_at) if key.revoked_at else "-"
    scopes = printable(" ".join(key.scopes))
    return key.key_id, key.account, scopes, moment(key.created_at), revoked, printable(key.name)


def _key_as_json(key: KeyLine) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "account": key.account,
        "name": key.name,
        "scopes": list(key.scopes),
        "created_at": moment(key.created_at),
        "revoked_at": moment(key.revoked_at) if key.revoked_at else None,
    }


async def tell_revoked(target: Target, key_id: str, *, as_json: bool) -> None:
    """Revoke a key and say so."""
    async with connected(target) as connection:
        before = await revoke(connection, key_id)
    if as_json:
        changed = before.revoked_at is None
        typer.echo(json.dumps({"key_id": key_id, "account": before.account, "changed": changed}, indent=2))
        return
    if before.revoked_at is not None:
        typer.echo(f"{key_id} of account {before.account} was revoked before, {moment(before.revoked_at)}")
    else:
        typer.echo(f"{key_id} of account {before.account} is revoked")
