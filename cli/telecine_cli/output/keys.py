"""The output of `telecine keys`."""

import json
from typing import Any

import typer

from telecine_cli.api_keys import ApiKeySummary, create, list_keys, new_key, revoke
from telecine_cli.target import Target, connected

from .formats import format_time, printable
from .tables import print_table

__all__ = ["print_keys", "print_new_key", "print_revoked"]


async def print_new_key(
    target: Target, account: str, name: str, scopes: tuple[str, ...], *, as_json: bool
) -> None:
    """Create a key and print it: only the key on standard output, its details on standard error; or both as JSON."""
    key = new_key()
    async with connected(target) as connection:
        await create(connection, account, key, name=name, scopes=scopes)
    if as_json:
        document = {
            "key": key.secret,
            "key_id": key.key_id,
            "account": account,
            "name": name,
            "scopes": scopes,
        }
        typer.echo(json.dumps(document, indent=2))
        return
    scope = " and ".join(scopes)
    typer.echo(
        f"{key.key_id} for account {account}, scope {scope}. Keep the key, it is not shown again:", err=True
    )
    typer.echo(key.secret)


async def print_keys(target: Target, account: str | None, *, as_json: bool) -> None:
    """Print the keys of one account or of all accounts."""
    async with connected(target) as connection:
        keys = await list_keys(connection, account)
    if as_json:
        typer.echo(json.dumps([_key_as_json(key) for key in keys], indent=2))
        return
    if not keys:
        typer.echo("no keys yet: `telecine keys create ACCOUNT` creates one", err=True)
        return
    head = ("key", "account", "scopes", "created", "revoked", "name")
    print_table(map(_key_cells, keys), head=head)


def _key_cells(key: ApiKeySummary) -> tuple[str, ...]:
    revoked = format_time(key.revoked_at) if key.revoked_at else "-"
    scopes = printable(" ".join(key.scopes))
    return key.key_id, key.account, scopes, format_time(key.created_at), revoked, printable(key.name)


def _key_as_json(key: ApiKeySummary) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "account": key.account,
        "name": key.name,
        "scopes": list(key.scopes),
        "created_at": format_time(key.created_at),
        "revoked_at": format_time(key.revoked_at) if key.revoked_at else None,
    }


async def print_revoked(target: Target, key_id: str, *, as_json: bool) -> None:
    """Revoke a key and print the outcome."""
    async with connected(target) as connection:
        before = await revoke(connection, key_id)
    if as_json:
        changed = before.revoked_at is None
        typer.echo(json.dumps({"key_id": key_id, "account": before.account, "changed": changed}, indent=2))
        return
    if before.revoked_at is not None:
        typer.echo(
            f"{key_id} of account {before.account} was already revoked at {format_time(before.revoked_at)}"
        )
    else:
        typer.echo(f"revoked {key_id} of account {before.account}")
