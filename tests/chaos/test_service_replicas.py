"""More than one of every service: nothing is done twice, all take part, and each may be restarted under load."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.support.cluster.generation_load import assert_exactly_once, demand
from tests.support.cluster.service_replicas import ReplicatedServices
from tests.support.environments.saga import Emulator, is_answering, saga
from tests.support.servers.instances import NatsServer, S3Server

REPLICAS = {"gateway": 2, "credits": 2, "generation": 3, "storage": 2}


@pytest.fixture
async def machines(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> AsyncIterator[ReplicatedServices]:
    patience = {"gateway": {"stop_grace": 15}}  # longer than a request waits for its outcome
    async with saga(nats, s3, emulator, tmp_path, overrides=patience) as world:
        machines = ReplicatedServices.like(world, 3)
        try:
            await machines.start(REPLICAS)
            yield machines
        finally:
            await machines.stop()


async def known_key(machines: ReplicatedServices, account: str) -> str:
    """A key of the account that every gateway knows already."""
    key = await machines.each[0].key(account)
    for gateway in machines.gateways():
        async with httpx.AsyncClient(base_url=gateway, headers={"X-API-Key": key}, trust_env=False) as http:
            await is_answering(http)
    return key


async def test_all_replicas_take_part_and_nothing_is_done_twice(machines: ReplicatedServices) -> None:
    [world, *_] = machines.each
    await world.grant("ann", 1_000_000)
    async with demand(machines.gateways(), await known_key(machines, "ann"), clients=6) as asked:
        await asked.more_ended(18)

    await assert_exactly_once(world, "ann", asked)
    assert set(asked.by_gateway) == set(machines.gateways())
    for consumer in ("credits-debit", "generation-submit", "generation-timers", "storage-copy"):
        shares = await machines.handled(consumer)
        assert min(shares) >= sum(shares) / len(shares) / 4, f"{consumer}: {shares}"


async def test_each_replica_is_restarted_under_load_and_no_request_fails(
    machines: ReplicatedServices,
) -> None:
    [world, *_] = machines.each
    await world.grant("ann", 1_000_000)
    async with demand(machines.gateways(), await known_key(machines, "ann"), clients=4) as asked:
        for service in REPLICAS:
            await machines.restart(service)
            await asked.more_ended(1)

    await assert_exactly_once(world, "ann", asked)
