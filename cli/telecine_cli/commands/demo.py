"""`telecine demo`: two generations from request to file, with every event."""

from pathlib import Path
from typing import Annotated

import typer

from .options import NatsUrl, NkeySeed

__all__ = ["EXAMPLES", "demo"]

EXAMPLES = """Examples:

    telecine demo

    telecine demo --out films --json > demo.json

    telecine demo --against http://127.0.0.1:8000 --nats-url nats://127.0.0.1:4222 --checkpoint-key ledger.vkey"""

_RUNNING = "With a running telecine"
_SAMPLE = "http://emulator:9100/samples/harbour.png"


def demo(
    out: Annotated[Path, typer.Option(help="The folder for the two videos.")] = Path("demo"),
    data: Annotated[
        Path | None,
        typer.Option(
            help="Keep the stack's data in this folder. [default: a temporary folder, removed at the end]",
            show_default=False,
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")
    ] = False,
    task_seconds: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="How long the emulated provider takes per video."),
    ] = 4.0,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The URL of its gateway. Nothing is started or stopped then.",
            show_default=False,
            rich_help_panel=_RUNNING,
        ),
    ] = None,
    nats_url: NatsUrl = None,
    nkey_seed: NkeySeed = None,
    auditor_seed: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The file with the auditor's NATS seed.",
            show_default=False,
            rich_help_panel=_RUNNING,
        ),
    ] = None,
    checkpoint_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The file with the public key of the ledger's checkpoints.",
            show_default=False,
            rich_help_panel=_RUNNING,
        ),
    ] = None,
    image_url: Annotated[
        str,
        typer.Option(metavar="URL", help="The image for the second video.", rich_help_panel=_RUNNING),
    ] = _SAMPLE,
) -> None:
    """Generate videos from a text and an image: shows every event, what each video cost, and an audit at the end.

    Starts everything on free local ports, including an emulated provider, and stops everything at the end.
    """
    from telecine_cli.demo.environment import LocalStack, RemoteStack
    from telecine_cli.demo.run import DemoOptions, run_demo
    from telecine_cli.runner import run
    from telecine_cli.stack.state import private_files
    from telecine_cli.target import find_target

    place: LocalStack | RemoteStack = LocalStack(data, task_seconds)
    if against is not None:
        if checkpoint_key is None:
            raise typer.BadParameter("also requires --checkpoint-key", param_hint="--against")
        target = find_target(None, nats_url, nkey_seed)
        place = RemoteStack(against, target, image_url, auditor_seed, checkpoint_key)
    with private_files():
        run(run_demo(DemoOptions(out, place, task_seconds), as_json=json))
