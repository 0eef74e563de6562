"""The output of `telecine keys`."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from telecine_cli.api_keys import ApiKeySummary, create, list_keys, revoke, rotate
from telecine_cli.target import Target, connected
from telecine_gateway.access.api_keys import NewKey, new_key

from .formats import format_time, printable
from .tables import print_table

__all__ = ["print_keys", "print_new_key", "print_revoked", "print_rotated"]


async def print_new_key(
    target: Target,
    account: str,
    name: str,
    scopes: tuple[str, ...],
    expires_at: datetime | None,
    *,
    as_json: bool,
) -> None:
    """Create a key and print it: only the key on standard output, its details on standard error; or both as JSON."""
    key = new_key()
    async with connected(target) as connection:
        await create(connection, account, key, name=name, scopes=scopes, expires_at=expires_at)
    made = ApiKeySummary(key.key_id, account, name, scopes, datetime.now(UTC), expires_at)
    _print_key(key, made, {}, as_json=as_json)


async def print_rotated(
    target: Target, key_id: str, overlap: timedelta, expires_at: datetime | None, *, as_json: bool
) -> None:
    """Replace a key and print the new one in the same way."""
    async with connected(target) as connection:
        key, old = await rotate(connection, key_id, overlap=overlap, expires_at=expires_at)
    assert old.expires_at is not None
    until = old.expires_at
    made = ApiKeySummary(key.key_id, old.account, old.name, old.scopes, datetime.now(UTC), expires_at)
    _print_key(key, made, {"replaces": key_id, "replaced_until": format_time(until)}, as_json=as_json)


def _print_key(key: NewKey, made: ApiKeySummary, replaced: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        document = {
            "key": key.secret,
            "key_id": key.key_id,
            "account": made.account,
            "name": made.name,
            "scopes": made.scopes,
            "expires_at": format_time(made.expires_at) if made.expires_at else None,
            **replaced,
        }
        typer.echo(json.dumps(document, indent=2))
        return
    terms = f"for account {made.account}, scope {' and '.join(made.scopes)}"
    if made.expires_at:
        terms += f", until {format_time(made.expires_at)}"
    if replaced:
        terms += f". It replaces {replaced['replaces']}, which works until {replaced['replaced_until']}"
    typer.echo(f"{key.key_id} {terms}. Keep the key, it is not shown again:", err=True)
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
    head = ("key", "account", "scopes", "created", "expires", "revoked", "last used", "name")
    print_table(map(_key_cells, keys), head=head)


def _key_cells(key: ApiKeySummary) -> tuple[str, ...]:
    times = (key.created_at, key.expires_at, key.revoked_at, key.last_used_at)
    shown = (format_time(time) if time else "-" for time in times)
    return key.key_id, key.account, printable(" ".join(key.scopes)), *shown, printable(key.name)


def _key_as_json(key: ApiKeySummary) -> dict[str, Any]:
    times = {
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }
    return {
        "key_id": key.key_id,
        "account": key.account,
        "name": key.name,
        "scopes": list(key.scopes),
        **{name: format_time(time) if time else None for name, time in times.items()},
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
