"""`telecine keys`: API keys."""

from datetime import datetime, timedelta
from typing import Annotated

import typer

from telecine_gateway.access.api_keys import Scope

from .options import TIME_FORMATS, Account, AnyAccount, AsJson, TargetOptions, group, in_utc, with_target

__all__ = ["app"]

Expires = Annotated[
    datetime | None,
    typer.Option(
        metavar="DATE",
        formats=TIME_FORMATS,
        help="When the key stops working, e.g. 2030-12-31 (UTC). [default: never]",
        show_default=False,
    ),
]


def app() -> typer.Typer:
    """The commands of `telecine keys`."""
    commands = group("Create, list and revoke API keys. A key acts for one account.")
    commands.command(
        epilog="Examples:\n\n    telecine keys create alice --name laptop\n\n"
        "    telecine keys create office --name 'payments webhook' --scope admin\n\n"
        "    telecine keys create ci --expires 2027-03-01\n\n    telecine keys create alice --json > key.json"
    )(create)
    commands.command(
        "list", epilog="Examples:\n\n    telecine keys list\n\n    telecine keys list alice --json"
    )(list_)
    commands.command(
        epilog="Examples:\n\n    telecine keys rotate key_1f3a5c7e9b2d\n\n"
        "    telecine keys rotate key_1f3a5c7e9b2d --overlap 1 --expires 2027-03-01"
    )(rotate)
    commands.command(epilog="Example:\n\n    telecine keys revoke key_1f3a5c7e9b2d")(revoke)
    return commands


@with_target
def create(
    target: TargetOptions,
    account: Account,
    name: Annotated[str, typer.Option(help="A name to tell it from other keys.", show_default=False)] = "",
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            help="What it may be used for: generate (videos of its account), keys (its account's keys) or admin "
            "(credits of every account); may be repeated. [default: generate]",
            show_default=False,
        ),
    ] = None,
    expires: Expires = None,
    json: AsJson = False,
) -> None:
    """Create an API key for an account and print it. It is shown only once: only its hash is stored."""
    from telecine_cli.output.keys import print_new_key
    from telecine_cli.runner import run

    scopes = tuple(sorted({each.value for each in scope or [Scope.GENERATE]}))
    run(print_new_key(target.find(), account, name, scopes, in_utc(expires), as_json=json))


@with_target
def rotate(
    target: TargetOptions,
    key_id: Annotated[str, typer.Argument(help="The public id of the key to replace.")],
    overlap: Annotated[
        float, typer.Option(min=0, max=720, help="Hours for which the old key works beside the new one.")
    ] = 24,
    expires: Expires = None,
    json: AsJson = False,
) -> None:
    """Replace a key by a new one with the same name and scopes, and print it. For a while both work."""
    from telecine_cli.output.keys import print_rotated
    from telecine_cli.runner import run

    run(print_rotated(target.find(), key_id, timedelta(hours=overlap), in_utc(expires), as_json=json))


@with_target
def list_(
    target: TargetOptions,
    account: AnyAccount = None,
    json: AsJson = False,
) -> None:
    """List the keys of one account or of all accounts, including revoked keys."""
    from telecine_cli.output.keys import print_keys
    from telecine_cli.runner import run

    run(print_keys(target.find(), account, as_json=json))


@with_target
def revoke(
    target: TargetOptions,
    key_id: Annotated[str, typer.Argument(help="The key's public id, as `keys list` shows it.")],
    json: AsJson = False,
) -> None:
    """Revoke a key for good. It stops working within a second."""
    from telecine_cli.output.keys import print_revoked
    from telecine_cli.runner import run

    run(print_revoked(target.find(), key_id, as_json=json))
