"""When a generation's task is polled, and when its own timer is due. Pure."""

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


def next_wake_at(state: Generation, now: datetime, schedule: PollingSchedule) -> datetime | None:
    """When a generation's own timer is due next; None if it needs none.

    A submitted task needs none: it is polled with the others of its bucket, see `next_poll`.
    """
    if state.phase is Phase.CLAIMED:
        return now + timedelta(seconds=schedule.reconcile)
    if state.phase is Phase.DEFERRED:
        return state.retry_at
    if state.submitted is None:
        return None
    if state.phase is Phase.SUBMITTED and state.cancel is CancelStatus.REQUESTED:
        return now + timedelta(seconds=min(schedule.poll, 2))
    age = (now - state.submitted.submitted_at).total_seconds()
    if state.late and age < schedule.late_for:
        overdue = max(0.0, (now - state.submitted.deadline_at).total_seconds())
        return now + timedelta(seconds=min(MAX_LATE_INTERVAL, max(schedule.late, overdue)))
    return None


def next_poll(submitted_at: float, deadline_at: float, after: float, spread: float, pace: float) -> float:
    """The first time after `after` at which a submitted task is polled. Times and `pace` in seconds.

    A task is polled every `pace` seconds in its first minute, then half as often, after three minutes every third
    time, and at its deadline. `spread` (0 to 1) lengthens its intervals by up to a fifth, so that tasks submitted
    together are polled apart. Every process computes the same times.
    """
    age = max(after - submitted_at, 0.0)
    interval, begin, found = pace * (1 + spread * JITTER), 0.0, math.inf
    for end, every in ((60.0, interval), (180.0, 2 * interval), (math.inf, 3 * interval)):
        last = begin + every * math.ceil((end - begin) / every) if end < math.inf else math.inf
        if age < last:
            found = begin + every * (math.floor((age - begin) / every) + 1)
            while submitted_at + found <= after:  # rounding
                found += every
            break
        begin = last
    moment = submitted_at + found
    return deadline_at if after < deadline_at < moment else moment


def longest_interval(schedule: PollingSchedule, *, late: bool) -> float:
    """Upper bound in seconds of every timer's delay, except for the next attempt of a deferred generation."""
    if late:
        return max(MAX_LATE_INTERVAL, schedule.late) + TIMER_TOLERANCE
    return max(poll_interval(math.inf, schedule) * (1 + JITTER), schedule.reconcile) + TIMER_TOLERANCE


def poll_interval(age: float, schedule: PollingSchedule) -> float:
    """Seconds between two polls of a task submitted `age` seconds ago."""
    return schedule.poll * (1 if age < 60 else 2 if age < 180 else 3)
