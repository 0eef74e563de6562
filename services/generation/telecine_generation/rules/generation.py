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
    GenerationQueued,
    GenerationSubmitted,
    LateResultRecorded,
    SubmissionDeferred,
    SubmissionStarted,
    VideoReady,
)

RUNNING = frozenset({"queued", "running"})
FINISHED = frozenset({"succeeded", "failed", "cancelled", "expired"})
LATE_RESULT_CODES = frozenset({FailureCode.DEADLINE, FailureCode.PROVIDER_LOST})
"""Failures after which the provider's task may still finish; it is polled so that the ledger records what it cost."""


class NotRequested(LookupError):
    """A command for a generation without GenerationRequested: a broken invariant that an operator must examine."""


class Phase(StrEnum):
    """Phase of a generation at the provider."""

    UNKNOWN = "unknown"
    REQUESTED = "requested"
    CLAIMED = "claimed"
    DEFERRED = "deferred"
    SUBMITTED = "submitted"
    ENDED = "ended"


class CancelStatus(StrEnum):
    """State of the user's request to cancel."""

    NONE = "none"
    REQUESTED = "requested"
    DECLINED = "declined"


class EventIds(TypedDict):
    """The fields that every event of a generation has."""

    account: str
    generation: str


@dataclass(frozen=True, slots=True)
class Generation:
    """State of one generation. `first_claim`: time of the first attempt; `late`: failed, but its task is polled on.

    `is_queued`: it waits, or has waited, for a place at the provider. `unanswered`: number of attempts whose response
    was lost and whose task the provider did not list.
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
    is_queued: bool = False

    @property
    def ids(self) -> tuple[str, str]:
        """Account and generation. Raises NotRequested before GenerationRequested."""
        if self.request is None:
            raise NotRequested("this generation has no GenerationRequested event")
        return self.request.account, self.request.generation

    @property
    def event_ids(self) -> EventIds:
        """Account and generation as fields of an event. Raises NotRequested."""
        account, generation = self.ids
        return {"account": account, "generation": generation}

    @property
    def next_attempt(self) -> int:
        """Number of the next attempt, from 1."""
        # Attempts are numbered so that a redelivered message claims the same attempt again, never a later one.
        return self.claim.attempt + 1 if self.claim else 1


def evolve(state: Generation, event: Event) -> Generation:
    """The state after an event; events that do not concern the provider change nothing."""
    match event:
        case GenerationRequested():
            return replace(state, phase=Phase.REQUESTED, request=event)
        case GenerationQueued():
            return replace(state, is_queued=True)
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
