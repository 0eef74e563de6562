"""Which telecine a command uses: the stack on a data folder, or any NATS server by its URL."""

import os
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats.errors

from telecine_chassis.nats.connection import connection_options
from telecine_chassis.network import is_nats_url
from telecine_cli.provisioning.credentials import seed_file
from telecine_cli.stack.config import StackConfig, credentials_folder, database_url
from telecine_cli.stack.ports import LOOPBACK
from telecine_cli.stack.state import is_running, load_state, resolve_data_folder
from telecine_contracts.permissions import OPERATOR
from telecine_jetstream.client import NatsClient
from telecine_jetstream.errors import PermissionDenied, PermissionViolation
from telecine_jetstream.identity import ANONYMOUS, NatsIdentity

from .errors import CommandError, InvalidStateFile

__all__ = [
    "DEFAULT_DATA",
    "NATS_URL_VARIABLE",
    "OPERATOR",
    "SEED_VARIABLE",
    "Target",
    "connected",
    "find_target",
    "stack_target",
]

DEFAULT_DATA = Path("data")
NATS_URL_VARIABLE = "TELECINE_NATS_URL"
SEED_VARIABLE = "TELECINE_NATS_NKEY_SEED_FILE"
_TLS_VARIABLES = {name: f"TELECINE_NATS_{name.upper()}" for name in ("tls_ca", "tls_cert", "tls_key")}
_CONNECT_SECONDS = 3


@dataclass(frozen=True)
class Target:
    """The address of a telecine, and the identity that a command uses there.

    `data`: the folder of a local stack; None for a server that was given by its URL.
    """

    nats_url: str
    monitoring_url: str | None = None
    data: Path | None = None
    access: NatsIdentity = ANONYMOUS
    identity: str = OPERATOR

    def database(self, service: str, given: str | None) -> str:
        """The URL of a service's database: `given`, or that of the local stack.

        Raises:
            CommandError: neither exists.
        """
        if given is not None:
            return given
        if self.data is None:
            raise CommandError("add --database-url, the URL of the service's database")
        return database_url(self.data, service)


def find_target(
    data: Path | None, nats_url: str | None, nkey_seed: Path | None = None, *, identity: str = OPERATOR
) -> Target:
    """The telecine to use: --nats-url, else --data, else TELECINE_NATS_URL, else ./data.

    The seed of `identity` is `nkey_seed`, else the file in TELECINE_NATS_NKEY_SEED_FILE; a local stack has its own.

    Raises:
        CommandError: no stack runs on the folder, or a key file is unusable.
    """
    if nats_url is None and data is None:
        nats_url = os.environ.get(NATS_URL_VARIABLE)
    if nats_url is not None:
        if not all(is_nats_url(url) for url in nats_url.split(",")):
            raise CommandError(
                f"{NATS_URL_VARIABLE} and --nats-url take URLs such as nats://host:4222, separated by commas"
            )
        return Target(nats_url, access=_access(nkey_seed), identity=identity)
    folder = resolve_data_folder(data or DEFAULT_DATA)
    try:
        ports = load_state(folder).ports
    except (OSError, InvalidStateFile) as error:
        raise CommandError(str(error)) from None
    if not is_running(folder) or not {"nats", "nats-monitoring"} <= ports.keys():
        raise CommandError(
            f"no telecine runs on {folder}: start one with `telecine up --data {shlex.quote(str(folder))}`, "
            f"or name a server with --nats-url or {NATS_URL_VARIABLE}"
        )
    seed = seed_file(credentials_folder(folder), identity)
    return Target(
        f"nats://{LOOPBACK}:{ports['nats']}",
        f"http://{LOOPBACK}:{ports['nats-monitoring']}",
        folder,
        NatsIdentity(nkey_seed=seed) if seed.exists() else ANONYMOUS,
        identity,
    )


def stack_target(config: StackConfig, identity: str = OPERATOR) -> Target:
    """The stack with this configuration, to use with `identity`."""
    access = config.nats.access(identity)
    return Target(config.nats.url, config.nats.monitoring_url, config.data, access, identity)


def _access(nkey_seed: Path | None) -> NatsIdentity:
    files: dict[str, Any] = {
        name: Path(file) for name, variable in _TLS_VARIABLES.items() if (file := os.environ.get(variable))
    }
    seed = nkey_seed or os.environ.get(SEED_VARIABLE)
    access = NatsIdentity(
        nkey_seed=Path(seed) if seed else None,
        **files,
    )
    try:
        access.validate()
    except ValueError as error:
        raise CommandError(str(error)) from None
    return access


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[NatsClient]:
    """A connection that is open during the block.

    Raises:
        CommandError: no server answers, or it refuses the seed, or the seed belongs to another identity.
    """
    connection = NatsClient()
    inbox_refused = False

    async def on_error(problem: Exception) -> None:
        """Fail the request that caused the error, instead of logging it."""
        nonlocal inbox_refused
        if denial := PermissionViolation.of(problem):
            inbox_refused |= denial.subject.startswith(f"_inbox.{target.identity}.")

    once = {
        "allow_reconnect": False,
        "max_reconnect_attempts": 1,
        "connect_timeout": _CONNECT_SECONDS,
        "error_cb": on_error,
        "disconnected_cb": None,
        "reconnected_cb": None,
    }
    shown = connection_options(target.identity) | once | target.access.client_options()
    try:
        await connection.connect(servers=target.nats_url.split(","), **shown)
    except (OSError, TimeoutError, nats.errors.Error) as error:
        raise CommandError(_no_connection(target, error)) from error
    try:
        yield connection
    except PermissionDenied as error:
        if inbox_refused:
            raise CommandError(
                f"{target.access.nkey_seed} is the seed of another identity: "
                f"this command needs the {target.identity}'s seed"
            ) from error
        raise
    finally:
        await connection.close()


def _no_connection(target: Target, error: Exception) -> str:
    if PermissionViolation.of(error) is None:
        return f"no NATS server answers at {target.nats_url} ({type(error).__name__})"
    if target.access.nkey_seed is None:
        return (
            f"the NATS server at {target.nats_url} requires credentials: "
            f"add --nkey-seed, the file with the {target.identity}'s seed"
        )
    return f"the NATS server at {target.nats_url} does not accept the key in {target.access.nkey_seed}"
