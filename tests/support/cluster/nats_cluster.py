"""Three nats-servers on the configuration of deploy/nats-cluster, on loopback: each may be killed and started."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from nats.aio.client import Client
from tests.support.environments.saga import Emulator, Saga
from tests.support.servers.instances import S3Server

from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.nats.connection import connect
from telecine_cli.price_catalog import publish_first_prices
from telecine_cli.provisioning.credentials import make_credentials, seed_file
from telecine_cli.provisioning.streams import provision
from telecine_cli.stack.binaries import find_nats_server
from telecine_cli.stack.ports import LOOPBACK, free_ports
from telecine_cli.stack.process import Command, Process
from telecine_contracts import registry
from telecine_contracts.permissions import OPERATOR, PROVISIONER, SERVICES
from telecine_contracts.price_files import built_in_table
from telecine_contracts.streams import CONSUMERS, Consumer
from telecine_jetstream.identity import NatsIdentity

__all__ = ["CLUSTER", "NatsCluster", "cluster_saga", "follower_of", "leader_of", "nats_cluster"]

CLUSTER = Path(__file__).parents[3] / "deploy" / "nats-cluster"
NAMES = ("nats-1", "nats-2", "nats-3")
CREDENTIALS, DATA = "credentials", "data"
_READY_SECONDS = 30.0


@dataclass(frozen=True)
class _Ports:
    client: int
    route: int
    monitoring: int


@dataclass(frozen=True)
class NatsCluster:
    """The servers by name. `folder` has one for each of them, and one with the identities that may come."""

    servers: Mapping[str, Process]
    ports: Mapping[str, _Ports]
    folder: Path

    @property
    def url(self) -> str:
        """All three, as TELECINE_NATS_URL has them."""
        return ",".join(self.client_url(name) for name in self.ports)

    def client_url(self, name: str) -> str:
        """Where clients connect to one of them."""
        return f"nats://{LOOPBACK}:{self.ports[name].client}"

    @property
    def monitoring_urls(self) -> Sequence[str]:
        """Where each of them tells of itself."""
        return [self.monitoring_url(name) for name in self.ports]

    def monitoring_url(self, name: str) -> str:
        """Where one of them tells of itself."""
        return f"http://{LOOPBACK}:{self.ports[name].monitoring}"

    def access(self, identity: str) -> NatsIdentity:
        """How an identity comes to them."""
        return NatsIdentity(nkey_seed=seed_file(self.folder / CREDENTIALS, identity))

    def start(self, *names: str) -> None:
        """Start them (again) on their own disks; `healthy` tells when they have caught up."""
        for name in names:
            self.servers[name].start()

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.servers[name].kill()

    def lose_disk(self, name: str) -> None:
        """All that a server which is down has kept is gone."""
        shutil.rmtree(self.folder / name / DATA)

    async def healthy(self) -> None:
        """Until all three hold everything that they should, up to the last message."""
        for name, server in self.servers.items():
            await server.wait_ready(partial(self._is_current, name), _READY_SECONDS)

    async def meta_leader(self) -> str:
        """The server that leads the cluster itself: it decides where streams and consumers are kept."""
        leader: str = (await self._tells(next(iter(self.servers)), "jsz"))["meta_cluster"]["leader"]
        assert leader in self.servers
        return leader

    async def kept(self, name: str, stream: str) -> Mapping[str, int]:
        """How many messages a server's own copy of a stream has, and the sequence of the last."""
        accounts = (await self._tells(name, "jsz?accounts=true&streams=true"))["account_details"]
        [state] = [
            each["state"] for one in accounts for each in one["stream_detail"] if each["name"] == stream
        ]
        return {"messages": state["messages"], "last": state["last_seq"]}

    async def _tells(self, name: str, page: str) -> Mapping[str, Any]:
        """A page of a server's monitoring."""
        async with httpx.AsyncClient(trust_env=False) as http:
            found = await http.get(f"{self.monitoring_url(name)}/{page}")
        told: Mapping[str, Any] = found.raise_for_status().json()
        return told

    async def _is_current(self, name: str) -> bool:
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                health = await http.get(f"{self.monitoring_url(name)}/healthz")
                kept = [(await http.get(f"{url}/jsz")).json() for url in self.monitoring_urls]
        except httpx.TransportError:
            return False
        # One whose disk was lost is in good health until it has heard of what it should hold.
        return health.status_code == 200 and len({(each["streams"], each["consumers"]) for each in kept}) == 1


async def leader_of(connection: Client, stream: str) -> str:
    """The server that leads a stream."""
    cluster = (await connection.jetstream().stream_info(stream)).cluster
    assert cluster is not None
    assert cluster.leader
    return str(cluster.leader)


async def follower_of(connection: Client, stream: str) -> str:
    """A server that keeps a stream and does not lead it."""
    leader = await leader_of(connection, stream)
    return next(name for name in NAMES if name != leader)


@asynccontextmanager
async def nats_cluster(folder: Path, *, healthy: bool = True) -> AsyncIterator[NatsCluster]:
    """Three servers with empty disks, which know each other and every identity; not yet ready if not `healthy`."""
    free = iter(free_ports(3 * len(NAMES)))
    ports = {name: _Ports(next(free), next(free), next(free)) for name in NAMES}
    users, routes = make_credentials(folder / CREDENTIALS).page, _routes(ports)
    servers = {name: _server(folder / name, name, ports[name], users, routes) for name in NAMES}
    cluster = NatsCluster(servers, ports, folder)
    try:
        cluster.start(*NAMES)
        if healthy:
            await cluster.healthy()
        yield cluster
    finally:
        for server in servers.values():
            server.kill()


async def provision_cluster(cluster: NatsCluster, consumers: Sequence[Consumer] = CONSUMERS) -> None:
    """Every stream on three servers, and these consumers."""
    provisioner = await connect(cluster.url, PROVISIONER, access=cluster.access(PROVISIONER))
    try:
        await provision(provisioner, replicas=3, consumers=consumers)
        await publish_first_prices(provisioner, built_in_table(), PROVISIONER)
    finally:
        await provisioner.close()


@asynccontextmanager
async def cluster_saga(
    cluster: NatsCluster, s3: S3Server, emulator: Emulator, folder: Path, **credits: Any
) -> AsyncIterator[Saga]:
    """Every service with its own identity, on streams with three replicas. `credits`: settings of that service.

    They look often at whether their consumers are there.
    """
    await provision_cluster(cluster, [replace(each, ack_wait=2) for each in CONSUMERS])
    connection = await connect(cluster.url, OPERATOR, access=cluster.access(OPERATOR))
    try:
        own = {
            name: {"nats_nkey_seed_file": cluster.access(name).nkey_seed, "look_interval": 0.5}
            for name in SERVICES
        }
        world = Saga(
            connection=connection,
            store=JetStreamEventStore(connection, registry()),
            emulator=emulator,
            nats=cluster,
            s3=s3,
            folder=folder,
            bucket=s3.new_bucket(),
            overrides=own | {"credits": {**own["credits"], **credits}},
        )
        try:
            await world.start(*SERVICES)
            yield world
        finally:
            await world.stop(*reversed(world.services))
    finally:
        await connection.close()


def _routes(ports: Mapping[str, _Ports]) -> str:
    addresses = [f"{LOOPBACK}:{each.route}" for each in ports.values()]
    done = subprocess.run([CLUSTER / "make-routes", *addresses], capture_output=True, text=True, check=True)
    return done.stdout


def _server(folder: Path, name: str, ports: _Ports, users: Path, routes: str) -> Process:
    (folder / "users").mkdir(parents=True)
    (folder / "users" / "routes.conf").write_text(routes)
    (folder / "users" / users.name).write_bytes(users.read_bytes())
    (folder / "nats.conf").write_text(_local_config(folder, ports))
    argv = (str(find_nats_server(None)), "--config", str(folder / "nats.conf"))
    return Process(Command(name, argv, folder / "nats.log", dict(os.environ) | {"SERVER_NAME": name}))


def _local_config(folder: Path, ports: _Ports) -> str:
    """The configuration as it ships, on other addresses and another disk."""
    text = (CLUSTER / "nats.conf").read_text()
    places = {
        "host: 0.0.0.0\nport: 4222": f"host: {LOOPBACK}\nport: {ports.client}",
        "http: 0.0.0.0:8222": f"http: {LOOPBACK}:{ports.monitoring}",
        "host: 0.0.0.0\n  port: 6222": f"host: {LOOPBACK}\n  port: {ports.route}",
        "store_dir: /data": f"store_dir: {folder / DATA}",
    }
    for there, here in places.items():
        assert text.count(there) == 1, f"{there!r} is not in nats.conf, once"
        text = text.replace(there, here)
    return text
