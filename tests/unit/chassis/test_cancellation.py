"""Tasks end although a library swallows a cancellation, and threads are waited for."""

import asyncio
import threading
from contextlib import suppress

import pytest

from telecine_chassis.runtime.cancellation import cancel_and_wait, run_in_thread


async def test_a_task_that_swallows_cancellations_is_ended_all_the_same() -> None:
    swallowed: list[int] = []

    async def swallow_cancellations() -> None:
        for time in range(3):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            swallowed.append(time)

    stubborn, other = (
        asyncio.create_task(swallow_cancellations()),
        asyncio.create_task(asyncio.Event().wait()),
    )
    await asyncio.sleep(0)
    await cancel_and_wait(stubborn, other, every=0.01)
    assert (swallowed, stubborn.done(), other.cancelled()) == ([0, 1, 2], True, True)


async def test_exceptions_of_an_ended_task_are_dropped() -> None:
    async def fails() -> None:
        raise ValueError("ignored")

    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    await cancel_and_wait(task)
    await cancel_and_wait()


async def test_a_thread_is_waited_for_however_often_its_waiter_is_cancelled() -> None:
    go, undone = threading.Event(), list[str]()

    def work() -> str:
        go.wait()
        return "done"

    waiting = asyncio.create_task(run_in_thread(work, undo=undone.append))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert undone == ["done"]
