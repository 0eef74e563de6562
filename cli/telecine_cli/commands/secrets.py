"""`telecine secrets`: the secrets of an installation, one file each."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["EXAMPLES", "secrets"]

EXAMPLES = """Examples:

    telecine secrets deploy/secrets"""


def secrets(
    folder: Annotated[Path, typer.Argument(help="The folder for the secrets; only its owner can enter it.")],
) -> None:
    """Create every missing secret of an installation. Existing ones are kept.

    Database passwords, keys of the object store, the key that signs checkpoints of the ledger, and a NATS identity for
    each service, the provisioner, the operator and the auditor. Uses no server and prints no secret.
    """
    from telecine_cli.provisioning.secret_files import make_secrets

    result = make_secrets(folder)
    for name, action in result.secrets.items():
        typer.echo(f"{action}  {name}")
    for name, action in result.identities.items():
        typer.echo(f"{action}  nats/{name}.nk")
