"""Cancellations that a library swallows, or that a thread can't hear."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

__all__ = ["cancel_and_wait", "raise_if_cancelled", "run_in_thread"]

T = TypeVar("T")


def raise_if_cancelled() -> None:
    """Raise CancelledError if this task was told to stop. To be called in every loop around calls to NATS.

    Up to Python 3.11 `asyncio.wait_for`, which the client uses, returns an answer that came in the same moment as a
    cancellation, and forgets the cancellation: the loop would go on for ever, and whoever stops it would wait.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def cancel_and_wait(*tasks: "asyncio.Future[Any]", every: float = 5) -> None:
    """Cancel tasks until they have ended, again every so many seconds: a library may swallow a cancellation.

    What they raise or return is let go. A clean-up that takes longer than `every` is broken off, too.
    """
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=every)
    for task in tasks:
        if not task.cancelled():
            task.exception()


async def run_in_thread(work: Callable[[], T], undo: Callable[[T], object] = lambda result: None) -> T:
    """Run a blocking function in a thread. A cancellation waits for it: nothing may be closed that it still uses.

    What it then returns, and nobody will take, goes to `undo`.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        if running.exception() is None:
            undo(running.result())
        raise
