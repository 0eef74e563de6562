"""The NATS server's time, extrapolated between two requests by the monotonic clock of this process.

No decision depends on the wall clock of one machine: a service whose clock is an hour ahead reads the same time as its
replicas.
"""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import nats.errors
import structlog
from nats.aio.client import Client

from telecine_chassis.runtime.cancellation import cancel_and_wait, raise_if_cancelled
from telecine_chassis.runtime.supervision import start_background_task
from telecine_jetstream.errors import PermissionDenied

__all__ = ["ServerClock"]

log = structlog.get_logger(__name__)
STREAM = "TIMERS"
"""Its stream info contains the time (`ts`) of its leader, the server by whose clock timers fire."""
TIMEOUT = 5.0
STEP = timedelta(seconds=2)
"""A larger difference is not drift: the server's clock was changed, or this machine was suspended."""
STEADY = 30.0
"""Seconds for which a step must last before it is followed, so that a clock that is briefly wrong has no effect."""


class ServerClock:
    """The server's time; before the first reply, the machine's time at the creation of this clock.

    `every`: seconds between two requests. Between them, and while the server is away, `monotonic` advances the time.
    """

    def __init__(
        self,
        connection: Client,
        *,
        every: float = 5,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._every = every
        self._monotonic = monotonic
        self._base, self._at = wall(), monotonic()
        self._known = False
        self._silent = False
        self._step: tuple[timedelta, float] | None = None
        self._task: asyncio.Task[None] | None = None

    def __call__(self) -> datetime:
        """The current time in UTC."""
        return self._base + timedelta(seconds=self._monotonic() - self._at)

    @property
    def server_offset(self) -> timedelta:
        """How far the server's clock is ahead of this one: zero, unless it was changed less than STEADY seconds ago."""
        return self._step[0] if self._step is not None else timedelta(0)

    async def start(self) -> None:
        """Read the server's time, and then periodically. An unreachable server is asked again later."""
        await self._look()
        self._task = start_background_task(self._run(), name="server-clock")

    async def stop(self) -> None:
        """Stop reading the server's time; this clock continues."""
        if self._task is not None:
            await cancel_and_wait(self._task)

    def synchronize(self, told: datetime, asked: float, heard: float) -> None:
        """Adjust to a server time `told` that was received between two readings of the monotonic clock."""
        own = self._base + timedelta(seconds=heard - self._at)
        true = min(max(own, told), told + timedelta(seconds=heard - asked))
        off = true - own
        if self._known and abs(off) > STEP:
            if self._step is None or abs(off - self._step[0]) > STEP:
                self._step = off, heard
            if heard - self._step[1] < STEADY:
                return
            log.warning("clock.stepped", seconds=round(off.total_seconds(), 1))
        self._base, self._at, self._known, self._step = true, heard, True, None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            raise_if_cancelled()
            await self._look()

    async def _look(self) -> None:
        asked = self._monotonic()
        try:
            answer = await self._connection.request(f"$JS.API.STREAM.INFO.{STREAM}", b"", timeout=TIMEOUT)
            told = datetime.fromisoformat(json.loads(answer.data)["ts"])
        except (nats.errors.Error, PermissionDenied, TimeoutError, OSError, ValueError, LookupError) as error:
            if not self._silent:  # once per outage
                log.warning("clock.no_answer", reason=type(error).__name__, known=self._known)
            self._silent = True
            return
        self._silent = False
        self.synchronize(told, asked, self._monotonic())
