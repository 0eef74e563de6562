"""Advances tasks when they are due, in real time or after a jump of the clock."""

import asyncio
import heapq
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from telecine_emulator.media.renders import Renders

from . import task as tasks
from .clock import Clock
from .store import Store
from .task import Task


@dataclass(frozen=True)
class SchedulerDependencies:
    """What the scheduler uses. `changed` is called after each change of status."""

    store: Store
    clock: Clock
    renders: Renders
    changed: Callable[[Task], None]
    concurrency: int | None = None


class Scheduler:
    """One per process. Call it from the event loop only."""

    def __init__(self, parts: SchedulerDependencies) -> None:
        self._parts = parts
        self._due: list[tuple[float, str]] = []
        self._running: set[str] = set()
        self._without_slot: list[tuple[int, float, str]] = []
        self._rendering: set[str] = set()
        self._handle_timer = asyncio.Event()
        self._settled = asyncio.Event()

    def resume(self) -> None:
        """Schedules the tasks that an earlier process left unfinished."""
        for task in self._parts.store.unfinished():
            if task.status == "running":
                self._running.add(task.id)
                self._render(task)
            self.watch(task)

    def watch(self, task: Task) -> None:
        """Schedules a new task, or a task with a new due time."""
        if task.due_at is not None:
            self._push(task.due_at, task.id)

    async def run_due(self) -> None:
        """Returns after all due changes have happened, rendering included."""
        self._settled.clear()
        self._handle_timer.set()
        await self._settled.wait()

    async def run(self) -> None:
        while True:
            self._handle_timer.clear()
            self._work()
            if not self._waits_for_render():
                self._settled.set()
            await self._sleep()

    async def _sleep(self) -> None:
        pause = self._due[0][0] - self._parts.clock.now() if self._due else None
        try:
            async with asyncio.timeout(pause):
                await self._handle_timer.wait()
        except TimeoutError:
            return

    def _push(self, due: float, task_id: str) -> None:
        heapq.heappush(self._due, (due, task_id))
        self._handle_timer.set()

    def _work(self) -> None:
        while self._due and self._due[0][0] <= self._parts.clock.now():
            # An entry is outdated if the task has changed in the meantime: the stored task decides.
            due, task_id = heapq.heappop(self._due)
            task = self._parts.store.find(task_id)
            if task and task.due_at is not None and task.due_at <= due:
                self._move(task, due)

    def _move(self, task: Task, at: float) -> None:
        if task.status == "queued" and at < task.expires_at and not self._slot_free():
            # It waits for a slot, but expires at its time without one.
            heapq.heappush(self._without_slot, (-task.spec.priority, task.created_at, task.id))
            self._push(task.expires_at, task.id)
            return
        # A task succeeds late rather than without its file.
        if task.status == "running" and self._must_wait_for_render(task):
            self._rendering.add(task.id)
            return
        self._keep(tasks.step(task, at))

    def _keep(self, task: Task) -> None:
        self._parts.store.save(task)
        self._parts.changed(task)
        if task.status == "running":
            self._running.add(task.id)
            self._render(task)
        else:
            self._running.discard(task.id)
            self._give_slot(task.updated_at)
        self.watch(task)

    def _slot_free(self) -> bool:
        concurrency = self._parts.concurrency
        return concurrency is None or len(self._running) < concurrency

    def _give_slot(self, at: float) -> None:
        """Starts the queued task with the highest priority, among equals the oldest."""
        while self._without_slot and self._slot_free():
            _, _, task_id = heapq.heappop(self._without_slot)
            task = self._parts.store.find(task_id)
            if task and task.status == "queued":
                self._push(max(at, task.due_at or at), task_id)
                return

    def _must_wait_for_render(self, task: Task) -> bool:
        due_to_succeed = task.makes_video and (task.due_at or 0) < task.expires_at
        return due_to_succeed and not self._parts.renders.ready(task)

    def _waits_for_render(self) -> bool:
        return bool(self._rendering)

    def _render(self, task: Task) -> None:
        if not task.makes_video or self._parts.renders.ready(task):
            return
        loop = asyncio.get_running_loop()

        def when_done(future: Future[None]) -> None:
            # A worker thread may finish after the emulator was closed.
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._rendered, task.id, future.exception())

        self._parts.renders.start(task, when_done)

    def _rendered(self, task_id: str, error: BaseException | None) -> None:
        task = self._parts.store.find(task_id)
        if task and error and task.status == "running":
            self._rendering.discard(task_id)
            self._keep(tasks.fail(task, self._parts.clock.now(), "InternalServiceError"))
        elif task_id in self._rendering and task and task.due_at is not None:
            self._rendering.discard(task_id)
            self._push(task.due_at, task_id)
        self._handle_timer.set()
