"""When a generation is polled next. Pure."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from .generation import CancelStatus, Generation, Phase

MAX_LATE_INTERVAL = 3600.0
JITTER = 0.2
"""Maximum random addition to a polling interval, as a fraction of it."""
TIMER_TOLERANCE = 5.0
"""Seconds by which a timer may be set late, because the previous poll took time."""


@dataclass(frozen=True, slots=True)
class PollingSchedule:
    """Intervals in seconds. `poll` applies in the first minute, then twice, after three minutes three times as long.

    `reconcile`: between searches for a lost submission; `late`: the first one after a timeout, growing up to an hour;
    `late_for`: how long after submission late results are polled for.
    """

    poll: float = 5
    reconcile: float = 5
    late: float = 60
    late_for: float = 3 * 24 * 3600


def next_poll_at(
    state: Generation, now: datetime, schedule: PollingSchedule, *, spread: float
) -> datetime | None:
    """The time of the next poll, or None if nothing is left to do.

    `spread` (0 to 1) lengthens the interval by up to a fifth, so that tasks submitted together are polled apart.
    """
    if state.phase is Phase.CLAIMED:
        return now + timedelta(seconds=schedule.reconcile)
    if state.phase is Phase.DEFERRED:
        return state.retry_at
    if state.submitted is None:
        return None
    age = (now - state.submitted.submitted_at).total_seconds()
    if state.phase is Phase.SUBMITTED:
        if state.cancel is CancelStatus.REQUESTED:
            return now + timedelta(seconds=min(schedule.poll, 2))
        poll = now + timedelta(seconds=poll_interval(age, schedule) * (1 + spread * JITTER))
        deadline = state.submitted.deadline_at
        return min(poll, deadline) if now < deadline else poll
    if state.late and age < schedule.late_for:
        overdue = max(0.0, (now - state.submitted.deadline_at).total_seconds())
        return now + timedelta(seconds=min(MAX_LATE_INTERVAL, max(schedule.late, overdue)))
    return None


def longest_interval(schedule: PollingSchedule, *, late: bool) -> float:
    """Upper bound in seconds of every timer's delay, except for the next attempt of a deferred generation."""
    if late:
        return max(MAX_LATE_INTERVAL, schedule.late) + TIMER_TOLERANCE
    return max(poll_interval(math.inf, schedule) * (1 + JITTER), schedule.reconcile) + TIMER_TOLERANCE


def poll_interval(age: float, schedule: PollingSchedule) -> float:
    """Seconds between two polls of a task submitted `age` seconds ago."""
    return schedule.poll * (1 if age < 60 else 2 if age < 180 else 3)
