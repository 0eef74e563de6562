"""Invariants of a generation in random histories: one end, no step back, and an end is always possible."""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce

from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.data.generation_events import SUCCEEDED, at, requested

from telecine_contracts import Event
from telecine_contracts.credits import DenialReason
from telecine_contracts.gateway import CancelRequested
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
from telecine_generation.rules.generation import LATE_RESULT_CODES, Generation, Phase, evolve

ENDS = (VideoReady, GenerationFailed, GenerationCancelled)
DEADLINE = 60
PATIENCE = 100
Step = Command | CancelRequested
"""A command of the generation service, or an event that the gateway appends."""

MOMENTS = [at(seconds) for seconds in (0, 5, 30, 61, 99, 161, 500)]
STATUSES = ["queued", "running", "failed", "cancelled", "expired", "paused", ""]
OBSERVATIONS = [SUCCEEDED, *map(Observation, STATUSES)]


def claim(now: datetime, attempt: int) -> Claim:
    return Claim(
        now, attempt, owner="me", lease=10, unique_seed=7, safety_identifier="mark", total_timeout=PATIENCE
    )


def accept(now: datetime, attempt: int) -> Accept:
    return Accept(now, attempt, "ark", f"cgt-{attempt}", DEADLINE)


STEPS: list[Step] = [
    *(claim(now, attempt) for now in MOMENTS for attempt in (1, 2, 3)),
    *(accept(now, attempt) for now in MOMENTS for attempt in (1, 2, 3)),
    *(Defer(attempt, DeferralReason.UNREACHABLE, now) for now in MOMENTS for attempt in (1, 2, 3)),
    *(Observe(now, seen) for now in MOMENTS for seen in OBSERVATIONS),
    *(Refuse(attempt, FailureCode.MODERATION_INPUT, "No.") for attempt in (1, 2, 3)),
    *(AbandonClaim(attempt) for attempt in (1, 2, 3)),
    *(ProvenAbsent(now, attempt, 2) for now in MOMENTS for attempt in (1, 2, 3)),
    *map(Expire, MOMENTS),
    Deny(DenialReason.INSUFFICIENT_CREDITS, "Insufficient credits"),
    *(CancelUnsubmitted() for _ in range(3)),
    *(ConfirmCancel() for _ in range(3)),
    *(RejectCancel("running") for _ in range(3)),
    *(CancelRequested(account="ann", generation="g1") for _ in range(4)),
]
histories = st.lists(st.sampled_from(STEPS), min_size=10, max_size=30)
TO_CLAIM: list[Step] = [claim(at(0), 1)]
TO_DEFERRAL: list[Step] = [*TO_CLAIM, Defer(1, DeferralReason.UNREACHABLE, at(5))]
TO_SUBMISSION: list[Step] = [*TO_CLAIM, accept(at(0), 1)]
TO_TIMEOUT: list[Step] = [*TO_SUBMISSION, Observe(at(61), Observation("running"))]
middles = st.sampled_from([[], TO_CLAIM, TO_DEFERRAL, TO_SUBMISSION, TO_TIMEOUT])
lives = st.builds(lambda start, rest: [*start, *rest], middles, histories)
"""Random histories, some of which start in a late phase, which random commands seldom reach."""


def lived(history: Sequence[Step]) -> list[Event]:
    """The events of a history, including those of the gateway."""
    events = [requested()]
    state = evolve(Generation(), events[0])
    for step in history:
        event = step if isinstance(step, CancelRequested) else decide(step, state)
        if event is not None:
            events.append(event)
            state = evolve(state, event)
    return events


def folded(events: Sequence[Event]) -> Generation:
    return reduce(evolve, events, Generation())


@given(lives)
def test_after_its_one_end_only_a_late_result_follows(history: list[Step]) -> None:
    events = [event for event in lived(history) if not isinstance(event, CancelRequested)]
    ends = [number for number, event in enumerate(events) if isinstance(event, ENDS)]
    assert len(ends) <= 1
    after = events[ends[0] + 1 :] if ends else []
    assert [type(event) for event in after] in ([], [LateResultRecorded])
    if after:
        end = events[ends[0]]
        assert isinstance(end, GenerationFailed)
        assert end.code in LATE_RESULT_CODES
        assert any(isinstance(event, GenerationSubmitted) for event in events)


@given(lives)
def test_its_status_never_goes_back(history: list[Step]) -> None:
    order = {
        Phase.UNKNOWN: 0, Phase.REQUESTED: 1, Phase.CLAIMED: 2, Phase.DEFERRED: 2, Phase.SUBMITTED: 3, Phase.ENDED: 4,
    }  # fmt: skip
    state, reached = Generation(), 0
    for event in lived(history):
        state = evolve(state, event)
        assert order[state.phase] >= reached
        reached = order[state.phase]


@given(lives)
def test_claims_are_numbered_and_only_one_is_open(history: list[Step]) -> None:
    open_attempt, claims = None, 0
    for event in lived(history):
        match event:
            case SubmissionStarted(attempt=attempt):
                assert open_attempt is None
                claims += 1
                assert attempt == claims
                open_attempt = attempt
            case SubmissionDeferred(attempt=attempt) | GenerationSubmitted(attempt=attempt):
                assert attempt == open_attempt
                open_attempt = None
            case GenerationFailed() | GenerationCancelled():
                open_attempt = None
            case _:
                pass


@given(lives)
def test_no_attempt_follows_the_second_lost_response(history: list[Step]) -> None:
    lost = 0
    for event in lived(history):
        if isinstance(event, SubmissionStarted):
            assert lost < 2
        lost += isinstance(event, SubmissionDeferred) and event.reason is DeferralReason.PROVEN_ABSENT


@given(lives)
def test_it_is_submitted_at_most_once(history: list[Step]) -> None:
    submissions = 0
    for event in lived(history):
        if isinstance(event, GenerationSubmitted):
            submissions += 1
        if isinstance(event, GenerationProgressed | VideoReady | LateResultRecorded | CancelDeclined):
            assert submissions == 1
    assert submissions <= 1


@given(lives)
def test_cancellation_is_declined_only_after_it_was_requested(history: list[Step]) -> None:
    wishes = 0
    for event in lived(history):
        wishes += isinstance(event, CancelRequested)
        if isinstance(event, CancelDeclined):
            assert wishes > 0
            wishes = 0


@given(lives)
def test_a_repeated_command_changes_nothing(history: list[Step]) -> None:
    events = [requested()]
    state = evolve(Generation(), events[0])
    for step in history:
        if isinstance(step, CancelRequested):
            state = evolve(state, step)
            continue
        event = decide(step, state)
        if event is not None:
            state = evolve(state, event)
            again = decide(step, state)
            # The only exception: a second observation of the end found after the deadline is recorded as a late result.
            assert again is None or isinstance(again, LateResultRecorded)


@given(lives)
@example(TO_TIMEOUT)
def test_every_state_can_reach_an_end(history: list[Step]) -> None:
    """If the provider remains silent, every generation ends in time and is not polled any more."""
    state = folded(lived(history))
    late = at(10_000)
    for _ in range(3):
        for step in (
            AbandonClaim(state.claim.attempt if state.claim else 1),
            claim(late, state.next_attempt),
            Expire(late),
            Observe(late, Observation("")),
        ):
            event = decide(step, state)
            state = evolve(state, event) if event is not None else state
    assert state.phase is Phase.ENDED
    assert not state.late
