"""`telecine credits`: grant credits, show an account's ledger."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from telecine_cli.commands.options import Account, AsJson, Data, NatsUrl, group

__all__ = ["app"]


def app() -> typer.Typer:
    """The commands of `telecine credits`."""
    commands = group("Grant credits to accounts and show what became of them.")
    commands.command(
        epilog="Example:\n\n    telecine credits grant alice 500 --reference invoice-2031 --reason 'November plan'"
    )(grant)
    commands.command(epilog="Example:\n\n    telecine credits show alice")(show)
    return commands


def grant(
    account: Account,
    amount: Annotated[int, typer.Argument(min=1, max=2**53 - 1, help="Whole credits.")],
    reference: Annotated[
        str,
        typer.Option(
            help="What the grant is for, unique within the account, e.g. a payment id: the same reference "
            "is granted once, however often this is repeated."
        ),
    ],
    kind: Annotated[
        str, typer.Option(help="Where the credits come from: paid, promotional or plan.")
    ] = "paid",
    reason: Annotated[str, typer.Option(help="A note for the statement.", show_default=False)] = "",
    expires: Annotated[
        datetime | None,
        typer.Option(
            metavar="DATE",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
            help="When what is left of the grant expires, e.g. 2030-12-31 (UTC). [default: never]",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
    nats_url: NatsUrl = None,
) -> None:
    """Give credits to an account. An account comes into being with its first grant."""
    from pydantic import ValidationError

    from telecine_cli.account_reports import tell_grant
    from telecine_cli.running import run
    from telecine_cli.target import find
    from telecine_contracts.commands import GrantCredits

    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    given = {"kind": kind, "reason": reason, "expires_at": expires}
    try:
        request = GrantCredits.model_validate(
            {"account": account, "amount": amount, "reference": reference} | given
        )
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise typer.BadParameter(problem["msg"], param_hint=f"--{problem['loc'][0]}") from None
    run(tell_grant(find(data, nats_url), request))


def show(account: Account, json: AsJson = False, data: Data = None, nats_url: NatsUrl = None) -> None:
    """Show every entry of an account's ledger, and its balance."""
    from telecine_cli.account_reports import tell_ledger
    from telecine_cli.running import run
    from telecine_cli.target import find

    run(tell_ledger(find(data, nats_url), account, as_json=json))
