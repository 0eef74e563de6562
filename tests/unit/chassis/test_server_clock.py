"""A clock that goes by the server's time, and is not moved by one that is wrong for a moment."""

from datetime import UTC, datetime, timedelta

from nats.aio.client import Client

from telecine_chassis.nats.server_clock import STEADY, ServerClock

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Hands:
    """Monotonic seconds, and a clock that reads them; its machine's wall clock is `off`."""

    def __init__(self, off: timedelta = timedelta(0)) -> None:
        self.now = 100.0
        self.clock = ServerClock(Client(), wall=lambda: NOON + off, monotonic=lambda: self.now)

    def hear(self, seconds: float, server: datetime, *, round_trip: float = 0.0) -> None:
        """After so many seconds the server says its time."""
        self.now += seconds
        self.clock.synchronize(server, self.now - round_trip, self.now)


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_the_first_answer_replaces_the_wall_clock() -> None:
    hands = Hands(off=HOUR)
    assert hands.clock() == NOON + HOUR
    hands.hear(1, later(1))
    assert hands.clock() == later(1)
    hands.now += 7.5
    assert hands.clock() == later(8.5)


def test_what_an_answer_can_not_tell_apart_moves_nothing() -> None:
    """The server's time when the answer comes lies between what it said and a round trip later."""
    hands = Hands()
    hands.hear(1, later(1))
    hands.hear(10, later(10.8), round_trip=0.5)
    assert hands.clock() == later(11)
    hands.hear(10, later(20), round_trip=0.25)
    assert hands.clock() == later(20.25)


def test_a_clock_that_is_wrong_for_a_moment_changes_only_when_timers_fire() -> None:
    hands = Hands()
    hands.hear(1, later(1))
    hands.hear(5, later(6) + HOUR)
    hands.hear(STEADY - 1, later(STEADY + 5) + HOUR)
    assert (hands.clock(), hands.clock.server_offset) == (later(STEADY + 5), HOUR)
    hands.hear(2, later(STEADY + 7))
    assert (hands.clock(), hands.clock.server_offset) == (later(STEADY + 7), timedelta(0))


def test_a_lasting_clock_step_is_adopted() -> None:
    hands = Hands()
    hands.hear(1, later(1))
    hands.hear(5, later(6) - HOUR)
    hands.hear(5, later(11) + HOUR)  # another step: counted anew
    hands.hear(STEADY - 1, later(STEADY + 10) + HOUR)
    assert hands.clock() == later(STEADY + 10)
    hands.hear(1, later(STEADY + 11) + HOUR)
    assert (hands.clock(), hands.clock.server_offset) == (later(STEADY + 11) + HOUR, timedelta(0))
