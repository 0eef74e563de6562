"""`telecine secrets`: what an installation keeps to itself, a file each."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["EXAMPLES", "secrets"]

EXAMPLES = """Examples:

    telecine secrets deploy/secrets"""


def secrets(
    folder: Annotated[Path, typer.Argument(help="Where they are kept; only its owner can enter it.")],
) -> None:
    """Make every secret that an installation needs and does not have yet; those that are there stay.

    Passwords of databases, keys of the object store, the key that signs checkpoints of the ledger, and an identity on
    NATS for each service, the provisioner, the operator and the auditor. Asks no server, shows no secret.
    """
    from telecine_cli.provisioning.secret_files import make_secrets

    made = make_secrets(folder)
    for name, what in made.secrets.items():
        typer.echo(f"{what}  {name}")
    for name, what in made.identities.items():
        typer.echo(f"{what}  nats/{name}.nk")
