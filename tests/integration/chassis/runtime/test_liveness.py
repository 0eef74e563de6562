"""A service that stays unhealthy reports why and exits, on a real nats-server."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.environments.databases import database_url
from tests.support.environments.reactor import ReactorEnvironment, reactor_environment
from tests.support.eventually import eventually, eventually_async
from tests.support.servers.instances import NatsServer

from telecine_chassis.consumers.reactor import Reactor
from telecine_chassis.eventstore.command_handler import Cause
from telecine_chassis.nats.connection import connect
from telecine_chassis.runtime.liveness import Liveness
from telecine_chassis.telemetry.metrics import Metrics
from telecine_cli.provisioning.streams import provision
from telecine_cli.stack.http_probe import http_answer
from telecine_cli.stack.ports import LOOPBACK, free_port
from telecine_cli.stack.process import Command, Process
from telecine_contracts import Event


@pytest.fixture
async def consumer_environment(nats: NatsServer) -> AsyncIterator[ReactorEnvironment]:
    async with reactor_environment(nats.url) as running:
        yield running


@dataclass
class BlockingHandler:
    """A handler that does not end before its gate is open."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    begun: int = 0

    async def __call__(self, event: Event, cause: Cause) -> None:
        self.begun += 1
        await self.open.wait()


def lag(consumer_environment: ReactorEnvironment) -> float:
    """What the metric says of the world's consumer."""
    (family,) = consumer_environment.meters.lag.collect()
    return next(
        (sample.value for sample in family.samples if sample.labels["consumer"].endswith("video")), -1
    )


# Handlers and the loop that feeds them


async def test_handlers_that_do_not_end_are_noticed_when_messages_wait(
    consumer_environment: ReactorEnvironment,
) -> None:
    gate = BlockingHandler()
    reactor = await consumer_environment.react(gate, concurrency=2, look_every=0.1, stuck_after=0.5)
    await consumer_environment.publish("g1", "g2")
    await eventually(lambda: gate.begun == 2)
    await eventually(lambda: lag(consumer_environment) == 2)
    assert reactor.alive() is None, "nothing waits"

    await consumer_environment.publish("g3", "g4", "g5")
    await eventually(reactor.alive)
    assert (reactor.alive() or "").startswith(
        f"{consumer_environment.service}-video is stuck: 2 handlers, none has finished"
    )
    gate.open.set()
    await eventually(lambda: reactor.alive() is None and lag(consumer_environment) == 0)


async def test_a_loop_that_fetches_no_more_is_noticed(consumer_environment: ReactorEnvironment) -> None:
    gate = BlockingHandler()
    gate.open.set()
    reactor = await consumer_environment.react(gate, look_every=0.1, stuck_after=0.5)
    await consumer_environment.publish("g1")
    await eventually(lambda: gate.begun == 1)
    await break_fetch_loops(reactor)
    await consumer_environment.publish("g2")
    await eventually(reactor.alive)
    assert (reactor.alive() or "").startswith(
        f"{consumer_environment.service}-video fetches nothing: 1 messages wait"
    )


async def break_fetch_loops(reactor: Reactor) -> None:
    """End the requests, as an unnoticed error would."""
    for subscriber in reactor._subscribers:
        await subscriber.pull.stop()


async def test_pending_retries_are_healthy(consumer_environment: ReactorEnvironment) -> None:
    async def fail(event: Event, cause: Cause) -> None:
        raise OSError("the world is broken")

    reactor = await consumer_environment.react(fail, look_every=0.05, stuck_after=0.2)
    await consumer_environment.publish("g1")
    await eventually(lambda: lag(consumer_environment) == 1)
    assert reactor.alive() is None


# The service


def service(nats: NatsServer, folder: Path, **settings: str) -> tuple[Process, str]:
    """A credits service as a process of its own, not yet started, and where it tells of its health."""
    port = free_port()
    known = {
        "nats_url": nats.url,
        "database_url": database_url(folder, "credits"),
        "health_port": str(port),
        "look_interval": "0.2",
    }
    environment = {f"TELECINE_{name.upper()}": value for name, value in (known | settings).items()}
    command = Command("credits", (sys.executable, "-m", "telecine_credits"), folder / "log", env=environment)
    return Process(command), f"http://{LOOPBACK}:{port}"


async def health(url: str) -> tuple[int, str]:
    """Status and body of /healthz; status 0 without a server."""
    answer = await http_answer(f"{url}/healthz")
    return (0, "") if answer is None else (answer[0], answer[1].decode())


async def test_a_deleted_consumer_turns_healthz_and_then_ends_the_service(
    nats: NatsServer, tmp_path: Path
) -> None:
    client = await connect(nats.url, "tests")
    await provision(client)
    process, url = service(nats, tmp_path, unhealthy_for="1.5")
    process.start()
    try:
        await eventually_async(lambda: is_ready(url), within=20)
        assert await health(url) == (200, '{"status": "ok"}')
        await client.jetstream().delete_consumer("VIDEO", "credits-debit")
        reason = "consumer credits-debit was deleted: run `telecine provision`"
        await eventually_async(lambda: health_contains(url, 503, reason), within=5)
        async with asyncio.timeout(15):
            assert await process.wait() == 1
    finally:
        process.kill()
        await client.close()
    assert reason in process.command.log.read_text()


async def test_recreated_consumer_restores_health(nats: NatsServer, tmp_path: Path) -> None:
    client = await connect(nats.url, "tests")
    await provision(client)
    process, url = service(nats, tmp_path)
    process.start()
    try:
        await eventually_async(lambda: is_ready(url), within=20)
        await client.jetstream().delete_consumer("VIDEO", "credits-debit")
        await eventually_async(lambda: health_contains(url, 503, "was deleted"), within=5)
        await provision(client)
        await eventually_async(lambda: health_contains(url, 200, "ok"), within=5)
    finally:
        process.kill()
        await client.close()


async def test_a_service_without_nats_is_healthy_but_not_ready(nats: NatsServer, tmp_path: Path) -> None:
    # A restart would not restore the connection, so liveness must not demand one.
    client = await connect(nats.url, "tests")
    await provision(client)
    await client.close()
    await nats.stop()
    process, url = service(nats, tmp_path, unhealthy_for="0.5")
    process.start()
    try:
        await eventually_async(lambda: health_contains(url, 200, "ok"), within=20)
        answer = await http_answer(f"{url}/readyz")
        assert answer is not None
        assert (answer[0], answer[1].decode()) == (503, '{"status": "unavailable", "error": "starting"}')
        await nats.start()
        await eventually_async(lambda: is_ready(url), within=20)
        nats.kill()
        await eventually_async(lambda: is_not_ready(url), within=10)
        assert await health(url) == (200, '{"status": "ok"}')
        await nats.start()
        await eventually_async(lambda: is_ready(url), within=20)
        assert process.running
    finally:
        process.kill()


async def is_not_ready(url: str) -> bool:
    answer = await http_answer(f"{url}/readyz")
    return answer is not None and answer[0] == 503


async def is_ready(url: str) -> bool:
    answer = await http_answer(f"{url}/readyz")
    return answer is not None and answer[0] == 200


async def health_contains(url: str, status: int, text: str) -> bool:
    found, body = await health(url)
    return found == status and text in body


# Patience


@dataclass
class Health:
    """What a check says, and what the service was told."""

    problem: str | None = None
    failures: list[str] = field(default_factory=list)

    def __call__(self) -> str | None:
        return self.problem


async def test_only_what_lasts_ends_the_service() -> None:
    health = Health("it is broken")
    liveness = Liveness(
        [health], Metrics(), on_failure=health.failures.append, unhealthy_timeout=0.8, tick=0.02
    )
    await liveness.start()
    assert liveness.problem() == "it is broken"
    loop = asyncio.get_running_loop()
    health.problem, began = "it is broken", loop.time()
    await eventually(lambda: loop.time() - began > 0.4)
    health.problem = None
    assert liveness.problem() is None
    await eventually(lambda: loop.time() - began > 1)
    assert health.failures == []
    health.problem = "it is broken again"
    await eventually(lambda: health.failures)
    assert health.failures[0] == "it is broken again"
    await liveness.stop()


def test_an_event_loop_that_stands_still_ends_the_process_and_shows_where() -> None:
    program = """
import asyncio, time
from telecine_chassis.runtime.liveness import event_loop_watchdog
async def stand_still():
    asyncio.create_task(event_loop_watchdog(0.5))
    await asyncio.sleep(0)
    time.sleep(60)
asyncio.run(stand_still())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "in stand_still" in done.stderr
