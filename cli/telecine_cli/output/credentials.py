"""What `telecine provision --credentials` prints: names and files, no secret."""

from collections.abc import Sequence
from pathlib import Path

import typer

from telecine_cli.provisioning.credentials import CredentialsResult, make_credentials, seed_file

__all__ = ["create_credentials"]


def create_credentials(folder: Path, rotate: Sequence[str]) -> None:
    """Make credentials and say what was made. Raises Failure."""
    for line in _lines(folder, make_credentials(folder, rotate=rotate)):
        typer.echo(line)


def _lines(folder: Path, made: CredentialsResult) -> list[str]:
    width = max(map(len, made.identities))
    told = [
        f"{done:<8}  {name:<{width}}  {seed_file(folder, name)}" for name, done in made.identities.items()
    ]
    return [
        *told,
        "",
        f"Give each service its own file alone. The NATS server includes {made.page}:",
        "reload the server when it has changed, and start those again whose key was replaced.",
    ]
