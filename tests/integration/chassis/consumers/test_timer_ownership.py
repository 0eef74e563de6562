"""A service handles its own timers and ignores those that another service scheduled on its subjects."""

from collections.abc import AsyncIterator, Iterator

import pytest
from tests.support.environments.reactor import ReactorEnvironment, reactor_environment
from tests.support.eventually import eventually, eventually_async
from tests.support.servers.instances import NatsServer, shared_nats_server

from telecine_chassis.eventstore.command_handler import Cause
from telecine_chassis.timers.port import Timer
from telecine_contracts import Event, subjects

NOW = "@at 2026-01-01T00:00:00.000Z"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with shared_nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
async def environment(server: NatsServer) -> AsyncIterator[ReactorEnvironment]:
    async with reactor_environment(server.url) as one:
        yield one


async def schedule(environment: ReactorEnvironment, on: str, target: str) -> None:
    headers = {"Nats-Schedule": NOW, "Nats-Schedule-Target": target}
    await environment.client.jetstream().publish(on, b"", stream="TIMERS", headers=headers)


async def test_the_server_lets_one_service_schedule_for_another_and_the_reactor_does_not(
    environment: ReactorEnvironment,
) -> None:
    woken: list[Timer] = []

    async def wake(timer: Timer) -> None:
        woken.append(timer)

    async def nothing(event: Event, cause: Cause) -> None:
        raise AssertionError(event)

    await environment.react(nothing, timers={"wake": wake})
    due = {key: subjects.timer_due(environment.service, "wake", key) for key in ("foreign", "own", "fired")}
    await schedule(environment, subjects.timer_at("foreign", "wake", "foreign"), due["foreign"])

    async def kept() -> bool:
        return bool(await environment.kept())

    await eventually_async(kept)
    [letter] = await environment.kept()
    assert (letter.subject, letter.error_type) == (due["foreign"], "Permanent")
    assert "another" in letter.error

    await schedule(environment, subjects.timer_at(environment.service, "wake", "own"), due["own"])
    await environment.client.jetstream().publish(due["fired"], b"", stream="TIMERS")
    await eventually(lambda: len(woken) == 2)
    assert {timer.key for timer in woken} == {("own",), ("fired",)}
