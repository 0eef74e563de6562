"""A stream is read in order and without gaps, from any sequence on, through lost consumers and killed servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from tests.support.environments.reactor import ReactorEnvironment, reactor_environment
from tests.support.servers.instances import NatsServer

from telecine_chassis.eventstore.subscription import CatchUpSubscription, MessageBatch
from telecine_contracts.streams import VIDEO


@pytest.fixture
async def environment(nats: NatsServer) -> AsyncIterator[ReactorEnvironment]:
    async with reactor_environment(nats.url) as one:
        yield one


async def read(feed: CatchUpSubscription, after: int, until: int) -> list[MessageBatch]:
    """The batches from `after` up to the one that holds `until`, empty ones left out."""
    batches: list[MessageBatch] = []
    async with asyncio.timeout(20), aclosing(feed.follow(after)) as following:
        async for batch in following:
            if batch.records:
                batches.append(batch)
                if batch.records[-1].sequence >= until:
                    return batches
    raise AssertionError("the feed ended")


def sequences(batches: list[MessageBatch]) -> list[int]:
    return [record.sequence for batch in batches for record in batch.records]


async def test_everything_comes_in_order_from_any_sequence_on(environment: ReactorEnvironment) -> None:
    await environment.publish(*(f"g{n}" for n in range(30)))
    feed = CatchUpSubscription(environment.client, VIDEO)
    assert await feed.head() == 30
    assert sequences(await read(feed, 0, 30)) == list(range(1, 31))
    assert sequences(await read(feed, 17, 30)) == list(range(18, 31))


async def test_batches_are_bounded_and_say_what_is_left(environment: ReactorEnvironment) -> None:
    await environment.publish(*(f"g{n}" for n in range(30)))
    batches = await read(CatchUpSubscription(environment.client, VIDEO, limit=8), 0, 30)
    assert max(len(batch.records) for batch in batches) <= 8
    assert sequences(batches) == list(range(1, 31))
    assert [batch.pending for batch in batches] == [30 - batch.records[-1].sequence for batch in batches]


async def test_an_idle_feed_says_so_and_goes_on(environment: ReactorEnvironment) -> None:
    feed = CatchUpSubscription(environment.client, VIDEO)
    assert await feed.head() == 0
    async with asyncio.timeout(10), aclosing(feed.follow(0)) as following:
        assert (await anext(following)).records == ()
        await environment.publish("g1")
        async for batch in following:
            if batch.records:
                assert sequences([batch]) == [1]
                break


async def test_what_comes_while_it_is_read_is_read_too(environment: ReactorEnvironment) -> None:
    await environment.publish(*(f"g{n}" for n in range(20)))
    publishing = asyncio.create_task(environment.publish(*(f"g{n}" for n in range(20, 120))))
    assert sequences(await read(CatchUpSubscription(environment.client, VIDEO), 0, 120)) == list(
        range(1, 121)
    )
    await publishing


@pytest.mark.parametrize(
    "trouble",
    [
        "every consumer lost",
        "server killed",
        "server restarted",
    ],
)
async def test_nothing_is_missed_or_repeated_after(
    environment: ReactorEnvironment, nats: NatsServer, trouble: str
) -> None:
    await environment.publish(*(f"g{n}" for n in range(10)))
    seen: list[int] = []
    async with (
        asyncio.timeout(20),
        aclosing(CatchUpSubscription(environment.client, VIDEO).follow(0)) as following,
    ):
        async for batch in following:
            seen += sequences([batch])
            if len(seen) == 10 and batch.records:
                await apply_fault(trouble, environment, nats)
                await environment.publish(*(f"g{n}" for n in range(10, 20)))
            if len(seen) >= 20:
                break
    assert seen == list(range(1, 21))


async def apply_fault(trouble: str, environment: ReactorEnvironment, nats: NatsServer) -> None:
    match trouble:
        case "every consumer lost":
            manager = environment.client.jsm()
            for info in await manager.consumers_info("VIDEO"):
                await manager.delete_consumer("VIDEO", info.name)
        case "server killed":
            nats.kill()
            await nats.start()
        case _:
            await nats.stop()
            await nats.start()


async def test_the_head_of_a_purged_stream_is_what_is_left(environment: ReactorEnvironment) -> None:
    await environment.publish("g1", "g2", "g3")
    await environment.client.jetstream().purge_stream("VIDEO", subject=f"video.{environment.account}.g3.*")
    assert await CatchUpSubscription(environment.client, VIDEO).head() == 2


async def test_filters_narrow_what_comes(environment: ReactorEnvironment) -> None:
    await environment.publish("g1", "g2", "g3", "g4")
    filters = [f"video.{environment.account}.g2.*", f"video.{environment.account}.g4.*"]
    feed = CatchUpSubscription(environment.client, VIDEO, filters=filters)
    assert await feed.head() == 4
    assert sequences(await read(feed, 0, 4)) == [2, 4]


async def test_a_reader_can_be_stopped_while_records_pour_in(environment: ReactorEnvironment) -> None:
    """The client may swallow a cancellation that comes together with a message."""
    publishing = asyncio.create_task(environment.publish(*(f"g{n}" for n in range(200))))
    for _ in range(40):
        reading = asyncio.create_task(read(CatchUpSubscription(environment.client, VIDEO, limit=1), 0, 10**9))
        await environment.client.jetstream().stream_info("VIDEO")
        reading.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(reading, return_exceptions=True)
        assert reading.cancelled()
    await publishing
