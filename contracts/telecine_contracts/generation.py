"""What the generation service writes to the VIDEO stream: the way of a generation through the provider."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

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
    """How far a generation had come when it failed."""

    CREDITS = "credits"
    SUBMISSION = "submission"
    PROVIDER = "provider"


class DeferralReason(StrEnum):
    """Why an attempt to submit is known not to have been accepted."""

    RATE_LIMITED = "rate_limited"
    UNREACHABLE = "unreachable"
    PROVEN_ABSENT = "proven_absent"


class Usage(BaseModel):
    """What the provider says a task used, in its own tokens."""

    model_config = ConfigDict(frozen=True)

    total_tokens: int | None = None


class GenerationEvent(VideoEvent):
    """What all events of the generation service share."""

    written_by: ClassVar[str] = "generation"


class SubmissionStarted(GenerationEvent):
    """A claim, written before the provider is called: whoever's append wins is the only submitter of this attempt.

    The winner may start its one POST until `lease_until`. `seed` and `safety_identifier` are the marks by which
    the task is found again in the provider's list; `seed_is_unique` is False where the user chose the seed.
    """

    type: ClassVar[str] = "generation.submission_started.v1"
    action: ClassVar[str] = "submission_started"

    attempt: Annotated[int, Field(ge=1)]
    owner: Annotated[str, Field(description="The process that holds the claim")]
    started_at: datetime
    lease_until: datetime
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    seed_is_unique: bool
    safety_identifier: str


class SubmissionDeferred(GenerationEvent):
    """An attempt is known not to have been accepted; the next one may start at `retry_at`."""

    type: ClassVar[str] = "generation.submission_deferred.v1"
    action: ClassVar[str] = "submission_deferred"

    attempt: int
    reason: DeferralReason
    retry_at: datetime
    provider_code: str | None = None


class GenerationSubmitted(GenerationEvent):
    """The provider has the task. `deadline_at` is when we give up waiting; `adopted`: found in the provider's list."""

    type: ClassVar[str] = "generation.submitted.v1"
    action: ClassVar[str] = "submitted"

    attempt: int
    provider: str
    provider_task_id: str
    submitted_at: datetime
    deadline_at: datetime
    adopted: bool = False


class GenerationProgressed(GenerationEvent):
    """The provider's own state changed, e.g. ``queued`` → ``running``. Written only when it does."""

    type: ClassVar[str] = "generation.progressed.v1"
    action: ClassVar[str] = "progressed"

    provider_status: str


class VideoReady(GenerationEvent):
    """The provider made the video. The URL dies at `url_expires_at`: the copy must be done before."""

    type: ClassVar[str] = "video.ready.v1"
    action: ClassVar[str] = "ready"

    provider_task_id: str
    url: str
    url_expires_at: datetime
    usage: Usage
    resolution: str | None = None
    ratio: str | None = None
    duration: Annotated[float | None, Field(description="Seconds, as the provider says")] = None
    seed: int | None = None


class GenerationFailed(GenerationEvent):
    """The generation ended without a video; `message` is for the user."""

    type: ClassVar[str] = "generation.failed.v1"
    action: ClassVar[str] = "failed"

    stage: Stage
    code: FailureCode
    message: str
    provider_code: str | None = None


class GenerationCancelled(GenerationEvent):
    """The generation ended because the user asked for it, and nothing goes on at the provider."""

    type: ClassVar[str] = "generation.cancelled.v1"
    action: ClassVar[str] = "cancelled"


class CancelDeclined(GenerationEvent):
    """The generation could not be stopped: the provider is already working on it. It goes on."""

    type: ClassVar[str] = "generation.cancel_declined.v1"
    action: ClassVar[str] = "cancel_declined"

    provider_status: str


class LateResultRecorded(GenerationEvent):
    """How a task ended at the provider after its generation had ended here. For reconciliation; delivers nothing."""

    type: ClassVar[str] = "generation.late_result.v1"
    action: ClassVar[str] = "late_result"

    provider_task_id: str
    provider_status: str
    url: str | None = None
    usage: Usage
