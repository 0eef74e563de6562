"""`telecine events`: past and new events."""

from enum import StrEnum
from typing import Annotated

import typer

from .options import AsJson, Generation, OnlyAccount, OnlyGeneration, TargetOptions, group, with_target

__all__ = ["app"]


class StreamName(StrEnum):
    """The streams of events."""

    VIDEO = "VIDEO"
    LEDGER = "LEDGER"
    ACCESS = "ACCESS"


def app() -> typer.Typer:
    """The commands of `telecine events`."""
    commands = group("Show the events of a generation, or follow new events.")
    commands.command(
        epilog="Examples:\n\n    telecine events tail\n\n    telecine events tail --account alice --stream LEDGER "
        "--since 1 --json"
    )(tail)
    commands.command(epilog="Example:\n\n    telecine events show 5b1f8c0e-2a4d-5c6b-8e9f-0a1b2c3d4e5f")(show)
    return commands


@with_target
def tail(
    target: TargetOptions,
    account: OnlyAccount = None,
    generation: OnlyGeneration = None,
    stream: Annotated[
        StreamName | None,
        typer.Option(
            case_sensitive=False, help="Only this stream: generations, credits or keys.", show_default=False
        ),
    ] = None,
    since: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="SEQUENCE",
            help="Start with this sequence of --stream; 1 is its first event. [default: new events only]",
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Print new events, one per line, until Ctrl-C. Prompts are shown with --json only."""
    if since is not None and stream is None:
        raise typer.BadParameter("requires --stream: each stream has its own sequence", param_hint="--since")
    from telecine_cli.output.events import EventFilter, print_live
    from telecine_cli.runner import run

    event_filter = EventFilter(account, generation, stream and stream.value, since)
    run(print_live(target.find(), event_filter, as_json=json), interrupted=0)


@with_target
def show(
    target: TargetOptions,
    generation: Generation,
    json: AsJson = False,
) -> None:
    """Show every event of a generation, from the request to the video, including its ledger entries."""
    from telecine_cli.output.events import print_generation
    from telecine_cli.runner import run

    run(print_generation(target.find(), generation, as_json=json))
