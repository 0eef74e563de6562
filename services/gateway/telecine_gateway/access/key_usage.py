"""Records when API keys were last used: an event a day and key, written beside the request."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from telecine_chassis.eventstore.port import StoreError
from telecine_chassis.runtime.cancellation import cancel_and_wait

from .key_rules import USE_INTERVAL, KeyRefused, RecordUse

__all__ = ["KeyUsage"]

log = structlog.get_logger(__name__)
MAX_KEYS = 10_000
"""Keys whose last recorded use is remembered; of another one the tables are asked."""
RETRY_INTERVAL = timedelta(minutes=1)
"""Until a use that could not be recorded is tried again."""
STOP_TIMEOUT = 1
"""Seconds that a stop waits for uses that are being recorded."""


class KeyUsage:
    """A component. `record` appends; it decides on the events of the account, so that no gateway repeats another's."""

    def __init__(
        self, record: Callable[[RecordUse], Awaitable[object]], clock: Callable[[], datetime]
    ) -> None:
        self._record = record
        self._clock = clock
        self._recorded: OrderedDict[str, datetime] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Does nothing: uses are recorded as they come."""

    async def stop(self) -> None:
        """Let what is being recorded end, for a second at most. A use that is lost is recorded with the next one."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_TIMEOUT)
        await cancel_and_wait(*self._tasks)

    def note(self, account: str, key_id: str, used_at: datetime | None) -> None:
        """A key is used. `used_at`: the last use that the tables have."""
        now = self._clock()
        last = self._recorded.get(key_id, used_at)
        if last is not None and now - last < USE_INTERVAL:
            return
        self._remember(key_id, now)
        task = asyncio.create_task(self._append(RecordUse(account=account, key_id=key_id, at=now)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _append(self, use: RecordUse) -> None:
        try:
            await self._record(use)
        except (StoreError, KeyRefused) as error:
            log.warning(
                "key_use.not_recorded", account=use.account, key_id=use.key_id, error=type(error).__name__
            )
            self._remember(use.key_id, use.at - USE_INTERVAL + RETRY_INTERVAL)

    def _remember(self, key_id: str, at: datetime) -> None:
        self._recorded[key_id] = at
        if len(self._recorded) > MAX_KEYS:
            self._recorded.popitem(last=False)
