"""The commands of `telecine subscribers`: what they do, and their output."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import typer

from telecine_cli.errors import CommandError
from telecine_cli.provisioning import subscriptions
from telecine_cli.provisioning.credentials import (
    USERS_FILE,
    make_credentials,
    remove_subscriber,
    seed_file,
    subscriber_names,
)
from telecine_cli.provisioning.server_reload import reload_server
from telecine_cli.provisioning.subscriber_programs import Client, ProgramOptions, program
from telecine_cli.provisioning.subscriptions import Start, Subscription
from telecine_cli.stack.config import credentials_folder
from telecine_cli.target import Target, connected, find_target
from telecine_contracts.permissions import PROVISIONER

from .formats import format_time
from .tables import print_table

__all__ = [
    "NewSubscriber",
    "add_subscriber",
    "delete_subscriber",
    "find_subscriber_target",
    "print_program",
    "print_subscribers",
    "reset_position",
    "rotate_key",
]


@dataclass(frozen=True)
class SubscriberTarget:
    """A NATS server and the folder with its identities; `credentials` is None for a server without identities."""

    server: Target
    credentials: Path | None


@dataclass(frozen=True)
class NewSubscriber:
    """A subscriber to add. `subscriber_url`: the URL by which the subscriber reaches the server."""

    name: str
    streams: tuple[str, ...]
    filters: tuple[str, ...]
    start: Start
    subscriber_url: str | None


def find_subscriber_target(
    data: Path | None,
    nats_url: str | None,
    nkey_seed: Path | None,
    credentials: Path | None,
    identity: str = PROVISIONER,
) -> SubscriberTarget:
    """The telecine to use with `identity`; its seed is `nkey_seed`, else the one in `credentials`.

    Raises:
        CommandError: as `find_target` does; also if `credentials` has no such seed.
    """
    if credentials is not None and nkey_seed is None:
        nkey_seed = seed_file(credentials, identity)
        if not nkey_seed.exists():
            raise CommandError(
                f"{nkey_seed} does not exist: name the folder that `telecine provision --credentials` created"
            )
    found = find_target(data, nats_url, nkey_seed, identity=identity)
    if found.data is not None and found.access.nkey_seed is not None:
        return SubscriberTarget(found, credentials_folder(found.data))
    return SubscriberTarget(found, credentials)


async def add_subscriber(target: SubscriberTarget, wanted: NewSubscriber, *, as_json: bool) -> None:
    """Create the consumers, then the identity, and print the first steps. Raises CommandError."""
    filters = subscriptions.filters_by_stream(wanted.streams, wanted.filters)
    _check_credentials(target, "add")
    async with connected(target.server) as connection:
        made = await subscriptions.create(connection, wanted.name, filters, start=wanted.start)
    seed, reloaded = None, None
    if target.credentials is not None:
        key = make_credentials(target.credentials, subscribers=[wanted.name]).identities[wanted.name]
        seed = seed_file(target.credentials, wanted.name)
        reloaded = await reload_server(target.server)
    if as_json:
        _echo_json(
            {
                "name": wanted.name,
                "seed": seed and str(seed),
                "reload_needed": reloaded is False,
                "consumers": [
                    {"stream": stream, "filters": list(filters[stream]), "action": action}
                    for stream, action in made.items()
                ],
            }
        )
        return
    since = "the first event on" if wanted.start == "beginning" else "now on"
    for stream, action in made.items():
        position = f", from {since}" if action == "created" else ", position kept"
        typer.echo(f"{action:<8}  consumer {wanted.name} on {stream}: {' '.join(filters[stream])}{position}")
    if seed is not None:
        typer.echo(f"{key:<8}  key of {wanted.name}: {seed}")
    _print_reload(target, reloaded)
    url = wanted.subscriber_url or target.server.nats_url
    stream, [subject, *_] = next(iter(filters.items()))
    typer.echo(
        _first_steps(ProgramOptions(wanted.name, stream, subject, url, seed.name if seed else None), seed)
    )


def _first_steps(wanted: ProgramOptions, seed: Path | None) -> str:
    give = (
        [f"Give {seed}, the key, to this team only. The programs expect it in their working directory."]
        if seed
        else []
    )
    lines = ["", *give, "Each program prints every event and acknowledges it (docs/subscribing.md has more):"]
    for client in Client:
        lines += [
            "",
            f"--- {client.value}: {client.install}; save as {client.file}; {client.run}",
            "",
            program(client, wanted).rstrip(),
        ]
    return "\n".join(lines)


async def print_subscribers(target: SubscriberTarget, *, as_json: bool) -> None:
    """Print every subscriber with its consumers."""
    async with connected(target.server) as connection:
        found = await subscriptions.list_subscriptions(connection)
    keys = set(subscriber_names(target.credentials)) if target.credentials else set()
    idle = sorted(keys - {each.name for each in found})
    if as_json:
        rows = [_as_json(each, keys if target.credentials else None) for each in found]
        _echo_json(rows + [{"name": name, "stream": None, "key": True} for name in idle])
        return
    if not found and not idle:
        typer.echo("no subscribers yet: `telecine subscribers add NAME` creates one", err=True)
        return
    head = ("subscriber", "stream", "lag", "in flight", "connected", "last acknowledged", "key", "filters")
    table_rows = [_cells(each, keys if target.credentials else None) for each in found]
    table_rows += [
        (name, "-", "-", "-", "-", "-", "yes", "no consumer: add it again, or remove it") for name in idle
    ]
    print_table(table_rows, head=head, right={2, 3})


def _cells(each: Subscription, keys: set[str] | None) -> tuple[str, ...]:
    return (
        each.name,
        each.stream,
        str(each.lag),
        str(each.unacknowledged),
        "yes" if each.waiting else "no",
        format_time(each.acknowledged_at) if each.acknowledged_at else "never",
        "?" if keys is None else "yes" if each.name in keys else "no",
        " ".join(each.filters),
    )


def _as_json(each: Subscription, keys: set[str] | None) -> dict[str, Any]:
    at = each.acknowledged_at
    return asdict(each) | {
        "filters": list(each.filters),
        "lag": each.lag,
        "acknowledged_at": at.astimezone(UTC).isoformat() if at else None,
        "key": None if keys is None else each.name in keys,
    }


async def print_program(
    target: SubscriberTarget, name: str, client: Client, stream: str | None, subscriber_url: str | None
) -> None:
    """Print the program for one client library.

    Raises:
        CommandError: there is no such subscriber.
    """
    async with connected(target.server) as connection:
        found = await subscriptions.list_subscriptions(connection, name)
    mine = next((each for each in found if stream in (None, each.stream)), None)
    if mine is None:
        raise CommandError(_unknown(name) if not found else f"{name} has no consumer on {stream}")
    seed = seed_file(Path(), name).name if target.server.access.nkey_seed else None
    url = subscriber_url or target.server.nats_url
    typer.echo(program(client, ProgramOptions(name, mine.stream, mine.filters[0], url, seed)), nl=False)


async def rotate_key(target: SubscriberTarget, name: str, *, as_json: bool) -> None:
    """Replace a subscriber's key.

    Raises:
        CommandError: it has no key.
    """
    credentials = _check_credentials(target, "rotate")
    if credentials is None:
        raise CommandError("this server has no identities, so a key to rotate does not exist")
    if name not in subscriber_names(credentials):
        raise CommandError(_unknown(name))
    make_credentials(credentials, rotate=[name])
    reloaded = await reload_server(target.server)
    seed = seed_file(credentials, name)
    if as_json:
        _echo_json({"name": name, "seed": str(seed), "reload_needed": not reloaded})
        return
    typer.echo(f"replaced  key of {name}: {seed}")
    _print_reload(target, reloaded)


async def reset_position(
    target: SubscriberTarget, name: str, streams: Iterable[str], start: Start, *, as_json: bool
) -> None:
    """Move a subscriber's position on `streams`, or on all of its streams. Raises CommandError."""
    streams = set(streams)
    async with connected(target.server) as connection:
        found = await subscriptions.list_subscriptions(connection, name)
        chosen = [each.stream for each in found if not streams or each.stream in streams]
        if not found:
            raise CommandError(_unknown(name))
        if missing := streams - set(chosen):
            raise CommandError(f"{name} has no consumer on {' or '.join(sorted(missing))}")
        await subscriptions.reset(connection, name, chosen, start)
        after = await subscriptions.list_subscriptions(connection, name)
    told = [each for each in after if each.stream in chosen]
    if as_json:
        _echo_json([_as_json(each, None) for each in told])
        return
    for each in told:
        typer.echo(f"reset     {name} on {each.stream}: {each.lag} events to deliver")
    if any(each.waiting for each in found):
        typer.echo("          a program was connected and has lost its consumer: restart it")


async def delete_subscriber(target: SubscriberTarget, name: str, *, as_json: bool) -> None:
    """Delete a subscriber's key and consumers.

    Raises:
        CommandError: it has neither.
    """
    credentials = _check_credentials(target, "remove")
    async with connected(target.server) as connection:
        found = await subscriptions.list_subscriptions(connection, name)
    had_key = credentials is not None and remove_subscriber(credentials, name)
    if not had_key and not found:
        raise CommandError(_unknown(name))
    reloaded = await reload_server(target.server) if had_key else None
    async with connected(target.server) as connection:
        await subscriptions.delete(connection, name, [each.stream for each in found])
    if as_json:
        _echo_json(
            {
                "name": name,
                "key": had_key,
                "consumers": [each.stream for each in found],
                "reload_needed": reloaded is False,
            }
        )
        return
    if had_key:
        typer.echo(f"removed   key of {name}")
    for each in found:
        typer.echo(f"removed   consumer {name} on {each.stream}, with {each.lag} unacknowledged events")
    _print_reload(target, reloaded)


def _check_credentials(target: SubscriberTarget, command: str) -> Path | None:
    if target.credentials is None and target.server.access.nkey_seed is not None:
        raise CommandError(
            f"`subscribers {command}` needs the folder with the identities: add --credentials, e.g. "
            "--credentials deploy/secrets/nats"
        )
    return target.credentials


def _print_reload(target: SubscriberTarget, reloaded: bool | None) -> None:
    """`reloaded`: None if nothing had to be reloaded, False if the operator has to do it."""
    if reloaded:
        typer.echo("reloaded  the NATS server; connections were kept")
    elif reloaded is False and target.credentials is not None:
        page = target.credentials / USERS_FILE
        typer.echo(
            f"NOW       reload the NATS server once; its configuration includes {page}. With Compose: "
            "docker compose kill --signal HUP nats"
        )


def _unknown(name: str) -> str:
    return f"there is no subscriber {name}: `telecine subscribers list` shows all"


def _echo_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))
