"""Port to the video provider: submit a task, read many, find one whose id was lost, cancel a queued one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from telecine_contracts.gateway import VideoParameters
from telecine_contracts.generation import DeferralReason, FailureCode


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """One submission of a resolved request.

    `model`: the provider's id of the model, which may differ from the name in `parameters`. `expires_after` is seconds.
    A lost task is found again by its `seed` (0 to 2**32-1; it replaces that of `parameters`) or its `safety_identifier`
    (at most 64 characters).
    """

    model: str
    parameters: VideoParameters
    seed: int
    safety_identifier: str
    callback_url: str | None
    expires_after: int | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has accepted the task."""

    task_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider refused permanently. `message` is a sentence for the user."""

    code: FailureCode
    provider_code: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """Certainly not accepted; may be submitted again, after `retry_after` seconds if the provider gave a number."""

    reason: DeferralReason
    provider_code: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Possibly accepted: only the provider's list can tell. `reason` is a word for the log."""

    reason: str


SubmitOutcome = Accepted | Refused | Deferred | Ambiguous


class CancelOutcome(StrEnum):
    """Result of a cancel call. Only CANCELLED means that the task will not run."""

    CANCELLED = "cancelled"
    RUNNING = "running"
    FINISHED = "finished"
    UNKNOWN = "unknown"  # no such task, no response, or an unknown status: continue polling


@dataclass(frozen=True, slots=True)
class ProviderTask:
    """The provider's record of a task; everything except id and status may be missing.

    `status` is the provider's word in lower case (Ark: queued, running, succeeded, failed, cancelled, expired; others
    may follow). `duration` is seconds. `failure_code` and `failure_message` (for the user) are set if the status is
    ``failed``.
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
    """What identifies a submission in the provider's list when its response was lost.

    `safety_identifier` is the same for all attempts of one generation. `seed` is None if the user chose it, because
    then it is not unique. `since` is the start of the submission by the local clock. `flex`: it went to the offline
    tier, whose tasks are listed apart.
    """

    seed: int | None
    safety_identifier: str
    model: str
    since: datetime
    flex: bool = False


class ProviderUnavailable(Exception):
    """The provider gave no usable response; try again, after `retry_after` seconds if it gave a number."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Provider(Protocol):
    """A video provider. No method retries; that is the caller's decision."""

    async def submit(self, request: SubmitRequest) -> SubmitOutcome:
        """Submits a task with at most one request; never raises for failures of the provider or the network."""
        ...

    async def tasks(self, task_ids: Sequence[str], *, flex: bool = False) -> Mapping[str, ProviderTask]:
        """The tasks with these ids, in one request per 100; tasks that the provider does not know are absent.

        `flex`: all of them are in the offline tier; otherwise none is.

        Raises ProviderUnavailable.
        """
        ...

    async def find(self, mark: SubmissionMark) -> ProviderTask | None:
        """The task of a submission, or None if the submission certainly was not accepted.

        Raises ProviderUnavailable, also if the provider's list does not allow a conclusion.
        """
        ...

    async def cancel(self, task_id: str) -> CancelOutcome:
        """Cancels a queued task; never raises for failures of the provider or the network."""
        ...

    async def aclose(self) -> None:
        """Closes the connections."""
        ...
