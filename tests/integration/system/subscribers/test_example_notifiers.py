"""Both example notifiers report every ended generation once and in order, whichever process is killed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import nats as nats_client
import pytest
from tests.support.eventually import eventually, eventually_async
from tests.support.processes.subscribers import (
    Generations,
    Subscriber,
    javascript_notifier,
    notification_keys,
    python_notifier,
)
from tests.support.servers.instances import NatsServer

from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.nats.connection import connect
from telecine_cli.provisioning.streams import provision
from telecine_cli.stack.process import Process
from telecine_contracts import registry

WITHIN = 40.0


@pytest.fixture
async def generations(nats: NatsServer) -> AsyncIterator[Generations]:
    connection = await connect(nats.url, "test")
    try:
        await provision(connection)
        yield Generations(JetStreamEventStore(connection, registry()))
    finally:
        await connection.close()


@pytest.fixture(params=[python_notifier, javascript_notifier], ids=["python", "javascript"])
def notifier(request: pytest.FixtureRequest, nats: NatsServer, tmp_path: Path) -> Subscriber:
    make: Callable[[str, Path], Subscriber] = request.param
    return make(nats.url, tmp_path)


@pytest.fixture
def running(notifier: Subscriber) -> Iterator[Process]:
    process = notifier.process()
    yield process
    process.kill()


async def wait_until_notified(notifier: Subscriber, process: Process, count: int) -> None:
    def enough() -> bool:
        assert process.running, process.log_tail()
        return len(notifier.lines()) >= count

    await eventually(enough, within=WITHIN, what=f"{count} lines were not written")


async def test_every_ended_generation_is_told_once_and_in_order_whatever_is_killed(
    generations: Generations, notifier: Subscriber, running: Process
) -> None:
    await generations.end(10)  # before it ever ran
    await notifier.provision()
    for stop_at in (5, 40):
        running.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(generations.end(25))
            tasks.create_task(wait_until_notified(notifier, running, stop_at))
        running.kill()
        await generations.end(5)  # while no notifier runs
    running.start()
    await wait_until_notified(notifier, running, len(generations.ended))
    assert notification_keys(notifier.lines()) == generations.ended


async def test_a_consumer_that_starts_over_repeats_nothing_and_a_torn_line_is_written_again(
    generations: Generations, notifier: Subscriber, running: Process, nats: NatsServer
) -> None:
    await notifier.provision()
    await generations.end(8)
    running.start()
    await wait_until_notified(notifier, running, 8)
    running.kill()

    whole = notifier.file.read_bytes()
    notifier.file.write_bytes(whole[:-20])  # as if the power had gone in the middle of the last line
    connection = await nats_client.connect(nats.url)
    await connection.jetstream().delete_consumer("VIDEO", notifier.name)
    await connection.close()
    await notifier.provision()  # hands out every event again, from the first

    await generations.end(4)
    running.start()
    await wait_until_notified(notifier, running, 12)
    assert notification_keys(notifier.lines()) == generations.ended
    assert notifier.file.read_bytes().startswith(whole)


async def test_an_event_whose_line_could_not_be_written_is_not_lost(
    generations: Generations, notifier: Subscriber, running: Process, nats: NatsServer
) -> None:
    await notifier.provision()
    await generations.end(60)
    cramped = notifier.process(blocks=8)
    cramped.start()
    try:
        await wait_until_unacknowledged(notifier, cramped, nats)
    finally:
        cramped.kill()
    assert 0 < len(notifier.lines()) < 60
    running.start()
    await wait_until_notified(notifier, running, 60)
    assert notification_keys(notifier.lines()) == generations.ended


async def wait_until_unacknowledged(notifier: Subscriber, process: Process, nats: NatsServer) -> None:
    """Until it has exited, or an event was redelivered because it was not acknowledged."""
    connection = await nats_client.connect(nats.url)
    try:

        async def refused() -> bool:
            info = await connection.jetstream().consumer_info("VIDEO", notifier.name)
            return not process.running or bool(info.num_redelivered)

        await eventually_async(refused, within=WITHIN)
    finally:
        await connection.close()


async def test_it_goes_on_after_the_server_was_killed(
    generations: Generations, notifier: Subscriber, running: Process, nats: NatsServer
) -> None:
    await notifier.provision()
    await generations.end(4)
    running.start()
    await wait_until_notified(notifier, running, 4)
    nats.kill()
    await nats.start()
    await eventually_appended(generations)
    await wait_until_notified(notifier, running, 5)
    assert notification_keys(notifier.lines()) == generations.ended


async def eventually_appended(generations: Generations) -> None:
    async with asyncio.timeout(WITHIN):
        await generations.end(1)


async def test_it_stops_in_order(generations: Generations, notifier: Subscriber, running: Process) -> None:
    await notifier.provision()
    await generations.end(1)
    running.start()
    await wait_until_notified(notifier, running, 1)
    await running.terminate(grace=WITHIN)
    assert running.returncode == 0, running.log_tail()


async def test_an_event_that_it_cannot_read_is_not_passed_over(
    generations: Generations, notifier: Subscriber, running: Process, nats: NatsServer
) -> None:
    await notifier.provision()
    await generations.end(1)
    connection = await nats_client.connect(nats.url)
    await connection.jetstream().publish(
        "video.a.g.failed", b"{}", headers={"ce-type": "generation.failed.v9"}
    )
    await connection.close()
    await generations.end(1)
    running.start()
    await eventually(lambda: "can't be read" in running.log_tail(), within=WITHIN)
    assert notification_keys(notifier.lines()) == generations.ended[:1]


async def test_it_says_what_to_do_when_its_consumer_was_not_created(
    generations: Generations, notifier: Subscriber, running: Process
) -> None:
    assert generations.ended == []
    running.start()
    async with asyncio.timeout(WITHIN):
        assert await running.wait() != 0
    assert f"telecine subscribers add {notifier.name}" in running.log_tail()
