"""The commands of `telecine provision`: streams and consumers, or credentials, and what was changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import typer

from telecine_cli.errors import CommandError
from telecine_cli.price_catalog import publish_first_prices
from telecine_cli.provisioning.credentials import CredentialsResult, make_credentials, seed_file
from telecine_cli.provisioning.streams import Change, check_durability, provision
from telecine_cli.stack.config import StackConfig
from telecine_cli.target import Target, connected, stack_target
from telecine_contracts.permissions import PROVISIONER
from telecine_contracts.price_files import built_in_table

__all__ = [
    "ProvisionOptions",
    "change_lines",
    "create_credentials",
    "monitoring_url_of",
    "provision_server",
    "provision_stack",
]

_MONITORING_PORT = 8222


@dataclass(frozen=True)
class ProvisionOptions:
    """The options of a provisioning. `monitoring_url`: None for the conventional port on each server's host.

    `prices`: publish the built-in price table if there is none.
    """

    monitoring_url: str | None = None
    replicas: int = 1
    dry_run: bool = False
    allow_unsafe: bool = False
    prices: bool = True


async def provision_stack(config: StackConfig) -> None:
    """Provision the server of a local stack, before its services start.

    Raises:
        ProvisioningRefused: an older stack on this folder left streams that cannot be changed safely.
    """
    await check_durability(config.nats.monitoring_url)
    async with connected(stack_target(config, PROVISIONER)) as connection:
        await provision(connection)
        await publish_first_prices(connection, built_in_table(), PROVISIONER)


async def provision_server(target: Target, options: ProvisionOptions) -> None:
    """Check the server, update its streams and consumers (or show what would change), and print the changes.

    Raises:
        CommandError: no server answers.
        ProvisioningRefused: an unsafe server or a dangerous change.
    """
    async with connected(target) as connection:
        every = ",".join(monitoring_url_of(url) for url in target.nats_url.split(","))
        monitoring = options.monitoring_url or target.monitoring_url or every
        warning = await check_durability(
            monitoring, replicas=options.replicas, allow_unsafe=options.allow_unsafe
        )
        if warning is not None:
            typer.echo(f"WARNING: {warning}", err=True)
        changes = await provision(connection, replicas=options.replicas, dry_run=options.dry_run)
        is_first = (
            options.prices
            and not options.dry_run
            and await publish_first_prices(connection, built_in_table(), PROVISIONER)
        )
    for line in change_lines(changes, dry_run=options.dry_run):
        typer.echo(line)
    if is_first:
        typer.echo(f"published price table {built_in_table().version}: `telecine prices show` shows it")


def monitoring_url_of(nats_url: str) -> str:
    """The conventional monitoring URL of the first of some servers: port 8222 of its host."""
    first = nats_url.split(",")[0]
    host = urlsplit(first if "//" in first else f"//{first}").hostname
    if host is None:
        raise CommandError(f"invalid URL {first!r} of a NATS server, expected e.g. nats://127.0.0.1:4222")
    return f"http://[{host}]:{_MONITORING_PORT}" if ":" in host else f"http://{host}:{_MONITORING_PORT}"


def change_lines(changes: Iterable[Change], *, dry_run: bool) -> list[str]:
    """A line for each stream and consumer, followed by the settings that differed."""
    lines: list[str] = []
    for change in changes:
        action = f"would be {change.action}" if dry_run and change.action != "unchanged" else change.action
        lines.append(f"{action:<{17 if dry_run else 9}}  {change.name}")
        lines += [f"    {difference}" for difference in change.drift]
    return lines


def create_credentials(folder: Path, rotate: Sequence[str]) -> None:
    """Create missing credentials and print what was done. Raises CommandError."""
    for line in _credential_lines(folder, make_credentials(folder, rotate=rotate)):
        typer.echo(line)


def _credential_lines(folder: Path, result: CredentialsResult) -> list[str]:
    width = max(map(len, result.identities))
    identities = [
        f"{action:<8}  {name:<{width}}  {seed_file(folder, name)}"
        for name, action in result.identities.items()
    ]
    return [
        *identities,
        "",
        f"Give each service only its own file. The configuration of the NATS server includes {result.page}:",
        "reload the server when this file has changed, and restart the services whose keys were replaced.",
    ]
