"""When a generation's task is polled, and when its own timer is due."""

import math

import pytest
from hypothesis import given as example_of
from hypothesis import strategies as st
from tests.support.data.generation_events import (
    CANCEL_DECLINED,
    CANCEL_REQUESTED,
    CANCELLED,
    DEADLINE,
    READY,
    at,
    deferred,
    fold,
    late_result,
    requested,
    started,
    submitted,
    timeout,
)

from telecine_contracts import Event
from telecine_generation.rules.polling_schedule import PollingSchedule, next_poll, next_wake_at, poll_interval

PACE = PollingSchedule(poll=5, reconcile=7, late=60, late_for=3 * 24 * 3600)
SUBMITTED = (requested(), started(), submitted())
TIMED_OUT = (*SUBMITTED, timeout())


def look(events: tuple[Event, ...], now: float) -> float | None:
    """Seconds from `now` until the generation's own timer is due."""
    moment = next_wake_at(fold(*events), at(now), PACE)
    return None if moment is None else (moment - at(now)).total_seconds()


def polls(until: float, *, spread: float = 0.0, deadline: float = math.inf) -> list[float]:
    """The ages at which a task is polled."""
    found = [next_poll(1000, 1000 + deadline, 1000, spread, PACE.poll)]
    while found[-1] < 1000 + until:
        found.append(next_poll(1000, 1000 + deadline, found[-1], spread, PACE.poll))
    return [round(moment - 1000, 6) for moment in found]


def test_intervals_grow_with_age() -> None:
    assert [poll_interval(age, PACE) for age in (0, 59.9, 60, 179.9, 180, 86400)] == [5, 5, 10, 10, 15, 15]
    assert polls(230) == [*range(5, 65, 5), *range(70, 190, 10), 195, 210, 225, 240]


def test_an_interval_is_lengthened_by_up_to_a_fifth() -> None:
    assert polls(70, spread=1) == [6, 12, 18, 24, 30, 36, 42, 48, 54, 60, 72]


def test_a_task_is_polled_at_its_deadline() -> None:
    assert polls(20, deadline=12) == [5, 10, 12, 15, 20]


@example_of(st.floats(0, 2e9), st.floats(1, 1e5), st.floats(0, 1), st.floats(0.2, 60), st.floats(-1e3, 1e6))
def test_the_next_poll_is_later_and_within_the_longest_interval(
    submitted_at: float, deadline: float, spread: float, pace: float, age: float
) -> None:
    after = submitted_at + age
    found = next_poll(submitted_at, submitted_at + deadline, after, spread, pace)
    assert after < found <= max(after, submitted_at) + 3 * pace * 1.2 + 1e-3


@example_of(st.floats(0, 1), st.floats(0, 400), st.floats(0, 400))
def test_every_process_finds_the_same_polls(spread: float, one: float, other: float) -> None:
    """Whatever poll a process knows of, the ones after it are those of all others."""
    first = next_poll(0, 300, min(one, other), spread, 5)
    later = next_poll(0, 300, max(one, other), spread, 5)
    while first < later:
        first = next_poll(0, 300, first, spread, 5)
    assert first == later or math.isclose(first, later, abs_tol=1e-6)


@pytest.mark.parametrize(
    "events",
    [
        (requested(),),
        (requested(), CANCEL_REQUESTED),
        (requested(), CANCEL_REQUESTED, CANCELLED),
        SUBMITTED,
        (*SUBMITTED, CANCEL_REQUESTED, CANCEL_DECLINED),
        (*SUBMITTED, READY),
        (*SUBMITTED, CANCELLED),
        (*TIMED_OUT, late_result("failed")),
    ],
    ids=[
        "requested",
        "requested, cancel",
        "cancelled",
        "submitted",
        "declined",
        "ready",
        "cancelled late",
        "late result",
    ],
)
def test_a_generation_that_others_advance_has_no_timer(events: tuple[Event, ...]) -> None:
    assert look(events, 30) is None


def test_an_open_claim_is_reconciled() -> None:
    assert look((requested(), started()), 30) == 7


def test_a_deferred_generation_is_due_at_its_retry_time() -> None:
    events = (requested(), started(), deferred(until=20))
    assert look(events, 5) == 15
    assert look(events, 50) == -30


def test_a_cancel_request_is_handled_soon() -> None:
    assert look((*SUBMITTED, CANCEL_REQUESTED), 200) == 2


@pytest.mark.parametrize(
    ("overdue", "seconds"), [(0, 60), (59, 60), (120, 120), (1000, 1000), (3600, 3600), (100_000, 3600)]
)
def test_intervals_for_a_late_result_grow(overdue: float, seconds: float) -> None:
    assert look(TIMED_OUT, DEADLINE + overdue) == seconds


def test_polls_for_a_late_result_end() -> None:
    assert look(TIMED_OUT, PACE.late_for - 1) is not None
    assert look(TIMED_OUT, PACE.late_for) is None


@example_of(st.floats(0, 1e6), st.sampled_from([TIMED_OUT, (*SUBMITTED, CANCEL_REQUESTED)]))
def test_a_timer_is_due_in_the_future(now: float, events: tuple[Event, ...]) -> None:
    seconds = look(events, now)
    assert seconds is None or 0 <= seconds <= 3600
