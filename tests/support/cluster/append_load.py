"""Clients that append to a cluster without a pause, and remember what was acknowledged."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.support.cluster.nats_cluster import NatsCluster
from tests.support.data.video_events import GenerationEvents
from tests.support.eventually import eventually

from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.eventstore.port import Conflict, EventStore, Unavailable
from telecine_chassis.nats.connection import connect
from telecine_contracts import Envelope, Event, registry, subjects

__all__ = ["Writers", "envelope", "writers"]

WRITERS = 4
PAUSE = 0.05
"""Seconds between two tries of one event."""


def envelope(event: Event, id: str) -> Envelope:
    """What says of a gateway's event who wrote it, and why."""
    return Envelope(
        id=id,
        source="telecine/gateway",
        type=event.type,
        time=datetime.now(UTC),
        subject=subjects.of_event(event),
        correlation="c",
        causation="k",
    )


@dataclass
class Writers:
    """Each appends one event after the other, each event until it is known where it stands: sequence → id."""

    acknowledged: dict[int, str] = field(default_factory=dict)
    going: bool = True

    async def write(self, store: EventStore, name: str) -> None:
        for number in itertools.count():
            if not self.going:
                return
            sequence, id = await self._stored(store, f"{name}-{number}")
            self.acknowledged[sequence] = id

    async def _stored(self, store: EventStore, generation: str) -> tuple[int, str]:
        event, aggregate = GenerationEvents("ann", generation).requested(), subjects.video("ann", generation)
        about = envelope(event, f"id-{generation}")
        while True:
            try:
                sequence = await store.append(event, about, aggregate=aggregate, expected=0)
                return sequence, about.id
            except (Conflict, Unavailable):
                with suppress(Unavailable):
                    for found in await store.load(aggregate):
                        return found.sequence, found.envelope.id
                await asyncio.sleep(PAUSE)

    async def more(self, count: int) -> None:
        """Until `count` more events were acknowledged."""
        enough = len(self.acknowledged) + count
        await eventually(
            lambda: len(self.acknowledged) >= enough, within=60, what="nothing is taken any more"
        )


@asynccontextmanager
async def writers(cluster: NatsCluster) -> AsyncIterator[Writers]:
    """At work while the block runs, each with a connection of its own."""
    work = Writers()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        for number in range(WRITERS):
            connection = await connect(cluster.url, "gateway", access=cluster.access("gateway"))
            stack.push_async_callback(connection.close)
            tasks.create_task(work.write(JetStreamEventStore(connection, registry()), f"w{number}"))
        yield work
        work.going = False
