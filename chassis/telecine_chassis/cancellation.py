"""A cancellation that a library swallowed, noticed."""

import asyncio

__all__ = ["heed_cancellation"]


def heed_cancellation() -> None:
    """Raise CancelledError if this task was told to stop. To be called in every loop around calls to NATS.

    Up to Python 3.11 `asyncio.wait_for`, which the client uses, returns an answer that came in the same moment as a
    cancellation, and forgets the cancellation: the loop would go on for ever, and whoever stops it would wait.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
