"""Times of the books: how people name them, and when an entry counts as booked."""

import argparse
import re
from datetime import UTC, date, datetime, timedelta

__all__ = ["BookClock", "after_this", "before_this", "from_this", "is_time", "text_of"]

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 12, 30, tzinfo=UTC)
"""Nothing was booked earlier or later. Beancount reads years up to 2099, and a last balance stands on a day after."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)?")
_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)


class BookClock:
    """Gives entries the time at which they are booked: their own, or that of an entry before, if that is later.

    Clocks of several machines differ a little; the books never go back, so that what was booked by a given time is
    always the first so and so many entries. A time that can't be meant (before 1970, after 2099) counts as missing.
    """

    def __init__(self) -> None:
        self.now = FIRST

    def book(self, time: datetime | None) -> datetime:
        """When the next entry, whose own time is `time`, is booked."""
        if time is not None and self.now < time < LAST:
            self.now = time.astimezone(UTC)
        return self.now


def from_this(text: str) -> datetime:
    """The first moment that `--from` means: that time, or the beginning of that day of UTC."""
    found = _read(text)
    return found if isinstance(found, datetime) else _midnight(found)


def before_this(text: str) -> datetime:
    """The first moment that `--to` does not mean: that time, or the end of that day of UTC."""
    found = _read(text)
    return found if isinstance(found, datetime) else _midnight(found) + _DAY


def after_this(text: str) -> datetime:
    """The first moment behind what `--at` means: that very time is meant, and all of that day of UTC."""
    found = _read(text)
    return found + _TICK if isinstance(found, datetime) else _midnight(found) + _DAY


def is_time(text: str) -> bool:
    """Whether somebody who writes this means a time."""
    return bool(_DATE.fullmatch(text) or _TIME.fullmatch(text))


def text_of(time: datetime) -> str:
    """RFC 3339 in UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read(text: str) -> datetime | date:
    try:
        if _DATE.fullmatch(text):
            return _within(datetime.fromisoformat(text).replace(tzinfo=UTC)).date()
        if found := _TIME.fullmatch(text):
            if found[3] is None:
                raise argparse.ArgumentTypeError(
                    f"{text!r} has no time zone: add Z for UTC, or +01:00 and so on"
                )
            return _within(datetime.fromisoformat(text.upper()))
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: {error}") from None
    raise argparse.ArgumentTypeError(
        f"{text!r} is no time: write 2026-11-23 (a day of UTC) or 2026-11-23T10:00:00Z"
    )


def _within(time: datetime) -> datetime:
    time = time.astimezone(UTC)
    if not FIRST <= time < LAST:
        raise ValueError("it is not between 1970 and 2099")
    return time


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
