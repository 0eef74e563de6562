"""A stream is read in order and without gaps, from any sequence on, through lost consumers and killed servers."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.environments.reactor import ReactorEnvironment, reactor_environment
from tests.support.servers.instances import NatsServer

from telecine_chassis.eventstore import subscription
from telecine_chassis.eventstore.subscription import CatchUpSubscription, MessageBatch
from telecine_cli.provisioning.streams import provision
from telecine_contracts.streams import VIDEO
from telecine_jetstream.announcements import Announcements
from telecine_jetstream.messages import StoredMessage


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


# Announcements


async def test_what_is_announced_needs_no_request(environment: ReactorEnvironment) -> None:
    await environment.publish("g0")
    async with following_from_start(environment) as feed:
        assert await feed.next(1) == [1]
        requests = await environment.client.subscribe("$JS.API.DIRECT.GET.VIDEO")
        await environment.publish(*(f"g{n}" for n in range(1, 31)))
        assert await feed.next(30) == list(range(2, 32))
        await environment.client.flush()
        assert requests.pending_msgs <= 1  # one when it had just begun, to be sure


async def test_an_announced_message_equals_the_stored_one(environment: ReactorEnvironment) -> None:
    async with following_from_start(environment) as feed:
        await feed.idle()
        await environment.publish("g1")
        await feed.next(1)
    [batch] = await read(CatchUpSubscription(environment.client, VIDEO), 0, 1)
    assert feed.records == list(batch.records)


async def test_a_lost_announcement_is_noticed_at_the_next(
    environment: ReactorEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "IDLE_TIMEOUT", 3600)
    monkeypatch.setattr(subscription, "SETTLE_TIMEOUT", 3600)
    lose_announcements(monkeypatch, {2, 3})
    async with following_from_start(environment) as feed:
        await feed.idle()
        await environment.publish("g1", "g2", "g3", "g4")
        assert await feed.next(4) == [1, 2, 3, 4]


async def test_a_lost_last_announcement_is_noticed_when_idle(
    environment: ReactorEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "IDLE_TIMEOUT", 0.05)
    lose_announcements(monkeypatch, {2})
    async with following_from_start(environment) as feed:
        await feed.idle()
        await environment.publish("g1", "g2")
        assert await feed.next(2) == [1, 2]


async def test_announcements_without_bodies_are_enough(environment: ReactorEnvironment) -> None:
    """As of streams that an earlier version provisioned, until they are provisioned again."""
    await republish(environment, {"src": ">", "dest": "stored.>", "headers_only": True})
    async with following_from_start(environment) as feed:
        await feed.idle()
        await environment.publish("g1", "g2", "g3")
        assert await feed.next(3) == [1, 2, 3]
        assert all(record.body for record in feed.records)


async def test_provisioning_lets_an_older_stream_announce_bodies(environment: ReactorEnvironment) -> None:
    await republish(environment, {"src": ">", "dest": "stored.>", "headers_only": True})
    changes = {change.name: change for change in await provision(environment.client)}
    assert changes["VIDEO"].action == "updated"
    announcements = await environment.client.subscribe("stored.video.*.*.*")
    await environment.publish("g1")
    assert (await announcements.next_msg(timeout=5)).data


async def test_what_is_not_wanted_is_passed_over(environment: ReactorEnvironment) -> None:
    wanted = f"video.{environment.account}.g3.*"
    async with following_from_start(environment, filters=[wanted]) as feed:
        await feed.idle()
        await environment.publish("g1", "g2", "g3", "g4")
        assert await feed.next(1) == [3]
        await environment.client.jetstream().publish(f"video.{environment.account}.g3.x", b"", stream="VIDEO")
        assert await feed.next(1) == [5]


async def test_a_reader_that_need_not_be_current_looks_now_and_then(environment: ReactorEnvironment) -> None:
    await environment.publish("g1", "g2", "g3")
    feed = CatchUpSubscription(environment.client, VIDEO, limit=2, interval=0.05)
    async with aclosing(feed.follow(0)) as following:
        reader = Feed(following)
        assert await reader.next(3) == [1, 2, 3]
        await reader.idle()
        await environment.publish("g4")
        assert await reader.next(1) == [4]


def lose_announcements(monkeypatch: pytest.MonkeyPatch, sequences: set[int]) -> None:
    receive = Announcements.receive

    def receive_others(self: Announcements, subject: str, head: bytes, body: bytes) -> None:
        if not any(b"\r\nNats-Sequence: %d\r\n" % sequence in head for sequence in sequences):
            receive(self, subject, head, body)

    monkeypatch.setattr(Announcements, "receive", receive_others)


async def republish(environment: ReactorEnvironment, how: dict[str, Any]) -> None:
    """Change how the stream announces its messages."""
    client = environment.client
    info = json.loads((await client.request("$JS.API.STREAM.INFO.VIDEO")).data)
    config = json.dumps(info["config"] | {"republish": how}).encode()
    answer = json.loads((await client.request("$JS.API.STREAM.UPDATE.VIDEO", config)).data)
    assert answer["config"]["republish"] == how


@dataclass
class Feed:
    """A subscription that is being followed, and what came of it."""

    following: AsyncGenerator[MessageBatch, None]
    records: list[StoredMessage] = field(default_factory=list)

    async def idle(self) -> None:
        """Wait until it says that nothing is new."""
        async with asyncio.timeout(10):
            while (await anext(self.following)).records:
                pass

    async def next(self, count: int) -> list[int]:
        """The sequences of the next messages, at least `count`."""
        found: list[StoredMessage] = []
        async with asyncio.timeout(10):
            while len(found) < count:
                found += (await anext(self.following)).records
        self.records += found
        return [record.sequence for record in found]


@asynccontextmanager
async def following_from_start(
    environment: ReactorEnvironment, filters: Sequence[str] = ()
) -> AsyncIterator[Feed]:
    feed = CatchUpSubscription(environment.client, VIDEO, filters=filters)
    async with aclosing(feed.follow(0)) as following:
        yield Feed(following)


# Heads, filters, ends


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
