"""Times: parsing what users write, formatting, and the time at which an entry counts as booked."""

import re
from datetime import UTC, datetime, timedelta

from telecine_contracts.timestamps import InvalidTimestamp, parse_period_end, parse_period_start

__all__ = [
    "BookingClock",
    "format_time",
    "from_microseconds",
    "parse_at",
    "parse_duration",
    "parse_from",
    "parse_instant",
    "parse_to",
    "to_microseconds",
]

# Beancount reads years up to 2099, and its last balance is dated one day after the last entry.
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 12, 30, tzinfo=UTC)
_DURATION = re.compile(r"(\d{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MICROSECOND = timedelta(microseconds=1)


class BookingClock:
    """Gives each entry the time at which it is booked: its own, or that of an earlier entry if that is later.

    Clocks of several machines differ a little. Booking times never go back, so that what was booked before a given time
    is always the first N entries. A time that cannot be right (before 1970, after 2099) counts as missing.
    """

    def __init__(self) -> None:
        self.now = FIRST

    def book(self, time: datetime | None) -> datetime:
        """When the next entry, whose own time is `time`, is booked."""
        if time is not None and self.now < time < LAST:
            self.now = time.astimezone(UTC)
        return self.now


def parse_from(text: str) -> datetime:
    """First instant included by `--from`: that time, or the start of that day in UTC. Raises ValueError."""
    try:
        time = parse_period_start(text)
    except InvalidTimestamp as error:
        raise ValueError(f"invalid time {text!r}: {error}") from None
    if not FIRST <= time < LAST:
        raise ValueError(f"invalid time {text!r}: it is not between 1970 and 2099")
    return time


def parse_to(text: str) -> datetime:
    """First instant excluded by `--to`: that time, or the end of that day in UTC. Raises ValueError."""
    parse_from(text)
    return parse_period_end(text)


def parse_at(text: str) -> datetime:
    """First instant excluded by `--at`, which includes that time, or all of that day in UTC. Raises ValueError."""
    time, end = parse_from(text), parse_period_end(text)
    return time + _MICROSECOND if end == time else end


def parse_instant(text: str) -> datetime:
    """A time in ISO 8601, in UTC where it names no zone. Raises ValueError."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"invalid time {text!r}, expected e.g. 2026-11-30T12:00:00Z") from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def parse_duration(text: str) -> timedelta:
    """A duration such as 90s, 5m, 24h or 7d. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"invalid duration {text!r}, expected e.g. 90s, 5m, 24h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def format_time(time: datetime) -> str:
    """RFC 3339 in UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def to_microseconds(time: datetime) -> int:
    """Microseconds since 1970."""
    return (time - FIRST) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The inverse of `to_microseconds`."""
    return FIRST + microseconds * _MICROSECOND
