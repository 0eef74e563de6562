"""`telecine provision`: prepares a NATS server for telecine."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Data, NatsUrl, ProvisionerSeed

__all__ = ["EXAMPLES", "provision"]

_CREDENTIALS = "Credentials"

EXAMPLES = """Examples:

    telecine provision --nats-url nats://nats.internal:4222 --monitoring-url http://nats.internal:8222

    telecine provision --nats-url nats://nats-1:4222,nats://nats-2:4222,nats://nats-3:4222 --replicas 3 --dry-run

    telecine provision --credentials /etc/telecine/nats"""


def provision(
    monitoring_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The server's monitoring endpoint, which shows whether it may lose events; for a cluster those of all "
            "servers, separated by commas. [default: port 8222 of the same hosts]",
            show_default=False,
        ),
    ] = None,
    replicas: Annotated[
        int, typer.Option(min=1, max=5, help="Copies of each stream: 1, or 3 in a cluster.")
    ] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change; change nothing.")
    ] = False,
    allow_unsafe_server: Annotated[
        bool,
        typer.Option(
            "--allow-unsafe-server", help="Accept a server that may lose events in a power failure."
        ),
    ] = False,
    no_prices: Annotated[
        bool,
        typer.Option(
            "--no-prices", help="Publish no price table: for streams that a mirror is restored into."
        ),
    ] = False,
    credentials: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Do not use a server: create missing keys for all identities in this folder, and the file for the "
            "server's configuration with the permissions of each.",
            show_default=False,
            rich_help_panel=_CREDENTIALS,
        ),
    ] = None,
    rotate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IDENTITY",
            help="With --credentials: replace the key of this identity. May be repeated.",
            show_default=False,
            rich_help_panel=_CREDENTIALS,
        ),
    ] = None,
    data: Data = None,
    nats_url: NatsUrl = None,
    nkey_seed: ProvisionerSeed = None,
) -> None:
    """Create or update the streams and consumers that the services need, and show what differed.

    Publishes the built-in price table if there is none yet.

    Safe to run at any time: what is up to date is not changed. Refuses changes that could lose events.
    (`telecine up` and `telecine demo` do this themselves.)
    """
    if credentials is None and rotate:
        raise typer.BadParameter("requires --credentials", param_hint="--rotate")
    if credentials is not None:
        from telecine_cli.output.provision import create_credentials

        create_credentials(credentials, rotate or ())
        return
    from telecine_cli.output.provision import ProvisionOptions, provision_server
    from telecine_cli.runner import run
    from telecine_cli.target import find_target
    from telecine_contracts.permissions import PROVISIONER

    options = ProvisionOptions(
        monitoring_url,
        replicas,
        dry_run=dry_run,
        allow_unsafe=allow_unsafe_server,
        prices=not no_prices,
    )
    run(provision_server(find_target(data, nats_url, nkey_seed, identity=PROVISIONER), options))
