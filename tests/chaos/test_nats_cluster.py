"""Three NATS servers as deploy/nats-cluster sets them up, killed one at a time: nothing lost, everything ends once."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.support.demand import Demand, demand
from tests.support.nats_cluster import NatsCluster, a_follower_of, clustered_saga, leader_of, nats_cluster
from tests.support.parts import S3Server
from tests.support.saga import Emulator, Saga, answers

from telecine_contracts.permissions import AUDITOR
from telecine_credits.checkpoint_key import Signer

SIGNER = Signer.new("ledger.test.example")
SIGNING = {"checkpoint_key": SIGNER.secret_text(), "checkpoint_entries": 20, "checkpoint_interval": 1}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[NatsCluster]:
    async with nats_cluster(tmp_path / "nats") as running:
        yield running


@pytest.fixture
async def world(
    cluster: NatsCluster, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> AsyncIterator[Saga]:
    async with clustered_saga(cluster, s3, emulator, tmp_path, **SIGNING) as running:
        yield running


async def test_a_server_may_die_at_any_time_and_come_back(world: Saga, cluster: NatsCluster) -> None:
    await world.grant("ann", 1_000_000)
    async with demand([world.gateway_url], await known_key(world, "ann"), clients=5, patient=True) as asked:
        await asked.more_ended(5)
        for victim_of in (leader_of, a_follower_of):
            victim = await victim_of(world.connection, "LEDGER")
            cluster.kill(victim)
            await asked.more_ended(5)
            cluster.start(victim)
            await cluster.healthy()
            await asked.more_ended(5)

    assert Counter(asked.ended.values()) == {"completed": len(asked.accepted)}
    await assert_each_once(world, asked)
    await assert_clean(cluster)


async def known_key(world: Saga, account: str) -> str:
    """A key of the account that the gateway knows already."""
    key = await world.key(account)
    async with httpx.AsyncClient(base_url=world.gateway_url, headers={"X-API-Key": key}) as http:
        await answers(http)
    return key


async def assert_each_once(world: Saga, asked: Demand) -> None:
    """One debit and one settlement for each generation, and nothing else; one task at the provider."""
    entries = [entry.event for entry in await world.ledger("ann")]
    about = Counter((entry.action, entry.about.get("generation")) for entry in entries)
    once = {(action, generation): 1 for generation in asked.accepted for action in ("debited", "settled")}
    assert about == {("granted", None): 1, **once}
    for generation in asked.accepted:
        tried = await world.emulator.submissions(generation)
        assert [entry["outcome"].startswith("accepted") for entry in tried].count(True) == 1


async def assert_clean(cluster: NatsCluster) -> None:
    """The auditor's word, given with nothing but its own identity and the public key."""
    seed = str(cluster.access(AUDITOR).nkey_seed)
    command = ("verify", "--nats", cluster.url, "--nkey-seed", seed, "--key", str(SIGNER.verifier))
    auditor = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telecine_auditor", *command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await auditor.communicate()
    assert auditor.returncode == 0, said.decode()
