"""Status, history, record and cancel, on real streams."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from tests.support.data.video_events import PROVIDER_TASK, GenerationEvents
from tests.support.environments.gateway import AccountClient, Gateway, GatewayEnvironment, gateway_environment
from tests.support.eventually import eventually_async
from tests.support.servers.instances import nats_server

from telecine_contracts import subjects
from telecine_contracts.dispatch import GenerationDispatched, QueueEntered
from telecine_contracts.gateway import CancelRequested
from telecine_contracts.generation import GenerationQueued
from telecine_contracts.video_models import DEFAULT_MODEL

STREAMS = ("VIDEO", "LEDGER")


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.server]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayEnvironment]:
    """One NATS server for all tests of this module."""
    folder = tmp_path_factory.mktemp("gateway")
    async with nats_server(folder) as nats, gateway_environment(nats, folder) as shared:
        yield shared


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(shared: GatewayEnvironment) -> AsyncIterator[Gateway]:
    async with shared.gateway(cancel_timeout=0.3) as gateway:
        yield gateway


@pytest.fixture
def environment(shared: GatewayEnvironment) -> GatewayEnvironment:
    return shared.for_test()


async def requested(environment: GatewayEnvironment, owner: AccountClient) -> GenerationEvents:
    """A generation of the owner's, as the gateway had recorded it."""
    of = GenerationEvents(owner.account, str(uuid4()))
    await environment.append(of.requested())
    return of


async def test_status_of_each_state(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    of = await requested(environment, owner)
    seen = []
    for event in (of.started(), of.submitted(), of.progressed("running"), of.ready(), of.stored()):
        await environment.append(event)
        status = await owner.status(of.generation)
        seen.append((status["status"], status.get("taskStatus")))

    assert seen == [
        ("processing", "SUBMITTING"),
        ("processing", "QUEUED"),
        ("processing", "RUNNING"),
        ("processing", "SUCCEEDED"),
        ("completed", None),
    ]
    done = await owner.status(of.generation, PROVIDER_TASK)
    assert done["providerTaskId"] == PROVIDER_TASK
    assert done["videoUrl"].startswith(f"{gateway.settings.public_url}/api/video/{of.generation}/content?")


async def test_a_generation_that_waits_has_a_position(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    ann, bob = [await environment.owner(gateway, name) for name in ("ann", "bob")]
    waiting = [(owner, await requested(environment, owner)) for owner in (ann, ann, bob)]
    model = DEFAULT_MODEL
    now = datetime.now(UTC)
    for owner, of in waiting:
        await environment.append(
            QueueEntered(model=model, at=now, account=owner.account, generation=of.generation)
        )
        about = {"account": owner.account, "generation": of.generation}
        await environment.append(GenerationQueued(**about, model=model))

    async def positions() -> list[tuple[str, int | None]]:
        found = [await owner.status(of.generation) for owner, of in waiting]
        return [(status["taskStatus"], status.get("queuePosition")) for status in found]

    async def shows(expected: list[tuple[str, int | None]]) -> bool:
        return await positions() == expected

    await eventually_async(lambda: shows([("WAITING", 1), ("WAITING", 3), ("WAITING", 2)]))
    owner, of = waiting[0]
    await environment.append(
        GenerationDispatched(model=model, at=now, account=owner.account, generation=of.generation)
    )
    await eventually_async(lambda: shows([("WAITING", None), ("WAITING", 2), ("WAITING", 1)]))
    await environment.append(of.started())
    assert (await owner.status(of.generation))["taskStatus"] == "SUBMITTING"


async def test_status_of_failed_cancelled_and_temporary_videos(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner = await environment.owner(gateway)
    failed, lost, cancelled, temporary = [await requested(environment, owner) for _ in range(4)]
    until = datetime.now(UTC) + timedelta(hours=5)
    await environment.append(failed.failed())
    await environment.append(lost.not_stored())
    await environment.append(cancelled.cancelled())
    await environment.append(temporary.not_stored("https://provider.example.com/x.mp4", until))

    answers = [await owner.status(of.generation) for of in (failed, lost, cancelled, temporary)]

    for answer in answers:
        assert answer["taskId"] == answer["id"]
    assert [answer["status"] for answer in answers] == ["failed", "failed", "cancelled", "completed"]
    assert answers[0]["error"] == "Video generation timeout after 5 minutes"
    assert answers[1]["error"] == "The video could not be stored"
    assert answers[3]["videoUrl"] == "https://provider.example.com/x.mp4"
    assert answers[3]["temporary"] is True
    assert answers[3]["expiresAt"].endswith("Z")


async def test_status_requires_matching_ids(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner, other_client = await environment.owner(gateway), await environment.owner(gateway, "other_client")
    mine, other, foreign = [await requested(environment, who) for who in (owner, owner, other_client)]
    await environment.append(foreign.submitted())
    unknown = str(uuid4())
    path = "/api/video/status"

    for params in (
        {},
        {"taskId": mine.generation},
        {"historyId": mine.generation},
        {"taskId": "", "historyId": ""},
    ):
        answer = await owner.get(path, **params)
        assert (answer.status_code, answer.json()) == (
            400,
            {"error": "taskId and historyId are required", "code": "invalid"},
        )
    not_found = [
        await owner.get(path, taskId=task, historyId=history)
        for task, history in (
            (unknown, unknown),
            (other.generation, mine.generation),
            (foreign.generation, foreign.generation),
            (PROVIDER_TASK, foreign.generation),
            (PROVIDER_TASK, mine.generation),
            ("nonsense", "nonsense"),
        )
    ]
    assert {(answer.status_code, answer.content) for answer in not_found} == {
        (404, b'{"error":"Not found","code":"not_found"}')
    }
    in_capitals = await owner.get(path, taskId=mine.generation.upper(), historyId=mine.generation.upper())
    assert (in_capitals.status_code, in_capitals.json()["id"]) == (200, mine.generation)


async def test_status_never_regresses(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    rank = {"processing": 1, "completed": 2}
    async with environment.gateway() as second:
        elsewhere = AccountClient(owner.account, owner.key, second.http)
        for _ in range(400):
            if (await elsewhere.get("/api/credits")).status_code == 200:
                break
        for _ in range(5):
            of = await requested(environment, owner)

            async def write(of: GenerationEvents = of) -> None:
                for event in (of.started(), of.submitted(), of.progressed(), of.ready(), of.stored()):
                    await environment.append(event)

            writing, latest = asyncio.create_task(write()), 0
            while latest < 2:
                for who in (owner, elsewhere):
                    now = rank[(await who.status(of.generation))["status"]]
                    assert now >= latest
                    latest = now
            await writing


async def test_history_is_paginated_and_filtered(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner, other_client = await environment.owner(gateway), await environment.owner(gateway, "other_client")
    made = [await requested(environment, owner) for _ in range(5)]
    await requested(environment, other_client)
    await environment.append(made[1].failed())
    await wait_until_listed(owner, 5)

    first = (await owner.get("/api/video/history", limit=2)).json()
    newer = await requested(environment, owner)
    await wait_until_listed(owner, 6)
    second = (await owner.get("/api/video/history", limit=2, cursor=first["nextCursor"])).json()
    third = (await owner.get("/api/video/history", limit=2, cursor=second["nextCursor"])).json()
    strange = await other_client.get("/api/video/history", limit=2, cursor=first["nextCursor"])
    made_up = await owner.get(
        "/api/video/history", cursor="djE6aGlzdG9yeTo0MQ"
    )  # as cursors of earlier versions

    assert (strange.status_code, made_up.status_code) == (400, 400)
    assert strange.json()["fields"][0]["field"] == "cursor"

    listed = [item["id"] for page in (first, second, third) for item in page["items"]]
    assert listed == [of.generation for of in reversed(made)]
    assert third["nextCursor"] is None
    failed = (await owner.get("/api/video/history", status="failed")).json()["items"]
    assert [item["id"] for item in failed] == [made[1].generation]
    pending = (
        await owner.get("/api/video/history", status="pending", kind="text-to-video", type="video")
    ).json()
    assert pending["items"][0]["id"] == newer.generation
    assert (await owner.get("/api/video/history", kind="image-to-video")).json()["items"] == []
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert (await owner.get("/api/video/history", **{"from": tomorrow})).json()["items"] == []
    assert len((await owner.get("/api/video/history", to=tomorrow)).json()["items"]) == 6


async def wait_until_listed(owner: AccountClient, count: int) -> None:
    for _ in range(400):
        if len((await owner.get("/api/video/history")).json()["items"]) == count:
            return
    raise AssertionError("history does not show what was requested")


async def test_invalid_parameters_are_named(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    path = "/api/video/history"
    for name, value in (
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "ten"),
        ("cursor", "x\x00"),
        ("cursor", "\u00fc"),
        ("status", "done"),
        ("kind", "\x00"),
        ("type", "image"),
        ("from", "yesterday"),
        ("to", "0001-01-01T00:00:00+23:59"),
        ("from", "9999-12-31T23:59:59-23:59"),
        ("from", "0001-01-01"),
        ("to", "9999-12-31"),
        ("status", "done\u202e"),
    ):
        answer = await owner.get(path, **{name: value})
        assert answer.status_code == 400, (name, value)
        assert [bad["field"] for bad in answer.json()["fields"]] == [name]


async def test_record_lists_the_events_of_both_streams(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner, other_client = await environment.owner(gateway), await environment.owner(gateway, "other_client")
    await requested(environment, other_client)
    async with environment.credits():
        await environment.grant(other_client.account, 100)
        await environment.grant(owner.account, 100)
        answer = await owner.generate({"prompt": "a cat", "cameraFixed": True, "seed": 9})
        of = GenerationEvents(owner.account, answer.json()["id"])
        for event in (of.started(), of.submitted(), of.ready(), of.stored(size=77)):
            await environment.append(event)
        for _ in range(400):
            record = (await owner.get(f"/api/video/{of.generation}")).json()
            if "credits.settled.v1" in [event["type"] for event in record["events"]]:
                break

    # Between the streams only clocks decide, and those of the test and of a service differ by milliseconds.
    types = {stream: [e["type"] for e in record["events"] if e["stream"] == stream] for stream in STREAMS}
    assert types == {
        "VIDEO": [
            "generation.requested.v1",
            "generation.submission_started.v1",
            "generation.submitted.v1",
            "video.ready.v1",
            "video.stored.v1",
        ],
        "LEDGER": ["credits.debited.v1", "credits.settled.v1"],
    }
    assert record["events"][0]["type"] == "generation.requested.v1"
    # Numbers of the generation and of the account, not of the streams that all accounts share.
    numbers = {
        stream: [e["sequence"] for e in record["events"] if e["stream"] == stream] for stream in STREAMS
    }
    assert numbers == {"VIDEO": [1, 2, 3, 4, 5], "LEDGER": [2, 3]}
    assert (record["status"], record["creditsUsed"], record["bytes"]) == ("completed", 50, 77)
    assert record["metadata"] == {
        "duration": 5,
        "resolution": "720p",
        "watermark": False,
        "cameraFixed": True,
        "ratio": "16:9",
        "seed": 9,
        "model": "doubao-seedance-1-0-pro-250528",
    }
    assert "very-secret" not in str(record)
    assert owner.key.secret not in str(record)
    credits = (await owner.get("/api/credits")).json()
    assert [(e["type"], e["amount"], e["heldAmount"]) for e in credits["statement"]["items"]] == [
        ("settled", 0, -50),
        ("debited", -50, 50),
        ("granted", 100, 0),
    ]
    assert (credits["available"], credits["held"]) == (50, 0)


async def test_credit_entries_are_paginated(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    empty = (await owner.get("/api/credits")).json()
    async with environment.credits():
        for amount in (1, 2, 3):
            await environment.grant(owner.account, amount)
    for _ in range(400):
        if (await owner.get("/api/credits")).json()["available"] == 6:
            break

    first = (await owner.get("/api/credits", limit=2)).json()["statement"]
    second = (await owner.get("/api/credits", limit=2, cursor=first["nextCursor"])).json()["statement"]

    assert empty == {
        "available": 0,
        "held": 0,
        "isClosed": False,
        "limits": {"account": None, "apiKey": None},
        "nextExpiry": None,
        "statement": {"items": [], "nextCursor": None},
    }
    assert [(e["entry"], e["amount"]) for e in first["items"] + second["items"]] == [(3, 3), (2, 2), (1, 1)]
    assert second["nextCursor"] is None
    history = await owner.get("/api/video/history", cursor=first["nextCursor"])
    assert history.json()["fields"][0]["field"] == "cursor"


async def cancel(owner: AccountClient, of: GenerationEvents) -> tuple[int, dict[str, Any]]:
    answer = await owner.post(f"/api/video/{of.generation}/cancel")
    body: dict[str, Any] = answer.json()
    return answer.status_code, body


async def test_cancel_confirmed_in_time(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    stopped, running = await requested(environment, owner), await requested(environment, owner)
    for of, reaction in ((stopped, stopped.cancelled()), (running, running.cancel_declined())):
        asking = asyncio.create_task(cancel(owner, of))
        await wait_until_cancel_requested(environment, of)
        await environment.append(reaction)
        await asking

    assert await cancel(owner, stopped) == (
        200,
        {"id": stopped.generation, "status": "cancelled", "cancel": "cancelled"},
    )
    status, body = await cancel(owner, running)
    assert (status, body["status"], body["cancel"]) == (202, "processing", "requested")
    assert "still running at the provider" in body["message"]
    await environment.append(running.stored())
    status, body = await cancel(owner, running)
    assert (status, body["status"], body["cancel"]) == (409, "completed", "already_finished")


async def wait_until_cancel_requested(environment: GatewayEnvironment, of: GenerationEvents) -> None:
    for _ in range(400):
        events = await environment.load(subjects.video(of.account, of.generation))
        if any(isinstance(recorded.event, CancelRequested) for recorded in events):
            return
    raise AssertionError("no cancel was recorded")


async def test_cancel_confirmation_times_out(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    of = await requested(environment, owner)

    answers = await asyncio.gather(*(cancel(owner, of) for _ in range(5)))

    assert {(status, body["cancel"]) for status, body in answers} == {(202, "requested")}
    assert all("not known yet" in body["message"] for _, body in answers)
    events = await environment.load(subjects.video(of.account, of.generation))
    assert [type(recorded.event).__name__ for recorded in events] == [
        "GenerationRequested",
        "CancelRequested",
    ]


async def test_cancel_of_ended_or_unknown_generation(
    environment: GatewayEnvironment, gateway: Gateway
) -> None:
    owner, other_client = await environment.owner(gateway), await environment.owner(gateway, "other_client")
    failed, made, foreign = [await requested(environment, who) for who in (owner, owner, other_client)]
    await environment.append(failed.failed())
    await environment.append(made.ready())

    assert (await cancel(owner, failed))[0] == 409
    status, body = await cancel(owner, made)
    assert (status, body["status"], body["cancel"]) == (409, "processing", "already_finished")
    for of in (foreign, GenerationEvents(owner.account, str(uuid4())), GenerationEvents(owner.account, "x")):
        assert await cancel(owner, of) == (404, {"error": "Not found", "code": "not_found"})
    assert len(await environment.load(subjects.video(foreign.account, foreign.generation))) == 1
