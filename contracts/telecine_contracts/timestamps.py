"""Timestamps (RFC 3339) and dates as users write them, and the form in which telecine writes them. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import overload

__all__ = [
    "TIMESTAMP_PATTERN",
    "InvalidTimestamp",
    "format_timestamp",
    "is_date_or_timestamp",
    "parse_date_or_timestamp",
    "parse_period_end",
    "parse_period_start",
    "parse_timestamp",
]

_DATE, _ZONE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}", r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
_TIME = r"[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
TIMESTAMP_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?$"
)
"""What `parse_date_or_timestamp` reads, as a pattern of JSON Schema."""
_WITH_ZONE = re.compile(_DATE + _TIME + _ZONE)
_DATE_OR_TIMESTAMP = re.compile(rf"{_DATE}(?:{_TIME}{_ZONE}?)?")
_DATE_ONLY = re.compile(_DATE)
# On a command line, people leave out seconds and write a space between date and time (RFC 3339, 5.6).
_TYPED = re.compile(rf"{_DATE}(?:[Tt ][0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:\.[0-9]+)?)?{_ZONE}?)?")
_RANGE = "must be from 0001-01-02 to 9999-12-30 in UTC"
_NEEDS_ZONE = "must be a time with its zone, e.g. 2027-01-31T00:00:00Z"
_NEEDS_DATE = "must be a date (2026-11-01) or a time (2026-11-01T12:00:00Z), in UTC"
# A day before and a day after every time can be computed with.
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
_DAY = timedelta(days=1)


class InvalidTimestamp(ValueError):
    """A text that is not a time. The message is for the user and follows the name of the field or option."""


def parse_timestamp(text: str) -> datetime:
    """A time with its zone, in UTC. Raises InvalidTimestamp."""
    return _parse(text, _WITH_ZONE, _NEEDS_ZONE)


def parse_date_or_timestamp(text: str) -> datetime:
    """A time in UTC; a date is its midnight, and a time without a zone is UTC. Raises InvalidTimestamp."""
    return _parse(text, _DATE_OR_TIMESTAMP, _NEEDS_DATE)


def parse_period_start(text: str) -> datetime:
    """The inclusive start that `--from` means: that time, or the beginning of that day. Raises InvalidTimestamp."""
    return _parse(text, _TYPED, _NEEDS_DATE)


def parse_period_end(text: str) -> datetime:
    """The exclusive end that `--to` means: that time, or the end of that day. Raises InvalidTimestamp."""
    end = _parse(text, _TYPED, _NEEDS_DATE)
    return end + _DAY if _DATE_ONLY.fullmatch(text) else end


def is_date_or_timestamp(text: str) -> bool:
    """Whether the text has the form of a time, as `--from` and `--to` take it; it may still name no real day."""
    return bool(_TYPED.fullmatch(text))


@overload
def format_timestamp(time: datetime) -> str: ...
@overload
def format_timestamp(time: None) -> None: ...
@overload
def format_timestamp(time: datetime | None) -> str | None: ...
def format_timestamp(time: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the millisecond; None for None."""
    if time is None:
        return None
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _parse(text: str, form: re.Pattern[str], expected: str) -> datetime:
    if not form.fullmatch(text):
        raise InvalidTimestamp(expected)
    try:
        time = datetime.fromisoformat(text.upper())
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except ValueError:
        raise InvalidTimestamp(f"{expected}; there is no such day or time") from None
    except OverflowError:
        raise InvalidTimestamp(_RANGE) from None
    if not _FIRST <= time < _LAST:
        raise InvalidTimestamp(_RANGE)
    return time
