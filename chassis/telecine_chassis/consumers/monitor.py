"""Monitors the consumers of a service: whether they exist, how far they lag, and whether they make progress."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import nats.errors
from nats.aio.client import Client
from nats.js.api import ConsumerInfo
from nats.js.errors import NotFoundError

from telecine_chassis.runtime.cancellation import cancel_and_wait, raise_if_cancelled
from telecine_chassis.runtime.supervision import start_background_task
from telecine_chassis.telemetry.instruments import HandlerInstruments
from telecine_contracts.streams import Consumer

__all__ = ["ConsumerMonitor", "Progress"]

FETCH_TIMEOUT = 30
"""Seconds without a fetched message, while messages wait and a handler is free, before the consumer counts as stuck."""


@dataclass(slots=True)
class Progress:
    """The messages of a consumer that are being processed, the oldest first; times are of the monotonic clock."""

    running: dict[object, float] = field(default_factory=dict)
    moved_at: float = 0

    def begin(self, message: object, now: float) -> None:
        """The handler of a message starts."""
        self.running[message] = self.moved_at = now

    def end(self, message: object, now: float) -> None:
        """The handler of a message has ended."""
        del self.running[message]
        self.moved_at = now


@dataclass
class _MonitoredConsumer:
    """One consumer; times are of the monotonic clock."""

    consumer: Consumer
    ack_wait: float
    progress: Progress = field(default_factory=Progress)
    waiting_since: float | None = None
    waiting: int = 0
    is_congested: bool = False
    problem: str | None = None


class ConsumerMonitor:
    """`every`: seconds between two checks; consumer information is expensive for the server.

    `stuck_after`: seconds for which all handlers of a consumer may be busy without finishing a message while others
    wait; longer than the slowest handler.
    """

    def __init__(
        self, connection: Client, meters: HandlerInstruments, *, every: float = 10, stuck_after: float = 300
    ) -> None:
        self._connection = connection
        self._meters = meters
        self._every = every
        self._stuck_after = stuck_after
        self._watched: dict[str, _MonitoredConsumer] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, consumer: Consumer) -> Progress:
        """Also monitor this consumer; its progress is reported by the caller."""
        self._watched[consumer.name] = watched = _MonitoredConsumer(consumer, consumer.ack_wait)
        return watched.progress

    def ack_wait(self, name: str) -> float:
        """Seconds after which the server redelivers an unacknowledged message of the consumer."""
        return self._watched[name].ack_wait

    async def missing(self) -> str | None:
        """The name of a consumer that does not exist, or None. Asks the server. Raises errors of NATS."""
        for watched in self._watched.values():
            if await self._information(watched) is None:
                return watched.consumer.name
        return None

    def is_congested(self, name: str) -> bool:
        """Whether so many messages are unacknowledged that delivery of others may soon stop."""
        return self._watched[name].is_congested

    def problem(self) -> str | None:
        """What the last check found that needs a restart or an operator, or None."""
        return next((found.problem for found in self._watched.values() if found.problem), None)

    async def oldest(self) -> Mapping[str, float]:
        """For how many seconds the slowest handler of each consumer has been running."""
        now = time.monotonic()
        return {
            name: now - next(iter(found.progress.running.values()), now)
            for name, found in self._watched.items()
        }

    def start(self) -> None:
        """Check periodically."""
        now = time.monotonic()
        for watched in self._watched.values():
            watched.progress.moved_at, watched.waiting_since, watched.problem = now, None, None
        self._task = start_background_task(self._run(), name="consumer-watch")

    async def stop(self) -> None:
        """Stop checking."""
        if self._task is not None:
            await cancel_and_wait(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            raise_if_cancelled()
            for watched in self._watched.values():
                try:
                    await self._look(watched)
                except (nats.errors.Error, TimeoutError, OSError):  # the next check follows
                    continue

    async def _look(self, watched: _MonitoredConsumer) -> None:
        name, info = watched.consumer.name, await self._information(watched)
        if info is None:
            watched.problem = f"consumer {name} was deleted: run `telecine provision`"
            return
        pending, delivered = info.num_pending or 0, info.num_ack_pending or 0
        self._meters.lag.labels(name).set(pending + delivered)
        if watched.consumer.stream == "TIMERS":
            self._meters.timers_overdue.set(pending)
        allowed = info.config.max_ack_pending or 0
        watched.is_congested = 0 < allowed < 2 * delivered
        watched.waiting = pending if not 0 < allowed <= delivered else 0
        watched.problem = self._stuck(watched, time.monotonic())

    def _stuck(self, watched: _MonitoredConsumer, now: float) -> str | None:
        # Requests may get no answer, and a handler may block: neither raises an error.
        if not watched.waiting:
            watched.waiting_since = None
            return None
        watched.waiting_since = now if watched.waiting_since is None else watched.waiting_since
        idle = now - max(watched.progress.moved_at, watched.waiting_since)
        name, count, waiting = watched.consumer.name, len(watched.progress.running), watched.waiting
        if count < watched.consumer.concurrency:
            silent = idle > min(FETCH_TIMEOUT, self._stuck_after)
            return f"{name} fetches nothing: {waiting} messages wait since {idle:.0f} s" if silent else None
        stuck = idle > self._stuck_after
        return f"{name} is stuck: {count} handlers, none has finished for {idle:.0f} s" if stuck else None

    async def _information(self, watched: _MonitoredConsumer) -> ConsumerInfo | None:
        consumer = watched.consumer
        try:
            info: ConsumerInfo = await self._connection.jsm().consumer_info(consumer.stream, consumer.name)
        except NotFoundError:
            return None
        watched.ack_wait = info.config.ack_wait or consumer.ack_wait
        return info
