"""`generation-submit`: claims a generation, submits it with one POST, and resolves a POST whose response was lost."""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler
from telecine_contracts import subjects
from telecine_contracts.credits import CreditsDebited
from telecine_contracts.generation import DeferralReason, SubmissionStarted
from telecine_contracts.video_models import MODELS, provider_model
from telecine_generation.provider.port import (
    Accepted,
    Ambiguous,
    Deferred,
    Provider,
    ProviderTask,
    ProviderUnavailable,
    Refused,
    SubmissionMark,
    SubmitOutcome,
    SubmitRequest,
)
from telecine_generation.rules.commands import (
    AbandonClaim,
    Accept,
    Claim,
    Command,
    Defer,
    ProvenAbsent,
    Refuse,
)
from telecine_generation.rules.generation import Generation, Phase

from .claim_watch import ClaimWatch

log = structlog.get_logger(__name__)
Generations = CommandHandler[Command, Generation]
MIN_EXPIRY = 3600
"""Ark: `execution_expires_after` has a floor of 3,600 s on 1.x models."""
MAX_EXPIRY = 259_200


@dataclass(frozen=True, slots=True)
class SubmissionPolicy:
    """Times in seconds.

    `absent_after`: how long after the last possible POST a task that the list lacks counts as not accepted.
    `max_unanswered`: number of attempts without a response after which no further attempt is made.
    """

    provider: str
    byteplus: bool
    lease: float
    post_timeout: float
    absent_after: float
    max_unanswered: int
    total_timeout: float
    retry_first: float
    retry_longest: float
    deadline: float | None
    callback_url: Callable[[str, str], str | None]


class Submitter:
    """Submits generations; one instance per process, whose random `owner` marks its claims."""

    def __init__(
        self,
        generations: Generations,
        provider: Provider,
        policy: SubmissionPolicy,
        clock: Callable[[], datetime],
        claims: ClaimWatch,
        slow_down: Callable[[str, float | None], Awaitable[None]],
    ) -> None:
        self._slow_down = slow_down
        self._generations = generations
        self._provider = provider
        self._policy = policy
        self._clock = clock
        self._claims = claims
        self._owner = secrets.token_hex(8)

    async def submit(
        self, account: str, generation: str, *, attempt: int, cause: Cause | None = None
    ) -> Generation:
        """Claims the attempt and, if the claim succeeded, sends its one POST. Returns the state afterwards."""
        started = asyncio.get_running_loop().time()
        command = Claim(
            now=self._clock(),
            attempt=attempt,
            owner=self._owner,
            lease=self._policy.lease,
            unique_seed=secrets.randbits(32),
            safety_identifier=safety_identifier(account, generation),
            total_timeout=self._policy.total_timeout,
        )
        outcome = await self._generations.handle(subjects.video(account, generation), command, cause)
        claim = outcome.event.event if outcome.event else None
        if not isinstance(claim, SubmissionStarted) or claim.owner != self._owner:
            return outcome.state
        # Storing the claim may have taken longer than its lease. Then another process may already have concluded that
        # no POST was sent.
        if asyncio.get_running_loop().time() - started > self._policy.lease:
            log.warning("submission.lease_lost", attempt=claim.attempt)
            return outcome.state
        answer = await self._provider.submit(self._request(outcome.state, claim))
        return await self._record(outcome.state, claim.attempt, answer)

    async def reconcile(self, state: Generation, hint: str | None = None) -> Generation:
        """Looks for the task of a claimed attempt at the provider; `hint` is a task id to try first.

        Adopts the task if it exists. Concludes that it does not exist only after no POST can be in progress any more
        and the provider's list has had time to catch up.
        """
        # This process must have known the claim for that long by its monotonic clock. A wrong wall clock would
        # otherwise make a young claim look old, and the video would be bought a second time.
        claim, policy = state.claim, self._policy
        assert claim is not None and state.request is not None
        known_for = self._claims.known_for(*state.ids, claim.attempt)
        last_post = claim.lease_until + timedelta(seconds=policy.post_timeout)
        try:
            task = await self._find(state, claim, hint)
        except ProviderUnavailable as error:
            log.warning("submission.not_reconciled", attempt=claim.attempt, reason=error.reason)
            if self._clock() > last_post + timedelta(seconds=policy.total_timeout):
                return self._log_unresolved(await self._execute(state, AbandonClaim(claim.attempt)), claim)
            return state
        if task is not None:
            log.info("submission.adopted", attempt=claim.attempt, provider_task_id=task.task_id)
            return await self._accept(state, claim.attempt, task.task_id, adopted=True)
        lease = (claim.lease_until - claim.started_at).total_seconds()
        if known_for <= lease + policy.post_timeout + policy.absent_after:
            return state
        absent = ProvenAbsent(self._clock(), claim.attempt, policy.max_unanswered)
        return self._log_unresolved(await self._execute(state, absent), claim)

    def _log_unresolved(self, state: Generation, claim: SubmissionStarted) -> Generation:
        """Logs what the operator needs to find the task at the provider, if the generation ended without one."""
        if state.phase is Phase.ENDED:
            log.error(
                "submission.unresolved", attempts=claim.attempt, safety_identifier=claim.safety_identifier
            )
        return state

    async def _find(
        self, state: Generation, claim: SubmissionStarted, hint: str | None
    ) -> ProviderTask | None:
        assert state.request is not None
        wanted = state.request.parameters
        if hint is not None:
            task = (await self._provider.tasks([hint], flex=wanted.is_flex)).get(hint)
            if task is not None and _matches_claim(task, claim):
                return task
        model = self._model(wanted.model)
        seed = claim.seed if claim.seed_is_unique else None
        return await self._provider.find(
            SubmissionMark(seed, claim.safety_identifier, model, claim.started_at, wanted.is_flex)
        )

    async def _record(self, state: Generation, attempt: int, answer: SubmitOutcome) -> Generation:
        match answer:
            case Accepted(task_id):
                return await self._accept(state, attempt, task_id, adopted=False)
            case Refused(code, provider_code, message):
                log.warning(
                    "submission.refused", attempt=attempt, code=code.value, provider_code=provider_code
                )
                return await self._execute(state, Refuse(attempt, code, message, provider_code))
            case Deferred(reason, provider_code, retry_after):
                log.warning(
                    "submission.deferred", attempt=attempt, reason=reason.value, provider_code=provider_code
                )
                if reason is DeferralReason.RATE_LIMITED and state.request is not None:
                    await self._slow_down(state.request.parameters.model, retry_after)
                pause = max(retry_after or 0, self._backoff(attempt))
                retry_at = self._clock() + timedelta(seconds=pause)
                return await self._execute(state, Defer(attempt, reason, retry_at, provider_code))
            case Ambiguous(reason):
                log.warning("submission.ambiguous", attempt=attempt, reason=reason)
                return state

    async def _accept(self, state: Generation, attempt: int, task_id: str, *, adopted: bool) -> Generation:
        command = Accept(
            self._clock(), attempt, self._policy.provider, task_id, self._deadline(state), adopted
        )
        return await self._execute(state, command)

    async def _execute(self, state: Generation, command: Command) -> Generation:
        return (await self._generations.handle(subjects.video(*state.ids), command)).state

    def _backoff(self, attempt: int) -> float:
        return min(self._policy.retry_longest, self._policy.retry_first * 2.0 ** (attempt - 1))

    def _deadline(self, state: Generation) -> float:
        assert state.request is not None
        wanted = state.request.parameters
        if self._policy.deadline is not None:
            return self._policy.deadline
        return MODELS[wanted.model].deadline(wanted.resolution, wanted.duration, flex=wanted.is_flex)

    def _model(self, name: str) -> str:
        return provider_model(name, byteplus=self._policy.byteplus)

    def _request(self, state: Generation, claim: SubmissionStarted) -> SubmitRequest:
        assert state.request is not None
        wanted = state.request.parameters
        return SubmitRequest(
            model=self._model(wanted.model),
            parameters=wanted,
            seed=claim.seed,
            safety_identifier=claim.safety_identifier,
            callback_url=self._policy.callback_url(*state.ids),
            expires_after=int(min(max(MIN_EXPIRY, 2 * self._deadline(state)), MAX_EXPIRY)),
        )


async def submit(
    submitter: Submitter,
    admit: Callable[[str, str, str | None, Cause], Awaitable[bool]],
    limit_wait: Callable[[Generation], Awaitable[None]],
    follow: Callable[[Generation], Awaitable[None]],
    event: CreditsDebited,
    cause: Cause,
) -> None:
    """Makes the first attempt of a generation that was paid for and need not wait, and follows it."""
    if not await admit(event.account, event.generation, event.price.model, cause):
        return
    state = await submitter.submit(event.account, event.generation, attempt=1, cause=cause)
    if state.phase is Phase.DEFERRED:
        await limit_wait(state)
    await follow(state)


def safety_identifier(account: str, generation: str) -> str:
    """At most 64 characters: the hashed account and the generation id. The provider echoes it in its lists."""
    return f"{hashlib.sha256(account.encode()).hexdigest()[:20]}-{generation.replace('-', '')[:43]}"


def may_submit(state: Generation, now: datetime) -> bool:
    """Whether the next attempt of a deferred generation is due."""
    return state.phase is Phase.DEFERRED and state.retry_at is not None and now >= state.retry_at


def _matches_claim(task: ProviderTask, claim: SubmissionStarted) -> bool:
    """Whether the task has the safety identifier or the unique seed of this claim."""
    # The task id came from a callback, whose sender may be wrong about the generation.
    if task.safety_identifier is not None:
        return task.safety_identifier == claim.safety_identifier
    return claim.seed_is_unique and task.seed == claim.seed
