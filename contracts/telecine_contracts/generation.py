"""Events that the generation service writes to the VIDEO stream: a generation at the provider."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from .credits import DenialReason
from .gateway import VideoEvent


class FailureCode(StrEnum):
    """Why a generation failed: a closed list, safe to switch on."""

    INSUFFICIENT_CREDITS = "insufficient_credits"
    INVALID_REQUEST = "invalid_request"
    MODERATION_INPUT = "moderation_input"
    MODERATION_OUTPUT = "moderation_output"
    PROVIDER_CONFIGURATION = "provider_configuration"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    SUBMISSION_UNRESOLVED = "submission_unresolved"
    PROVIDER_ERROR = "provider_error"
    PROVIDER_EXPIRED = "provider_expired"
    PROVIDER_CANCELLED = "provider_cancelled"
    PROVIDER_LOST = "provider_lost"
    DEADLINE = "deadline"


class Stage(StrEnum):
    """Stage at which a generation failed."""

    CREDITS = "credits"
    SUBMISSION = "submission"
    PROVIDER = "provider"


class DeferralReason(StrEnum):
    """Why a submission attempt was not accepted."""

    RATE_LIMITED = "rate_limited"
    UNREACHABLE = "unreachable"
    PROVEN_ABSENT = "proven_absent"


ProviderTask = Annotated[str, Field(description="The provider's id of the task")]
ProviderStatus = Annotated[str, Field(description="The provider's status of the task")]
Attempt = Annotated[int, Field(ge=1, description="1 for the first submission attempt, then 2, 3 …")]


class Usage(BaseModel):
    """Usage of a task as reported by the provider."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    total_tokens: Annotated[int | None, Field(description="Tokens, the provider's unit of billing")] = None


class GenerationEvent(VideoEvent):
    """Base of the generation service's events."""

    written_by: ClassVar[str] = "generation"


class GenerationQueued(GenerationEvent):
    """The generation is paid for and waits: the provider has as many tasks of its model as it may have.

    Its place in the queue is on QUEUE. It can be cancelled with a full refund until it is submitted.
    """

    type: ClassVar[str] = "generation.queued.v1"
    action: ClassVar[str] = "queued"

    model: Annotated[str, Field(description="The model whose queue it is in")]


class SubmissionStarted(GenerationEvent):
    """A claim, written before the provider is called: only the process that appended it submits this attempt.

    Its single POST must start before `lease_until`. `seed` and `safety_identifier` identify the task in the provider's
    list; `seed_is_unique` is False if the user chose the seed.
    """

    type: ClassVar[str] = "generation.submission_started.v1"
    action: ClassVar[str] = "submission_started"

    attempt: Attempt
    owner: Annotated[str, Field(description="The process that holds the claim")]
    started_at: Annotated[datetime, Field(description="When the claim was made")]
    lease_until: Annotated[datetime, Field(description="Until when the owner may start its single POST")]
    seed: Annotated[int, Field(ge=0, lt=2**32, description="The seed sent to the provider")]
    seed_is_unique: Annotated[bool, Field(description="False if the user chose the seed")]
    safety_identifier: Annotated[str, Field(description="Pseudonym of the user at the provider")]


class SubmissionDeferred(GenerationEvent):
    """A submission attempt was not accepted; the next one may start at `retry_at`."""

    type: ClassVar[str] = "generation.submission_deferred.v1"
    action: ClassVar[str] = "submission_deferred"

    attempt: Annotated[int, Field(description="The attempt that was not accepted")]
    reason: Annotated[DeferralReason, Field(description="Why it was not accepted")]
    retry_at: Annotated[datetime, Field(description="When the next attempt may start")]
    provider_code: Annotated[str | None, Field(description="The provider's own error code")] = None


class GenerationSubmitted(GenerationEvent):
    """The provider accepted the task, which times out at `deadline_at`. `adopted`: found in the provider's list."""

    type: ClassVar[str] = "generation.submitted.v1"
    action: ClassVar[str] = "submitted"

    attempt: Annotated[int, Field(description="The attempt that was accepted")]
    provider: Annotated[str, Field(description="Name of the provider")]
    provider_task_id: ProviderTask
    submitted_at: Annotated[datetime, Field(description="When the provider accepted it")]
    deadline_at: Annotated[datetime, Field(description="When it fails for the user unless it has ended")]
    adopted: Annotated[bool, Field(description="Whether it was found in the provider's list")] = False
    service_tier: Annotated[
        str | None,
        Field(description="flex: the provider lists it only if asked for this tier; absent: default"),
    ] = None


class GenerationProgressed(GenerationEvent):
    """The provider's own state changed, e.g. ``queued`` → ``running``. Written only when it does."""

    type: ClassVar[str] = "generation.progressed.v1"
    action: ClassVar[str] = "progressed"

    provider_status: ProviderStatus


class VideoReady(GenerationEvent):
    """The provider generated the video. It must be copied before its URL expires at `url_expires_at`."""

    type: ClassVar[str] = "video.ready.v1"
    action: ClassVar[str] = "ready"

    provider_task_id: ProviderTask
    url: Annotated[str, Field(description="Where the provider serves the video")]
    url_expires_at: Annotated[datetime, Field(description="When that URL stops working")]
    usage: Annotated[Usage, Field(description="Usage reported by the provider")]
    resolution: Annotated[str | None, Field(description="Resolution reported by the provider")] = None
    ratio: Annotated[str | None, Field(description="Aspect ratio reported by the provider")] = None
    duration: Annotated[float | None, Field(description="Seconds, as reported by the provider")] = None
    seed: Annotated[int | None, Field(description="Seed reported by the provider")] = None


class GenerationFailed(GenerationEvent):
    """The generation ended without a video; `message` is for the user.

    A generation that was not paid for always has the code `insufficient_credits`, because the list of codes is closed;
    `denial_reason` is the reason.
    """

    type: ClassVar[str] = "generation.failed.v1"
    action: ClassVar[str] = "failed"

    stage: Annotated[Stage, Field(description="Stage at which it failed")]
    code: Annotated[FailureCode, Field(description="Why, from a closed list")]
    message: Annotated[str, Field(description="Why, for the user")]
    provider_code: Annotated[str | None, Field(description="The provider's own error code")] = None
    denial_reason: Annotated[
        DenialReason | None, Field(description="Why it was not paid for; absent otherwise and before 0.3")
    ] = None


class GenerationCancelled(GenerationEvent):
    """The generation ended at the user's request, and no task is running at the provider."""

    type: ClassVar[str] = "generation.cancelled.v1"
    action: ClassVar[str] = "cancelled"


class CancelDeclined(GenerationEvent):
    """The generation could not be cancelled, because the provider is working on it; it continues."""

    type: ClassVar[str] = "generation.cancel_declined.v1"
    action: ClassVar[str] = "cancel_declined"

    provider_status: ProviderStatus


class LateResultRecorded(GenerationEvent):
    """How a task ended at the provider after its generation had ended. For reconciliation; nothing is delivered."""

    type: ClassVar[str] = "generation.late_result.v1"
    action: ClassVar[str] = "late_result"

    provider_task_id: ProviderTask
    provider_status: ProviderStatus
    url: Annotated[str | None, Field(description="Where the provider serves the video, if there is one")] = (
        None
    )
    usage: Annotated[Usage, Field(description="Usage reported by the provider")]
