"""Cancellation of tasks despite libraries that swallow it, and of work in threads."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

__all__ = ["cancel_and_wait", "raise_if_cancelled", "run_in_thread"]

T = TypeVar("T")


def raise_if_cancelled() -> None:
    """Raise CancelledError if this task was cancelled. Call it in every loop around calls to NATS.

    Up to Python 3.11 `asyncio.wait_for`, which nats-py uses, loses a cancellation that arrives together with the
    result: the loop would run on, and the caller that stops it would wait for it indefinitely.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def cancel_and_wait(*tasks: "asyncio.Future[Any]", every: float = 5) -> None:
    """Cancel tasks, and again every `every` seconds until they have ended: a library may swallow a cancellation.

    Their results and errors are ignored. A clean-up that takes longer than `every` is cancelled, too.
    """
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=every)
    for task in tasks:
        if not task.cancelled():
            task.exception()


async def run_in_thread(work: Callable[[], T], undo: Callable[[T], object] = lambda result: None) -> T:
    """Run a blocking function in a thread. A cancellation waits for it, so that nothing is closed that it still uses.

    Its result then goes to `undo`, since the cancelled caller can't take it.
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
