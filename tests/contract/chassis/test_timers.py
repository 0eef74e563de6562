"""What all timers do: the twin in memory, and those on the TIMERS stream; and what a killed server does to them."""

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig
from tests.support.eventually import eventually
from tests.support.servers.instances import NatsServer, shared_nats_server

from telecine_chassis.eventstore.port import Unavailable
from telecine_chassis.nats.connection import connect
from telecine_chassis.testing import InMemoryTimers, ManualClock
from telecine_chassis.timers.jetstream import JetStreamTimers
from telecine_chassis.timers.port import Timer, Timers
from telecine_cli.provisioning.streams import provision
from telecine_jetstream.client import NatsClient

SOON = 0.3
"""Seconds. Long enough to set a few timers before the first one fires, on a busy machine too."""


class World(Protocol):
    """Timers of one service, and a way to be woken by them."""

    @property
    def timers(self) -> Timers: ...

    def after(self, seconds: float) -> datetime:
        """A time from now."""
        ...

    async def next(self) -> Timer:
        """The next timer that fires."""
        ...


@dataclass
class MemoryWorld:
    clock: ManualClock = field(default_factory=ManualClock)
    due: list[Timer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.timers = InMemoryTimers(self.clock)

    def after(self, seconds: float) -> datetime:
        return self.clock() + timedelta(seconds=seconds)

    async def next(self) -> Timer:
        for _ in range(100):
            self.due += self.timers.due()
            if self.due:
                return self.due.pop(0)
            self.clock.advance(0.1)
        raise AssertionError("no timer fired")


@dataclass
class JetStreamWorld:
    timers: JetStreamTimers
    deliveries: JetStreamContext.PullSubscription

    def after(self, seconds: float) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=seconds)

    async def next(self) -> Timer:
        (message,) = await self.deliveries.fetch(1, timeout=10)
        await message.ack_sync()
        _, _, _, kind, *key = message.subject.split(".")
        return Timer(kind, tuple(key), message.data)


async def jetstream_world(client: NatsClient) -> JetStreamWorld:
    service = f"s{secrets.token_hex(4)}"
    await provision(client)
    jetstream = client.jetstream()
    subject = f"timers.due.{service}.>"
    await jetstream.add_consumer("TIMERS", ConsumerConfig(durable_name=service, filter_subject=subject))
    deliveries = await jetstream.pull_subscribe(subject, durable=service, stream="TIMERS")
    return JetStreamWorld(JetStreamTimers(client, service), deliveries)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with shared_nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture(params=["memory", pytest.param("jetstream", marks=pytest.mark.server)])
def server_url(request: pytest.FixtureRequest) -> str | None:
    """The URL of a NATS server, or None for the in-memory twin."""
    # Not in an async fixture: the server's own fixture runs an event loop.
    if request.param == "memory":
        return None
    server: NatsServer = request.getfixturevalue("server")
    return server.url


@pytest.fixture
async def world(server_url: str | None) -> AsyncIterator[World]:
    if server_url is None:
        yield MemoryWorld()
        return
    client = await connect(server_url, "tests")
    yield await jetstream_world(client)
    await client.close()


def timer(*key: str, data: bytes = b"") -> Timer:
    return Timer("wake", key or ("ann", "g1"), data)


async def test_a_timer_fires_with_its_data(world: World) -> None:
    left = timer("ann", "g1", data=b'{"tried": 1}')
    await world.timers.set(left, world.after(SOON))
    assert await world.next() == left


async def test_a_timer_fires_once(world: World) -> None:
    await world.timers.set(timer("once"), world.after(SOON / 2))
    await world.timers.set(timer("end"), world.after(SOON * 2))
    assert [await world.next(), await world.next()] == [timer("once"), timer("end")]


async def test_a_timer_does_not_fire_early(world: World) -> None:
    at = world.after(SOON)
    await world.timers.set(timer(), at)
    await world.next()
    assert world.after(0) >= at


async def test_timers_fire_in_the_order_of_their_times(world: World) -> None:
    await world.timers.set(timer("second"), world.after(SOON + 0.5))
    await world.timers.set(timer("first"), world.after(SOON))
    assert [await world.next(), await world.next()] == [timer("first"), timer("second")]


async def test_setting_a_timer_again_reschedules_it(world: World) -> None:
    await world.timers.set(timer("moved", data=b"old"), world.after(SOON))
    await world.timers.set(timer("moved", data=b"new"), world.after(SOON + 0.4))
    await world.timers.set(timer("end"), world.after(SOON + 0.9))
    assert [await world.next(), await world.next()] == [timer("moved", data=b"new"), timer("end")]


async def test_a_timer_can_be_moved_forward(world: World) -> None:
    await world.timers.set(timer("moved"), world.after(3600))
    await world.timers.set(timer("moved"), world.after(SOON))
    assert await world.next() == timer("moved")


async def test_timers_of_other_keys_and_kinds_stay(world: World) -> None:
    await world.timers.set(Timer("wake", ("ann",)), world.after(SOON))
    await world.timers.set(Timer("wake", ("ann", "g1")), world.after(SOON + 0.4))
    await world.timers.set(Timer("copy", ("ann",)), world.after(SOON + 0.8))
    assert [await world.next() for _ in range(3)] == [
        Timer("wake", ("ann",)),
        Timer("wake", ("ann", "g1")),
        Timer("copy", ("ann",)),
    ]


@pytest.mark.parametrize("ago", [0.0, 3600.0])
async def test_a_timer_in_the_past_fires_at_once(world: World, ago: float) -> None:
    await world.timers.set(timer(), world.after(-ago))
    assert await world.next() == timer()


async def test_set_if_absent_leaves_a_waiting_timer_as_it_is(world: World) -> None:
    assert await world.timers.set_if_absent(timer(data=b"first"), world.after(SOON)) is True
    assert await world.timers.set_if_absent(timer(data=b"second"), world.after(3600)) is False
    assert await world.next() == timer(data=b"first")


async def test_a_fired_timer_is_absent(world: World) -> None:
    await world.timers.set(timer(), world.after(SOON))
    await world.next()
    assert await world.timers.set_if_absent(timer(data=b"again"), world.after(SOON)) is True
    assert await world.next() == timer(data=b"again")


async def test_hastening_moves_a_timer_beyond_the_limit_and_keeps_its_data(world: World) -> None:
    left = timer(data=b'{"tried": 1}')
    await world.timers.set(left, world.after(3600))
    assert await world.timers.bring_forward(timer(), world.after(SOON), latest=world.after(3601)) is False
    assert await world.timers.bring_forward(timer(), world.after(SOON), latest=world.after(60)) is True
    assert await world.next() == left
    assert await world.timers.bring_forward(timer(), world.after(SOON), latest=world.after(-60)) is False


async def test_fire_is_now_and_leaves_a_waiting_timer(world: World) -> None:
    await world.timers.set(timer(data=b"waiting"), world.after(SOON))
    await world.timers.fire(timer(data=b"now"))
    assert [await world.next(), await world.next()] == [timer(data=b"now"), timer(data=b"waiting")]


# The TIMERS stream alone


async def test_timers_fire_by_the_servers_clock_though_it_was_moved(server: NatsServer) -> None:
    """Timers are set by a steady clock; `lead` says how far the server's clock is ahead of it for now."""
    client = await connect(server.url, "tests")
    world = await jetstream_world(client)
    hour = timedelta(hours=1)
    timers = JetStreamTimers(client, world.timers._service, lead=lambda: hour)
    await timers.set(timer("ahead"), world.after(SOON) - hour)
    assert await world.next() == timer("ahead")
    await timers.set(timer("far"), world.after(SOON))
    assert await timers.bring_forward(timer("far"), world.after(SOON), latest=world.after(60)) is False
    assert await timers.bring_forward(timer("far"), world.after(SOON) - hour, latest=world.after(-60)) is True
    assert await world.next() == timer("far")
    await client.close()


def is_written(nats: NatsServer, end: bytes) -> bool:
    return any(end in block for block in nats.blocks("TIMERS"))


async def test_a_time_of_another_zone_is_the_same_moment(server: NatsServer) -> None:
    client = await connect(server.url, "tests")
    world = await jetstream_world(client)
    far = datetime.fromisoformat("2020-01-01T00:00:00+09:00")
    await world.timers.set(timer(), far)
    assert await world.next() == timer()
    await client.close()


async def test_timers_survive_a_killed_server(nats: NatsServer) -> None:
    """Once written: the stream is derived, so it alone is acknowledged some milliseconds before it is on disk."""
    client = await connect(nats.url, "tests")
    world = await jetstream_world(client)
    await world.timers.set(timer("overdue"), world.after(SOON))
    await world.timers.set(timer("ahead"), world.after(1))
    await eventually(lambda: is_written(nats, b".wake.ahead"), what="the timers are written")
    nats.kill()
    await eventually(lambda: not client.is_connected)
    with pytest.raises(Unavailable):
        await JetStreamTimers(client, "tests", timeout=SOON).set(timer(), world.after(0))
    await nats.start()
    await eventually(lambda: client.is_connected)
    assert {(await world.next()).key, (await world.next()).key} == {("overdue",), ("ahead",)}
    await client.close()
