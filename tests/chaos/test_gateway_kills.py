"""The gateway dies between what it does and what it says: the same request again gets the same generation."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from tests.support.environments.saga import Emulator, Saga, action_names, is_answering, saga
from tests.support.eventually import eventually
from tests.support.servers.instances import S3Server, nats_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = {"prompt": "a lighthouse", "resolution": "480p", "duration": 2}
APPEND = "telecine_chassis.eventstore.jetstream:JetStreamEventStore.append"
OUTCOME = "telecine_gateway.videos.submission:Submissions.submit"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(
    s3: S3Server, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Saga]:
    """Every service but the gateway, for every case of this module."""
    folder = tmp_path_factory.mktemp("saga")
    async with nats_server(folder) as nats, saga(nats, s3, emulator, folder) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def account(environment: Saga, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """An account of the test's own; the gateway that the test started is stopped after it."""
    yield f"account-{abs(hash(request.node.name)) % 10**9}"
    if "gateway" in environment.services:
        await environment.stop("gateway")


@pytest.mark.parametrize(
    ("target", "moment"),
    [
        pytest.param(APPEND, "before", id="before the append"),
        pytest.param(APPEND, "after", id="between the append and the answer"),
        pytest.param(OUTCOME, "after", id="with the answer in its hands"),
    ],
)
async def test_a_request_whose_answer_was_lost_is_asked_again(
    environment: Saga, account: str, target: str, moment: str
) -> None:
    await environment.grant(account, 100)
    headers = {"X-API-Key": await environment.key(account), "Idempotency-Key": "the-very-first"}
    async with httpx.AsyncClient(base_url=environment.gateway_url, headers=headers, trust_env=False) as http:
        # The first append records the use of the key.
        count = 2 if target == APPEND else 1
        victim = environment.process("gateway", die=(target, moment, count))
        victim.start()
        try:
            await is_answering(http)
            with pytest.raises(httpx.TransportError):
                await http.post("/api/video/generate", json=BODY)
            await eventually(lambda: not victim.running, within=10, what="the gateway did not die")
        finally:
            victim.kill()
        await environment.start("gateway")
        await is_answering(http)

        first = await http.post("/api/video/generate", json=BODY)
        again = await http.post("/api/video/generate", json=BODY)

        assert first.status_code == 200
        assert first.json()["remainingCredits"] == 60
        assert (again.status_code, again.json()) == (200, first.json())
        assert await environment.closed(account, first.json()["id"]) == ["debited", "settled"]
        assert action_names(await environment.ledger(account)) == ["granted", "debited", "settled"]
        assert len((await http.get("/api/video/history")).json()["items"]) == 1


async def test_fifty_posts_at_once_with_credits_for_one(environment: Saga, account: str) -> None:
    await environment.start("gateway")
    await environment.grant(account, 40)
    headers = {"X-API-Key": await environment.key(account)}
    async with httpx.AsyncClient(
        base_url=environment.gateway_url, headers=headers, trust_env=False, timeout=30
    ) as http:
        await is_answering(http)
        found = await asyncio.gather(*(http.post("/api/video/generate", json=BODY) for _ in range(50)))

        assert sorted(answer.status_code for answer in found) == [200] + [402] * 49
        refused = next(answer.json() for answer in found if answer.status_code == 402)
        assert (refused["code"], refused["remainingCredits"]) == ("insufficient_credits", 0)
        accepted = next(answer.json() for answer in found if answer.status_code == 200)
        assert await environment.closed(account, accepted["id"]) == ["debited", "settled"]
        credits = (await http.get("/api/credits")).json()
        assert (credits["available"], credits["held"]) == (0, 0)
