"""When a generation is to be looked at again, pure."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from .generation import CancelStatus, Generation, Phase

MAX_LATE_INTERVAL = 3600.0
JITTER = 0.2
"""By how much of itself a poll's pause is lengthened at most."""
TIMER_TOLERANCE = 5.0
"""Seconds that a timer may be set later than planned, for the look that came before took its time."""


@dataclass(frozen=True, slots=True)
class PollingSchedule:
    """How often to look, in seconds. `poll` holds for the first minute, then twice, after three minutes thrice as long.

    `reconcile`: between looks for a lost submission; `late`: the first pause after a timeout, doubled up to an hour.
    """

    poll: float = 5
    reconcile: float = 5
    late: float = 60
    late_for: float = 3 * 24 * 3600


def next_poll_at(
    state: Generation, now: datetime, pace: PollingSchedule, *, spread: float
) -> datetime | None:
    """When to wake for this generation, or None when nothing is left to do.

    `spread` (0 to 1) lengthens a poll by up to a fifth, so that tasks submitted together drift apart.
    """
    if state.phase is Phase.CLAIMED:
        return now + timedelta(seconds=pace.reconcile)
    if state.phase is Phase.DEFERRED:
        return state.retry_at
    if state.submitted is None:
        return None
    age = (now - state.submitted.submitted_at).total_seconds()
    if state.phase is Phase.SUBMITTED:
        if state.cancel is CancelStatus.REQUESTED:
            return now + timedelta(seconds=min(pace.poll, 2))
        poll = now + timedelta(seconds=poll_interval(age, pace) * (1 + spread * JITTER))
        deadline = state.submitted.deadline_at
        return min(poll, deadline) if now < deadline else poll
    if state.late and age < pace.late_for:
        overdue = max(0.0, (now - state.submitted.deadline_at).total_seconds())
        return now + timedelta(seconds=min(MAX_LATE_INTERVAL, max(pace.late, overdue)))
    return None


def longest_interval(pace: PollingSchedule, *, late: bool) -> float:
    """Seconds for which no timer of a generation waits longer, but for the next attempt of one that was deferred."""
    if late:
        return max(MAX_LATE_INTERVAL, pace.late) + TIMER_TOLERANCE
    return max(poll_interval(math.inf, pace) * (1 + JITTER), pace.reconcile) + TIMER_TOLERANCE


def poll_interval(age: float, pace: PollingSchedule) -> float:
    """Seconds between two polls of a task that was submitted `age` seconds ago."""
    return pace.poll * (1 if age < 60 else 2 if age < 180 else 3)
