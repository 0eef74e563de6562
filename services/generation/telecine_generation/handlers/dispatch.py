"""`generation-dispatch`, `generation-release`: the dispatch queues of models with a limit."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler
from telecine_chassis.telemetry.tracing import detached_trace
from telecine_chassis.timers.port import Timer, Timers
from telecine_contracts import subjects
from telecine_contracts.dispatch import GenerationDispatched
from telecine_contracts.dispatch_queue import DispatchQueue
from telecine_contracts.generation import GenerationEvent
from telecine_generation.rules.commands import CancelWaiting, Queue
from telecine_generation.rules.dispatch import DispatchNext, Enter, Leave, Lower, Places, QueueCommand
from telecine_generation.rules.generation import Generation, Phase

from .submit import Generations, Submitter

__all__ = ["CANCEL_AFTER", "DISPATCH", "DispatchPolicy", "Dispatcher", "dispatched", "released"]

log = structlog.get_logger(__name__)
Queues = CommandHandler[QueueCommand, DispatchQueue]
DISPATCH = "dispatch"
"""The timer of a model's queue, while anything waits in it."""
CANCEL_AFTER = "cancel_after"
"""The timer of a generation that may wait for a limited time only."""
CHECK_SECONDS = 5.0
"""Between two looks at a queue: places may be free again although nothing has ended."""


@dataclass(frozen=True, slots=True)
class DispatchPolicy:
    """Places by model. `account_limit`: of one account in each model; None: any number.

    `recovery`: seconds for which there are fewer places after the provider has taken no more tasks.
    """

    limits: Mapping[str, int]
    account_limit: int | None
    recovery: float

    def places(self, model: str) -> Places:
        """The places of a model."""
        return Places(self.limits.get(model), self.account_limit)

    def is_queued(self, model: str | None) -> bool:
        """Whether the model's generations go through a queue; for an unknown model, whether any do."""
        return bool(self.limits) if model is None else model in self.limits


class Dispatcher:
    """Decides which generation the provider gets next. Any replica decides: the append is conditional."""

    def __init__(
        self,
        queues: Queues,
        generations: Generations,
        timers: Timers,
        policy: DispatchPolicy,
        clock: Callable[[], datetime],
    ) -> None:
        self._queues = queues
        self._generations = generations
        self._timers = timers
        self._policy = policy
        self._clock = clock

    @property
    def has_queues(self) -> bool:
        """Whether any model's generations go through a queue."""
        return self._policy.is_queued(None)

    async def admit(self, account: str, generation: str, model: str | None, cause: Cause) -> bool:
        """Whether the generation may be submitted now; otherwise it waits, and is dispatched when a place is free.

        `model`: None if the debit does not name it.
        """
        if not self._policy.is_queued(model):
            return True
        state = await self._generations.read(subjects.video(account, generation))
        if state.phase is not Phase.REQUESTED or state.request is None:
            return True
        wanted = state.request.parameters
        if not self._policy.is_queued(wanted.model):
            return True
        command = Enter(
            model=wanted.model,
            account=account,
            generation=generation,
            priority=getattr(wanted, "priority", None) or 0,
            places=self._policy.places(wanted.model),
            now=self._clock(),
        )
        queue = (await self._queues.handle(subjects.queue(wanted.model), command, cause)).state
        if generation in queue.running:
            return True
        await self._generations.handle(subjects.video(account, generation), Queue(wanted.model), cause)
        await self._watch(wanted.model)
        await self.limit_wait(state)
        return False

    async def limit_wait(self, state: Generation) -> None:
        """Cancel the generation after the time for which its user is willing to wait, if it named one."""
        if state.request is not None and state.request.cancel_after is not None:
            at = self._clock() + timedelta(seconds=state.request.cancel_after)
            await self._timers.set_if_absent(Timer(CANCEL_AFTER, state.ids), at)

    async def cancel_waiting(self, timer: Timer) -> None:
        """The time is over."""
        await self._generations.handle(subjects.video(*timer.key), CancelWaiting())

    async def release(self, state: Generation, cause: Cause) -> None:
        """The generation has ended: its place is free, or it no longer waits."""
        if state.request is None or not self._policy.is_queued(state.request.parameters.model):
            return
        account, generation = state.ids
        model = state.request.parameters.model
        leave = Leave(model=model, account=account, generation=generation, now=self._clock())
        # The cause is not the queue's last event: two replicas may release two generations after the same one.
        await self._queues.handle(subjects.queue(model), leave, cause)
        await self.dispatch(model)

    async def dispatch(self, model: str) -> DispatchQueue:
        """Dispatch what waits, as long as a place is free; the queue afterwards."""
        while True:
            command = DispatchNext(model=model, places=self._policy.places(model), now=self._clock())
            outcome = await self._queues.handle(subjects.queue(model), command)
            if outcome.event is None:
                return outcome.state

    async def check(self, timer: Timer) -> None:
        """The timer of a queue is due."""
        [model] = timer.key
        if (await self.dispatch(model)).rotation:
            await self._watch(model)

    async def slow_down(self, model: str, retry_after: float | None) -> None:
        """The provider took no more tasks of the model."""
        if not self._policy.is_queued(model):
            return
        now = self._clock()
        seconds = max(self._policy.recovery, retry_after or 0)
        lower = Lower(model=model, now=now, until=now + timedelta(seconds=seconds))
        queue = (await self._queues.handle(subjects.queue(model), lower)).state
        log.warning("dispatch.slowed_down", model=model, places=queue.lowered_limit, seconds=seconds)

    async def _watch(self, model: str) -> None:
        with detached_trace():
            at = self._clock() + timedelta(seconds=CHECK_SECONDS)
            await self._timers.set_if_absent(Timer(DISPATCH, (model,)), at)


async def dispatched(
    dispatcher: Dispatcher,
    submitter: Submitter,
    generations: Generations,
    follow: Callable[[Generation], Awaitable[None]],
    event: GenerationDispatched,
    cause: Cause,
) -> None:
    """Submits a generation that has got a place; gives the place back if it has ended meanwhile."""
    state = await generations.read(subjects.video(event.account, event.generation))
    if state.phase is Phase.ENDED:
        await dispatcher.release(state, cause)
    elif state.phase is Phase.REQUESTED:
        await follow(await submitter.submit(event.account, event.generation, attempt=1))


async def released(
    dispatcher: Dispatcher,
    generations: Generations,
    event: GenerationEvent,
    cause: Cause,
) -> None:
    """Frees the place of a generation that has ended, and dispatches the next."""
    if dispatcher.has_queues:
        state = await generations.read(subjects.video(event.account, event.generation))
        await dispatcher.release(state, cause)
