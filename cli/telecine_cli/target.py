"""Which telecine a command speaks to: the stack on a data folder, or any NATS server by its URL."""

import os
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import nats
import nats.errors
from nats.aio.client import Client

from telecine_chassis.connection import options
from telecine_cli.facts import database_url
from telecine_cli.failure import Failure
from telecine_cli.ports import LOOPBACK
from telecine_cli.stack_state import is_running, recall

__all__ = ["DEFAULT_DATA", "NATS_URL_VARIABLE", "OPERATOR", "Target", "connected", "find"]

DEFAULT_DATA = Path("data")
NATS_URL_VARIABLE = "TELECINE_NATS_URL"
OPERATOR = "operator"
"""Who gives commands from the command line: the name of its connections, and the source of its events."""
_CONNECT_SECONDS = 3


@dataclass(frozen=True)
class Target:
    """Where a telecine is. `data` is the folder of a local stack, None for a server given by its URL."""

    nats_url: str
    monitoring_url: str | None = None
    data: Path | None = None

    def database(self, service: str, given: str | None) -> str:
        """The URL of a service's database: the one `given`, else the local stack's. Raises Failure."""
        if given is not None:
            return given
        if self.data is None:
            raise Failure("say where the service's database is, with --database-url")
        return database_url(self.data, service)


def find(data: Path | None, nats_url: str | None) -> Target:
    """The telecine to speak to: --nats-url, else --data, else TELECINE_NATS_URL, else ./data.

    Raises:
        Failure: when no stack runs on the folder.
    """
    if nats_url is None and data is None:
        nats_url = os.environ.get(NATS_URL_VARIABLE)
    if nats_url is not None:
        return Target(nats_url)
    folder = (data or DEFAULT_DATA).resolve()
    ports = recall(folder).ports
    if not is_running(folder) or not {"nats", "nats-monitoring"} <= ports.keys():
        raise Failure(
            f"no telecine runs on {folder}: start one with `telecine up --data {shlex.quote(str(folder))}`, "
            f"or name a server with --nats-url or {NATS_URL_VARIABLE}"
        )
    return Target(
        f"nats://{LOOPBACK}:{ports['nats']}", f"http://{LOOPBACK}:{ports['nats-monitoring']}", folder
    )


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    """A connection for as long as the block lasts. Raises Failure when nobody answers."""
    once = {
        "allow_reconnect": False,
        "max_reconnect_attempts": 1,
        "connect_timeout": _CONNECT_SECONDS,
        "error_cb": _quiet,
        "disconnected_cb": None,
        "reconnected_cb": None,
    }
    try:
        connection = await nats.connect(servers=url.split(","), **options(OPERATOR) | once)
    except (OSError, TimeoutError, nats.errors.Error) as error:
        raise Failure(f"no NATS server answers at {url} ({type(error).__name__})") from error
    try:
        yield connection
    finally:
        await connection.close()


async def _quiet(error: Exception) -> None:
    """What goes wrong with a request is raised where it was made."""
