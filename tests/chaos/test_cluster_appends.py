"""Three NATS servers, killed in the middle of appends: what was acknowledged is kept once, and on every server."""

import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from nats.aio.client import Client
from tests.support.cluster.append_load import writers
from tests.support.cluster.nats_cluster import (
    NatsCluster,
    follower_of,
    leader_of,
    nats_cluster,
    provision_cluster,
)
from tests.support.eventually import eventually_async

from telecine_chassis.nats.connection import connect
from telecine_contracts.permissions import OPERATOR
from telecine_jetstream.direct_get import fetch_page

EARLIEST, LATEST = 20, 200
"""How many events were acknowledged since the last trouble when the next one comes: any number between."""
ALL = "video.*.*.*"
Victims = Callable[[NatsCluster, Client, random.Random], Awaitable[list[str]]]


async def meta_leader(cluster: NatsCluster, operator: Client, chance: random.Random) -> list[str]:
    return [await cluster.meta_leader()]


async def leader(cluster: NatsCluster, operator: Client, chance: random.Random) -> list[str]:
    return [await leader_of(operator, "VIDEO")]


async def follower(cluster: NatsCluster, operator: Client, chance: random.Random) -> list[str]:
    return [await follower_of(operator, "VIDEO")]


async def all_servers(cluster: NatsCluster, operator: Client, chance: random.Random) -> list[str]:
    return list(cluster.servers)


KILL_SCENARIOS: tuple[Victims, ...] = (meta_leader, leader, follower, all_servers)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[NatsCluster]:
    async with nats_cluster(tmp_path) as running:
        yield running


async def copy_of(cluster: NatsCluster, name: str) -> Mapping[int, str]:
    """VIDEO as a server tells it, from its own copy where it can: sequence → id."""
    connection = await connect(cluster.client_url(name), "gateway", access=cluster.access("gateway"))
    found: dict[int, str] = {}
    try:
        while (
            last := await fetch_page(connection, "VIDEO", ALL, max(found, default=0), limit=500, timeout=5)
        ).records:
            found |= {each.sequence: each.headers["ce-id"] for each in last.records}
    finally:
        await connection.close()
    return found


async def test_acknowledged_appends_survive_kills(
    cluster: NatsCluster,
) -> None:
    seed = secrets.randbits(32)
    chance = random.Random(seed)  # noqa: S311  no secret: when servers die
    await provision_cluster(cluster)
    operator = await connect(cluster.url, OPERATOR, access=cluster.access(OPERATOR))
    async with writers(cluster) as work:
        for trouble in KILL_SCENARIOS:
            await work.more(chance.randint(EARLIEST, LATEST))
            victims = await trouble(cluster, operator, chance)
            for victim in victims:
                cluster.kill(victim)
            if len(victims) == 1:
                await work.more(EARLIEST)  # the other two go on
            cluster.start(*victims)
            await cluster.healthy()
        await work.more(EARLIEST)
    await operator.close()

    for name in cluster.servers:
        assert await copy_of(cluster, name) == work.acknowledged, f"seed {seed}"

        async def all_there(name: str = name) -> bool:
            everything = {"messages": len(work.acknowledged), "last": max(work.acknowledged)}
            return await cluster.kept(name, "VIDEO") == everything

        await eventually_async(all_there, what=f"{name} does not keep everything, seed {seed}")
