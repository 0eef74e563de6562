"""A service is woken by its own timers and by whoever may make them due, and by nobody else's timers."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.support.environments.reactor import ReactorWorld, reactor_world
from tests.support.eventually import eventually, eventually_async
from tests.support.servers.instances import NatsServer, nats_server_for_many_loops

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.timers.port import Timer
from telecine_contracts import subjects

NOW = "@at 2026-01-01T00:00:00.000Z"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server_for_many_loops(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
async def world(server: NatsServer) -> AsyncIterator[ReactorWorld]:
    async with reactor_world(server.url) as one:
        yield one


async def schedule(world: ReactorWorld, on: str, target: str) -> None:
    headers = {"Nats-Schedule": NOW, "Nats-Schedule-Target": target}
    await world.client.jetstream().publish(on, b"", stream="TIMERS", headers=headers)


async def test_the_server_lets_one_service_schedule_for_another_and_the_reactor_does_not(
    world: ReactorWorld,
) -> None:
    woken: list[Timer] = []

    async def wake(timer: Timer) -> None:
        woken.append(timer)

    async def nothing(recorded: RecordedEvent) -> None:
        raise AssertionError(recorded)

    await world.react(nothing, timers={"wake": wake})
    due = {key: subjects.timer_due(world.service, "wake", key) for key in ("foreign", "own", "fired")}
    await schedule(world, subjects.timer_at("stranger", "wake", "foreign"), due["foreign"])

    async def kept() -> bool:
        return bool(await world.kept())

    await eventually_async(kept)
    [letter] = await world.kept()
    assert (letter.subject, letter.error_type) == (due["foreign"], "Permanent")
    assert "another" in letter.error

    await schedule(world, subjects.timer_at(world.service, "wake", "own"), due["own"])
    await world.client.jetstream().publish(due["fired"], b"", stream="TIMERS")
    await eventually(lambda: len(woken) == 2)
    assert {timer.key for timer in woken} == {("own",), ("fired",)}
