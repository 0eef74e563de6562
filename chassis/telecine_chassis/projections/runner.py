"""Runs every projection of a service on its live slot."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

import structlog
from sqlalchemy import Engine

from telecine_chassis.runtime.cancellation import cancel_and_wait, run_in_thread
from telecine_chassis.telemetry.instruments import ProjectionInstruments
from telecine_contracts import Registry
from telecine_jetstream.client import NatsClient

from .availability import retry_while_unavailable
from .compaction import Compaction
from .projector import Listener, Projection, Projector
from .slots import Slots

__all__ = ["ProjectionRunner"]

log = structlog.get_logger(__name__)
POINTER_INTERVAL = timedelta(seconds=1)


class ProjectionRunner:
    """Every projection of a service on its live slot. Moves to a new slot when a rebuild has promoted one."""

    def __init__(
        self,
        slots: Slots,
        projections: Sequence[Projection],
        connection: NatsClient,
        registry: Registry,
        *,
        service: str,
        on_failure: Callable[[str], None],
        meters: ProjectionInstruments | None = None,
    ) -> None:
        self._slots = slots
        self._projections = projections
        self._connection = connection
        self._registry = registry
        self._service = service
        self._on_failure = on_failure
        self._meters = meters
        self._listeners: dict[str, list[Listener]] = {}
        self._watchers: dict[str, list[Listener]] = {}
        self._slot_listeners: list[Callable[[], None]] = []
        self._projectors: dict[str, Projector] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._watch: asyncio.Task[None] | None = None
        self._slot = 0
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The live slot's engine, for queries."""
        assert self._engine is not None, "projections are not started"
        return self._engine

    def sequence(self, name: str) -> int:
        """The position of the projection `name`: every event up to this stream sequence can be queried."""
        return self._projectors[name].sequence

    def hurry(self, name: str, sequence: int) -> None:
        """A read waits until events up to `sequence` can be queried: do not linger for more."""
        self._projectors[name].hurry(sequence)

    async def newest(self, name: str) -> int:
        """The sequence of the last event for the projection `name`. Asks the server. Raises errors of NATS."""
        return await self._projectors[name].newest()

    def listen(self, name: str, listener: Listener) -> None:
        """Call `listener` with the events of every batch after it was committed. Before start only."""
        self._listeners.setdefault(name, []).append(listener)

    def watch(self, name: str, watcher: Listener) -> None:
        """Call `watcher` with every batch of events on arrival, before they can be queried. Before start only."""
        self._watchers.setdefault(name, []).append(watcher)

    def on_slot_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the live slot has changed: listeners have missed events between the two positions.

        Before start only.
        """
        self._slot_listeners.append(listener)

    async def start(self) -> None:
        """Follow the streams once the database is available; `ready` reports when everything is caught up."""
        if self._slots.is_server:
            await retry_while_unavailable(self._move, service=self._service)
        else:  # retrying does not help a file that can't be opened
            await self._move()
        self._watch = self._spawn(self._follow_pointer())

    async def stop(self) -> None:
        """Stop following and close the database."""
        if self._watch is not None:
            await cancel_and_wait(self._watch)
        await self._leave()

    async def ready(self) -> str | None:
        """A readiness check: queries must not read stale tables."""
        for name, projector in self._projectors.items():
            if not projector.caught_up.is_set():
                return f"projection {name} is at {projector.sequence} of {projector.head}"
            if projector.is_refused:
                return f"projection {name} has stopped at {projector.sequence}: the database takes no writes"
        return None

    async def lag(self) -> Mapping[str, float]:
        """How far each projection is behind its stream, in stream sequences. Asks the server."""
        return {name: await projector.lag() for name, projector in self._projectors.items()}

    async def wait(self) -> None:
        """Wait until everything that was in the streams at the start is applied."""
        for projector in self._projectors.values():
            await projector.caught_up.wait()

    async def _move(self) -> None:
        """Switch to the live slot if it has changed."""
        slot = await run_in_thread(self._slots.live)
        if slot == self._slot:
            return
        if self._slot:
            log.info("projection.slot_changed", slot=slot)
        engine = await run_in_thread(lambda: self._slots.open(slot), undo=Engine.dispose)
        await self._leave()
        self._slot, self._engine = slot, engine
        writing = asyncio.Lock()
        compaction = Compaction(engine, self._slots.metadata, lambda: self._slots.drop_older(slot))
        self._projectors = {
            projection.name: Projector(
                projection,
                self._slots.metadata,
                engine,
                self._connection,
                self._registry,
                self._service,
                writing,
                compaction,
                self._listeners.get(projection.name, ()),
                self._watchers.get(projection.name, ()),
                self._meters,
            )
            for projection in self._projections
        }
        for listener in self._slot_listeners:
            listener()
        self._tasks = [self._spawn(projector.run()) for projector in self._projectors.values()]

    async def _leave(self) -> None:
        await cancel_and_wait(*self._tasks)
        self._tasks = []
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    async def _follow_pointer(self) -> None:
        while True:
            await asyncio.sleep(POINTER_INTERVAL.total_seconds())
            await retry_while_unavailable(self._move, service=self._service)

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(f"a projection stopped: {type(error).__name__}")
            log.error("projection.stopped", exc_info=error)
