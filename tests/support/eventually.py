"""Wait for a condition with a deadline, instead of sleeping and hoping."""

import asyncio
import time
from collections.abc import Awaitable, Callable

__all__ = ["eventually", "eventually_async"]


async def eventually(condition: Callable[[], object], *, within: float = 10.0, what: str = "") -> None:
    """Return as soon as `condition()` is true; AssertionError after `within` seconds."""
    give_up = time.monotonic() + within
    while not condition():
        assert time.monotonic() < give_up, what or "the condition did not come true in time"
        await asyncio.sleep(0.02)


async def eventually_async(
    condition: Callable[[], Awaitable[object]], *, within: float = 10.0, what: str = ""
) -> None:
    """The same for an asynchronous condition."""
    give_up = time.monotonic() + within
    while not await condition():
        assert time.monotonic() < give_up, what or "the condition did not come true in time"
        await asyncio.sleep(0.02)
