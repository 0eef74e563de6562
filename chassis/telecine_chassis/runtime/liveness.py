"""Liveness: ends the process after it has been unhealthy for too long, so that a supervisor restarts it."""

import asyncio
import faulthandler
from collections.abc import Callable, Sequence

import structlog

from telecine_chassis.telemetry.metrics import Metrics

from .cancellation import cancel_and_wait
from .supervision import start_background_task

__all__ = ["Liveness", "event_loop_watchdog"]

log = structlog.get_logger(__name__)
TICK = 0.5
"""Seconds between two checks; how much later one runs is how long the event loop was blocked."""
MAX_STALL = 60
"""Seconds for which the event loop may be blocked; then the process prints its stack and exits."""
Check = Callable[[], str | None]


class Liveness:
    """A component that calls `checks`, which make no network calls, and reports what they find on /healthz.

    After `unhealthy_timeout` seconds with a problem it calls `on_failure`: Docker restarts a process that has ended,
    but not one that is merely unhealthy.
    """

    def __init__(
        self,
        checks: Sequence[Check],
        metrics: Metrics,
        *,
        on_failure: Callable[[str], None],
        unhealthy_timeout: float = 30,
        tick: float = TICK,
    ) -> None:
        self._checks = checks
        self._on_failure = on_failure
        self._unhealthy_timeout = unhealthy_timeout
        self._tick = tick
        self._task: asyncio.Task[None] | None = None
        self._lag = metrics.histogram(
            "telecine_event_loop_delay_seconds",
            "Delay of a periodic callback: how long the event loop was blocked",
            bounds=(0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
        )

    def problem(self) -> str | None:
        """A problem that only a restart solves, or None."""
        return next((problem for check in self._checks if (problem := check())), None)

    async def start(self) -> None:
        """Start checking."""
        self._task = start_background_task(self._run(), name="liveness")

    async def stop(self) -> None:
        """Stop checking."""
        if self._task is not None:
            await cancel_and_wait(self._task)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        since: float | None = None
        while True:
            due = loop.time() + self._tick
            await asyncio.sleep(self._tick)
            now = loop.time()
            self._lag.observe(now - due)
            problem = self.problem()
            if problem is None:
                since = None
                continue
            if since is None:
                since = now
                log.error("service.unhealthy", reason=problem)
            if now - since >= self._unhealthy_timeout:
                self._on_failure(problem)


async def event_loop_watchdog(max_stall: float = MAX_STALL) -> None:
    """Print the stack and exit the process when the event loop is blocked for `max_stall` seconds."""
    try:
        while True:
            faulthandler.dump_traceback_later(max_stall, exit=True)
            await asyncio.sleep(min(max_stall / 4, 5))
    finally:
        faulthandler.cancel_dump_traceback_later()
