"""`telecine accounts`: erase an account."""

from typing import Annotated

import typer

from .options import Account, AsJson, Data, EraserSeed, NatsUrl, group

__all__ = ["app"]

_EXAMPLES = """Examples:

    telecine accounts erase alice --dry-run

    telecine accounts erase alice --wait --yes"""


def app() -> typer.Typer:
    """The commands of `telecine accounts`."""
    commands = group("Erase what an account requested.")
    commands.command(epilog=_EXAMPLES)(erase)
    # With one command, typer would make it the group.
    commands.callback()(lambda: None)
    return commands


def erase(
    account: Account,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until running generations have ended; refused without.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go; change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: AsJson = False,
    data: Data = None,
    nats_url: NatsUrl = None,
    nkey_seed: EraserSeed = None,
) -> None:
    """Erase an account's prompts, image URLs and videos: from streams, tables, timers, dead letters and the bucket.

    Closes the account and revokes its API keys. Its ledger stays, and so do proofs about it. It is safe to run the
    command again, also after it was killed: it does what is left. Mirrors and backups are not reached.
    """
    from telecine_cli.output.accounts import print_erasure
    from telecine_cli.runner import run
    from telecine_cli.target import find_target
    from telecine_contracts.permissions import ERASER

    if json and not (yes or dry_run):
        raise typer.BadParameter("needs --yes or --dry-run: it does not ask", param_hint="--json")
    target = find_target(data, nats_url, nkey_seed, identity=ERASER)
    run(print_erasure(target, account, wait=wait, yes=yes, dry_run=dry_run, as_json=json))
