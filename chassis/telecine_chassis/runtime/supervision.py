"""Background tasks of a service: one that ends early ends the process, so that a supervisor restarts it."""

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
    """Background tasks started in the block, or by tasks started in it, report to `report` when they end."""
    token = _REPORT.set(report)
    try:
        yield
    finally:
        _REPORT.reset(token)


def start_background_task(work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
    """Start `work`, which must run until it is cancelled; see `report_task_end`."""
    task = asyncio.create_task(work, name=name)
    report_task_end(task)
    return task


def report_task_end(task: asyncio.Task[None]) -> None:
    """Report when a task ends without being cancelled; nothing else would notice that its work has stopped."""
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
