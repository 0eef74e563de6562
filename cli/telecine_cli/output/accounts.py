"""The output of `telecine accounts`."""

import asyncio
import json
from typing import Any

import typer

from telecine_cli.erasure import AccountData, erase, survey
from telecine_cli.errors import CommandError
from telecine_cli.target import Target, connected

from .tables import print_table

__all__ = ["print_erasure"]

_STORAGE_SECONDS = 60.0
"""How long the command waits until the storage service has deleted the objects."""
_POLL_SECONDS = 0.3


async def print_erasure(
    target: Target, account: str, *, wait: bool, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Show what there is of an account, ask, and erase it.

    Raises:
        CommandError: no account has this name, it has running generations, or its objects are not deleted yet.
        typer.Abort: the user declines.
    """
    async with connected(target) as connection:
        data = await survey(connection, account)
        if not data.is_known:
            raise CommandError(f"unknown account {account}: it has no ledger, no keys and no events")
        if data.is_erased:
            _finish(data, "nothing is left to erase", as_json=as_json)
            return
        if not as_json:
            _print_data(data)
        if dry_run:
            _finish(data, "nothing was changed (--dry-run)", as_json=as_json)
            return
        if not yes:
            typer.confirm(f"Erase what {account} requested? This cannot be undone", abort=True, err=True)
        found = await erase(connection, account, wait=wait, progress=lambda line: typer.echo(line, err=True))
        await _wait_for_storage(connection, account)
        _finish(found, f"erased {account}", as_json=as_json)


async def _wait_for_storage(connection: Any, account: str) -> None:
    try:
        async with asyncio.timeout(_STORAGE_SECONDS):
            while True:
                data = await survey(connection, account)
                if not data.objects_pending:
                    break
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise CommandError(
            "the storage service has not deleted the objects yet: check that it runs, and run this again to see "
            "whether it has. Everything else is erased"
        ) from None
    if data.failed_letter is not None:
        raise CommandError(
            f"the storage service could not delete the objects: see `telecine dead-letters show {data.failed_letter}`, "
            "and replay that letter. Everything else is erased"
        )


def _print_data(data: AccountData) -> None:
    size = sum(video.bytes for video in data.videos)
    print_table(
        (
            ("account", data.account),
            ("closed", "yes" if data.closed else "no: it will be closed"),
            ("active API keys", f"{len(data.keys)}: they will be revoked" if data.keys else "0"),
            ("running generations", str(len(data.running))),
            ("generations", f"{data.generations}, {len(data.erasable)} events"),
            ("videos", f"{len(data.videos)}, {size} bytes"),
            ("timers", str(len(data.timers))),
            ("dead letters", str(len(data.letters))),
            ("ledger", "stays"),
        )
    )


def _finish(data: AccountData, line: str, *, as_json: bool) -> None:
    if not as_json:
        typer.echo(line)
        return
    document = {
        "account": data.account,
        "outcome": line,
        "closed": data.closed,
        "api_keys": list(data.keys),
        "running": list(data.running),
        "generations": data.generations,
        "events": len(data.erasable),
        "videos": len(data.videos),
        "bytes": sum(video.bytes for video in data.videos),
        "timers": len(data.timers),
        "dead_letters": len(data.letters),
    }
    typer.echo(json.dumps(document, indent=2))
