"""A key that nobody here knows may have been made just now: one more look, without a way to be flooded by it."""

import asyncio
from collections.abc import Awaitable, Callable

import nats.errors

from telecine_gateway.read_model.consistency import ReadYourWrites

__all__ = ["ApiKeyCatchUp"]

MIN_INTERVAL = 0.05
"""Seconds between two questions to the server; all who come meanwhile share the next one."""
_EVERY_ACCOUNT = ""


class ApiKeyCatchUp:
    """Waits for what ACCESS has beyond the tables.

    `newest` asks the server for the sequence of the last event, `reached` says up to where everything can be queried,
    `within` is how long, in seconds, anybody waits for the tables.
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
        """Until what is in the stream now can be queried; at once where the server gives no answer."""
        if self._next is None:
            self._next = asyncio.create_task(self._fetch_newest(), name="new-keys")
        await asyncio.shield(self._next)

    async def _fetch_newest(self) -> None:
        now = asyncio.get_running_loop().time
        async with self._turn:  # a server that is away gets one question, not one after the other
            await asyncio.sleep(max(0, self._asked_at + MIN_INTERVAL - now()))
            self._next = None  # the answer may know nothing of what whoever comes from now on is after
            self._asked_at = now()
            try:
                newest = await self._newest()
            except (nats.errors.Error, TimeoutError, OSError):
                return
        self._keys.record_write(_EVERY_ACCOUNT, newest)
        await self._keys.wait_until_visible(_EVERY_ACCOUNT, within=self._within)
