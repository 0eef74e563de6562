"""Timers are derived and may be lost: set again, from a projection, those that should be there and are not.

A timer that waits for longer than its schedule allows was set by a clock that was wrong, and is moved.
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
"""Timers that one sweep reads, to see whether they wait for too long; with more of them they take turns."""
SPREAD = 2.0
"""Seconds over which the timers of one sweep are spread."""


@dataclass(frozen=True, slots=True)
class PendingTimer:
    """A timer that should be waiting. `at`: when it is due; None, or a time that has passed: soon.

    `traceparent`: the trace that it belongs to. `longest`: for how many seconds after now, or after `at`, the schedule
    lets it wait at most; None: it may wait for any time.
    """

    timer: Timer
    at: datetime | None = None
    traceparent: str | None = None
    longest: float | None = None


class Sweeper:
    """A part of a service: at its start and every `interval` seconds, each of `unfinished` gets its timer back.

    A timer that is already waiting stays as it is, unless it waits for too long. `ready` is awaited first, so that the
    projection is caught up.
    `delay` puts off the timers that are due soon, in seconds: for work that may well be under way somewhere
    without a timer. `restored` counts the timers that were missing, or too far away.
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
        """Begin sweeping in the background."""
        self._task = start_background_task(self._run(), name="sweeper")

    async def stop(self) -> None:
        """Stop sweeping."""
        if self._task is not None:
            await cancel_and_wait(self._task)

    async def sweep(self) -> int:
        """Set what is missing, and move what is too far away; how many that were."""
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
        # No work is under way while its timer waits: that needs no delay.
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
