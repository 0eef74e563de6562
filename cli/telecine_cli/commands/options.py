"""Arguments and options that several commands share."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from telecine_cli.target import Target

__all__ = [
    "TIME_FORMATS",
    "Account",
    "AnyAccount",
    "AsJson",
    "Data",
    "EraserSeed",
    "Generation",
    "NatsUrl",
    "NkeySeed",
    "OnlyAccount",
    "OnlyGeneration",
    "ProvisionerSeed",
    "TargetOptions",
    "group",
    "in_utc",
    "with_options_of",
    "with_target",
]

TIME_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
"""Of an option with a date or time."""
_PANEL = "Which telecine"


def _name(value: str | None) -> str | None:
    from telecine_contracts.subjects import BadToken, token

    try:
        return value if value is None else token(value)
    except BadToken as error:
        raise typer.BadParameter(str(error)) from None


Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="The data folder of a running stack. [default: ./data]",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
NatsUrl = Annotated[
    str | None,
    typer.Option(
        "--nats-url",
        help="The NATS server of any telecine (also TELECINE_NATS_URL).",
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
EraserSeed = Annotated[
    Path | None,
    typer.Option(
        "--nkey-seed",
        help="With --nats-url: the file with the eraser's seed (also TELECINE_NATS_NKEY_SEED_FILE).",
        metavar="FILE",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Account = Annotated[str, typer.Argument(help="The account's name: letters, digits, _ and -.", callback=_name)]
AnyAccount = Annotated[
    str | None, typer.Argument(help="Only this account.", callback=_name, show_default=False)
]
OnlyAccount = Annotated[
    str | None, typer.Option("--account", help="Only this account.", callback=_name, show_default=False)
]
Generation = Annotated[str, typer.Argument(help="The generation's id.", callback=_name)]
OnlyGeneration = Annotated[
    str | None,
    typer.Option("--generation", help="Only this generation.", callback=_name, show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@dataclass(frozen=True)
class TargetOptions:
    """The options that say which telecine a command uses, as they were given."""

    data: Path | None
    nats_url: str | None
    nkey_seed: Path | None

    def find(self) -> "Target":
        """The telecine, to use with the operator's identity. Raises CommandError."""
        from telecine_cli.target import find_target

        return find_target(self.data, self.nats_url, self.nkey_seed)


def with_target(command: Callable[..., None]) -> Callable[..., None]:
    """Add --data, --nats-url and --nkey-seed to a command, which gets them as `target`.

    The command finds the target itself, so that wrong usage is reported first.
    """

    def run(data: Data = None, nats_url: NatsUrl = None, nkey_seed: NkeySeed = None, **given: Any) -> None:
        command(target=TargetOptions(data, nats_url, nkey_seed), **given)

    return with_options_of(run, command, without="target")


def with_options_of(
    wrapper: Callable[..., None], command: Callable[..., None], without: str
) -> Callable[..., None]:
    """`wrapper` with the parameters of `command` in front of its own: typer reads them from the signature."""
    own = inspect.signature(command).parameters.values()
    added = inspect.signature(wrapper).parameters.values()
    parameters = [
        *(each for each in own if each.name != without),
        *(each for each in added if each.kind is not inspect.Parameter.VAR_KEYWORD),
    ]
    by_keyword = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    update_wrapper(wrapper, command)
    wrapper.__signature__ = inspect.Signature(by_keyword)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {each.name: each.annotation for each in by_keyword}
    return wrapper


def group(help: str) -> typer.Typer:
    """A command that has subcommands."""
    return typer.Typer(help=help, no_args_is_help=True, rich_markup_mode="markdown")


def in_utc(time: datetime | None, option: str = "--expires") -> datetime | None:
    """The time in UTC; one without a zone is in UTC already. Raises typer.BadParameter."""
    if time is None or time.tzinfo is None:
        return time and time.replace(tzinfo=UTC)
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise typer.BadParameter(
            "is out of range: the last time is 9999-12-31T23:59:59Z", param_hint=option
        ) from None
