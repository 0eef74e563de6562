"""Appends to three servers at once: one event of several tries, one of several events, and all see it at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.cluster.append_load import envelope
from tests.support.cluster.nats_cluster import NatsCluster, nats_cluster, provision_cluster
from tests.support.data.video_events import GenerationEvents

from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.eventstore.port import Conflict, EventStore
from telecine_chassis.nats.connection import connect
from telecine_chassis.timers.jetstream import JetStreamTimers
from telecine_chassis.timers.port import Timer
from telecine_contracts import Event, registry, subjects
from telecine_jetstream.client import NatsClient

ROUNDS = 20


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[NatsCluster]:
    async with nats_cluster(tmp_path) as running:
        await provision_cluster(running)
        yield running


@pytest.fixture
async def connections(
    cluster: NatsCluster, request: pytest.FixtureRequest
) -> AsyncIterator[list[NatsClient]]:
    """One to each server, of the service that the test names."""
    name: str = request.param
    access = cluster.access(name)
    made = [await connect(cluster.client_url(server), name, access=access) for server in cluster.servers]
    yield made
    for connection in made:
        await connection.close()


async def outcome(store: EventStore, event: Event, id: str) -> int | None:
    """The sequence; None after a conflict."""
    aggregate = subjects.video(*event.aggregate)
    try:
        return await store.append(event, envelope(event, id), aggregate=aggregate, expected=0)
    except Conflict:
        return None


async def seen_through(stores: Sequence[EventStore], generation: str) -> list[list[int]]:
    """The sequences of the generation's events, as each store sees them."""
    found = [await store.load(subjects.video("ann", generation)) for store in stores]
    return [[each.sequence for each in events] for events in found]


@pytest.mark.parametrize("connections", ["gateway"], indirect=True)
async def test_tries_of_one_event_at_once_store_it_once_and_none_is_refused(
    connections: list[NatsClient],
) -> None:
    """While one try is on its way to the replicas, the server does not know what to say to the next."""
    stores = [JetStreamEventStore(each, registry()) for each in connections]
    for number in range(ROUNDS):
        event, id = GenerationEvents("ann", f"g-{number}").requested(), f"id-{number}"

        found = await asyncio.gather(*(outcome(store, event, id) for store in stores * 2))

        stored = [each for each in found if each is not None]
        assert await seen_through(stores, f"g-{number}") == [stored] * 3
        assert len(stored) == 1


@pytest.mark.parametrize("connections", ["gateway"], indirect=True)
async def test_of_different_events_at_one_version_one_is_stored_and_seen_through_every_server(
    connections: list[NatsClient],
) -> None:
    stores = [JetStreamEventStore(each, registry()) for each in connections]
    for number in range(ROUNDS):
        event = GenerationEvents("ann", f"g-{number}").requested()

        found = await asyncio.gather(
            *(outcome(store, event, f"id-{number}-{which}") for which, store in enumerate(stores * 2))
        )

        stored = [each for each in found if each is not None]
        assert await seen_through(stores, f"g-{number}") == [stored] * 3
        assert len(stored) == 1


@pytest.mark.parametrize("connections", ["generation"], indirect=True)
async def test_of_timers_that_are_set_at_once_if_there_is_none_one_is_set(
    connections: list[NatsClient],
) -> None:
    all_timers = [JetStreamTimers(each, "generation") for each in connections]
    later = datetime.now(UTC) + timedelta(hours=1)
    for number in range(ROUNDS):
        timer = Timer("wake", ("ann", f"g-{number}"))
        done = await asyncio.gather(*(timers.set_if_absent(timer, later) for timers in all_timers * 2))
        assert done.count(True) == 1
