"""Projections: tables that follow a stream, with the position in the same transaction. Rebuilt, never migrated."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Engine, MetaData
from sqlalchemy.exc import DatabaseError

from telecine_chassis.consumers.dead_letters import DeadLetters
from telecine_chassis.eventstore.messages import decode
from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.eventstore.subscription import CatchUpSubscription
from telecine_chassis.runtime.cancellation import raise_if_cancelled, run_in_thread
from telecine_chassis.telemetry.instruments import ProjectionInstruments
from telecine_contracts import BadEnvelope, BadEvent, Event, Registry, UnknownEvent
from telecine_contracts.streams import Consumer, Stream
from telecine_contracts.subjects import of_type
from telecine_jetstream.client import NatsClient
from telecine_jetstream.messages import StoredMessage

from .availability import retry_while_unavailable
from .compaction import Compaction
from .positions import Position
from .rows import RowCache, RowKey, Rows

__all__ = ["Listener", "Projection", "ProjectionAheadOfStream", "Projector"]

log = structlog.get_logger(__name__)
Apply = Callable[[Rows, RecordedEvent], None]
Keys = Callable[[RecordedEvent], Iterable[RowKey]]
Listener = Callable[[Sequence[RecordedEvent]], None]
STALE_AFTER = 10
"""Seconds without a successful write after which the tables count as stale; a database failover is quicker."""
PAGE = 1000
"""Messages of a page: the server needs a millisecond or more for the first."""
READ_AHEAD = 4_000
"""Messages that are decoded ahead while a transaction is in progress."""
COMPACTION_RETRY = 1
"""Seconds until a compaction is tried again that a reader has prevented."""
SLICE = 32
"""Events that are decoded before other tasks run."""


@dataclass(frozen=True)
class Projection:
    """`apply` changes the rows as one event says, from the event and the rows alone: no clock, no randomness, no I/O.

    `keys` names the rows that `apply` will get for an event; those of all events of a transaction are read together.
    `events` are the types that it applies (none: all events of the stream). `linger`: seconds that a transaction waits
    for more events, unless a read waits for those that have arrived (`Projector.hurry`). `interval`: seconds between
    two looks at the stream, for tables that need not be current; 0: events are applied as soon as they are stored.
    """

    name: str
    stream: Stream
    apply: Apply
    keys: Keys = lambda recorded: ()
    events: tuple[type[Event], ...] = ()
    linger: float = 0
    interval: float = 0

    def apply_all(self, rows: Rows, events: Sequence[RecordedEvent]) -> None:
        """Apply events in their order and write what they change; `rows.has_erased` says whether rows were erased."""
        rows.load(key for recorded in events for key in self.keys(recorded))
        for recorded in events:
            self.apply(rows, recorded)
        rows.write()


class ProjectionAheadOfStream(Exception):
    """The tables contain events that the stream does not have: they belong to another stream, or the stream was

    restored from an older copy. Remove the database; it is rebuilt from the stream.
    """


@dataclass(frozen=True, slots=True)
class _DecodedBatch:
    """Messages of a batch, and the events among them that could be decoded."""

    records: Sequence[StoredMessage]
    understood: Sequence[RecordedEvent]

    def joined(self, later: "_DecodedBatch") -> "_DecodedBatch":
        return _DecodedBatch([*self.records, *later.records], [*self.understood, *later.understood])


@dataclass
class Projector:
    """Applies the events of a stream to one projection of one slot. `service` names it in dead letters.

    The projectors of a slot share the lock `writing`: SQLite has one writer, and a second one would poll for its lock.
    """

    projection: Projection
    metadata: MetaData
    engine: Engine
    connection: NatsClient
    registry: Registry
    service: str
    writing: asyncio.Lock
    compaction: Compaction
    listeners: Sequence[Listener] = ()
    watchers: Sequence[Listener] = ()
    meters: ProjectionInstruments | None = None
    sequence: int = 0
    head: int = 0
    caught_up: asyncio.Event = field(default_factory=asyncio.Event)
    refused_since: float | None = None

    def __post_init__(self) -> None:
        self._writer = self.engine.execution_options(write=True)
        self._position = Position(self.engine, self.metadata, self.projection.name)
        self._cache = RowCache(self.engine)
        self._wanted = 0
        self._hurried = asyncio.Event()
        self._waiting = 0
        self._has_erased = False
        self._has_room = asyncio.Event()

    async def run(self) -> None:
        """Follow the stream until cancelled. `caught_up` is set once everything stored at the start is applied.

        Watchers are called when events arrive. One transaction applies the events that arrived during the one before.
        """
        if self.meters is not None:
            self.meters.skipped.labels(
                self.projection.name
            )  # so that the series exists before the first skip
        feed = self._feed()
        self.sequence = await retry_while_unavailable(
            lambda: run_in_thread(self._position.read), projection=self.projection.name
        )
        if self.sequence > (last := await feed.last()):
            stream = self.projection.stream.name
            raise ProjectionAheadOfStream(
                f"{self.projection.name} is at {self.sequence} of {stream}, which ends at {last}"
            )
        self.head = await feed.head()
        self._update_caught_up()
        if await retry_while_unavailable(
            lambda: run_in_thread(self.compaction.is_due), projection=self.projection.name
        ):
            await self._compact()
        raise_if_cancelled()
        read: asyncio.Queue[Sequence[StoredMessage]] = asyncio.Queue(1)
        decoded: asyncio.Queue[_DecodedBatch] = asyncio.Queue()
        self._waiting = 0
        self._has_room.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(feed, read))
            tasks.create_task(self._decode_all(read, decoded))
            tasks.create_task(self._write_all(decoded))

    async def newest(self) -> int:
        """The stream sequence of the last event for this projection. Asks the server."""
        return await self._feed().head()

    def hurry(self, sequence: int) -> None:
        """Write the events up to `sequence` as soon as they arrive, without waiting for more."""
        if sequence > self.sequence:
            self._wanted = max(self._wanted, sequence)
            self._hurried.set()

    async def lag(self) -> int:
        """How far the tables are behind that event. Asks the server."""
        return max(0, await self.newest() - self.sequence)

    def _feed(self) -> CatchUpSubscription:
        filters = [of_type(event) for event in self.projection.events]
        projection = self.projection
        return CatchUpSubscription(
            self.connection, projection.stream, filters=filters, limit=PAGE, interval=projection.interval
        )

    async def _read(self, feed: CatchUpSubscription, read: asyncio.Queue[Sequence[StoredMessage]]) -> None:
        async with aclosing(feed.follow(self.sequence)) as following:
            async for batch in following:
                if batch.records:
                    await read.put(batch.records)

    async def _decode_all(
        self, read: asyncio.Queue[Sequence[StoredMessage]], decoded: asyncio.Queue["_DecodedBatch"]
    ) -> None:
        while True:
            raise_if_cancelled()
            records = await read.get()
            understood: list[RecordedEvent] = []
            for number, record in enumerate(records, 1):
                try:
                    understood.append(decode(record, self.registry))
                except (BadEnvelope, BadEvent, UnknownEvent) as error:
                    await self._set_aside(record, error)
                if (
                    number % SLICE == 0
                ):  # a page of hundreds must not delay requests, nor the request for the next one
                    await asyncio.sleep(0)
            for watcher in self.watchers:
                watcher(understood)
            # Counted in messages: watchers must not wait for a transaction because of a few small batches.
            self._waiting += len(records)
            decoded.put_nowait(_DecodedBatch(records, understood))
            if self._waiting >= READ_AHEAD:
                self._has_room.clear()
                await self._has_room.wait()

    async def _write_all(self, decoded: asyncio.Queue["_DecodedBatch"]) -> None:
        while True:
            raise_if_cancelled()
            batch = await decoded.get()
            if self.projection.linger and self.caught_up.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._hurried.wait(), self.projection.linger)
            while not decoded.empty():
                batch = batch.joined(decoded.get_nowait())
            self._waiting -= len(batch.records)
            self._has_room.set()
            applied = await self._apply_all(batch)
            self.sequence = batch.records[-1].sequence
            if self.sequence >= self._wanted:
                self._hurried.clear()
            self.head = max(self.head, self.sequence)
            for listener in self.listeners:
                listener(applied)
            self._update_caught_up()
            if self._has_erased:
                await self._compact()
                self._has_erased = False

    def _update_caught_up(self) -> None:
        if self.sequence >= self.head:
            self.caught_up.set()

    async def _apply_all(self, batch: "_DecodedBatch") -> Sequence[RecordedEvent]:
        """Apply a batch in one transaction; after an error one by one, so that only the culprit is a dead letter."""
        records, understood = batch.records, batch.understood
        last = records[-1].sequence
        try:
            return await self._commit(understood, last)
        except Exception as error:
            if type(error) is DatabaseError:  # not a subclass, which concern statements: a damaged file
                raise
            log.warning("projection.batch_failed", projection=self.projection.name, exc_info=error)
        applied: list[RecordedEvent] = []
        by_sequence = {record.sequence: record for record in records}
        for recorded in understood:
            try:
                applied += await self._commit([recorded], recorded.sequence)
            except Exception as error:
                await self._dead_letter(by_sequence[recorded.sequence], error)
        await self._commit([], last)
        return applied

    async def _commit(self, events: Sequence[RecordedEvent], last: int) -> Sequence[RecordedEvent]:
        """Write a batch; retried while the database is unavailable, when events wait in their stream."""

        async def once() -> Sequence[RecordedEvent]:
            async with self.writing:
                written = await run_in_thread(lambda: self._write(events, last))
            self.refused_since = None
            return written

        return await retry_while_unavailable(once, self._refused, projection=self.projection.name)

    async def _compact(self) -> None:
        """Remove what was erased from the files of the slot. Raises errors of the file system."""

        async def once() -> bool:
            async with self.writing:
                return await run_in_thread(self.compaction.run)

        while True:
            if await retry_while_unavailable(once, projection=self.projection.name):
                log.info("projection.compacted", projection=self.projection.name)
                return
            await asyncio.sleep(COMPACTION_RETRY)

    def _refused(self) -> None:
        if self.refused_since is None:
            self.refused_since = asyncio.get_running_loop().time()

    @property
    def is_refused(self) -> bool:
        """Whether the database has accepted no write for STALE_AFTER seconds: full disk, unreachable server."""
        now = asyncio.get_running_loop().time()
        return self.refused_since is not None and now - self.refused_since >= STALE_AFTER

    def _write(self, events: Sequence[RecordedEvent], last: int) -> Sequence[RecordedEvent]:
        """Apply the events above the position, so that a second writer of the slot, or a redelivery, has no effect.

        Returns all of them: what another process has written is news for this one, too.
        """
        try:
            with self._writer.begin() as connection:
                done, is_ours = self._position.advance(connection, last)
                if not is_ours:
                    self._cache.forget()
                fresh = [recorded for recorded in events if recorded.sequence > done]
                rows = Rows(self._cache, connection)
                self.projection.apply_all(rows, fresh)
                if rows.has_erased:
                    self.compaction.request(connection)
                    self._has_erased = True
        except BaseException:
            self._position.forget()
            raise
        if self.meters is not None:
            self.meters.events.labels(self.projection.name).inc(len(fresh))
        return events

    async def _set_aside(self, record: StoredMessage, error: Exception) -> None:
        if not isinstance(error, UnknownEvent):
            await self._dead_letter(record, error)
            return
        if self.meters is not None:
            self.meters.skipped.labels(self.projection.name).inc()
        log.warning("projection.unknown_event", projection=self.projection.name, detail=str(error))

    async def _dead_letter(self, record: StoredMessage, error: Exception) -> None:
        name = f"{self.service}-{self.projection.name}"
        log.error("projection.dead_letter", projection=name, sequence=record.sequence, exc_info=error)
        reader = Consumer(name=name, service=self.service, stream=self.projection.stream.name, filters=())
        kept = self.meters.dead_letters if self.meters is not None else None
        await DeadLetters(self.connection, kept).keep(self.service, reader, record, error, 1)
