"""Polls submitted tasks in buckets: one durable timer a bucket, full list calls, one comparison a task."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from telecine_chassis.consumers.retry_policy import Permanent, Retry
from telecine_chassis.telemetry.tracing import detached_trace
from telecine_chassis.timers.port import Timer, Timers
from telecine_chassis.timers.sweeper import PendingTimer
from telecine_contracts import subjects
from telecine_generation.provider.poll_batch import PollBatch
from telecine_generation.provider.port import Provider, ProviderTask, ProviderUnavailable
from telecine_generation.read_model.followed_tasks import BUCKETS, FollowedTask, FollowedTasks, bucket_of
from telecine_generation.rules.commands import Command, Expire, Observation, Observe
from telecine_generation.rules.generation import FINISHED, RUNNING, Generation, Phase
from telecine_generation.rules.polling_schedule import (
    TIMER_TOLERANCE,
    PollingSchedule,
    longest_interval,
    next_wake_at,
)

from .submit import Generations

log = structlog.get_logger(__name__)
POLL = "poll"
"""The timer of a bucket."""
WAKE = "wake"
"""The timer of one generation."""
LIST_SIZE = 100
"""Tasks of one list call (Ark: at most 500)."""
TICK = 1.0
"""Least seconds between two polls of a bucket, so that list calls are full; a fifth of a shorter pace."""
POLL_WINDOW = 0.0
"""Seconds that the poll of a single task waits for others; while eight calls are in flight they are joined."""
CHANGES_AT_ONCE = 64
"""Tasks of a bucket whose news are recorded at the same time."""


class BucketPoller:
    """Polls the tasks that are followed.

    `silence`: seconds past the deadline after which a provider's silence ends a generation.
    """

    # A task's times of polling follow from its events, and the bucket's timer says up to when it was polled. So any
    # replica polls the same tasks, none twice, and nothing is stored for a task that has not changed.

    def __init__(
        self,
        generations: Generations,
        provider: Provider,
        timers: Timers,
        tasks: FollowedTasks,
        *,
        schedule: PollingSchedule,
        silence: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._generations = generations
        self._provider = provider
        self._timers = timers
        self._tasks = tasks
        self._schedule = schedule
        self._silence = timedelta(seconds=silence)
        self._clock = clock
        self._singles = {flex: PollBatch(provider, flex=flex, window=POLL_WINDOW) for flex in (False, True)}
        self._tick = min(TICK, schedule.poll / 5)
        self._armed: dict[int, float] = {}

    async def follow(self, task: FollowedTask) -> None:
        """Poll the task with its bucket from now on."""
        self._tasks.add(task)
        bucket, now = bucket_of(task.generation), self._clock().timestamp()
        # While the bucket has tasks its timer is never later than the first poll of a new one.
        if self._armed.get(bucket, 0) <= now:
            at = now + self._schedule.poll
            with detached_trace():
                await self._timers.set_if_absent(_timer(bucket, now), _as_time(at))
            self._armed[bucket] = at

    async def poll_bucket(self, timer: Timer) -> None:
        """Poll the tasks of the bucket in the timer's key that are due, and set its next timer."""
        if not timer.key[0].isdigit() or (bucket := int(timer.key[0])) >= BUCKETS:
            raise Permanent(f"there is no bucket {timer.key[0]}")
        if not self._tasks.is_loaded:
            raise Retry(self._tick, "the tasks in flight are not known yet")
        now, state = self._clock().timestamp(), _state(timer.data)
        longest = longest_interval(self._schedule, late=False)
        since = state.get("polled_through", 0.0)
        if abs(now - since) > longest:  # unknown, or set by a wrong clock
            since = now - longest
        await self._poll(self._tasks.take_due(bucket, since, now))
        await self._arm(bucket, max(since, now), was_empty="empty" in state)

    async def poll_followed(self, generation: str) -> bool:
        """Poll the generation's task now; False if it is not followed."""
        if (task := self._tasks.get(generation)) is None:
            return False
        if (state := await self.poll(task)) is not None:
            await self._set_own_timer(state)
        return True

    async def poll(self, task: FollowedTask) -> Generation | None:
        """Poll one task now; the state afterwards, None if nothing has changed."""
        try:
            found = await self._singles[task.flex].task(task.task_id)
        except ProviderUnavailable as error:
            log.warning("provider.unavailable", reason=error.reason)
            return await self._bear_silence(task)
        return await self._record(task, found)

    def pending(self) -> Sequence[PendingTimer]:
        """The timers that should be waiting: those of buckets with tasks."""
        latest = self._schedule.poll + TIMER_TOLERANCE
        buckets = [bucket for bucket in range(BUCKETS) if self._tasks.size(bucket)]
        return [PendingTimer(Timer(POLL, (str(bucket),)), longest=latest) for bucket in buckets]

    async def aclose(self) -> None:
        """Stop polling."""
        for batch in self._singles.values():
            await batch.aclose()

    async def _arm(self, bucket: int, through: float, *, was_empty: bool) -> None:
        pace, following = self._schedule.poll, self._tasks.next_at(bucket)
        if following is None and was_empty:
            return  # another replica may have known of a task before this one did, but not for that long
        now = self._clock().timestamp()
        at = now + pace if following is None else min(max(following, now + self._tick), now + pace)
        with detached_trace():
            await self._timers.set(_timer(bucket, through, empty=following is None), _as_time(at))
        self._armed[bucket] = at

    async def _poll(self, tasks: Sequence[FollowedTask]) -> None:
        # A list has tasks of one tier; without tasks of the offline tier there is no list of it.
        tiers = [[task for task in tasks if task.flex is flex] for flex in (False, True)]
        pages = [
            tier[start : start + LIST_SIZE] for tier in tiers for start in range(0, len(tier), LIST_SIZE)
        ]
        news = await asyncio.gather(*(self._ask(page) for page in pages))
        slots = asyncio.Semaphore(CHANGES_AT_ONCE)

        async def handle(task: FollowedTask, found: ProviderTask | None, *, answered: bool) -> None:
            async with slots:
                try:
                    state = await (self._record(task, found) if answered else self._bear_silence(task))
                    if state is not None:
                        await self._set_own_timer(state)
                except Exception as error:
                    # Its own timer is retried by the rules for messages, and becomes a dead letter where that is due.
                    log.warning("poll.failed", generation=task.generation, error=type(error).__name__)
                    # Set, not fired: only the gateway and the operator may make a timer of this service due.
                    await self._timers.set(Timer(WAKE, (task.account, task.generation)), self._clock())

        await asyncio.gather(
            *(
                handle(task, None if found is None else found.get(task.task_id), answered=found is not None)
                for page, found in zip(pages, news, strict=True)
                for task in page
                if found is None or self._is_news(task, found.get(task.task_id))
            )
        )

    async def _ask(self, page: Sequence[FollowedTask]) -> Mapping[str, ProviderTask] | None:
        """The provider's records; None if it does not answer."""
        try:
            return await self._provider.tasks([task.task_id for task in page], flex=page[0].flex)
        except ProviderUnavailable as error:
            log.warning("provider.unavailable", reason=error.reason, tasks=len(page))
            return None

    def _is_news(self, task: FollowedTask, found: ProviderTask | None) -> bool:
        is_same = found is not None and found.status in RUNNING and found.status == task.status
        return not is_same or self._clock().timestamp() >= task.deadline_at

    async def _record(self, task: FollowedTask, found: ProviderTask | None) -> Generation | None:
        """Record the provider's answer; the state afterwards, None if nothing has changed."""
        if not self._is_news(task, found):
            return None
        seen, now = to_observation(found), self._clock()
        if seen.status and seen.status not in RUNNING | FINISHED:
            log.warning("provider.unknown_status", status=seen.status)
        # At the deadline a queued task is cancelled, so that it costs nothing. A running one cannot be stopped.
        if seen.status in RUNNING and now.timestamp() >= task.deadline_at:
            await self._provider.cancel(task.task_id)
        return await self._execute(task, Observe(now, seen))

    async def _bear_silence(self, task: FollowedTask) -> Generation | None:
        """Fail the generation if the provider has been silent for too long; the state afterwards."""
        now = self._clock()
        if now <= _as_time(task.deadline_at) + self._silence:
            return None
        return await self._execute(task, Expire(now))

    async def _execute(self, task: FollowedTask, command: Command) -> Generation:
        aggregate = subjects.video(task.account, task.generation)
        state = (await self._generations.handle(aggregate, command)).state
        # The event that says so comes back a little later.
        if state.phase is Phase.ENDED:
            self._tasks.remove(task.generation)
        else:
            task.status = state.provider_status
        return state

    async def _set_own_timer(self, state: Generation) -> None:
        at = next_wake_at(state, self._clock(), self._schedule)
        if at is not None:
            await self._timers.set(Timer(WAKE, state.ids), at)


def _timer(bucket: int, polled_through: float, *, empty: bool = False) -> Timer:
    state = {"polled_through": polled_through} | ({"empty": True} if empty else {})
    return Timer(POLL, (str(bucket),), json.dumps(state).encode())


def _state(data: bytes) -> dict[str, float]:
    """What a bucket's timer carries; nothing if the sweeper has set it."""
    return dict(json.loads(data)) if data else {}


def _as_time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def to_observation(task: ProviderTask | None) -> Observation:
    """The provider's record as input for the rules; an unknown task has the status ""."""
    if task is None:
        return Observation(status="")
    plain = Observation(
        status=task.status,
        url=task.video_url,
        url_expires_at=task.video_url_expires_at,
        total_tokens=task.total_tokens,
        resolution=task.resolution,
        ratio=task.ratio,
        duration=task.duration,
        seed=task.seed,
        provider_code=task.error_code,
    )
    if task.failure_code is None:
        return plain
    message = task.failure_message or plain.failure_message
    return Observation(
        status=task.status,
        failure_code=task.failure_code,
        failure_message=message,
        provider_code=task.error_code,
    )
