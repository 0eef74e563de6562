"""`telecine demo`: two generations from request to file, watched."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["EXAMPLES", "demo"]

EXAMPLES = """Examples:

    telecine demo

    telecine demo --out films --json > facts.json"""


def demo(
    out: Annotated[Path, typer.Option(help="The folder that the two videos go to.")] = Path("demo"),
    data: Annotated[
        Path | None,
        typer.Option(
            help="Keep the stack's data there. [default: a temporary folder, removed]", show_default=False
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document on standard output, nothing else.")
    ] = False,
    task_seconds: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="How long the emulated provider takes for a video."),
    ] = 4.0,
) -> None:
    """Watch a text and an image become stored videos, with every event and what each cost.

    Starts everything on free local ports, an emulated provider included, and stops it all at the end.
    """
    from telecine_cli.demonstration import Demonstration, demonstrate
    from telecine_cli.running import run

    run(demonstrate(Demonstration(out, data, task_seconds), as_json=json))
