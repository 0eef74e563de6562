"""Sets missing timers again: timers are derived from events and may be lost; a projection knows which should exist.

A timer that is due later than its schedule allows was set by a wrong clock, and is moved.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter

from telecine_chassis.eventstore.port import Unavailable
from telecine_chassis.runtime.cancellation import cancel_and_wait, raise_if_cancelled
from telecine_chassis.runtime.supervision import start_background_task
from telecine_chassis.telemetry.tracing import use_traceparent

from .port import Timer, Timers

__all__ = ["PendingTimer", "Sweeper"]

log = structlog.get_logger(__name__)
CHECKED = 2_000
"""Timers per sweep that are checked for being due too late; more of them are checked in turns."""
SPREAD = 2.0
"""Seconds over which the timers of one sweep are spread."""


@dataclass(frozen=True, slots=True)
class PendingTimer:
    """A timer that should be waiting. `at`: when it is due; None or a time in the past: soon.

    `traceparent`: the trace that it belongs to. `longest`: seconds after now, or after `at`, by which it must be due;
    None: no limit.
    """

    timer: Timer
    at: datetime | None = None
    traceparent: str | None = None
    longest: float | None = None


class Sweeper:
    """A component: at its start and every `interval` seconds it sets the timers of `unfinished` that are missing.

    A waiting timer is not changed, unless it is due too late. `ready` is awaited first, so that the projection is
    caught up. `delay`: seconds added to timers that are due soon, since a replica may be doing their work without a
    timer. `restored` counts the timers that were missing or due too late.
    """

    def __init__(
        self,
        timers: Timers,
        unfinished: Callable[[], Awaitable[Sequence[PendingTimer]]],
        ready: Callable[[], Awaitable[None]],
        *,
        interval: float,
        clock: Callable[[], datetime],
        delay: float = 0,
        restored: Counter | None = None,
    ) -> None:
        self._timers = timers
        self._unfinished = unfinished
        self._ready = ready
        self._interval = interval
        self._clock = clock
        self._delay = delay
        self._restored = restored
        self._turn = 0
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start sweeping in the background."""
        self._task = start_background_task(self._run(), name="sweeper")

    async def stop(self) -> None:
        """Stop sweeping."""
        if self._task is not None:
            await cancel_and_wait(self._task)

    async def sweep(self) -> int:
        """Set the missing timers and move those that are due too late; their number."""
        restored = 0
        unfinished = await self._unfinished()
        for number, owed in enumerate(unfinished):
            raise_if_cancelled()
            checked = (number - self._turn) % len(unfinished) < CHECKED
            with use_traceparent(owed.traceparent):
                restored += await self._restore(owed, checked=checked)
        self._turn = (self._turn + CHECKED) % max(len(unfinished), 1)
        if self._restored is not None:
            self._restored.inc(restored)
        return restored

    async def _restore(self, owed: PendingTimer, *, checked: bool) -> bool:
        if await self._timers.set_if_absent(owed.timer, self._moment(owed.at, self._delay)):
            return True
        if owed.longest is None or not checked:
            return False
        now = self._clock()
        latest = max(now, owed.at or now) + timedelta(seconds=owed.longest)
        # While a timer waits, no replica is doing its work: no delay is needed.
        return await self._timers.bring_forward(owed.timer, self._moment(owed.at, 0), latest=latest)

    def _moment(self, at: datetime | None, delay: float) -> datetime:
        now = self._clock()
        if at is not None and at > now:
            return at
        spread = random.uniform(0, min(SPREAD, self._interval))  # noqa: S311 - spreads work
        return now + timedelta(seconds=delay + spread)

    async def _run(self) -> None:
        await self._ready()
        while True:
            try:
                missing = await self.sweep()
                if missing:
                    log.info("sweeper.timers_set", count=missing)
            except Unavailable as error:
                log.warning("sweeper.failed", error=str(error))
            except Exception:
                log.exception("sweeper.failed")
            raise_if_cancelled()
            await asyncio.sleep(self._interval)
