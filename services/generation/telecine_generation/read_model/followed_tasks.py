"""The tasks that the provider works on, in memory: in buckets, each with a queue of the times of its next polls."""

import heapq
import itertools
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts.generation import (
    GenerationCancelled,
    GenerationFailed,
    GenerationProgressed,
    GenerationSubmitted,
    VideoReady,
)
from telecine_generation.rules.polling_schedule import next_poll

__all__ = ["BUCKETS", "FollowedTask", "FollowedTasks", "bucket_of"]

BUCKETS = 16
"""Few, so that a list call is full and timers are cheap; enough to share the work among replicas."""


@dataclass(slots=True)
class FollowedTask:
    """A task at the provider. Times in seconds since 1970; `status`: the provider's last recorded status.

    `flex`: it is in the offline tier, whose tasks are listed apart.
    """

    account: str
    generation: str
    task_id: str
    submitted_at: float
    deadline_at: float
    status: str = ""
    flex: bool = False


def bucket_of(generation: str) -> int:
    """The bucket of a generation, the same in every process."""
    return zlib.crc32(generation.encode()) % BUCKETS


def _spread(generation: str) -> float:
    """A number from 0 to 1, the same in every process."""
    return zlib.crc32(generation.encode(), 1) / 2**32


class FollowedTasks:
    """All tasks in flight. `pace`: seconds between two polls of a young task, see `next_poll`.

    Events that arrive before `load` are applied after it.
    """

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._tasks: dict[str, FollowedTask] = {}
        self._queues: list[list[tuple[float, int, FollowedTask]]] = [[] for _ in range(BUCKETS)]
        self._sizes = [0] * BUCKETS
        self._early: list[RecordedEvent] | None = []
        self._numbers = itertools.count()
        self._is_stale = False

    @property
    def is_complete(self) -> bool:
        """False if tasks of the table may be missing: before the first load, and after `invalidate`."""
        return self.is_loaded and not self._is_stale

    def invalidate(self) -> None:
        """Events were missed: what is followed goes on, and the table should be loaded again."""
        self._is_stale = True

    @property
    def is_loaded(self) -> bool:
        """Whether the tasks of the table are known."""
        return self._early is None

    def load(self, tasks: Iterable[FollowedTask]) -> None:
        """Add the tasks of the table, which may be behind the events that were applied."""
        for task in tasks:
            self.add(task)
        self._is_stale = False
        early, self._early = self._early or [], None
        self.apply(early)

    def apply(self, events: Sequence[RecordedEvent]) -> None:
        """Follow what events say about tasks; they may come again."""
        if self._early is not None:
            self._early += events
            return
        for recorded in events:
            match recorded.event:
                case GenerationSubmitted() as event:
                    self.add(followed(event))
                case GenerationProgressed() as event:
                    if (task := self._tasks.get(event.generation)) is not None:
                        task.status = event.provider_status
                case VideoReady() | GenerationFailed() | GenerationCancelled() as event:
                    self.remove(event.generation)
                case _:
                    pass

    def get(self, generation: str) -> FollowedTask | None:
        """The generation's task, if it is followed."""
        return self._tasks.get(generation)

    def add(self, task: FollowedTask) -> None:
        """Follow a task, unless it is followed already."""
        if task.generation not in self._tasks:
            self._tasks[task.generation] = task
            self._sizes[bucket_of(task.generation)] += 1
            self._enqueue(task, task.submitted_at)

    def remove(self, generation: str) -> None:
        """Stop following a task."""
        if self._tasks.pop(generation, None) is not None:
            self._sizes[bucket_of(generation)] -= 1

    def size(self, bucket: int) -> int:
        """Tasks in the bucket."""
        return self._sizes[bucket]

    def next_at(self, bucket: int) -> float | None:
        """The time of the bucket's next poll; None without tasks."""
        queue = self._queues[bucket]
        while queue and self._is_gone(queue[0][2]):
            heapq.heappop(queue)
        return queue[0][0] if queue else None

    def take_due(self, bucket: int, since: float, now: float) -> Sequence[FollowedTask]:
        """The tasks of the bucket with a poll after `since` and up to `now`; each is returned once."""
        due, queue = [], self._queues[bucket]
        while queue and queue[0][0] <= now:
            task = heapq.heappop(queue)[2]
            if self._is_gone(task):
                continue
            # Another replica may have polled the bucket since this one took it last.
            if self._next(task, since) <= now:
                due.append(task)
            self._enqueue(task, now)
        return due

    def _is_gone(self, task: FollowedTask) -> bool:
        return self._tasks.get(task.generation) is not task

    def _next(self, task: FollowedTask, after: float) -> float:
        spread = _spread(task.generation)
        return next_poll(task.submitted_at, task.deadline_at, after, spread, self._pace)

    def _enqueue(self, task: FollowedTask, after: float) -> None:
        entry = self._next(task, after), next(self._numbers), task
        heapq.heappush(self._queues[bucket_of(task.generation)], entry)


def followed(event: GenerationSubmitted) -> FollowedTask:
    """The task of a submitted generation."""
    times = event.submitted_at.timestamp(), event.deadline_at.timestamp()
    flex = event.service_tier == "flex"
    return FollowedTask(event.account, event.generation, event.provider_task_id, *times, flex=flex)
