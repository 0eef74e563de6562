"""Models with a limit: accounts take turns, no replica exceeds the places, and nothing stays behind."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.environments.saga import Emulator, Saga, saga
from tests.support.servers.instances import NatsServer, S3Server

from telecine_auditor.reports.fairness import FairnessCheck
from telecine_auditor.sources.message import StoredMessage
from telecine_contracts import encode, subjects
from telecine_contracts.dispatch import CapacityLowered, GenerationDispatched
from telecine_contracts.dispatch_queue import DispatchQueue, evolve_queue
from telecine_contracts.video_models import DEFAULT_MODEL

QUEUED = {"generation": {"provider_limits": f"{DEFAULT_MODEL}=2", "poll_interval": 0.1}}


async def queue_events(environment: Saga) -> Sequence[Any]:
    return [recorded.event for recorded in await environment.store.load(f"queue.{DEFAULT_MODEL}.*")]


def replayed(events: Sequence[Any], limit: int = 2) -> tuple[list[str], DispatchQueue]:
    """The order of dispatch, which is by the rules and within the places at every moment, and what is left."""
    queue, order, auditor = DispatchQueue(), list[str](), FairnessCheck()
    for number, event in enumerate(events, 1):
        auditor.take(StoredMessage(number, 0, subjects.of_event(event), b"", encode(event)))
    assert (auditor.violations, auditor.unreadable) == ([], 0)
    for event in events:
        if isinstance(event, GenerationDispatched):
            if queue.is_waiting(event.account, event.generation):
                assert queue.next(event.limit, event.account_limit) == (event.account, event.generation)
            order.append(event.generation)
        queue = evolve_queue(queue, event)
        assert len(queue.running) <= limit
    return order, queue


async def end_of_all(environment: Saga, generations: Sequence[tuple[str, str]]) -> list[list[str]]:
    return [await environment.closed(account, generation, within=60) for account, generation in generations]


async def test_an_account_with_many_requests_delays_another_by_one_turn(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    async with saga(nats, s3, emulator, tmp_path, overrides=QUEUED) as environment:
        for account in ("ann", "bob"):
            await environment.grant(account, 1000)
        many = [await environment.request("ann") for _ in range(12)]
        await environment.until("ann", many[-1], "queued")
        one = await environment.request("bob")
        await environment.until("bob", one, "queued")
        before = len(replayed(await queue_events(environment))[0])

        pairs = [("ann", generation) for generation in many] + [("bob", one)]
        assert await end_of_all(environment, pairs) == [["debited", "settled"]] * 13

        order, _ = replayed(await queue_events(environment))
        assert order.index(one) <= before + 1, "one turn of ann's, at most"
        assert sorted(order) == sorted(generation for _, generation in pairs)

        async def is_empty() -> bool:
            queue = replayed(await queue_events(environment))[1]
            return not queue.running and not queue.rotation

        await environment.poll(is_empty, bool, 10, "an empty queue")
        for _, generation in pairs:
            assert len(await environment.emulator.submissions(generation)) == 1


async def test_two_services_share_the_places(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    async with saga(nats, s3, emulator, tmp_path, overrides=QUEUED) as environment:
        await environment.grant("ann", 1000)
        await environment.start_another("generation")
        requests = [await environment.request("ann") for _ in range(15)]
        pairs = [("ann", generation) for generation in requests]
        assert await end_of_all(environment, pairs) == [["debited", "settled"]] * 15
        order, _ = replayed(await queue_events(environment))
        assert sorted(order) == sorted(requests)


async def test_what_waits_can_be_cancelled_and_leaves_its_place_to_others(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    async with saga(nats, s3, emulator, tmp_path, overrides=QUEUED) as environment:
        await environment.grant("ann", 1000)
        running = [await environment.request("ann", "a [emulator:task_seconds=2] b") for _ in range(2)]
        for generation in running:
            await environment.until("ann", generation, "submitted")
        waits, after = await environment.request("ann"), await environment.request("ann")
        await environment.until("ann", waits, "queued")
        await environment.cancel("ann", waits)
        assert await environment.closed("ann", waits) == ["debited", "refunded"]
        assert await environment.emulator.submissions(waits) == []
        assert await environment.closed("ann", after, within=30) == ["debited", "settled"]
        order, _ = replayed(await queue_events(environment))
        assert order == [*running, after]


async def test_a_wait_can_be_limited(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    async with saga(nats, s3, emulator, tmp_path, overrides=QUEUED) as environment:
        await environment.grant("ann", 1000)
        prompt = "a [emulator:task_seconds=3] b"
        running = [await environment.request("ann", prompt, cancel_after=1) for _ in range(2)]
        for generation in running:
            await environment.until("ann", generation, "submitted")
        impatient = await environment.request("ann", cancel_after=1)
        assert await environment.closed("ann", impatient) == ["debited", "refunded"]
        assert await environment.emulator.submissions(impatient) == []
        pairs = [("ann", generation) for generation in running]
        assert await end_of_all(environment, pairs) == [["debited", "settled"]] * 2


async def test_a_429_lowers_the_places_and_bounces_nothing_that_waits(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    limits = {"generation": QUEUED["generation"] | {"capacity_recovery": 1.5}}
    async with saga(nats, s3, emulator, tmp_path, overrides=limits) as environment:
        await environment.grant("ann", 1000)
        first = await environment.request("ann", "a [emulator:task_seconds=1] b")
        await environment.until("ann", first, "submitted")
        await environment.emulator.fault("rate_limit", times=1)
        others = [await environment.request("ann") for _ in range(4)]
        pairs = [("ann", generation) for generation in (first, *others)]
        assert await end_of_all(environment, pairs) == [["debited", "settled"]] * 5
        events = await queue_events(environment)
        replayed(events)
        assert [event.limit for event in events if isinstance(event, CapacityLowered)] == [1]
        bounced = [
            generation
            for _, generation in pairs
            if "submission_deferred" in [r.event.action for r in await environment.video("ann", generation)]
        ]
        assert len(bounced) == 1


async def test_a_service_that_is_stopped_in_between_leaves_nothing_behind(
    nats: NatsServer, s3: S3Server, emulator: Emulator, tmp_path: Path
) -> None:
    async with saga(nats, s3, emulator, tmp_path, overrides=QUEUED) as environment:
        await environment.grant("ann", 1000)
        requests = [await environment.request("ann") for _ in range(10)]
        for number in (0, 3, 6):
            await environment.until("ann", requests[number], "submitted")
            await environment.stop("generation")
            await environment.start("generation")
        pairs = [("ann", generation) for generation in requests]
        assert await end_of_all(environment, pairs) == [["debited", "settled"]] * 10
        assert sorted(replayed(await queue_events(environment))[0]) == sorted(requests)
