"""Times: what users may write, and that booking times never go back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from telecine_auditor.timestamps import (
    FIRST,
    LAST,
    BookingClock,
    format_time,
    from_microseconds,
    parse_at,
    parse_duration,
    parse_from,
    parse_instant,
    parse_to,
    to_microseconds,
)

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-23T10:00:00Z", TEN),
        ("2026-11-23t10:00:00z", TEN),
        ("2026-11-23 11:00:00+01:00", TEN),
        ("2026-11-23T10:00Z", TEN),
        ("2026-11-23T09:59:59.5-00:00", TEN - timedelta(milliseconds=500)),
        ("2026-11-23", MIDNIGHT),
    ],
)
def test_a_period_starts_at_a_time_or_at_midnight(text: str, time: datetime) -> None:
    assert parse_from(text) == time


def test_a_period_ends_before_a_time_or_at_the_end_of_a_day() -> None:
    assert parse_to("2026-11-23T10:00:00Z") == TEN
    assert parse_to("2026-11-23") == MIDNIGHT + DAY


def test_a_point_includes_its_time_or_its_day() -> None:
    assert parse_at("2026-11-23T10:00:00Z") == TEN + timedelta(microseconds=1)
    assert parse_at("2026-11-23") == MIDNIGHT + DAY


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-11-31", "invalid time '2026-11-31': must be a date"),
        ("yesterday", "must be a date"),
        ("1969-12-31", "between 1970 and 2099"),
        ("9999-12-31T23:59:59-23:00", "invalid time"),
    ],
)
def test_an_invalid_time_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_from(text)


def test_booking_times_are_monotonic_and_ignore_outliers() -> None:
    clock = BookingClock()
    assert clock.book(None) == FIRST
    assert clock.book(TEN) == TEN
    assert clock.book(TEN - DAY) == TEN
    assert clock.book(None) == TEN
    assert clock.book(LAST + DAY) == TEN
    assert clock.book((TEN + DAY).astimezone(timezone(timedelta(hours=3)))).tzinfo is UTC


def test_times_are_written_in_utc() -> None:
    assert format_time(TEN.astimezone(timezone(timedelta(hours=5)))) == "2026-11-23T10:00:00Z"


def test_an_instant_without_zone_is_in_utc() -> None:
    assert parse_instant("2026-11-23T10:00:00") == TEN
    assert parse_instant("2026-11-23T12:00:00+02:00") == TEN
    with pytest.raises(ValueError, match="invalid time 'soon', expected "):
        parse_instant("soon")


def test_a_duration_has_a_unit() -> None:
    assert [parse_duration(text) for text in ("90s", "5m", "24h", "7d")] == [
        timedelta(seconds=90),
        timedelta(minutes=5),
        timedelta(hours=24),
        timedelta(days=7),
    ]
    with pytest.raises(ValueError, match="invalid duration '5', expected "):
        parse_duration("5")


def test_microseconds_are_exact() -> None:
    time = TEN + timedelta(microseconds=123456)
    assert from_microseconds(to_microseconds(time)) == time
