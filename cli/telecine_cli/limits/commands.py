"""The commands of `telecine limits`."""

from typing import TYPE_CHECKING, Annotated

import typer

from telecine_cli.commands.options import Account, AsJson, TargetOptions, group, with_target

if TYPE_CHECKING:
    from telecine_contracts.access import RateLimit

__all__ = ["app"]

DEFAULT = "default"


def app() -> typer.Typer:
    """The commands of `telecine limits`."""
    commands = group(
        "Show and set how many requests an account may send. Spend limits are `telecine credits limits`."
    )
    commands.command(epilog="Example:\n\n    telecine limits show alice")(show)
    commands.command(
        "set",
        epilog="Examples:\n\n    telecine limits set alice --generations 30/60\n\n"
        "    telecine limits set alice --requests 0 --generations default",
    )(set_)
    return commands


@with_target
def show(target: TargetOptions, account: Account, json: AsJson = False) -> None:
    """Show the limits that an account has of its own."""
    from telecine_cli.limits.output import print_limits
    from telecine_cli.runner import run

    run(print_limits(target.find(), account, as_json=json))


@with_target
def set_(
    target: TargetOptions,
    account: Account,
    requests: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            help="Requests / seconds at each gateway, e.g. 1000/60; 0: no limit; default: as in the settings.",
            show_default=False,
        ),
    ] = None,
    generations: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            help="The same for requests for videos, at all gateways together.",
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Set limits of an account, at once for all gateways. What is not named stays as it is."""
    from telecine_cli.limits.output import print_changed_limits
    from telecine_cli.runner import run

    if requests is None and generations is None:
        raise typer.BadParameter("name --requests or --generations")
    given = {"requests": requests, "generations": generations}
    changes = {name: _limit(f"--{name}", text) for name, text in given.items() if text is not None}
    run(
        print_changed_limits(
            target.find(), account, lambda limits: limits.model_copy(update=changes), as_json=json
        )
    )


def _limit(option: str, text: str) -> "RateLimit | None":
    from telecine_contracts.access import RateLimit
    from telecine_gateway.rate_limits.rules import InvalidRate, parse_rate

    if text == DEFAULT:
        return None
    try:
        rate = parse_rate(text)
    except InvalidRate as error:
        raise typer.BadParameter(f"{error}; or default", param_hint=option) from None
    return RateLimit(limit=0) if rate is None else RateLimit(limit=rate[0], seconds=rate[1])
