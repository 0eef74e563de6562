"""Rate limits on real parts: what is refused, how, and what two gateways admit together."""

import asyncio
import re
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from tests.support.environments.gateway import AccountClient, Gateway, GatewayEnvironment, gateway_environment
from tests.support.eventually import eventually_async
from tests.support.servers.instances import nats_server

from telecine_cli.limits.events import set_limits
from telecine_contracts import subjects
from telecine_contracts.access import RateLimit, RateLimitsSet
from telecine_gateway.rate_limits.headers import QUOTA_EXCEEDED

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.server]

NEVER = "/14400"
"""Of a rate: seconds so long that nothing comes back during a test. The quota must be 120 or more."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayEnvironment]:
    """One NATS server and credits service for all tests of this module."""
    folder = tmp_path_factory.mktemp("gateway")
    async with nats_server(folder) as nats, gateway_environment(nats, folder) as shared, shared.credits():
        yield shared


@pytest.fixture
def environment(shared: GatewayEnvironment) -> GatewayEnvironment:
    return shared.for_test()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(shared: GatewayEnvironment) -> AsyncIterator[Gateway]:
    async with shared.gateway() as gateway:
        yield gateway


def parsed(headers: httpx.Headers, name: str) -> dict[str, dict[str, int]]:
    """A header: each item with its parameters. A unit test reads such headers with a parser of Structured Fields."""
    items = [re.fullmatch(r'"([a-z-]+)"((?:;[a-z]+=[0-9]+)+)', item) for item in headers[name].split(", ")]
    assert all(items), headers[name]
    return {
        item[1]: {key: int(value) for key, value in re.findall("([a-z]+)=([0-9]+)", item[2])}
        for item in items
        if item
    }


def assert_is_refusal(answer: httpx.Response, *policies: str) -> None:
    """A 429 in the API's terms and in those of the draft."""
    body = answer.json()
    assert answer.status_code == 429, body
    assert body["code"] == "rate_limited"
    assert body["type"] == QUOTA_EXCEEDED
    assert body["violated-policies"] == list(policies)
    left, limits = parsed(answer.headers, "ratelimit"), parsed(answer.headers, "ratelimit-policy")
    assert set(policies) <= set(left) == set(limits)
    wait = int(answer.headers["retry-after"])
    assert all(left[policy]["r"] == 0 and 1 <= left[policy]["t"] <= wait <= 120 for policy in policies)


async def change_limits(
    environment: GatewayEnvironment,
    account: str,
    *,
    requests: RateLimit | None = None,
    generations: RateLimit | None = None,
) -> None:
    """As `telecine limits set`."""
    limits = RateLimitsSet(account=account, requests=requests, generations=generations)
    await set_limits(environment.connection, account, lambda before: limits)


async def recorded(environment: GatewayEnvironment, account: str) -> int:
    """Requests for videos of an account that are in the stream."""
    return len(await environment.load(f"video.{account}.*.requested"))


async def test_answers_say_what_is_left_of_each_limit(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway, credits=300)

    read, asked = await owner.get("/api/credits"), await owner.generate()

    assert list(parsed(read.headers, "ratelimit")) == ["address", "key", "account"]
    assert parsed(read.headers, "ratelimit-policy")["key"] == {"q": 60000, "w": 60}
    assert parsed(asked.headers, "ratelimit")["generations"]["r"] == 11_999


async def test_health_documents_and_content_are_not_limited(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway)

    for path in ("/healthz", "/readyz", "/docs", "/openapi.json", "/api/video/unknown/content"):
        assert "ratelimit" not in (await owner.get(path)).headers, path


async def test_a_key_and_its_account_have_limits(environment: GatewayEnvironment) -> None:
    async with environment.gateway(rate_limit_key=f"120{NEVER}", rate_limit_account=f"150{NEVER}") as gateway:
        owner = await environment.owner(gateway)
        used = 150 - parsed((await owner.get("/api/credits")).headers, "ratelimit")["account"]["r"]
        second = AccountClient(owner.account, await environment.key(owner.account), gateway.http)
        other = await environment.owner(gateway, "other")

        of_key = await asyncio.gather(*(owner.get("/api/credits") for _ in range(121 - used)))
        of_account = await asyncio.gather(*(second.get("/api/credits") for _ in range(31)))

        assert [answer.status_code for answer in of_key].count(429) == 1
        assert_is_refusal(await owner.get("/api/credits"), "key", "account")
        assert [answer.status_code for answer in of_account].count(200) == 30
        assert_is_refusal(await second.get("/api/credits"), "account")
        assert (await other.get("/api/credits")).status_code == 200


async def test_an_address_has_a_limit_and_proxies_are_believed_if_trusted(
    environment: GatewayEnvironment,
) -> None:
    trusted = {"rate_limit_address": f"120{NEVER}", "trusted_proxies": ("127.0.0.1",)}
    async with environment.gateway(**trusted) as gateway:

        async def prices(client: str) -> httpx.Response:
            return await gateway.http.get("/api/pricing", headers={"X-Forwarded-For": client})

        answers = await asyncio.gather(*(prices("198.51.100.1") for _ in range(120)))
        assert {answer.status_code for answer in answers} == {200}
        assert_is_refusal(await prices("198.51.100.1"), "address")
        assert_is_refusal(await prices("made up, 198.51.100.1"), "address")
        assert (await prices("198.51.100.2")).status_code == 200


async def test_made_up_forwarded_addresses_do_not_help(environment: GatewayEnvironment) -> None:
    async with environment.gateway(rate_limit_address=f"120{NEVER}") as gateway:
        made_up = [{"X-Forwarded-For": f"198.51.100.{number}"} for number in range(121)]
        answers = await asyncio.gather(*(gateway.http.get("/api/pricing", headers=each) for each in made_up))

        assert [answer.status_code for answer in answers].count(429) == 1


async def test_failed_authentication_is_limited_but_not_who_authenticates(
    environment: GatewayEnvironment,
) -> None:
    async with environment.gateway(rate_limit_failed_auth=f"120{NEVER}") as gateway:
        owner = await environment.owner(gateway)
        wrong = {"X-API-Key": "wrong"}
        first = await gateway.http.get("/api/credits", headers=wrong)
        assert (await owner.get("/api/credits")).status_code == 200
        left = parsed(first.headers, "ratelimit")["failed-authentication"]["r"]
        for _ in range(left):
            assert (await gateway.http.get("/api/credits", headers=wrong)).status_code == 401

        assert_is_refusal(await gateway.http.get("/api/credits", headers=wrong), "failed-authentication")
        content = await gateway.http.get(f"/api/video/{uuid4()}/content", headers=wrong)
        assert_is_refusal(content, "failed-authentication")
        assert (await owner.get("/api/credits")).status_code == 200
        assert (await gateway.http.get("/api/pricing")).status_code == 200


async def test_a_refused_request_costs_nothing_and_is_not_recorded(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway, credits=300)
    await change_limits(environment, owner.account, generations=RateLimit(limit=1, seconds=120))
    accepted = await limited(owner, "first")

    refused = await owner.generate(idempotency_key="second")

    assert_is_refusal(refused, "generations")
    assert await recorded(environment, owner.account) == 1
    assert (await owner.get("/api/credits")).json()["available"] == 250
    repeated = await owner.generate(idempotency_key="first")
    assert (repeated.status_code, repeated.json()) == (200, accepted.json())
    other = await owner.generate({"prompt": "another cat"}, idempotency_key="first")
    assert other.json()["code"] == "idempotency_conflict"


async def limited(owner: AccountClient, key: str, limit: int = 1) -> httpx.Response:
    """An accepted request, once the gateway knows the limit of the account."""

    async def has_limit() -> bool:
        answer = await owner.generate({"prompt": 1})
        assert answer.status_code == 400
        probe = await owner.generate(idempotency_key=key)
        found = parsed(probe.headers, "ratelimit-policy")["generations"]["q"] == limit
        if found:
            answers.append(probe)
        return found

    answers: list[httpx.Response] = []
    await eventually_async(has_limit)
    return answers[0]


async def test_changed_limits_are_in_force_at_all_gateways_at_once(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    async with environment.gateway() as second:
        owner = await environment.owner(gateway)
        there = AccountClient(owner.account, owner.key, second.http)
        for limits in (RateLimit(limit=500), RateLimit(limit=0), None):
            await change_limits(environment, owner.account, requests=limits)
            quota = {500: 500, 0: None, None: 90_000}[limits.limit if limits else None]
            for client in (owner, there):

                async def in_force(client: AccountClient = client, quota: int | None = quota) -> bool:
                    answer = await client.get("/api/credits")
                    found = parsed(answer.headers, "ratelimit-policy").get("account", {})
                    return found.get("q") == quota

                await eventually_async(in_force)


async def test_64_parallel_requests_at_one_gateway_meet_the_limit_exactly(
    environment: GatewayEnvironment,
) -> None:
    async with environment.gateway(rate_limit_generations="20/2400") as gateway:
        owner = await environment.owner(gateway, credits=10_000)

        answers = await asyncio.gather(*(owner.generate() for _ in range(64)))

        assert sorted(answer.status_code for answer in answers) == [200] * 20 + [429] * 44
        assert await recorded(environment, owner.account) == 20
        assert (await owner.get("/api/credits")).json()["available"] == 10_000 - 20 * 50


async def test_two_gateways_together_admit_the_limit_and_what_is_in_flight(
    environment: GatewayEnvironment,
) -> None:
    limit, workers = 40, 8
    setting = {"rate_limit_generations": f"{limit}/4800"}
    async with environment.gateway(**setting) as first, environment.gateway(**setting) as second:
        owner = await environment.owner(first, credits=100_000)
        there = AccountClient(owner.account, owner.key, second.http)
        accepted = 0

        async def work(client: AccountClient) -> None:
            nonlocal accepted
            for _ in range(16):
                answer = await client.generate()
                accepted += answer.status_code == 200
                assert answer.status_code in (200, 429)

        await asyncio.gather(*(work(client) for client in (owner, there) for _ in range(workers // 2)))

        # In flight at one gateway, not yet seen by the other: at most one request of each worker.
        assert limit <= accepted <= limit + workers // 2
        assert await recorded(environment, owner.account) == accepted
        for client in (owner, there):
            assert_is_refusal(await client.generate(), "generations")


async def test_after_a_restart_the_requests_of_the_last_window_count(environment: GatewayEnvironment) -> None:
    setting = {"rate_limit_generations": "5/600"}
    async with environment.gateway(**setting) as gateway:
        owner = await environment.owner(gateway, credits=1000)
        for _ in range(4):
            assert (await owner.generate()).status_code == 200

    async with environment.gateway(**setting) as restarted:
        there = AccountClient(owner.account, owner.key, restarted.http)
        assert (await there.generate()).status_code == 200
        assert_is_refusal(await there.generate(), "generations")


async def test_limits_that_are_off_leave_no_trace(environment: GatewayEnvironment) -> None:
    names = ("address", "key", "account", "generations", "failed_auth")
    async with environment.gateway(**{f"rate_limit_{name}": "0" for name in names}) as gateway:
        owner = await environment.owner(gateway, credits=100)

        answers = [await owner.generate(), await gateway.http.get("/api/credits")]

        assert [answer.status_code for answer in answers] == [200, 401]
        assert not any("ratelimit" in answer.headers for answer in answers)


async def test_the_key_commands_of_an_account_are_untouched_by_its_limits(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway)
    await change_limits(environment, owner.account, requests=RateLimit(limit=1000))

    await environment.revoke(owner)

    assert len(await environment.load(subjects.access(owner.account))) >= 3
