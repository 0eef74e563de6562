"""Background tasks of a service: one that ends before the service stops ends the process, so it is started again."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog

__all__ = ["report_task_end", "start_background_task", "task_supervision"]

log = structlog.get_logger(__name__)
_REPORT: ContextVar[Callable[[str], None] | None] = ContextVar("telecine_supervisor", default=None)


@contextmanager
def task_supervision(report: Callable[[str], None]) -> Iterator[None]:
    """Background tasks that are started in the block, or by tasks started in it, report their end to `report`."""
    token = _REPORT.set(report)
    try:
        yield
    finally:
        _REPORT.reset(token)


def start_background_task(work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
    """Start `work`, which must run until it is cancelled. See `report_task_end`."""
    task = asyncio.create_task(work, name=name)
    report_task_end(task)
    return task


def report_task_end(task: asyncio.Task[None]) -> None:
    """Report the end of a task that was not cancelled: it works on nothing any more, and nothing else would say so."""
    report = _REPORT.get()
    task.add_done_callback(lambda ended: _ended(ended, report))


def _ended(task: asyncio.Task[None], report: Callable[[str], None] | None) -> None:
    if task.cancelled():
        return
    error = task.exception()
    why = "ended" if error is None else f"stopped: {type(error).__name__}"
    if report is not None:
        report(f"{task.get_name()} {why}")
    if error is not None:
        log.error("task.stopped", task=task.get_name(), exc_info=error)
