"""`generation-timers`: advances one generation that is due: reconcile, retry, cancel, poll after a callback.

Submitted tasks are polled in buckets, see `bucket_poller`.
"""

import json
from collections.abc import Callable
from datetime import datetime

import structlog

from telecine_chassis.timers.port import Timer, Timers
from telecine_contracts import subjects
from telecine_generation.provider.port import CancelOutcome, Provider
from telecine_generation.read_model.followed_tasks import followed
from telecine_generation.rules.commands import CancelUnsubmitted, Command, ConfirmCancel, RejectCancel
from telecine_generation.rules.generation import CancelStatus, Generation, Phase
from telecine_generation.rules.polling_schedule import PollingSchedule, next_wake_at

from .bucket_poller import WAKE, BucketPoller
from .submit import Generations, Submitter, may_submit

log = structlog.get_logger(__name__)


class GenerationPoller:
    """Advances single generations."""

    def __init__(
        self,
        generations: Generations,
        submitter: Submitter,
        provider: Provider,
        timers: Timers,
        buckets: BucketPoller,
        *,
        schedule: PollingSchedule,
        clock: Callable[[], datetime],
    ) -> None:
        self._generations = generations
        self._submitter = submitter
        self._provider = provider
        self._timers = timers
        self._buckets = buckets
        self._schedule = schedule
        self._clock = clock

    async def wake(self, timer: Timer) -> None:
        """Does what is due for the generation in the timer's key, and sets its next timer."""
        account, generation = timer.key
        # A callback about a task that is followed: polling it is all there is to do.
        if timer.data and await self._buckets.poll_followed(generation):
            return
        state = await self._generations.read(subjects.video(account, generation))
        if state.phase is Phase.UNKNOWN:
            return
        await self.follow(await self._advance(state, timer))

    async def follow(self, state: Generation) -> None:
        """Makes sure that the generation is advanced again: with its bucket, or by a timer of its own."""
        if state.phase is Phase.SUBMITTED and state.submitted is not None:
            await self._buckets.follow(followed(state.submitted))
        at = next_wake_at(state, self._clock(), self._schedule)
        if at is not None:
            await self._timers.set(Timer(WAKE, state.ids), at)

    async def _advance(self, state: Generation, timer: Timer) -> Generation:
        if state.cancel is CancelStatus.REQUESTED and state.phase in (Phase.REQUESTED, Phase.DEFERRED):
            return await self._execute(state, CancelUnsubmitted())
        if may_submit(state, self._clock()):
            return await self._submitter.submit(*state.ids, attempt=state.next_attempt)
        if state.phase is Phase.CLAIMED:
            state = await self._submitter.reconcile(state, _hint(timer.data))
        if state.phase is Phase.SUBMITTED and state.cancel is CancelStatus.REQUESTED:
            state = await self._cancel(state)
        if (state.phase is Phase.SUBMITTED or state.late) and state.submitted is not None:
            return await self._buckets.poll(followed(state.submitted)) or state
        return state

    async def _cancel(self, state: Generation) -> Generation:
        """Cancels the task at the provider; the state afterwards."""
        # Only the provider's confirmation counts: a task that runs on is charged, so it is polled until it ends.
        assert state.submitted is not None
        outcome = await self._provider.cancel(state.submitted.provider_task_id)
        log.info("provider.cancel", outcome=outcome.value)
        if outcome is CancelOutcome.CANCELLED:
            return await self._execute(state, ConfirmCancel())
        if outcome is CancelOutcome.RUNNING:
            return await self._execute(state, RejectCancel("running"))
        return state

    async def _execute(self, state: Generation, command: Command) -> Generation:
        return (await self._generations.handle(subjects.video(*state.ids), command)).state


def _hint(data: bytes) -> str | None:
    """The task id from a callback, None for any other timer data."""
    try:
        value = json.loads(data or b"{}")
    except ValueError:
        return None
    task_id = value.get("providerTaskId") if isinstance(value, dict) else None
    return task_id if isinstance(task_id, str) and task_id else None
