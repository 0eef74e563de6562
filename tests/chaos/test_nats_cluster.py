"""Three NATS servers as deploy/nats-cluster sets them up, killed one at a time: nothing lost, everything ends once."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs
from tests.support.cluster.generation_load import assert_exactly_once, demand
from tests.support.cluster.nats_cluster import NatsCluster, cluster_saga, follower_of, leader_of, nats_cluster
from tests.support.environments.saga import Emulator, Saga, is_answering
from tests.support.servers.instances import S3Server

from telecine_chassis.consumers.dead_letters import DeadLetters
from telecine_contracts.permissions import AUDITOR
from telecine_credits.checkpoints.key import Signer

SIGNER = Signer.new("ledger.test.example")
SIGNING = {"checkpoint_key": SIGNER.secret_text(), "checkpoint_entries": 20, "checkpoint_interval": 1}
ALARMS = {"service.unhealthy", "service.failed", "nats.not_allowed", "projection.dead_letter"}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[NatsCluster]:
    async with nats_cluster(tmp_path / "nats") as running:
        yield running


@pytest.fixture
async def environment(
    cluster: NatsCluster, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> AsyncIterator[Saga]:
    async with cluster_saga(cluster, s3, emulator, tmp_path, **SIGNING) as running:
        yield running


async def test_a_server_may_die_at_any_time_and_even_lose_its_disk(
    environment: Saga, cluster: NatsCluster
) -> None:
    await environment.grant("ann", 1_000_000)
    gateway, key = environment.gateway_url, await known_key(environment, "ann")
    with capture_logs() as logged:
        async with demand([gateway], key, clients=4, patient=True) as asked:
            await asked.more_ended(4)
            leader = await leader_of(environment.connection, "LEDGER")
            cluster.kill(leader)
            await asked.more_ended(4)
            cluster.start(leader)
            await cluster.healthy()

            follower = await follower_of(environment.connection, "LEDGER")
            cluster.kill(follower)
            cluster.lose_disk(follower)
            await asked.more_ended(4)
            cluster.start(follower)
            await cluster.healthy()
            await asked.more_ended(4)

    assert [line for line in logged if line["event"] in ALARMS] == []
    assert await DeadLetters(environment.connection).list() == []
    await assert_exactly_once(environment, "ann", asked)
    for name in cluster.servers:  # a server answers from its own copy where it can
        await assert_clean(cluster, cluster.client_url(name))


async def known_key(environment: Saga, account: str) -> str:
    """A key of the account that the gateway knows already."""
    key = await environment.key(account)
    async with httpx.AsyncClient(base_url=environment.gateway_url, headers={"X-API-Key": key}) as http:
        await is_answering(http)
    return key


async def assert_clean(cluster: NatsCluster, url: str) -> None:
    """The auditor's word, given with nothing but its own identity and the public key."""
    seed = str(cluster.access(AUDITOR).nkey_seed)
    command = ("verify", "--nats", url, "--nkey-seed", seed, "--key", str(SIGNER.verifier))
    auditor = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telecine_auditor", *command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await auditor.communicate()
    assert auditor.returncode == 0, said.decode()
