"""Commands of a generation. Each brings the time and the provider's response, so that decisions are pure."""

from dataclasses import dataclass
from datetime import datetime

from telecine_contracts.credits import DenialReason
from telecine_contracts.generation import DeferralReason, FailureCode


@dataclass(frozen=True, slots=True)
class Observation:
    """The provider's record of a task. `status` is the provider's word in lower case, "" for an unknown task."""

    status: str
    url: str | None = None
    url_expires_at: datetime | None = None
    total_tokens: int | None = None
    resolution: str | None = None
    ratio: str | None = None
    duration: float | None = None
    seed: int | None = None
    failure_code: FailureCode = FailureCode.PROVIDER_ERROR
    failure_message: str = "The video provider could not make this video."
    provider_code: str | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """The generation waits for a place of `model` at the provider."""

    model: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Reserves the right to make `attempt`. `total_timeout`: seconds after the first claim when attempts end."""

    now: datetime
    attempt: int
    owner: str
    lease: float
    unique_seed: int
    safety_identifier: str
    total_timeout: float


@dataclass(frozen=True, slots=True)
class Accept:
    """The provider accepted the attempt as `task_id`; `deadline` in seconds from now."""

    now: datetime
    attempt: int
    provider: str
    task_id: str
    deadline: float
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """The provider refused the attempt permanently."""

    attempt: int
    code: FailureCode
    message: str
    provider_code: str | None = None


@dataclass(frozen=True, slots=True)
class Defer:
    """The attempt was certainly not accepted and may be repeated at `retry_at`."""

    attempt: int
    reason: DeferralReason
    retry_at: datetime
    provider_code: str | None = None


@dataclass(frozen=True, slots=True)
class ProvenAbsent:
    """The response to the attempt was lost, and the provider still does not list the task after the wait.

    `most`: number of such attempts after which the generation fails, because the provider may have a task anyway.
    """

    now: datetime
    attempt: int
    most: int


@dataclass(frozen=True, slots=True)
class AbandonClaim:
    """The wait is over, and it is still unknown whether the attempt was accepted."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Observe:
    """The result of a poll."""

    now: datetime
    seen: Observation


@dataclass(frozen=True, slots=True)
class Expire:
    """The deadline has passed and the provider does not respond."""

    now: datetime


@dataclass(frozen=True, slots=True)
class Deny:
    """The generation was not paid for. `message` says why, for the user."""

    reason: DenialReason
    message: str


@dataclass(frozen=True, slots=True)
class CancelUnsubmitted:
    """The user cancelled, and no attempt is open: nothing runs at the provider."""


@dataclass(frozen=True, slots=True)
class CancelWaiting:
    """The time is over for which the user was willing to wait for the submission."""


@dataclass(frozen=True, slots=True)
class ConfirmCancel:
    """The provider cancelled the task at the user's request."""


@dataclass(frozen=True, slots=True)
class RejectCancel:
    """The provider refused to cancel the task, which has `provider_status`."""

    provider_status: str


Command = (
    Queue
    | Claim
    | Accept
    | Refuse
    | Defer
    | ProvenAbsent
    | AbandonClaim
    | Observe
    | Expire
    | Deny
    | CancelUnsubmitted
    | CancelWaiting
    | ConfirmCancel
    | RejectCancel
)
