"""Decisions about a generation: given events, when a command, then an event or none."""

import pytest
from tests.support.data.generation_events import (
    CANCEL_DECLINED,
    CANCEL_REQUESTED,
    CANCELLED,
    DEADLINE,
    READY,
    REFUNDED,
    SUCCEEDED,
    URL,
    _event,
    at,
    deferred,
    failed,
    fold,
    late_result,
    progressed,
    requested,
    started,
    submitted,
    timeout,
)

from telecine_contracts import Event
from telecine_contracts.credits import DenialReason
from telecine_contracts.generation import (
    DeferralReason,
    FailureCode,
    GenerationSubmitted,
    Stage,
    SubmissionDeferred,
)
from telecine_contracts.storage import StorageFailure, VideoStorageFailed
from telecine_generation.rules.commands import (
    AbandonClaim,
    Accept,
    CancelUnsubmitted,
    Claim,
    Command,
    ConfirmCancel,
    Defer,
    Deny,
    Expire,
    Observation,
    Observe,
    ProvenAbsent,
    Refuse,
    RejectCancel,
)
from telecine_generation.rules.decider import decide
from telecine_generation.rules.generation import Generation, NotRequested, evolve

UNAVAILABLE = failed(
    FailureCode.PROVIDER_UNAVAILABLE,
    f"The video provider could not take this generation. {REFUNDED}; please try again.",
    Stage.SUBMISSION,
)

CLAIM = Claim(
    now=at(30), attempt=1, owner="me", lease=10, unique_seed=7, safety_identifier="mark", total_timeout=600
)
SECOND = Claim(
    now=at(30), attempt=2, owner="me", lease=10, unique_seed=7, safety_identifier="mark", total_timeout=600
)

STATES: dict[str, tuple[Event, ...]] = {
    "requested": (requested(),),
    "requested, cancel": (requested(), CANCEL_REQUESTED),
    "claimed": (requested(), started()),
    "claimed, cancel": (requested(), started(), CANCEL_REQUESTED),
    "claimed again": (requested(), started(), deferred(), started(2, 20)),
    "deferred": (requested(), started(), deferred()),
    "deferred, cancel": (requested(), started(), deferred(), CANCEL_REQUESTED),
    "submitted": (requested(), started(), submitted()),
    "submitted, cancel": (requested(), started(), submitted(), CANCEL_REQUESTED),
    "submitted, declined": (requested(), started(), submitted(), CANCEL_REQUESTED, CANCEL_DECLINED),
    "ready": (requested(), started(), submitted(), READY),
    "failed": (requested(), failed(FailureCode.INSUFFICIENT_CREDITS, "…", Stage.CREDITS)),
    "cancelled": (requested(), CANCEL_REQUESTED, CANCELLED),
    "timed out": (requested(), started(), submitted(), timeout()),
    "lost": (requested(), started(), submitted(), timeout(FailureCode.PROVIDER_LOST)),
    "timed out, late": (requested(), started(), submitted(), timeout(), late_result("failed")),
}

COMMANDS: dict[str, Command] = {
    "claim": CLAIM,
    "claim again": SECOND,
    "accept": Accept(at(31), 1, "ark", "cgt-1", DEADLINE),
    "accept again": Accept(at(31), 2, "ark", "cgt-1", DEADLINE, adopted=True),
    "refuse": Refuse(1, FailureCode.MODERATION_INPUT, "No.", "SensitiveContentDetected"),
    "defer": Defer(1, DeferralReason.UNREACHABLE, at(40), "429"),
    "absent": ProvenAbsent(at(45), 1, most=2),
    "give up": AbandonClaim(1),
    "deny": Deny(DenialReason.SPEND_LIMIT, "Spend limit reached"),
    "stop": CancelUnsubmitted(),
    "stopped": ConfirmCancel(),
    "unstoppable": RejectCancel("running"),
    "see running": Observe(at(60), Observation("running")),
    "see success": Observe(at(60), SUCCEEDED),
    "expire early": Expire(at(DEADLINE - 1)),
    "expire": Expire(at(DEADLINE)),
}

GENERATION_SUBMITTED = _event(
    GenerationSubmitted,
    attempt=1,
    provider="ark",
    provider_task_id="cgt-1",
    submitted_at=at(31),
    deadline_at=at(31 + DEADLINE),
)
RESOLVED: dict[str, Event] = {
    "accept": GENERATION_SUBMITTED,
    "refuse": failed(FailureCode.MODERATION_INPUT, "No.", Stage.SUBMISSION, "SensitiveContentDetected"),
    "defer": _event(
        SubmissionDeferred,
        attempt=1,
        reason=DeferralReason.UNREACHABLE,
        retry_at=at(40),
        provider_code="429",
    ),
    "absent": _event(SubmissionDeferred, attempt=1, reason=DeferralReason.PROVEN_ABSENT, retry_at=at(45)),
    "give up": failed(
        FailureCode.SUBMISSION_UNRESOLVED,
        f"The video provider gave no answer. {REFUNDED}; please try again.",
        Stage.SUBMISSION,
    ),
}
FOLLOWED: dict[str, Event] = {
    "stopped": CANCELLED,
    "see running": progressed("running"),
    "see success": READY,
    "expire": timeout(),
}
LATE: dict[str, Event] = {"see success": late_result("succeeded", URL, 9)}
DENIED = failed(FailureCode.INSUFFICIENT_CREDITS, "Spend limit reached", Stage.CREDITS).model_copy(
    update={"denial_reason": DenialReason.SPEND_LIMIT}
)
THEN: dict[str, dict[str, Event]] = {
    "requested": {"claim": started(1, 30), "deny": DENIED},
    "requested, cancel": {"claim": CANCELLED, "stop": CANCELLED, "deny": DENIED},
    "claimed": RESOLVED,
    "claimed, cancel": RESOLVED,
    "claimed again": {
        "accept again": _event(
            GenerationSubmitted,
            attempt=2,
            provider="ark",
            provider_task_id="cgt-1",
            submitted_at=at(31),
            deadline_at=at(31 + DEADLINE),
            adopted=True,
        )
    },
    "deferred": {"claim again": started(2, 30)},
    "deferred, cancel": {"claim again": CANCELLED, "stop": CANCELLED},
    "submitted": FOLLOWED,
    "submitted, cancel": FOLLOWED | {"unstoppable": CANCEL_DECLINED},
    "submitted, declined": FOLLOWED,
    "timed out": LATE,
    "lost": LATE,
}
"""The event of each command in each state; all other pairs have none."""


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_every_state(state: str, command: str) -> None:
    assert decide(COMMANDS[command], fold(*STATES[state])) == THEN.get(state, {}).get(command)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_for_an_unrequested_generation_are_refused(command: str) -> None:
    with pytest.raises(NotRequested):
        decide(COMMANDS[command], Generation())


# Claims


def test_a_users_seed_is_kept_and_not_unique() -> None:
    assert decide(CLAIM, fold(requested(seed=42))) == started(1, 30, seed=42, seed_is_unique=False)
    assert decide(CLAIM, fold(requested(seed=0))) == started(1, 30, seed=0, seed_is_unique=False)


def claim(now: float, attempt: int) -> Claim:
    return Claim(at(now), attempt, "me", 10, 7, "mark", total_timeout=600)


def test_a_deferred_generation_is_not_claimed_before_its_time() -> None:
    state = fold(requested(), started(), deferred(until=20))
    assert decide(claim(19.999, 2), state) is None
    assert decide(claim(20, 2), state) == started(2, 20)


def test_no_attempt_starts_after_the_timeout() -> None:
    state = fold(requested(), started(), deferred(), started(2, 300), deferred(2, 400))
    assert decide(claim(600, 3), state) == started(3, 600)
    assert decide(claim(600.001, 3), state) == UNAVAILABLE


def test_a_second_lost_response_ends_the_generation() -> None:
    """A provider that accepts tasks without listing them must not get more and more of them."""
    lost = _event(SubmissionDeferred, attempt=1, reason=DeferralReason.PROVEN_ABSENT, retry_at=at(45))
    answered = fold(requested(), started(), deferred(), started(2, 50))
    assert decide(ProvenAbsent(at(99), 2, most=2), answered) is not None
    assert answered.unanswered == 0
    state = fold(requested(), started(), lost, started(2, 50))
    assert decide(ProvenAbsent(at(99), 2, most=3), state) == _event(
        SubmissionDeferred, attempt=2, reason=DeferralReason.PROVEN_ABSENT, retry_at=at(99)
    )
    assert decide(ProvenAbsent(at(99), 2, most=2), state) == RESOLVED["give up"]
    assert decide(ProvenAbsent(at(99), 1, most=2), state) is None


@pytest.mark.parametrize("attempt", [0, 1, 3])
def test_only_the_next_attempt_can_be_claimed(attempt: int) -> None:
    """A redelivered cause of attempt 1, which was deferred, must not claim attempt 2."""
    assert decide(claim(30, attempt), fold(requested(), started(), deferred())) is None


@pytest.mark.parametrize("name", ["accept", "refuse", "defer", "give up"])
def test_a_response_to_an_older_attempt_does_not_resolve_the_open_one(name: str) -> None:
    assert decide(COMMANDS[name], fold(*STATES["claimed again"])) is None


def test_a_cancel_request_after_the_end_changes_nothing() -> None:
    state = fold(*STATES["ready"], CANCEL_REQUESTED)
    assert [decide(command, state) for command in COMMANDS.values()] == [None] * len(COMMANDS)


def test_events_of_storage_change_nothing() -> None:
    state = fold(*STATES["ready"])
    other = _event(VideoStorageFailed, side=StorageFailure.SOURCE, message="…")
    assert evolve(state, other) is state
