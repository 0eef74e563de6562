"""State of a generation at the provider, rebuilt from its events. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

from telecine_contracts import Event
from telecine_contracts.gateway import CancelRequested, GenerationRequested
from telecine_contracts.generation import (
    CancelDeclined,
    DeferralReason,
    FailureCode,
    GenerationCancelled,
    GenerationFailed,
    GenerationProgressed,
    GenerationSubmitted,
    LateResultRecorded,
    SubmissionDeferred,
    SubmissionStarted,
    VideoReady,
)

RUNNING = frozenset({"queued", "running"})
FINISHED = frozenset({"succeeded", "failed", "cancelled", "expired"})
LATE_RESULT_CODES = frozenset({FailureCode.DEADLINE, FailureCode.PROVIDER_LOST})
"""Failures after which the provider's task may still end, and is followed for the books."""


class NotRequested(LookupError):
    """A command for a generation that nobody asked for: a broken invariant, for a person to look at."""


class Phase(StrEnum):
    """Where a generation stands."""

    UNKNOWN = "unknown"
    REQUESTED = "requested"
    CLAIMED = "claimed"
    DEFERRED = "deferred"
    SUBMITTED = "submitted"
    ENDED = "ended"


class CancelStatus(StrEnum):
    """What became of the user's wish to stop."""

    NONE = "none"
    REQUESTED = "requested"
    DECLINED = "declined"


class EventIds(TypedDict):
    """What every event of a generation says of where it belongs."""

    account: str
    generation: str


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation, folded. `first_claim` is when the first attempt began; `late`: its task is still followed.

    `unanswered` counts the attempts whose answer was lost and whose task the provider did not list.
    """

    phase: Phase = Phase.UNKNOWN
    request: GenerationRequested | None = None
    claim: SubmissionStarted | None = None
    first_claim: datetime | None = None
    retry_at: datetime | None = None
    unanswered: int = 0
    submitted: GenerationSubmitted | None = None
    provider_status: str = ""
    cancel: CancelStatus = CancelStatus.NONE
    late: bool = False

    @property
    def ids(self) -> tuple[str, str]:
        """Account and generation. Raises NotRequested before GenerationRequested."""
        if self.request is None:
            raise NotRequested("nobody asked for this generation")
        return self.request.account, self.request.generation

    @property
    def event_ids(self) -> EventIds:
        """The same, for an event. Raises NotRequested."""
        account, generation = self.ids
        return {"account": account, "generation": generation}

    @property
    def next_attempt(self) -> int:
        """1, 2, 3 …: a cause that comes again claims the attempt it claimed before, never a later one."""
        return self.claim.attempt + 1 if self.claim else 1


def evolve(state: Generation, event: Event) -> Generation:
    """The generation after an event. Events of others that say nothing about the provider leave it as it is."""
    match event:
        case GenerationRequested():
            return replace(state, phase=Phase.REQUESTED, request=event)
        case CancelRequested():
            return replace(state, cancel=CancelStatus.REQUESTED)
        case CancelDeclined():
            return replace(state, cancel=CancelStatus.DECLINED)
        case SubmissionStarted():
            first = state.first_claim or event.started_at
            return replace(state, phase=Phase.CLAIMED, claim=event, first_claim=first, retry_at=None)
        case SubmissionDeferred():
            lost = event.reason is DeferralReason.PROVEN_ABSENT
            return replace(
                state, phase=Phase.DEFERRED, retry_at=event.retry_at, unanswered=state.unanswered + lost
            )
        case GenerationSubmitted():
            return replace(state, phase=Phase.SUBMITTED, submitted=event)
        case GenerationProgressed():
            return replace(state, provider_status=event.provider_status)
        case GenerationFailed():
            return replace(state, phase=Phase.ENDED, late=event.code in LATE_RESULT_CODES)
        case VideoReady() | GenerationCancelled():
            return replace(state, phase=Phase.ENDED)
        case LateResultRecorded():
            return replace(state, late=False)
        case _:
            return state
