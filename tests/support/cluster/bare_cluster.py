"""Three nats-servers with our streams and without authentication: for operations that no identity may perform."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from telecine_cli.errors import ProvisioningRefused
from telecine_cli.provisioning.streams import provision
from telecine_cli.stack.binaries import find_nats_server
from telecine_cli.stack.ports import LOOPBACK, free_ports
from telecine_cli.stack.process import Command, Process

__all__ = ["Replicas", "replicas"]

_SERVERS = 3
_READY_SECONDS = 30.0


@dataclass(frozen=True)
class Replicas:
    """Where the servers are."""

    ports: tuple[int, ...]

    @property
    def url(self) -> str:
        """All servers, with commas between."""
        return ",".join(f"nats://{LOOPBACK}:{port}" for port in self.ports)

    async def connect(self) -> Client:
        """A connection to one of the servers."""

        async def quiet(error: Exception) -> None:
            """A server that is not up yet is an answer here."""

        return await nats.connect(
            self.url.split(","),
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=1,
            error_cb=quiet,
        )

    async def provisioned(self) -> bool:
        """Whether there is a leader that has made all our streams, with three replicas each."""
        try:
            connection = await self.connect()
        except (OSError, NatsError):
            return False
        try:
            await provision(connection, replicas=_SERVERS, consumers=())
        except (OSError, NatsError, APIError, ProvisioningRefused):
            return False
        finally:
            await connection.close()
        return True


@asynccontextmanager
async def replicas(folder: Path) -> AsyncIterator[Replicas]:
    """Three servers with our streams (about three seconds)."""
    ports = free_ports(2 * _SERVERS)
    clients, routes = ports[:_SERVERS], ports[_SERVERS:]
    processes = [_server(folder, number, clients[number], routes) for number in range(_SERVERS)]
    together = Replicas(tuple(clients))
    try:
        for process in processes:
            process.start()
        await processes[0].wait_ready(together.provisioned, _READY_SECONDS)
        yield together
    finally:
        for process in processes:
            process.kill()


def _server(folder: Path, number: int, port: int, routes: list[int]) -> Process:
    own = folder / f"server-{number}"
    own.mkdir(parents=True)
    config = own / "nats-server.conf"
    cluster = {
        "name": "telecine",
        "host": LOOPBACK,
        "port": routes[number],
        "routes": [f"nats://{LOOPBACK}:{route}" for route in routes],
    }
    settings = {
        "server_name": f"server-{number}",
        "host": LOOPBACK,
        "port": port,
        "jetstream": {"store_dir": str(own / "store")},
        "cluster": cluster,
    }
    config.write_text(json.dumps(settings))
    return Process(Command("nats", (str(find_nats_server(None)), "--config", str(config)), own / "nats.log"))
