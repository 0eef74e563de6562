"""Decisions about a generation at the provider: claim, submit, follow, end exactly once. Pure.

    requested (→ queued) → claimed → submitted → ended
                  ↓  ↑
                deferred

A generation is claimed before the provider is called. The provider's response resolves the claim. If the response
was lost, the provider's task list resolves it later.
"""

from datetime import datetime, timedelta
from typing import assert_never

from telecine_contracts import Event
from telecine_contracts.generation import (
    CancelDeclined,
    DeferralReason,
    FailureCode,
    GenerationCancelled,
    GenerationFailed,
    GenerationProgressed,
    GenerationQueued,
    GenerationSubmitted,
    LateResultRecorded,
    Stage,
    SubmissionDeferred,
    SubmissionStarted,
    Usage,
    VideoReady,
)

from .commands import (
    AbandonClaim,
    Accept,
    CancelUnsubmitted,
    CancelWaiting,
    Claim,
    Command,
    ConfirmCancel,
    Defer,
    Deny,
    Expire,
    Observation,
    Observe,
    ProvenAbsent,
    Queue,
    Refuse,
    RejectCancel,
)
from .generation import FINISHED, RUNNING, CancelStatus, Generation, Phase

URL_LIFETIME = timedelta(hours=24)
"""Validity of a result URL from success, if the provider gives no time (Ark: 24 h)."""
MIN_URL_LIFETIME = timedelta(hours=1)
"""Minimum validity that is assumed for a URL that the provider has just returned."""


def decide(command: Command, state: Generation) -> Event | None:
    """The event that `command` causes, or None if it changes nothing. Raises NotRequested."""
    about = state.event_ids
    match command:
        case Queue(model):
            waits = state.phase is Phase.REQUESTED and not state.is_queued
            return GenerationQueued(**about, model=model) if waits else None
        case Claim():
            return _claim(command, state)
        case Accept() | Refuse() | Defer() | ProvenAbsent() | AbandonClaim():
            return _resolve(command, state)
        case Observe(now, seen):
            return _observe(now, seen, state)
        case Expire(now):
            overdue = state.phase is Phase.SUBMITTED and _is_overdue(now, state)
            return _timeout(state, FailureCode.DEADLINE) if overdue else None
        case Deny():
            return _deny(command, state)
        case CancelUnsubmitted():
            idle = state.phase in (Phase.REQUESTED, Phase.DEFERRED) and state.cancel is CancelStatus.REQUESTED
            return GenerationCancelled(**about) if idle else None
        case CancelWaiting():
            waits = state.phase in (Phase.REQUESTED, Phase.DEFERRED)
            return GenerationCancelled(**about) if waits else None
        case ConfirmCancel():
            return GenerationCancelled(**about) if state.phase is Phase.SUBMITTED else None
        case RejectCancel(status):
            if state.phase is not Phase.SUBMITTED or state.cancel is not CancelStatus.REQUESTED:
                return None
            return CancelDeclined(**about, provider_status=status)
        case _:
            assert_never(command)


def _deny(command: Deny, state: Generation) -> Event | None:
    if state.phase is not Phase.REQUESTED:
        return None
    return GenerationFailed(
        **state.event_ids,
        stage=Stage.CREDITS,
        code=FailureCode.INSUFFICIENT_CREDITS,
        message=command.message,
        denial_reason=command.reason,
    )


def _claim(command: Claim, state: Generation) -> Event | None:
    if state.phase not in (Phase.REQUESTED, Phase.DEFERRED) or command.attempt != state.next_attempt:
        return None
    if state.cancel is CancelStatus.REQUESTED:
        return GenerationCancelled(**state.event_ids)
    if state.retry_at is not None and command.now < state.retry_at:
        return None
    if command.now - (state.first_claim or command.now) > timedelta(seconds=command.total_timeout):
        message = (
            "The video provider could not take this generation. Your credits were refunded; please try again."
        )
        return _failed(state, Stage.SUBMISSION, FailureCode.PROVIDER_UNAVAILABLE, message)
    chosen = state.request.parameters.seed if state.request else None
    return SubmissionStarted(
        **state.event_ids,
        attempt=command.attempt,
        owner=command.owner,
        started_at=command.now,
        lease_until=command.now + timedelta(seconds=command.lease),
        seed=command.unique_seed if chosen is None else chosen,
        seed_is_unique=chosen is None,
        safety_identifier=command.safety_identifier,
    )


def _resolve(
    command: Accept | Refuse | Defer | ProvenAbsent | AbandonClaim, state: Generation
) -> Event | None:
    """The event that resolves an attempt. Only the open attempt can be resolved, and only once."""
    if state.phase is not Phase.CLAIMED or state.claim is None or state.claim.attempt != command.attempt:
        return None
    match command:
        case Accept():
            return GenerationSubmitted(
                **state.event_ids,
                attempt=command.attempt,
                provider=command.provider,
                provider_task_id=command.task_id,
                submitted_at=command.now,
                deadline_at=command.now + timedelta(seconds=command.deadline),
                adopted=command.adopted,
                service_tier=state.request.parameters.service_tier if state.request else None,
            )
        case Refuse():
            return _failed(state, Stage.SUBMISSION, command.code, command.message, command.provider_code)
        case Defer():
            return SubmissionDeferred(
                **state.event_ids,
                attempt=command.attempt,
                reason=command.reason,
                retry_at=command.retry_at,
                provider_code=command.provider_code,
            )
        case ProvenAbsent(now, attempt, most):
            # A provider that accepts tasks without listing them would otherwise get a new one after each search.
            if state.unanswered + 1 >= most:
                return _unresolved(state)
            return SubmissionDeferred(
                **state.event_ids, attempt=attempt, reason=DeferralReason.PROVEN_ABSENT, retry_at=now
            )
        case AbandonClaim():
            return _unresolved(state)


def _unresolved(state: Generation) -> Event:
    message = "The video provider gave no answer. Your credits were refunded; please try again."
    return _failed(state, Stage.SUBMISSION, FailureCode.SUBMISSION_UNRESOLVED, message)


def _observe(now: datetime, seen: Observation, state: Generation) -> Event | None:
    if state.phase is Phase.ENDED and state.late:
        return _late(seen, state)
    if state.phase is not Phase.SUBMITTED or state.submitted is None:
        return None
    # Results are examined before the deadline: a late video is accepted if no timeout was recorded yet.
    if seen.status == "succeeded" and seen.url:
        return _ready(now, seen, seen.url, state)
    if seen.status == "failed":
        return _failed(state, Stage.PROVIDER, seen.failure_code, seen.failure_message, seen.provider_code)
    if seen.status == "cancelled" and state.cancel is CancelStatus.REQUESTED:
        return GenerationCancelled(**state.event_ids)
    if _is_overdue(now, state):
        return _timeout(state, FailureCode.DEADLINE if seen.status else FailureCode.PROVIDER_LOST)
    if seen.status == "cancelled":
        message = "The video provider cancelled this generation. Your credits were refunded."
        return _failed(state, Stage.PROVIDER, FailureCode.PROVIDER_CANCELLED, message)
    if seen.status == "expired":
        message = "The video provider did not start this generation in time. Your credits were refunded."
        return _failed(state, Stage.PROVIDER, FailureCode.PROVIDER_EXPIRED, message)
    if seen.status in RUNNING and seen.status != state.provider_status:
        return GenerationProgressed(**state.event_ids, provider_status=seen.status)
    return None


def _ready(now: datetime, seen: Observation, url: str, state: Generation) -> VideoReady:
    assert state.submitted is not None
    begun = state.first_claim or state.submitted.submitted_at
    # If the provider gives no time: the video cannot be older than the first request for it. A URL that the provider
    # has just returned is used for an hour whatever the times say, because clocks differ.
    expires_at = seen.url_expires_at or begun + URL_LIFETIME
    return VideoReady(
        **state.event_ids,
        provider_task_id=state.submitted.provider_task_id,
        url=url,
        url_expires_at=max(expires_at, now + MIN_URL_LIFETIME),
        usage=Usage(total_tokens=seen.total_tokens),
        resolution=seen.resolution,
        ratio=seen.ratio,
        duration=seen.duration,
        seed=seen.seed,
    )


def _late(seen: Observation, state: Generation) -> Event | None:
    if seen.status and seen.status not in FINISHED:
        return None
    assert state.submitted is not None
    return LateResultRecorded(
        **state.event_ids,
        provider_task_id=state.submitted.provider_task_id,
        provider_status=seen.status or "lost",
        url=seen.url,
        usage=Usage(total_tokens=seen.total_tokens),
    )


def _timeout(state: Generation, code: FailureCode) -> Event:
    assert state.submitted is not None
    seconds = round((state.submitted.deadline_at - state.submitted.submitted_at).total_seconds())
    amount, unit = (seconds, "second") if seconds % 60 or seconds < 60 else (seconds // 60, "minute")
    span = f"{amount} {unit}" if amount == 1 else f"{amount} {unit}s"
    return _failed(state, Stage.PROVIDER, code, f"Video generation timeout after {span}")


def _failed(
    state: Generation, stage: Stage, code: FailureCode, message: str, provider_code: str | None = None
) -> GenerationFailed:
    return GenerationFailed(
        **state.event_ids, stage=stage, code=code, message=message, provider_code=provider_code
    )


def _is_overdue(now: datetime, state: Generation) -> bool:
    return state.submitted is not None and now >= state.submitted.deadline_at
