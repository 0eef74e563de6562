"""Times as clients write them: RFC 3339, and plain dates where a day is meant. Pure."""

import re
from datetime import UTC, datetime

__all__ = ["MOMENT", "BadMoment", "date_or_moment", "moment_with_zone"]

_OUTSIDE = "must be from 0001-01-02 to 9999-12-30 in UTC"
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)

MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?$"
"""A date or time as a pattern of JSON Schema."""
_TIME = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?"
_WITH_ZONE = re.compile(_TIME + r"(?:[Zz]|[+-]\d\d:\d\d)")
_DATE_OR_TIME = re.compile(rf"\d{{4}}-\d\d-\d\d|{_TIME}(?:[Zz]|[+-]\d\d:\d\d)?")


class BadMoment(ValueError):
    """A text that is no time; the message is for the user, to follow the field's name."""


def moment_with_zone(text: str) -> datetime:
    """A time, in UTC. Raises BadMoment."""
    return _read(text, _WITH_ZONE, "must be a time with its zone, e.g. 2027-01-31T00:00:00Z")


def date_or_moment(text: str) -> datetime:
    """A time, in UTC; a date is its first moment, and what names no zone is UTC. Raises BadMoment."""
    return _read(text, _DATE_OR_TIME, "must be a date (2026-11-01) or a time (2026-11-01T12:00:00Z), in UTC")


def _read(text: str, form: re.Pattern[str], otherwise: str) -> datetime:
    if not form.fullmatch(text):
        raise BadMoment(otherwise)
    try:
        time = datetime.fromisoformat(text.upper())
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except ValueError:
        raise BadMoment(f"{otherwise}; there is no such day or time") from None
    except OverflowError:
        raise BadMoment(_OUTSIDE) from None
    return _inside(time)


def _inside(time: datetime) -> datetime:
    """`time`, if there is a day before it and one after it to compute with. Raises BadMoment."""
    if not _FIRST <= time < _LAST:
        raise BadMoment(_OUTSIDE)
    return time
