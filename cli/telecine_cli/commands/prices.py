"""`telecine prices`: price tables."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from .options import AsJson, TargetOptions, group, with_target

__all__ = ["app"]

File = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A price table as TOML (docs/pricing.md).", show_default=False),
]


def _time(text: str) -> datetime:
    from telecine_contracts.timestamps import InvalidTimestamp, parse_date_or_timestamp

    try:
        return parse_date_or_timestamp(text)
    except InvalidTimestamp as error:
        raise typer.BadParameter(str(error)) from None


def app() -> typer.Typer:
    """The commands of `telecine prices`."""
    commands = group("Show, check and publish price tables. A request keeps the price that it was quoted.")
    commands.command(
        epilog="Examples:\n\n    telecine prices show\n\n    telecine prices show --toml > prices.toml\n\n"
        "    telecine prices show --at 2027-01-01"
    )(show)
    commands.command(epilog="Example:\n\n    telecine prices check prices.toml")(check)
    commands.command(epilog="Example:\n\n    telecine prices diff prices.toml")(diff)
    commands.command(
        epilog="Examples:\n\n    telecine prices publish prices.toml\n\n"
        "    telecine prices publish prices.toml --at 2027-01-01T00:00:00Z"
    )(publish)
    return commands


@with_target
def show(
    target: TargetOptions,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            parser=_time,
            metavar="TIME",
            help="The table that is in force then. [default: now]",
            show_default=False,
        ),
    ] = None,
    toml: Annotated[bool, typer.Option("--toml", help="Print the table as a price file.")] = False,
    json: AsJson = False,
) -> None:
    """Show the price table in force, and the tables that take effect later."""
    from telecine_cli.output.prices import print_prices
    from telecine_cli.runner import run

    run(print_prices(target.find(), at, as_toml=toml, as_json=json))


def check(file: File, json: AsJson = False) -> None:
    """Check a price file, and show what it sells and what it does not. Needs no server."""
    from telecine_cli.output.prices import print_check

    print_check(file, as_json=json)


@with_target
def diff(target: TargetOptions, file: File, json: AsJson = False) -> None:
    """Compare a price file with the table in force: every price that would change."""
    from telecine_cli.output.prices import print_difference
    from telecine_cli.runner import run

    run(print_difference(target.find(), file, as_json=json))


@with_target
def publish(
    target: TargetOptions,
    file: File,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            parser=_time,
            metavar="TIME",
            help="When the table takes effect. [default: at once]",
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Publish a price file. It takes effect at once, or at a time, and never changes; another version replaces it."""
    from telecine_cli.output.prices import print_published
    from telecine_cli.runner import run

    run(print_published(target.find(), file, at, as_json=json))
