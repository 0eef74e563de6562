"""When a generation is polled next."""

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
from telecine_generation.rules.polling_schedule import PollingSchedule, next_poll_at, poll_interval

PACE = PollingSchedule(poll=5, reconcile=7, late=60, late_for=3 * 24 * 3600)
SUBMITTED = (requested(), started(), submitted())
TIMED_OUT = (*SUBMITTED, timeout())


def look(events: tuple[Event, ...], now: float, spread: float = 0) -> float | None:
    """Seconds from `now` to the next poll."""
    moment = next_poll_at(fold(*events), at(now), PACE, spread=spread)
    return None if moment is None else (moment - at(now)).total_seconds()


@pytest.mark.parametrize(
    ("age", "seconds"), [(0, 5), (59.9, 5), (60, 10), (179.9, 10), (180, 15), (86400, 15)]
)
def test_intervals_grow_with_age(age: float, seconds: float) -> None:
    assert poll_interval(age, PACE) == seconds
    far = (requested(), started(), submitted(deadline=10**6))
    assert look(far, age) == seconds


def test_an_interval_is_lengthened_by_up_to_a_fifth() -> None:
    assert look(SUBMITTED, 0, spread=1) == 6
    assert look(SUBMITTED, 0, spread=0.5) == 5.5


@pytest.mark.parametrize(("now", "seconds"), [(DEADLINE - 4, 4), (DEADLINE - 0.5, 0.5)])
def test_the_next_poll_is_not_after_the_deadline(now: float, seconds: float) -> None:
    assert look(SUBMITTED, now, spread=1) == seconds


@pytest.mark.parametrize("now", [DEADLINE, DEADLINE + 100])
def test_after_the_deadline_polls_have_the_usual_interval(now: float) -> None:
    assert look(SUBMITTED, now) == 15


@pytest.mark.parametrize(
    "events",
    [
        (requested(),),
        (requested(), CANCEL_REQUESTED),
        (requested(), CANCEL_REQUESTED, CANCELLED),
        (*SUBMITTED, READY),
        (*SUBMITTED, CANCELLED),
        (*TIMED_OUT, late_result("failed")),
    ],
    ids=["requested", "requested, cancel", "cancelled", "ready", "cancelled late", "late result"],
)
def test_a_finished_generation_has_no_next_poll(events: tuple[Event, ...]) -> None:
    assert look(events, 30) is None


def test_an_open_claim_is_reconciled() -> None:
    assert look((requested(), started()), 30) == 7


def test_a_deferred_generation_is_due_at_its_retry_time() -> None:
    events = (requested(), started(), deferred(until=20))
    assert look(events, 5) == 15
    assert look(events, 50) == -30


def test_a_cancel_request_is_handled_soon() -> None:
    assert look((*SUBMITTED, CANCEL_REQUESTED), 200) == 2
    assert look((*SUBMITTED, CANCEL_REQUESTED, CANCEL_DECLINED), 200) == 15


@pytest.mark.parametrize(
    ("overdue", "seconds"), [(0, 60), (59, 60), (120, 120), (1000, 1000), (3600, 3600), (100_000, 3600)]
)
def test_intervals_for_a_late_result_grow(overdue: float, seconds: float) -> None:
    assert look(TIMED_OUT, DEADLINE + overdue) == seconds


def test_polls_for_a_late_result_end() -> None:
    assert look(TIMED_OUT, PACE.late_for - 1) is not None
    assert look(TIMED_OUT, PACE.late_for) is None


@example_of(
    st.floats(0, 1e6),
    st.floats(0, 1),
    st.sampled_from([SUBMITTED, TIMED_OUT, (*SUBMITTED, CANCEL_REQUESTED)]),
)
def test_the_next_poll_is_in_the_future(now: float, spread: float, events: tuple[Event, ...]) -> None:
    seconds = look(events, now, spread)
    assert seconds is None or 0 <= seconds <= 3600
