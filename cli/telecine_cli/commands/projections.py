"""`telecine projections`: tables that are computed from events."""

import gc
from enum import StrEnum
from typing import Annotated

import typer

from .options import TargetOptions, group, with_target

__all__ = ["app"]


class ServiceChoice(StrEnum):
    """The services that have tables, or all of them."""

    GATEWAY = "gateway"
    CREDITS = "credits"
    GENERATION = "generation"
    STORAGE = "storage"
    ALL = "all"


def app() -> typer.Typer:
    """The commands of `telecine projections`."""
    commands = group("Tables that services compute from events.")
    commands.callback()(_group)
    commands.command(
        epilog="Examples:\n\n    telecine projections rebuild all\n\n    telecine projections rebuild gateway "
        "--nats-url nats://nats.internal:4222 --database-url postgresql+psycopg://…"
    )(rebuild)
    return commands


def _group() -> None:
    """Tables that services compute from events."""


@with_target
def rebuild(
    target: TargetOptions,
    service: Annotated[ServiceChoice, typer.Argument(help="The service, or all of them.")],
    database_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The service's database. [default: the local stack's]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Compute a service's tables again, from the first event on.

    Services may keep running: the new tables are filled beside the old ones and then replace them.
    """
    if service is ServiceChoice.ALL and database_url is not None:
        raise typer.BadParameter(
            "each service has its own database: name one service", param_hint="--database-url"
        )
    from telecine_cli.output.projections import rebuild_services
    from telecine_cli.runner import run

    # As in services: with its defaults, the garbage collector takes a quarter of a rebuild's time.
    gc.freeze()
    gc.set_threshold(10_000)
    names = (
        [each.value for each in ServiceChoice if each is not ServiceChoice.ALL]
        if service is ServiceChoice.ALL
        else [service.value]
    )
    run(rebuild_services(target.find(), names, database_url))
