"""What every task of a test was waiting for when the test ran out of time (pytest-timeout tells of threads alone)."""

import asyncio
import gc
from collections.abc import Generator, Iterator
from types import AsyncGeneratorType, CodeType, FrameType
from typing import Any

import pytest

__all__ = ["TaskReportOnTimeout"]


class TaskReportOnTimeout:
    """A plugin: adds the tasks, each with its chain of waits, to the report of a test that ran out of time."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        return (yield from _with_task_report(item, "setup"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        return (yield from _with_task_report(item, "call"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None]:
        return (yield from _with_task_report(item, "teardown"))


def _with_task_report(item: pytest.Item, when: str) -> Generator[None]:
    try:
        return (yield)
    except pytest.fail.Exception as failed:
        if str(failed.msg).startswith("Timeout"):
            item.add_report_section(when, "tasks", "\n\n".join(_tasks()))
        raise


def _tasks() -> Iterator[str]:
    try:
        loop = asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:  # the test has none
        return
    for task in asyncio.all_tasks(loop):
        yield "\n".join([task.get_name(), *_await_chain(task.get_coro())])


def _await_chain(waiting: Any) -> Iterator[str]:
    """From the outermost coroutine to what it waits for in the end."""
    for kind in ("cr", "ag", "gi"):
        code: CodeType | None = getattr(waiting, f"{kind}_code", None)
        frame: FrameType | None = getattr(waiting, f"{kind}_frame", None)
        if code is not None:
            yield f"  {code.co_filename}:{frame.f_lineno if frame else '-'} {code.co_name}"
            yield from _await_chain(
                getattr(waiting, f"{kind}_await", getattr(waiting, f"{kind}_yieldfrom", None))
            )
            return
    for asked in gc.get_referents(waiting):  # a step of an asynchronous generator does not say of which
        if isinstance(asked, AsyncGeneratorType):
            yield from _await_chain(asked)
            return
    if waiting is not None:
        yield f"  {waiting!r}"
