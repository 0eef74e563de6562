"""What the generation service can be asked to decide, pure: each command brings the time and what the provider said."""

from dataclasses import dataclass
from datetime import datetime

from telecine_contracts.credits import DenialReason
from telecine_contracts.generation import DeferralReason, FailureCode


@dataclass(frozen=True, slots=True)
class Observation:
    """What the provider says of a task. `status` is its own word, lower case; "" when it knows no such task."""

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
class Claim:
    """I want to be the one who makes `attempt`. `patience`: seconds after the first claim when none is begun."""

    now: datetime
    attempt: int
    owner: str
    lease: float
    unique_seed: int
    safety_identifier: str
    total_timeout: float


@dataclass(frozen=True, slots=True)
class Accept:
    """The provider took the attempt as `task_id`; `deadline` in seconds from now."""

    now: datetime
    attempt: int
    provider: str
    task_id: str
    deadline: float
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """The attempt was refused for good."""

    attempt: int
    code: FailureCode
    message: str
    provider_code: str | None = None


@dataclass(frozen=True, slots=True)
class Defer:
    """The attempt is known not to have been accepted."""

    attempt: int
    reason: DeferralReason
    retry_at: datetime
    provider_code: str | None = None


@dataclass(frozen=True, slots=True)
class ProvenAbsent:
    """The answer to the attempt was lost, and the provider does not list the task after a long enough wait.

    A provider may have it all the same: with this one, `most` attempts whose answer was lost are the last.
    """

    now: datetime
    attempt: int
    most: int


@dataclass(frozen=True, slots=True)
class AbandonClaim:
    """It is not known whether the attempt was accepted, and the wait for an answer is over."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Observe:
    """The provider was asked for the task."""

    now: datetime
    seen: Observation


@dataclass(frozen=True, slots=True)
class Expire:
    """The deadline is over and the provider gives no answer at all."""

    now: datetime


@dataclass(frozen=True, slots=True)
class Deny:
    """The generation was not paid for. `message` says why, for the user."""

    reason: DenialReason
    message: str


@dataclass(frozen=True, slots=True)
class CancelUnsubmitted:
    """The user wants it stopped, and no attempt is open: nothing is running anywhere."""


@dataclass(frozen=True, slots=True)
class ConfirmCancel:
    """The provider stopped the task at the user's wish."""


@dataclass(frozen=True, slots=True)
class RejectCancel:
    """The provider would not stop the task; it is at `provider_status`."""

    provider_status: str


Command = (
    Claim
    | Accept
    | Refuse
    | Defer
    | ProvenAbsent
    | AbandonClaim
    | Observe
    | Expire
    | Deny
    | CancelUnsubmitted
    | ConfirmCancel
    | RejectCancel
)
