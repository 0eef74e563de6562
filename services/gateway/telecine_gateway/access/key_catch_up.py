"""Rate-limited catch-up for API keys that are not yet in the read model."""

import asyncio
from collections.abc import Awaitable, Callable

import nats.errors

from telecine_gateway.read_model.consistency import ReadYourWrites

__all__ = ["ApiKeyCatchUp"]

MIN_INTERVAL = 0.05
"""Seconds between two requests to the server; lookups that arrive meanwhile share the next one."""
_EVERY_ACCOUNT = ""


class ApiKeyCatchUp:
    """Waits until the tables have every key of the ACCESS stream.

    `newest` fetches the sequence of the stream's last event; `reached` is the sequence up to which everything can be
    queried; `within` is the longest wait for the tables, in seconds. A flood of unknown keys costs the server one
    request per MIN_INTERVAL.
    """

    def __init__(
        self, newest: Callable[[], Awaitable[int]], reached: Callable[[], int], *, within: float
    ) -> None:
        self._newest = newest
        self._within = within
        self._keys = ReadYourWrites(reached)
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")

    def advanced(self) -> None:
        """The tables have advanced."""
        self._keys.advanced()

    async def catch_up(self) -> None:
        """Until what is in the stream now can be queried; returns at once if the server does not respond."""
        if self._next is None:
            self._next = asyncio.create_task(self._fetch_newest(), name="new-keys")
        await asyncio.shield(self._next)

    async def wait_until_visible(self, sequence: int) -> None:
        """Until the stream up to `sequence` can be queried, for at most `within` seconds."""
        self._keys.record_write(_EVERY_ACCOUNT, sequence)
        await self._keys.wait_until_visible(_EVERY_ACCOUNT, within=self._within)

    async def _fetch_newest(self) -> None:
        now = asyncio.get_running_loop().time
        async with self._turn:  # an unavailable server gets one request at a time
            await asyncio.sleep(max(0, self._asked_at + MIN_INTERVAL - now()))
            self._next = None  # lookups that arrive from here on may need a newer response
            self._asked_at = now()
            try:
                newest = await self._newest()
            except (nats.errors.Error, TimeoutError, OSError):
                return
        await self.wait_until_visible(newest)
