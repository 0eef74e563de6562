"""Provision a server and say what was done."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import typer

from telecine_cli.errors import CommandError
from telecine_cli.provisioning.streams import Change, check_durability, provision
from telecine_cli.stack.config import StackConfig
from telecine_cli.target import Target, connected, stack_target
from telecine_contracts.permissions import PROVISIONER

__all__ = ["ProvisionOptions", "lines", "monitoring_of", "provision_server", "provision_stack"]

_MONITORING_PORT = 8222


@dataclass(frozen=True)
class ProvisionOptions:
    """What the user wants of a provisioning. Without `monitoring_url` it is looked for on each server's host."""

    monitoring_url: str | None = None
    replicas: int = 1
    dry_run: bool = False
    allow_unsafe: bool = False


async def provision_stack(config: StackConfig) -> None:
    """Provision the server of a local stack, between its parts and its services.

    Raises:
        ProvisioningRefused: when an older stack on this folder left something that can't be changed safely.
    """
    await check_durability(config.nats.monitoring_url)
    async with connected(stack_target(config, PROVISIONER)) as connection:
        await provision(connection)


async def provision_server(target: Target, wish: ProvisionOptions) -> None:
    """Check the server, bring it up to date (or say what would change) and print a line for each thing.

    Raises:
        Failure: when nobody answers.
        ProvisioningRefused: for an unsafe server or a dangerous change.
    """
    async with connected(target) as connection:
        every = ",".join(monitoring_of(url) for url in target.nats_url.split(","))
        monitoring = wish.monitoring_url or target.monitoring_url or every
        warning = await check_durability(monitoring, replicas=wish.replicas, allow_unsafe=wish.allow_unsafe)
        if warning is not None:
            typer.echo(f"WARNING: {warning}", err=True)
        changes = await provision(connection, replicas=wish.replicas, dry_run=wish.dry_run)
    for line in lines(changes, dry_run=wish.dry_run):
        typer.echo(line)


def monitoring_of(nats_url: str) -> str:
    """Where the first of some servers is monitored by convention: port 8222 of its host."""
    first = nats_url.split(",")[0]
    host = urlsplit(first if "//" in first else f"//{first}").hostname
    if host is None:
        raise CommandError(f"{first} is not the URL of a NATS server, e.g. nats://127.0.0.1:4222")
    return f"http://[{host}]:{_MONITORING_PORT}" if ":" in host else f"http://{host}:{_MONITORING_PORT}"


def lines(changes: Iterable[Change], *, dry_run: bool) -> list[str]:
    """A line for each stream and consumer, with the settings that differed below it."""
    told: list[str] = []
    for change in changes:
        action = f"would be {change.action}" if dry_run and change.action != "unchanged" else change.action
        told.append(f"{action:<{17 if dry_run else 9}}  {change.name}")
        told += [f"    {difference}" for difference in change.drift]
    return told
