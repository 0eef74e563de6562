"""SIGKILL at the worst moments, and a restart: nothing lost, nothing doubled, every generation ends."""

from pathlib import Path

import pytest
from tests.support.environments.saga import Emulator, Saga, action_names, saga
from tests.support.eventually import eventually
from tests.support.servers.instances import NatsServer, S3Server

from telecine_contracts.credits import LedgerEvent

ACK = "nats.aio.msg:Msg.ack"
APPEND = "telecine_chassis.eventstore.jetstream:JetStreamEventStore.append"
SUBMIT = "telecine_generation.provider.ark:ArkProvider.submit"
TIMER = "telecine_chassis.timers.jetstream:JetStreamTimers.set"
PART = "telecine_storage.bucket.s3_multipart:Multipart.add"
PUT = "telecine_storage.bucket.s3:S3Bucket.put_stream"


@pytest.mark.parametrize(
    ("service", "target", "moment", "count"),
    [
        pytest.param("credits", APPEND, "before", 1, id="credits, before the debit"),
        pytest.param("credits", APPEND, "after", 1, id="credits, between the debit and its acknowledgement"),
        pytest.param(
            "credits", APPEND, "after", 2, id="credits, between the settlement and its acknowledgement"
        ),
        pytest.param("generation", SUBMIT, "before", 1, id="generation, after SubmissionStarted"),
        pytest.param("generation", SUBMIT, "after", 1, id="generation, after the provider's answer"),
        pytest.param("generation", APPEND, "after", 2, id="generation, after GenerationSubmitted"),
        pytest.param("generation", TIMER, "before", 1, id="generation, before the first timer"),
        pytest.param("generation", ACK, "before", 2, id="generation, before a poll is acknowledged"),
        pytest.param("storage", PART, "after", 2, id="storage, in mid-copy"),
        pytest.param("storage", PUT, "after", 1, id="storage, after the copy, before VideoStored"),
        pytest.param("storage", ACK, "before", 1, id="storage, before the copy is acknowledged"),
    ],
)
async def test_a_service_that_dies_leaves_nothing_lost_and_nothing_doubled(
    nats: NatsServer,
    s3: S3Server,
    emulator: Emulator,
    tmp_path: Path,
    service: str,
    target: str,
    moment: str,
    count: int,
) -> None:
    async with saga(nats, s3, emulator, tmp_path, without=service if service != "credits" else "") as world:
        await world.grant("ann", 100)
        if service == "credits":
            await world.stop("credits")
        victim = world.process(service, die=(target, moment, count))
        victim.start()
        try:
            generation = await world.request("ann", "a lighthouse [emulator:result_bytes=40000000]")
            await eventually(lambda: not victim.running, within=30, what="the service did not die")
            assert victim.returncode == -9
        finally:
            victim.kill()
        await world.start(service)
        assert await world.closed("ann", generation, within=40) == ["debited", "settled"]
        await assert_once(world, generation)


async def assert_once(world: Saga, generation: str) -> None:
    """One debit and one end, one task at the provider, one stored video."""
    entries = await world.ledger("ann")
    assert action_names(entries) == ["granted", "debited", "settled"]
    assert await world.balances("ann") == {"available": 60, "held": 0}
    actions = action_names(await world.video("ann", generation))
    assert [actions.count(name) for name in ("requested", "submitted", "ready", "stored")] == [1, 1, 1, 1]
    accepted = [
        e for e in await world.emulator.submissions(generation) if e["outcome"].startswith("accepted")
    ]
    assert len(accepted) == 1


@pytest.mark.parts("restart")
async def test_the_nats_server_dies_in_the_middle_of_everything(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    async with saga(nats, s3, emulator, tmp_path) as world:
        await world.grant("ann", 1000)
        generations = [await world.request("ann", f"lighthouse number {number}") for number in range(12)]
        await world.until("ann", generations[0], "submission_started")
        nats.kill()
        await nats.start()

        for generation in generations:
            assert await world.closed("ann", generation, within=60) == ["debited", "settled"]
            assert action_names(await world.video("ann", generation)).count("submitted") == 1
            assert len(await world.emulator.submissions(generation)) == 1
        assert await world.balances("ann") == {"available": 520, "held": 0}


async def test_fifty_at_once_with_credits_for_one(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    async with saga(nats, s3, emulator, tmp_path) as world:
        await world.grant("ann", 40)
        generations = [await world.request("ann", f"lighthouse number {number}") for number in range(50)]
        ends = [await world.closed("ann", generation, within=60) for generation in generations]

        assert sorted(map(len, ends)) == [1] * 49 + [2]
        entries = [entry.event for entry in await world.ledger("ann")]
        assert all(entry.balances.available >= 0 for entry in entries if isinstance(entry, LedgerEvent))
        assert await world.balances("ann") == {"available": 0, "held": 0}
