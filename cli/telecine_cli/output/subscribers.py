"""What the commands about subscribers do and print."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import typer

from telecine_cli import target
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
from telecine_cli.target import Target, connected
from telecine_contracts.permissions import PROVISIONER

from .timeline import align_columns, format_time

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
    """A telecine and the folder with its identities; `credentials` is None for a server without identities."""

    target: Target
    credentials: Path | None


@dataclass(frozen=True)
class NewSubscriber:
    """A subscriber that is wanted. `subscriber_url`: the server as the subscriber reaches it."""

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
    """The telecine to use, as `identity`: the seed is `nkey_seed`, else the one among `credentials`.

    Raises Failure as `target.find` does, and for a folder of credentials without that seed.
    """
    if credentials is not None and nkey_seed is None:
        nkey_seed = seed_file(credentials, identity)
        if not nkey_seed.exists():
            raise CommandError(
                f"{nkey_seed} does not exist: name the folder that `telecine provision --credentials` made"
            )
    found = target.find_target(data, nats_url, nkey_seed, identity=identity)
    if found.data is not None and found.access.nkey_seed is not None:
        return SubscriberTarget(found, credentials_folder(found.data))
    return SubscriberTarget(found, credentials)


async def add_subscriber(place: SubscriberTarget, wanted: NewSubscriber, *, as_json: bool) -> None:
    """Create the consumers, then the identity, and say how to begin. Raises Failure."""
    filters = subscriptions.filters_by_stream(wanted.streams, wanted.filters)
    _check_credentials(place, "add")
    async with connected(place.target) as connection:
        made = await subscriptions.create(connection, wanted.name, filters, start=wanted.start)
    seed, reloaded = None, None
    if place.credentials is not None:
        key = make_credentials(place.credentials, subscribers=[wanted.name]).identities[wanted.name]
        seed = seed_file(place.credentials, wanted.name)
        reloaded = await reload_server(place.target)
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
    _print_reload(place, reloaded)
    url = wanted.subscriber_url or place.target.nats_url
    stream, [subject, *_] = next(iter(filters.items()))
    typer.echo(
        _first_steps(ProgramOptions(wanted.name, stream, subject, url, seed.name if seed else None), seed)
    )


def _first_steps(wanted: ProgramOptions, seed: Path | None) -> str:
    give = (
        [
            f"Give {seed} to the team, and to no one else: it is the key. The programs expect it where they are run."
        ]
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


async def print_subscribers(place: SubscriberTarget, *, as_json: bool) -> None:
    """Print every subscriber: its consumers, or that it has none."""
    async with connected(place.target) as connection:
        found = await subscriptions.list_subscriptions(connection)
    keys = set(subscriber_names(place.credentials)) if place.credentials else set()
    idle = sorted(keys - {each.name for each in found})
    if as_json:
        rows = [_as_json(each, keys if place.credentials else None) for each in found]
        _echo_json(rows + [{"name": name, "stream": None, "key": True} for name in idle])
        return
    if not found and not idle:
        typer.echo("no subscribers yet: `telecine subscribers add NAME` makes one", err=True)
        return
    head = ("subscriber", "stream", "lag", "in flight", "connected", "last acknowledged", "key", "filters")
    rows_ = [_cells(each, keys if place.credentials else None) for each in found]
    rows_ += [
        (name, "-", "-", "-", "-", "-", "yes", "no consumer: add it again, or remove it") for name in idle
    ]
    for line in align_columns([head, *rows_], right={2, 3}):
        typer.echo(line)


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
    place: SubscriberTarget, name: str, client: Client, stream: str | None, subscriber_url: str | None
) -> None:
    """Print the program for one client library. Raises Failure when there is no such subscriber."""
    async with connected(place.target) as connection:
        found = await subscriptions.list_subscriptions(connection, name)
    mine = next((each for each in found if stream in (None, each.stream)), None)
    if mine is None:
        raise CommandError(_unknown(name) if not found else f"{name} has no consumer on {stream}")
    seed = seed_file(Path(), name).name if place.target.access.nkey_seed else None
    url = subscriber_url or place.target.nats_url
    typer.echo(program(client, ProgramOptions(name, mine.stream, mine.filters[0], url, seed)), nl=False)


async def rotate_key(place: SubscriberTarget, name: str, *, as_json: bool) -> None:
    """Replace a subscriber's key. Raises Failure when it has none."""
    credentials = _check_credentials(place, "rotate")
    if credentials is None:
        raise CommandError("this server has no identities: there is no key to rotate")
    if name not in subscriber_names(credentials):
        raise CommandError(_unknown(name))
    make_credentials(credentials, rotate=[name])
    reloaded = await reload_server(place.target)
    seed = seed_file(credentials, name)
    if as_json:
        _echo_json({"name": name, "seed": str(seed), "reload_needed": not reloaded})
        return
    typer.echo(f"replaced  key of {name}: {seed}")
    _print_reload(place, reloaded)


async def reset_position(
    place: SubscriberTarget, name: str, streams: Iterable[str], start: Start, *, as_json: bool
) -> None:
    """Move a subscriber's position on `streams`, or on all that it has. Raises Failure."""
    streams = set(streams)
    async with connected(place.target) as connection:
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
        typer.echo(f"reset     {name} on {each.stream}: {each.lag} events to come")
    if any(each.waiting for each in found):
        typer.echo("          a program was connected, and was told that its consumer is gone: restart it")


async def delete_subscriber(place: SubscriberTarget, name: str, *, as_json: bool) -> None:
    """Delete a subscriber's key and consumers. Raises Failure when it has neither."""
    credentials = _check_credentials(place, "remove")
    async with connected(place.target) as connection:
        found = await subscriptions.list_subscriptions(connection, name)
    had_key = credentials is not None and remove_subscriber(credentials, name)
    if not had_key and not found:
        raise CommandError(_unknown(name))
    reloaded = await reload_server(place.target) if had_key else None
    async with connected(place.target) as connection:
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
        typer.echo(f"removed   consumer {name} on {each.stream}, with {each.lag} events not acknowledged")
    _print_reload(place, reloaded)


def _check_credentials(place: SubscriberTarget, command: str) -> Path | None:
    if place.credentials is None and place.target.access.nkey_seed is not None:
        raise CommandError(
            f"`subscribers {command}` needs the folder with the identities: name it with --credentials, e.g. "
            "--credentials deploy/secrets/nats"
        )
    return place.credentials


def _print_reload(place: SubscriberTarget, reloaded: bool | None) -> None:
    """`reloaded`: None when there was nothing to reload, False when the operator has to do it."""
    if reloaded:
        typer.echo("reloaded  the NATS server; connections were kept")
    elif reloaded is False and place.credentials is not None:
        page = place.credentials / USERS_FILE
        typer.echo(
            f"NOW       reload the NATS server, once: it includes {page}. With Compose: "
            "docker compose kill --signal HUP nats"
        )


def _unknown(name: str) -> str:
    return f"there is no subscriber {name}: `telecine subscribers list` shows all"


def _echo_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))
