"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Account", "AsJson", "Data", "NatsUrl", "NkeySeed", "ProvisionerSeed", "data_option", "group"]

_PANEL = "Which telecine"


def _name(value: str | None) -> str | None:
    from telecine_contracts.subjects import BadToken, token

    try:
        return value if value is None else token(value)
    except BadToken as error:
        raise typer.BadParameter(str(error)) from None


data_option = typer.Option(
    "--data",
    help="The folder of a running stack. [default: ./data]",
    show_default=False,
    rich_help_panel=_PANEL,
)
Data = Annotated[Path | None, data_option]
NatsUrl = Annotated[
    str | None,
    typer.Option(
        "--nats-url",
        help="Any telecine, by its NATS server (also TELECINE_NATS_URL).",
        metavar="URL",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
NkeySeed = Annotated[
    Path | None,
    typer.Option(
        "--nkey-seed",
        help="With --nats-url: the file with the operator's seed (also TELECINE_NATS_NKEY_SEED_FILE).",
        metavar="FILE",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
ProvisionerSeed = Annotated[
    Path | None,
    typer.Option(
        "--nkey-seed",
        help="With --nats-url: the file with the provisioner's seed (also TELECINE_NATS_NKEY_SEED_FILE).",
        metavar="FILE",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Account = Annotated[str, typer.Argument(help="The account's name: letters, digits, _ and -.", callback=_name)]
AnyAccount = Annotated[
    str | None, typer.Argument(help="Only this account's.", callback=_name, show_default=False)
]
OnlyAccount = Annotated[
    str | None, typer.Option("--account", help="Only this account's.", callback=_name, show_default=False)
]
Generation = Annotated[str, typer.Argument(help="The generation's id.", callback=_name)]
OnlyGeneration = Annotated[
    str | None,
    typer.Option("--generation", help="Only this generation's.", callback=_name, show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def group(help: str) -> typer.Typer:
    """A command that has commands of its own."""
    return typer.Typer(help=help, no_args_is_help=True, rich_markup_mode="markdown")
