"""The command line: every command, and the panel of the help page that shows it."""

from typing import Annotated

import typer

from telecine_cli.commands import (
    accounts,
    credits,
    dead_letters,
    demo,
    events,
    keys,
    prices,
    projections,
    provision,
    secrets,
    subscribers,
    up,
)
from telecine_cli.limits import commands as limits

__all__ = ["build"]

_HELP = """A prompt or an image becomes a stored video, and every credit is accounted for.

Start with `telecine demo` to see it work, or with `telecine up` to use it. Neither needs any other program."""

_LOCAL_PANEL, _OPERATIONS_PANEL = "Run telecine on this machine", "Operate telecine"


def build() -> typer.Typer:
    """The command line."""
    app = typer.Typer(
        name="telecine",
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for command, examples, panel in (
        (up.up, up.EXAMPLES, _LOCAL_PANEL),
        (demo.demo, demo.EXAMPLES, _LOCAL_PANEL),
        (provision.provision, provision.EXAMPLES, _OPERATIONS_PANEL),
        (secrets.secrets, secrets.EXAMPLES, _OPERATIONS_PANEL),
    ):
        app.command(epilog=examples, rich_help_panel=panel)(command)
    for name, commands in (
        ("credits", credits.app()),
        ("accounts", accounts.app()),
        ("keys", keys.app()),
        ("limits", limits.app()),
        ("prices", prices.app()),
        ("events", events.app()),
        ("subscribers", subscribers.app()),
        ("projections", projections.app()),
        ("dead-letters", dead_letters.app()),
    ):
        app.add_typer(commands, name=name, rich_help_panel=_OPERATIONS_PANEL)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"telecine {version('telecine')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass
