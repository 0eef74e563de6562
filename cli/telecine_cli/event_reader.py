"""Reads events from the streams: all events of one generation, or new events of several streams."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import nats.errors

from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.eventstore.messages import decode_or_undecoded
from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.eventstore.subscription import CatchUpSubscription
from telecine_contracts import registry, subjects
from telecine_contracts.gateway import VideoEvent
from telecine_contracts.streams import Stream
from telecine_jetstream.client import NatsClient

from .errors import CommandError

__all__ = ["generation_events", "live_events", "merge_streams"]

LOST = "the connection to the NATS server was lost"


async def generation_events(connection: NatsClient, generation: str) -> list[RecordedEvent]:
    """Every event of a generation, from VIDEO and LEDGER, causes before effects; empty if there is none."""
    store = JetStreamEventStore(connection, registry())
    video = await store.load(f"video.*.{subjects.token(generation)}.*", include_undecoded=True)
    accounts = {recorded.event.account for recorded in video if isinstance(recorded.event, VideoEvent)}
    entries = [
        entry
        for account in accounts
        for entry in await store.load(subjects.ledger(account), include_undecoded=True)
    ]
    return merge_streams(
        [*video, *(entry for entry in entries if entry.event.about.get("generation") == generation)]
    )


def merge_streams(events: Iterable[RecordedEvent]) -> list[RecordedEvent]:
    """Merge the events of several streams: each stream keeps its order, and no effect precedes its cause.

    Only where neither decides are events ordered by time, which comes from the clocks of several services.
    """
    streams: dict[str, deque[RecordedEvent]] = defaultdict(deque)
    for recorded in sorted(events, key=lambda each: each.sequence):
        streams[recorded.event.stream].append(recorded)
    waiting = {recorded.envelope.id for queue in streams.values() for recorded in queue}
    ordered: list[RecordedEvent] = []
    while heads := sorted((queue[0] for queue in streams.values() if queue), key=_time):
        chosen = next((head for head in heads if _cause(head) not in waiting), heads[0])
        streams[chosen.event.stream].popleft()
        waiting.discard(chosen.envelope.id)
        ordered.append(chosen)
    return ordered


def _time(recorded: RecordedEvent) -> datetime:
    return recorded.envelope.time


def _cause(recorded: RecordedEvent) -> str | None:
    """The id of the event that caused this one; None for an event without a cause, which names itself."""
    envelope = recorded.envelope
    return None if envelope.causation == envelope.id else envelope.causation


@asynccontextmanager
async def live_events(
    connection: NatsClient, starts: Sequence[tuple[Stream, int]]
) -> "AsyncIterator[asyncio.Queue[RecordedEvent]]":
    """A queue that receives every event of some streams during the block, each stream from after a sequence.

    A message that this version cannot read arrives as UndecodedEvent. Errors of the block pass through.

    Raises:
        CommandError: the connection is lost.
    """
    events: asyncio.Queue[RecordedEvent] = asyncio.Queue(maxsize=1000)
    known = registry()

    async def pump(stream: Stream, after: int) -> None:
        try:
            await follow(stream, after)
        except (nats.errors.Error, OSError) as error:
            raise CommandError(LOST) from error

    async def follow(stream: Stream, after: int) -> None:
        async for batch in CatchUpSubscription(connection, stream).follow(after):
            if connection.is_closed:
                raise CommandError(LOST)
            for record in batch.records:
                await events.put(decode_or_undecoded(record, known))

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(pump(stream, after)) for stream, after in starts]
            yield events
            for task in tasks:
                task.cancel()
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
