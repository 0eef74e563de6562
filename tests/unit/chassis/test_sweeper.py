"""A sweeper sets timers that were lost: soon, or at the time that they are due."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from telecine_chassis.testing import InMemoryTimers, ManualClock
from telecine_chassis.timers.port import Timer
from telecine_chassis.timers.sweeper import PendingTimer, Sweeper

NOW = datetime(2026, 6, 1, 12, tzinfo=ManualClock().now.tzinfo)
ONE = Timer("look", ("one",))
TWO = Timer("look", ("two",))


async def no_wait() -> None:
    """The projection is caught up."""


async def sweep(timers: InMemoryTimers, owed: Sequence[PendingTimer], *, delay: float = 0) -> int:
    async def unfinished() -> Sequence[PendingTimer]:
        return owed

    sweeper = Sweeper(timers, unfinished, no_wait, interval=1, clock=timers.clock, delay=delay)
    return await sweeper.sweep()


@pytest.fixture
def timers() -> InMemoryTimers:
    return InMemoryTimers(ManualClock(NOW))


@pytest.mark.parametrize("at", [None, NOW, NOW - timedelta(days=400)])
@pytest.mark.parametrize("delay", [0, 900])
async def test_what_is_due_gets_its_timer_soon(
    timers: InMemoryTimers, at: datetime | None, delay: float
) -> None:
    assert await sweep(timers, [PendingTimer(ONE, at)], delay=delay) == 1
    ((due, timer),) = timers.waiting.values()
    assert timer == ONE
    assert timedelta(seconds=delay) <= due - NOW <= timedelta(seconds=delay + 1)


@pytest.mark.parametrize("ahead", [timedelta(milliseconds=1), timedelta(days=400)])
async def test_what_is_due_later_gets_its_timer_for_then(timers: InMemoryTimers, ahead: timedelta) -> None:
    assert await sweep(timers, [PendingTimer(ONE, NOW + ahead)], delay=900) == 1
    assert list(timers.waiting.values()) == [(NOW + ahead, ONE)]


async def test_a_timer_that_was_lost_comes_back_to_its_trace(timers: InMemoryTimers) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert await sweep(timers, [PendingTimer(ONE, traceparent=trace), PendingTimer(TWO)]) == 2
    assert timers.headers == {("look", ("one",)): {"traceparent": trace}, ("look", ("two",)): {}}


async def test_a_timer_that_waits_stays_as_it_is(timers: InMemoryTimers) -> None:
    await timers.set(ONE, NOW + timedelta(hours=5))
    assert await sweep(timers, [PendingTimer(ONE, NOW + timedelta(hours=1)), PendingTimer(ONE)]) == 0
    assert list(timers.waiting.values()) == [(NOW + timedelta(hours=5), ONE)]


async def test_a_timer_that_waits_for_too_long_is_moved_and_keeps_its_data(timers: InMemoryTimers) -> None:
    """It was set by a clock that was an hour ahead; the work would stay stuck for so long."""
    left = Timer("look", ("one",), b'{"tried": 1}')
    await timers.set(left, NOW + timedelta(hours=1))
    await timers.set(TWO, NOW + timedelta(hours=3))
    owed = [PendingTimer(ONE, longest=60), PendingTimer(TWO, NOW + timedelta(hours=2), longest=60)]
    assert await sweep(timers, owed, delay=900) == 2
    at, moved = timers.waiting["look", ("one",)]
    assert moved == left
    assert timedelta(0) <= at - NOW <= timedelta(seconds=1)
    assert timers.waiting["look", ("two",)][0] == NOW + timedelta(hours=2)


async def test_timers_are_checked_in_rotation(
    timers: InMemoryTimers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("telecine_chassis.timers.sweeper.CHECKED", 2)
    many = [Timer("look", (str(number),)) for number in range(5)]
    for timer in many:
        await timers.set(timer, NOW + timedelta(hours=1))

    async def unfinished() -> Sequence[PendingTimer]:
        return [PendingTimer(timer, longest=60) for timer in many]

    sweeper = Sweeper(timers, unfinished, no_wait, interval=1, clock=timers.clock)
    assert [await sweeper.sweep() for _ in range(4)] == [2, 2, 1, 0]


async def test_a_timer_within_its_schedule_stays_as_it_is(timers: InMemoryTimers) -> None:
    await timers.set(ONE, NOW + timedelta(seconds=60))
    await timers.set(TWO, NOW + timedelta(hours=2))
    assert (
        await sweep(
            timers, [PendingTimer(ONE, longest=60), PendingTimer(TWO, NOW + timedelta(hours=2), longest=0)]
        )
        == 0
    )
    assert timers.waiting["look", ("one",)][0] == NOW + timedelta(seconds=60)
