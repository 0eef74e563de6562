"""POST /api/video/generate with real streams and the real credits service."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.data.video_events import GenerationEvents
from tests.support.environments.gateway import AccountClient, Gateway, GatewayEnvironment, gateway_environment
from tests.support.servers.instances import NatsServer, nats_server

from telecine_contracts import derive_id, subjects
from telecine_contracts.gateway import GenerationRequested
from telecine_contracts.video_models import DEFAULT_MODEL

OTHER_MODEL = "doubao-seedance-1-5-pro-251215"


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.server]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayEnvironment]:
    """One NATS server and credits service for all tests of this module."""
    folder = tmp_path_factory.mktemp("gateway")
    async with nats_server(folder) as nats, gateway_environment(nats, folder) as shared, shared.credits():
        yield shared


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(shared: GatewayEnvironment) -> AsyncIterator[Gateway]:
    async with shared.gateway() as gateway:
        yield gateway


@pytest.fixture
def environment(shared: GatewayEnvironment) -> GatewayEnvironment:
    return shared.for_test()


async def test_accepted_request_returns_remaining_credits(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway, credits=300)

    answer = await owner.generate({"prompt": "a cat", "duration": 5.0})

    body = answer.json()
    assert answer.status_code == 200, body
    assert body == {"id": body["id"], "taskId": body["id"], "status": "processing", "remainingCredits": 250}
    credits = (await owner.get("/api/credits")).json()
    assert (credits["available"], credits["held"]) == (250, 50)
    recorded = await environment.load(subjects.video(owner.account, body["id"]))
    event = recorded[0].event
    assert isinstance(event, GenerationRequested)
    assert (event.price.credits, event.parameters.ratio, event.parameters.resolution) == (50, "16:9", "720p")
    assert recorded[0].envelope.source == "telecine/gateway"
    assert recorded[0].envelope.correlation == body["id"]


async def test_insufficient_credits_return_402(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway, credits=30)

    answer = await owner.generate()

    assert answer.status_code == 402
    assert answer.json() == {
        "error": "Insufficient credits",
        "code": "insufficient_credits",
        "creditsNeeded": 50,
        "remainingCredits": 30,
    }


async def test_retry_is_independent_of_later_setting_changes(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway, credits=300)
    by_default, withdrawn = {"prompt": "a cat"}, {"prompt": "a cat", "model": DEFAULT_MODEL}
    first = [
        await owner.generate(by_default, Idempotency_Key="order-1"),
        await owner.generate(withdrawn, Idempotency_Key="order-2"),
    ]
    # As earlier versions recorded it: with the digest of the parameters, defaults filled in.
    earlier = GenerationEvents(owner.account, derive_id(owner.account, "idempotency-key order-3"))
    parameters = earlier.requested().parameters.model_dump(mode="json", exclude_none=True)
    canonical = json.dumps(parameters, sort_keys=True, separators=(",", ":"))
    await environment.append(earlier.requested(digest=hashlib.sha256(canonical.encode()).hexdigest()))

    async with environment.gateway(models=(OTHER_MODEL,), default_model=OTHER_MODEL) as changed:
        later = await environment.owner(changed, owner.account)
        again = [
            await later.generate(by_default, Idempotency_Key="order-1"),
            await later.generate(withdrawn, Idempotency_Key="order-2"),
        ]
        old = [await later.generate(body, Idempotency_Key="order-3") for body in (by_default, withdrawn)]
        others = [
            await later.generate(by_default | {"prompt": "a dog"}, Idempotency_Key="order-1"),
            await later.generate(withdrawn | {"prompt": "a dog"}, Idempotency_Key="order-2"),
            await later.generate(withdrawn | {"prompt": "a dog"}, Idempotency_Key="order-3"),
            await later.generate(by_default | {"duration": 6}, Idempotency_Key="order-3"),
        ]
        new = await later.generate(withdrawn, Idempotency_Key="order-4")

    assert [answer.content for answer in again] == [answer.content for answer in first]
    assert {(answer.status_code, answer.json()["id"]) for answer in old} == {(200, earlier.generation)}
    assert [answer.status_code for answer in others] == [409] * 4
    assert (new.status_code, new.json()["fields"][0]["field"]) == (400, "model")


async def test_concurrent_requests_never_overspend(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway, credits=50)

    answers = await asyncio.gather(*(owner.generate() for _ in range(50)))

    assert sorted(answer.status_code for answer in answers) == [200] + [402] * 49
    credits = (await owner.get("/api/credits")).json()
    assert (credits["available"], credits["held"]) == (0, 50)


async def test_repeated_key_and_body_return_the_same_response(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway, credits=100)

    first = await owner.generate({"prompt": "a cat"}, Idempotency_Key="order-1")
    other = await owner.generate({"prompt": "a cat"}, Idempotency_Key="order-2")
    again = await owner.generate({"seed": None, "prompt": "a cat"}, Idempotency_Key="order-1")
    too_poor = await owner.generate({"prompt": "a cat"}, Idempotency_Key="order-3")
    await environment.grant(owner.account, 500)
    still_too_poor = await owner.generate({"prompt": "a cat"}, Idempotency_Key="order-3")

    assert (first.status_code, other.status_code, too_poor.status_code) == (200, 200, 402)
    assert again.content == first.content
    assert first.json()["remainingCredits"] == 50
    assert first.json()["id"] != other.json()["id"]
    assert still_too_poor.content == too_poor.content
    assert len(await environment.load(subjects.video(owner.account, first.json()["id"]))) == 1


async def test_same_key_with_another_body_returns_409(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway, credits=500)
    await owner.generate({"prompt": "a cat"}, Idempotency_Key="order-1")

    answer = await owner.generate({"prompt": "a dog"}, Idempotency_Key="order-1")

    assert answer.status_code == 409
    assert "Idempotency-Key" in answer.json()["error"]
    assert (await owner.get("/api/credits")).json()["available"] == 450


async def test_idempotency_keys_are_per_account(environment: GatewayEnvironment, gateway: Gateway) -> None:
    one = await environment.owner(gateway, "one", credits=50)
    two = await environment.owner(gateway, "two", credits=50)

    answers = [await owner.generate(Idempotency_Key="order-1") for owner in (one, two)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["id"] != answers[1].json()["id"]


async def test_duplicate_requests_at_two_gateways(environment: GatewayEnvironment, gateway: Gateway) -> None:
    async with environment.gateway() as second:
        owner = await environment.owner(gateway, credits=500)
        elsewhere = AccountClient(owner.account, owner.key, second.http)
        await wait_until_key_works(elsewhere)

        twins = [*(owner for _ in range(25)), *(elsewhere for _ in range(25))]
        answers = await asyncio.gather(*(twin.generate(Idempotency_Key="order-1") for twin in twins))
        others = await asyncio.gather(
            *(
                twin.generate({"prompt": f"number {n % 2}"}, Idempotency_Key="order-2")
                for n, twin in enumerate(twins)
            )
        )

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.status_code for answer in others} == {200, 409}
    assert len({answer.content for answer in others if answer.status_code == 200}) == 1
    credits = (await owner.get("/api/credits")).json()
    assert (credits["available"], credits["held"]) == (400, 100)


async def wait_until_key_works(owner: AccountClient) -> None:
    for _ in range(400):
        if (await owner.get("/api/credits")).status_code == 200:
            return
    raise AssertionError("the key did not begin to work")


async def test_pending_when_outcome_times_out(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as nats, gateway_environment(nats, tmp_path) as environment:
        async with environment.gateway(answer_timeout=0.2) as gateway:
            owner = await environment.owner(gateway)

            early = await owner.generate(Idempotency_Key="order-1")
            id = early.json()["id"]
            record = (await owner.get(f"/api/video/{id}")).json()
            followed = await owner.status(id)

            assert early.status_code == 202
            assert early.json() == {"id": id, "taskId": id, "status": "pending"}
            assert early.headers["location"] == f"/api/video/status?taskId={id}&historyId={id}"
            assert (record["status"], record["creditsUsed"]) == ("pending", 0)
            assert (followed["status"], followed["taskStatus"]) == ("processing", "PENDING")
        async with environment.credits(), environment.gateway() as gateway:
            later = AccountClient(owner.account, owner.key, gateway.http)
            answer = await later.generate(Idempotency_Key="order-1")

            assert answer.status_code == 402
            assert (await later.status(id))["error"] == "Insufficient credits"


async def test_unresponsive_event_store_returns_503(tmp_path: Path) -> None:
    async with (
        nats_server(tmp_path) as nats,
        gateway_environment(nats, tmp_path) as environment,
        environment.credits(),
        environment.gateway(store_timeout=0.5) as gateway,
    ):
        await _check_unresponsive_event_store(environment, gateway, nats)


async def _check_unresponsive_event_store(
    environment: GatewayEnvironment, gateway: Gateway, nats: NatsServer
) -> None:
    owner = await environment.owner(gateway, credits=100)
    nats.kill()

    plain, keyed = await asyncio.gather(owner.generate(), owner.generate(Idempotency_Key="order-1"))

    for answer in (plain, keyed):
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "not known whether" in answer.json()["error"]
    assert "Idempotency-Key is safe" in keyed.json()["error"]
    assert plain.json()["id"]
    await nats.start()
    for _ in range(400):
        again = await owner.generate(Idempotency_Key="order-1")
        if again.status_code == 200:
            break
    assert again.json()["id"] == keyed.json()["id"]
    assert (await owner.generate(Idempotency_Key="order-1")).content == again.content


BAD_KEYS = [b"", b"a b", b"x" * 256, "\u00e9".encode("latin-1"), b"tab\tinside"]
BAD_BODIES = [
    (b"", 400, "not valid JSON"),
    (b"{", 400, "not valid JSON"),
    (b"\xff\xfe", 400, "not valid JSON"),
    (b'{"prompt": "\\ud800"}', 400, "not valid JSON"),
    (b'{"prompt": "x", "duration": NaN}', 400, "not valid JSON"),
    (b"[" * 5000, 400, "not valid JSON"),
    (b'["prompt"]', 400, "must be a JSON object"),
    (b"null", 400, "must be a JSON object"),
    (b"{}", 400, "Either prompt or imageUrl is required"),
    (b'{"prompt": "\\u0000"}', 400, "control characters"),
    (b'{"prompt": "x", "duration": 1e400}', 400, ""),
    (b'{"prompt": "x", "duration": 99999, "resolution": "banana"}', 400, "duration"),
    (b'{"prompt": "x", "\\u0000": 1}', 400, "not a field"),
    (b'{"prompt": "' + b"x" * 70_000 + b'"}', 413, "larger than 65536 bytes"),
]


async def test_invalid_idempotency_keys_return_400(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    for key in BAD_KEYS:
        given = [(name.encode(), value.encode()) for name, value in owner.headers().items()]

        answer = await gateway.http.post(
            "/api/video/generate", json={"prompt": "x"}, headers=[*given, (b"Idempotency-Key", key)]
        )

        assert answer.status_code == 400, key
        assert answer.json()["fields"][0]["field"] == "Idempotency-Key"


async def test_invalid_bodies_are_refused(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    for content, status, error in BAD_BODIES:
        answer = await gateway.http.post("/api/video/generate", content=content, headers=owner.headers())

        assert answer.status_code == status, answer.text
        assert error in answer.json()["error"]


async def test_large_chunked_body_returns_413(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    answer = await gateway.http.post("/api/video/generate", content=body(), headers=owner.headers())

    assert answer.status_code == 413


async def test_all_invalid_fields_are_named_and_nothing_is_charged(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway, credits=100)

    answer = await owner.generate({"prompt": "x --rs 1080p", "duration": 15, "seed": "a", "wings": 2})

    body = answer.json()
    assert {bad["field"] for bad in body["fields"]} == {"prompt", "duration", "seed", "wings"}
    assert "doubao-seedance-2-0-260128" in body["error"]
    assert (await owner.get("/api/credits")).json()["available"] == 100
    assert (await owner.get("/api/video/history")).json()["items"] == []


async def test_trace_context_is_recorded_in_events(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway, credits=100)
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    traced = await owner.generate(traceparent=given)
    untraced = await owner.generate(traceparent="nonsense")

    for answer, begins in ((traced, given[:36]), (untraced, "00-")):
        recorded = await environment.load(subjects.video(owner.account, answer.json()["id"]))
        traceparent = recorded[0].envelope.traceparent
        assert traceparent is not None
        assert traceparent.startswith(begins)
