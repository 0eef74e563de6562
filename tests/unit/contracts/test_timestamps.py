"""Timestamps as users write them, and the periods that `--from` and `--to` mean."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from telecine_contracts.timestamps import (
    InvalidTimestamp,
    format_timestamp,
    parse_date_or_timestamp,
    parse_period_end,
    parse_period_start,
    parse_timestamp,
)

EVERY = [parse_timestamp, parse_date_or_timestamp, parse_period_start, parse_period_end]
TYPED = [parse_period_start, parse_period_end]
Parse = Callable[[str], datetime]
HALF_PAST_TWELVE = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
NOVEMBER_1 = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize("parse", EVERY)
@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-01T12:30:00Z", HALF_PAST_TWELVE),
        ("2026-11-01t12:30:00z", HALF_PAST_TWELVE),
        ("2026-11-01T14:30:00.123456789+02:00", HALF_PAST_TWELVE + timedelta(microseconds=123456)),
    ],
)
def test_a_timestamp_is_exact(parse: Parse, text: str, time: datetime) -> None:
    assert parse(text) == time


@pytest.mark.parametrize("parse", [parse_date_or_timestamp, *TYPED])
def test_a_time_without_a_zone_is_utc(parse: Parse) -> None:
    assert parse("2026-11-01T12:30:00") == HALF_PAST_TWELVE


def test_a_period_includes_the_days_that_it_names() -> None:
    assert parse_date_or_timestamp("2026-11-01") == parse_period_start("2026-11-01") == NOVEMBER_1
    assert parse_period_end("2026-11-01") == NOVEMBER_1 + timedelta(days=1)
    assert parse_period_end("9999-12-30") == datetime(9999, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize("parse", TYPED)
@pytest.mark.parametrize("text", ["2026-11-01 13:30:00+01:00", "2026-11-01T12:30Z", "2026-11-01 12:30"])
def test_command_lines_may_leave_out_seconds_and_the_t(parse: Parse, text: str) -> None:
    assert parse(text) == HALF_PAST_TWELVE
    with pytest.raises(InvalidTimestamp):
        parse_date_or_timestamp(text)


@pytest.mark.parametrize("parse", EVERY)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026",
        "2026-13-01",
        "2026-02-30",
        "20261101",
        "2026-W45-1",
        "2026-11-01T25:00:00Z",
        "2026-11-01T12:30:00 02:00",
        "1700000000",
        "2026-11-01\n",
        "\uff12026-11-01",
    ],
)
def test_a_text_that_is_not_a_time_is_refused(parse: Parse, text: str) -> None:
    with pytest.raises(InvalidTimestamp):
        parse(text)


@pytest.mark.parametrize("parse", EVERY)
@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-05:00"])
def test_a_time_outside_the_calendar_is_refused(parse: Parse, text: str) -> None:
    with pytest.raises(InvalidTimestamp, match="from 0001-01-02 to 9999-12-30"):
        parse(text)


@pytest.mark.parametrize("text", ["2026-11-01", "2026-11-01T12:30:00"])
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(InvalidTimestamp, match="with its zone"):
        parse_timestamp(text)


def test_timestamps_are_written_in_utc_to_the_millisecond() -> None:
    local = HALF_PAST_TWELVE.astimezone(timezone(timedelta(hours=5)))
    assert format_timestamp(local) == "2026-11-01T12:30:00.000Z"
