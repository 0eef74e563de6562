"""The port to the video provider: submit once, ask for many, find a lost one, cancel a queued one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from telecine_contracts.generation import DeferralReason, FailureCode


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """One generation as the provider is asked for it. None means: not said at all.

    `duration` and `expires_after` are seconds; `seed` (0 to 2**32-1) and `safety_identifier` (at most
    64 characters) are the marks by which the task is found again.
    """

    model: str
    prompt: str | None
    image_url: str | None
    last_frame_url: str | None
    resolution: str
    ratio: str | None
    duration: int
    seed: int
    watermark: bool
    camera_fixed: bool | None
    safety_identifier: str
    callback_url: str | None
    expires_after: int | None
    generate_audio: bool | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has the task."""

    task_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider said no, and would say so again. `message` is a sentence for the user."""

    code: FailureCode
    provider_code: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """Certainly not accepted, and may be submitted again after `retry_after` seconds, where the provider named any."""

    reason: DeferralReason
    provider_code: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Perhaps accepted, perhaps not: only the provider's list can tell. `reason` is a word for the log."""

    reason: str


SubmitOutcome = Accepted | Refused | Deferred | Ambiguous


class CancelOutcome(StrEnum):
    """What became of the wish to stop a task. Only CANCELLED says that the provider will not go on."""

    CANCELLED = "cancelled"
    RUNNING = "running"
    FINISHED = "finished"
    UNKNOWN = "unknown"  # no such task, no answer, or a status we have no word for: keep following it


@dataclass(frozen=True, slots=True)
class ProviderTask:
    """What the provider says of a task; everything but its id and status may be missing.

    `status` is the provider's own word in lower case (Ark: queued, running, succeeded, failed, cancelled,
    expired, and whatever comes next). `duration` is seconds. `failure_code` and `failure_message` (for the
    user) are set where the status is ``failed``.
    """

    task_id: str
    status: str
    model: str | None = None
    seed: int | None = None
    safety_identifier: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    video_url: str | None = None
    video_url_expires_at: datetime | None = None
    last_frame_url: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    resolution: str | None = None
    ratio: str | None = None
    duration: float | None = None
    total_tokens: int | None = None
    failure_code: FailureCode | None = None
    failure_message: str | None = None


@dataclass(frozen=True, slots=True)
class SubmissionMark:
    """How a submission of which only the intent is known would look in the provider's list.

    `safety_identifier` belongs to one generation alone, whatever its attempts. `seed` is None where the user
    chose it, for then it is not unique. `since` is when the submission was started, by our clock.
    """

    seed: int | None
    safety_identifier: str
    model: str
    since: datetime


class ProviderUnavailable(Exception):
    """The provider gave no answer that can be relied on; ask again after `retry_after` seconds, where it named any."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Provider(Protocol):
    """A maker of videos. Nothing here retries anything: patience is the caller's."""

    async def submit(self, request: SubmitRequest) -> SubmitOutcome:
        """Ask for a video, with one request at most; never raises for what the provider or the network does."""
        ...

    async def tasks(self, task_ids: Sequence[str]) -> Mapping[str, ProviderTask]:
        """The tasks with these ids, in one request for every 100; those the provider does not know are absent.

        Raises ProviderUnavailable.
        """
        ...

    async def find(self, mark: SubmissionMark) -> ProviderTask | None:
        """The task a submission became, or None where it is certain that it became none.

        Raises ProviderUnavailable, also where the provider's list cannot settle the question.
        """
        ...

    async def cancel(self, task_id: str) -> CancelOutcome:
        """Stop a task that is still queued; never raises for what the provider or the network does."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...
