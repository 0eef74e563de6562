"""SIGKILL at the worst moments, and a restart: nothing lost, nothing doubled, every generation ends."""

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from tests.support.environments.saga import Emulator, Saga, action_names, saga
from tests.support.eventually import eventually
from tests.support.servers.instances import S3Server, nats_server

from telecine_contracts.credits import LedgerEvent

ACK = "telecine_jetstream.pull_consumer:Delivery.ack"
APPEND = "telecine_chassis.eventstore.jetstream:JetStreamEventStore.append"
SUBMIT = "telecine_generation.provider.ark:ArkProvider.submit"
TIMER = "telecine_chassis.timers.jetstream:JetStreamTimers.set"
PART = "telecine_storage.bucket.s3_multipart:MultipartUpload.add"
PUT = "telecine_storage.bucket.s3:S3Bucket.put_stream"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(
    s3: S3Server, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Saga]:
    """Services for every kill of this module: each case replaces one and starts it again."""
    folder = tmp_path_factory.mktemp("saga")
    async with nats_server(folder) as nats, saga(nats, s3, emulator, folder) as running:
        yield running


@pytest.fixture(scope="module")
def accounts() -> Iterator[str]:
    return (f"account-{number}" for number in itertools.count())


@pytest.mark.asyncio(loop_scope="module")
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
    environment: Saga, accounts: Iterator[str], service: str, target: str, moment: str, count: int
) -> None:
    account = next(accounts)
    await environment.grant(account, 100)
    await environment.stop(service)
    victim = environment.process(service, die=(target, moment, count))
    victim.start()
    size = 40_000_000 if target == PART else 1_000_000  # the copy in several parts
    try:
        generation = await environment.request(account, f"a lighthouse [emulator:result_bytes={size}]")
        await eventually(lambda: not victim.running, within=30, what="the service did not die")
        assert victim.returncode == -9
    finally:
        victim.kill()
        await environment.start(service)
    assert await environment.closed(account, generation, within=40) == ["debited", "settled"]
    await assert_once(environment, account, generation)


async def assert_once(environment: Saga, account: str, generation: str) -> None:
    """One debit and one end, one task at the provider, one stored video."""
    assert action_names(await environment.ledger(account)) == ["granted", "debited", "settled"]
    assert await environment.balances(account) == {"available": 60, "held": 0}
    actions = action_names(await environment.video(account, generation))
    assert [actions.count(name) for name in ("requested", "submitted", "ready", "stored")] == [1, 1, 1, 1]
    accepted = [
        entry
        for entry in await environment.emulator.submissions(generation)
        if entry["outcome"].startswith("accepted")
    ]
    assert len(accepted) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_fifty_at_once_with_credits_for_one(environment: Saga, accounts: Iterator[str]) -> None:
    account = next(accounts)
    await environment.grant(account, 40)
    generations = [await environment.request(account, f"lighthouse number {number}") for number in range(50)]
    ends = [await environment.closed(account, generation, within=60) for generation in generations]

    assert sorted(map(len, ends)) == [1] * 49 + [2]
    entries = [entry.event for entry in await environment.ledger(account)]
    assert all(entry.balances.available >= 0 for entry in entries if isinstance(entry, LedgerEvent))
    assert await environment.balances(account) == {"available": 0, "held": 0}
