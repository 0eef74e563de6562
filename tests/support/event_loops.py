"""Asynchronous work where no event loop runs."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["run_in_new_loop"]

T = TypeVar("T")


def run_in_new_loop(work: Coroutine[Any, Any, T]) -> T:
    """Do asynchronous work where no loop runs, e.g. in a fixture that outlives one test."""
    # Not asyncio.run: it would leave the thread without the loop that pytest-asyncio set.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
