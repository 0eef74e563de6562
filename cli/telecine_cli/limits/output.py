"""The output of `telecine limits`."""

import typer

from telecine_cli.limits.events import Change, find_limits, set_limits
from telecine_cli.target import Target, connected
from telecine_contracts.access import RateLimit, RateLimitsSet

__all__ = ["print_changed_limits", "print_limits"]


async def print_limits(target: Target, account: str, *, as_json: bool) -> None:
    """Print an account's own limits."""
    async with connected(target) as connection:
        _print(await find_limits(connection, account), as_json=as_json)


async def print_changed_limits(target: Target, account: str, change: Change, *, as_json: bool) -> None:
    """Change an account's own limits, and print them."""
    async with connected(target) as connection:
        _print(await set_limits(connection, account, change), as_json=as_json)


def _print(limits: RateLimitsSet, *, as_json: bool) -> None:
    if as_json:
        typer.echo(limits.model_dump_json(indent=2))
        return
    typer.echo(f"requests     {_text(limits.requests)}")
    typer.echo(f"generations  {_text(limits.generations)}")


def _text(limit: RateLimit | None) -> str:
    if limit is None:
        return "the default of the gateways' settings"
    return f"{limit.limit} in {limit.seconds} s" if limit.limit else "no limit"
