"""A video is bought once, and no generation is stuck, whatever the wall clocks of processes say.

Processes here decide by a wall clock that jumps at will, as if there were no server's time. What protects a submission
is what a process has seen by its monotonic clock; what brings work on again is the sweeper of a process that is right.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.data.generation_events import NOON, requested

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler, Decider
from telecine_chassis.testing import InMemoryEventStore, InMemoryTimers, ManualClock
from telecine_chassis.timers.port import Timer
from telecine_chassis.timers.sweeper import PendingTimer, Sweeper
from telecine_contracts import Envelope, registry, subjects
from telecine_contracts.gateway import GenerationRequested
from telecine_generation.handlers.bucket_poller import WAKE, BucketPoller
from telecine_generation.handlers.claim_watch import ClaimWatch
from telecine_generation.handlers.poll import GenerationPoller
from telecine_generation.handlers.submit import SubmissionPolicy, Submitter
from telecine_generation.provider.memory import MemoryProvider
from telecine_generation.provider.port import ProviderTask, SubmissionMark
from telecine_generation.read_model.followed_tasks import FollowedTasks, followed
from telecine_generation.rules.decider import decide
from telecine_generation.rules.generation import Generation, Phase, evolve
from telecine_generation.rules.polling_schedule import PollingSchedule, longest_interval

POLICY = SubmissionPolicy(
    provider="ark",
    byteplus=False,
    lease=10,
    post_timeout=30,
    absent_after=30,
    max_unanswered=2,
    total_timeout=600,
    retry_first=1,
    retry_longest=60,
    deadline=300,
    callback_url=lambda account, generation: None,
)
PACE = PollingSchedule()
LISTED_AFTER = 69.0
"""Seconds until the provider lists a task: the longest time that the policy allows."""
VIDEO = subjects.video("ann", "g1")
TIMER = Timer(WAKE, ("ann", "g1"))
HOUR = 3600


class SlowList(MemoryProvider):
    """Accepts every task, loses the response to the first request, and lists tasks late."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.now = clock
        self.lose(accepted=True)

    async def find(self, mark: SubmissionMark) -> ProviderTask | None:
        found = await super().find(replace(mark, since=NOON - timedelta(days=1)))
        if found is None or found.created_at is None:
            return None
        return found if self.now() - found.created_at >= timedelta(seconds=LISTED_AFTER) else None


async def no_queue(model: str, retry_after: float | None) -> None:
    """No model has a limit here."""


@dataclass
class Process:
    """The parts of one generation process."""

    submitter: Submitter
    poller: GenerationPoller
    buckets: BucketPoller
    tasks: FollowedTasks


@dataclass
class World:
    """Simulates true time and two generation processes whose wall clocks are off by `skews` seconds."""

    true: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    skews: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def __post_init__(self) -> None:
        self.store = InMemoryEventStore(registry())
        self.timers = InMemoryTimers(self.true)
        self.provider = SlowList(self.true)
        self.processes = [self._process(0), self._process(1)]

    def _process(self, number: int) -> "Process":
        def wall() -> datetime:
            return self.true() + timedelta(seconds=self.skews[number])

        decider = Decider(Generation(), decide, evolve)
        generations = CommandHandler(self.store, decider, source="telecine/generation", clock=wall)
        claims = ClaimWatch(lambda: (self.true() - NOON).total_seconds())
        submitter = Submitter(generations, self.provider, POLICY, wall, claims, no_queue)
        tasks = FollowedTasks(PACE.poll)
        tasks.load([])
        buckets = BucketPoller(
            generations, self.provider, self.timers, tasks, schedule=PACE, silence=60, clock=wall
        )
        follower = GenerationPoller(
            generations, submitter, self.provider, self.timers, buckets, schedule=PACE, clock=wall
        )
        return Process(submitter, follower, buckets, tasks)

    async def begin(self, number: int) -> None:
        """Appends the request and lets a process submit it."""
        event = requested()
        assert isinstance(event, GenerationRequested)
        envelope = Envelope(
            id="asked", source="telecine/gateway", type=event.type, time=NOON, subject=subjects.of_event(event),
            correlation="g1", causation="g1",
        )  # fmt: skip
        await self.store.append(event, envelope, aggregate=VIDEO, expected=0)
        process = self.processes[number]
        await process.poller.follow(
            await process.submitter.submit("ann", "g1", attempt=1, cause=Cause("debit", "g1"))
        )

    async def take(self, step: "Step") -> None:
        """Lets time pass, moves a clock, restarts a process, or wakes one."""
        what, number, seconds = step
        if what == "pass":
            self.true.advance(seconds)
        elif what == "jump":
            self.skews[number] = seconds
        elif what == "restart":
            await self.processes[number].buckets.aclose()
            self.processes[number] = self._process(number)
            if (state := await self._state()).phase is Phase.SUBMITTED and state.submitted is not None:
                self.processes[number].tasks.add(followed(state.submitted))
        else:
            await self.processes[number].poller.wake(TIMER)

    async def settle(self) -> Phase:
        """Corrects the clocks and runs timers and sweeper until the generation has ended."""
        self.skews = [0.0, 0.0]
        sweeper = Sweeper(self.timers, self._owed, _at_once, interval=60, clock=self.true)
        for _ in range(POLICY_BOUND):
            self.true.advance(30)
            await sweeper.sweep()
            for timer in self.timers.due():
                process = self.processes[0]
                await (
                    process.poller.wake(timer) if timer.kind == WAKE else process.buckets.poll_bucket(timer)
                )
            if (state := await self._state()).phase is Phase.ENDED:
                break
            if state.phase is Phase.SUBMITTED:
                self._finish()
        for process in self.processes:
            await process.buckets.aclose()
        return state.phase

    async def _owed(self) -> list[PendingTimer]:
        state = await self._state()
        if state.phase is Phase.SUBMITTED and state.submitted is not None:
            self.processes[0].tasks.add(followed(state.submitted))  # as its event says
            return [*self.processes[0].buckets.pending()]
        late = state.phase is Phase.ENDED
        return [PendingTimer(TIMER, state.retry_at, longest=longest_interval(PACE, late=late))]

    async def _state(self) -> Generation:
        state = Generation()
        for recorded in await self.store.load(VIDEO):
            state = evolve(state, recorded.event)
        return state

    def _finish(self) -> None:
        for task in list(self.provider.records.values()):
            if task.status in ("queued", "running"):
                self.provider.succeed(task.task_id)


async def _at_once() -> None:
    """There is no projection."""


POLICY_BOUND = 60
"""Half-minutes in which a generation ends once clocks are right: claim, list, poll, deadline, and an hour for none."""
Step = tuple[str, int, float]
NUMBERS = st.sampled_from([0, 1])
STEPS = st.one_of(
    st.tuples(st.just("pass"), NUMBERS, st.sampled_from([1.0, 5.0, 20.0])),
    st.tuples(st.just("jump"), NUMBERS, st.sampled_from([-HOUR, -90.0, 0.0, 90.0, HOUR, 24.0 * HOUR])),
    st.tuples(st.just("restart"), NUMBERS, st.just(0.0)),
    st.tuples(st.just("wake"), NUMBERS, st.just(0.0)),
)
WAKE_0, WAKE_1 = ("wake", 0, 0.0), ("wake", 1, 0.0)
RESTARTED_AN_HOUR_AHEAD: list[Step] = [
    ("pass", 0, 5.0),
    ("restart", 0, 0.0),
    ("jump", 0, HOUR),
    WAKE_0,
    WAKE_0,
]
REPLICA_AN_HOUR_AHEAD: list[Step] = [("jump", 1, HOUR), ("pass", 0, 5.0), WAKE_1, ("jump", 1, 0.0), WAKE_1]


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs in a new event loop, independent of the test runner's."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(work())
    finally:
        loop.close()


@given(st.sampled_from([-HOUR, 0.0, HOUR]), st.lists(STEPS, max_size=15))
@example(0.0, RESTARTED_AN_HOUR_AHEAD)
@example(0.0, REPLICA_AN_HOUR_AHEAD)
@example(HOUR, [])
@settings(max_examples=60, deadline=None)
def test_a_clock_jump_neither_buys_twice_nor_leaves_work_stuck(skew: float, steps: list[Step]) -> None:
    async def life() -> None:
        world = World()
        world.skews[0] = skew
        await world.begin(0)
        for step in steps:
            await world.take(step)
        assert len(world.provider.submitted) == 1
        assert await world.settle() is Phase.ENDED
        assert len(world.provider.submitted) == 1

    run(life)


def test_a_task_that_is_never_listed_is_bought_twice_at_most() -> None:
    async def life() -> None:
        world = World()
        world.provider.lose(accepted=True)
        world.provider.find = never  # type: ignore[method-assign]
        await world.begin(0)
        assert await world.settle() is Phase.ENDED
        assert len(world.provider.submitted) == 2

    run(life)


async def never(mark: SubmissionMark) -> ProviderTask | None:
    """The list never contains it."""
    return None
