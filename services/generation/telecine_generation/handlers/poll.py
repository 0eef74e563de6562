"""`generation-timers`: advances a generation that is due: reconcile, retry, poll, cancel, or fail at the deadline."""

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from telecine_chassis.timers.port import Timer, Timers
from telecine_contracts import subjects
from telecine_generation.provider.poll_batch import PollBatch
from telecine_generation.provider.port import CancelOutcome, Provider, ProviderTask, ProviderUnavailable
from telecine_generation.rules.commands import (
    CancelUnsubmitted,
    Command,
    ConfirmCancel,
    Expire,
    Observation,
    Observe,
    RejectCancel,
)
from telecine_generation.rules.generation import FINISHED, RUNNING, CancelStatus, Generation, Phase
from telecine_generation.rules.polling_schedule import PollingSchedule, next_poll_at

from .submit import Generations, Submitter, may_submit

log = structlog.get_logger(__name__)
WAKE = "wake"
POLL_WINDOW = 0.001
"""Seconds that a poll waits for others to join its call: timers come in bursts, and a callback should not wait long."""


class GenerationPoller:
    """Advances generations. `silence`: seconds past the deadline after which a provider's silence ends a generation."""

    def __init__(
        self,
        generations: Generations,
        submitter: Submitter,
        provider: Provider,
        timers: Timers,
        *,
        schedule: PollingSchedule,
        silence: float,
        clock: Callable[[], datetime],
    ) -> None:
        self._generations = generations
        self._submitter = submitter
        self._provider = provider
        self._polls = PollBatch(provider, window=POLL_WINDOW)
        self._timers = timers
        self._schedule = schedule
        self._silence = silence
        self._clock = clock

    async def wake(self, timer: Timer) -> None:
        """Does what is due for the generation in the timer's key, and sets the next timer."""
        account, generation = timer.key
        state = await self._generations.read(subjects.video(account, generation))
        if state.phase is Phase.UNKNOWN:
            return
        await self.set_timer(await self._advance(state, timer))

    async def set_timer(self, state: Generation) -> None:
        """Sets the timer for the next poll of a generation, if it needs one."""
        at = next_poll_at(state, self._clock(), self._schedule, spread=random.random())  # noqa: S311 - spreads polls
        if at is not None:
            await self._timers.set(Timer(WAKE, state.ids), at)

    async def aclose(self) -> None:
        """Stops polling."""
        await self._polls.aclose()

    async def _advance(self, state: Generation, timer: Timer) -> Generation:
        if state.cancel is CancelStatus.REQUESTED and state.phase in (Phase.REQUESTED, Phase.DEFERRED):
            return await self._execute(state, CancelUnsubmitted())
        if may_submit(state, self._clock()):
            return await self._submitter.submit(*state.ids, attempt=state.next_attempt)
        if state.phase is Phase.CLAIMED:
            state = await self._submitter.reconcile(state, _hint(timer.data))
        if state.phase is Phase.SUBMITTED or state.late:
            return await self._poll(state)
        return state

    async def _poll(self, state: Generation) -> Generation:
        if state.phase is Phase.SUBMITTED and state.cancel is CancelStatus.REQUESTED:
            state = await self._cancel(state)
            if state.phase is Phase.ENDED:
                return state
        assert state.submitted is not None
        task_id, deadline = state.submitted.provider_task_id, state.submitted.deadline_at
        try:
            seen = to_observation(await self._polls.task(task_id))
        except ProviderUnavailable as error:
            log.warning("provider.unavailable", reason=error.reason)
            silent = self._clock() > deadline + timedelta(seconds=self._silence)
            return await self._execute(state, Expire(self._clock())) if silent else state
        if seen.status and seen.status not in RUNNING | FINISHED:
            log.warning("provider.unknown_status", status=seen.status)
        # At the deadline a queued task is cancelled, so that it costs nothing. A running one cannot be stopped.
        if state.phase is Phase.SUBMITTED and seen.status in RUNNING and self._clock() >= deadline:
            await self._provider.cancel(task_id)
        return await self._execute(state, Observe(self._clock(), seen))

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


def _hint(data: bytes) -> str | None:
    """The task id from a callback, None for any other timer data."""
    try:
        value = json.loads(data or b"{}")
    except ValueError:
        return None
    task_id = value.get("providerTaskId") if isinstance(value, dict) else None
    return task_id if isinstance(task_id, str) and task_id else None
