"""Times of the books: how people name them, and that books never go back."""

import argparse
from datetime import UTC, datetime, timedelta, timezone

import pytest

from telecine_auditor.terminal.period_options import add_period_options, add_point_options
from telecine_auditor.timestamps import FIRST, LAST, BookClock, after_this, before_this, from_this, text_of

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
def test_a_period_begins_at_a_time_or_with_a_day(text: str, time: datetime) -> None:
    assert from_this(text) == time


def test_a_period_ends_before_a_time_or_with_a_day() -> None:
    assert before_this("2026-11-23T10:00:00Z") == TEN
    assert before_this("2026-11-23") == MIDNIGHT + DAY


def test_a_point_is_behind_a_time_or_a_day() -> None:
    assert after_this("2026-11-23T10:00:00Z") == TEN + timedelta(microseconds=1)
    assert after_this("2026-11-23") == MIDNIGHT + DAY


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-11-23T10:00:00", "no time zone"),
        ("2026-11-31", "is no time"),
        ("2026-11-23T25:00:00Z", "is no time"),
        ("yesterday", "write 2026-11-23"),
        ("20261123", "write 2026-11-23"),
        ("", "write 2026-11-23"),
        ("1969-12-31", "between 1970 and 2099"),
        ("9999-12-31T23:59:59-23:00", "is no time"),
    ],
)
def test_an_invalid_time_is_refused(text: str, says: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=says):
        from_this(text)


def test_book_time_is_monotonic_and_ignores_outliers() -> None:
    clock = BookClock()
    assert clock.book(None) == FIRST
    assert clock.book(TEN) == TEN
    assert clock.book(TEN - DAY) == TEN
    assert clock.book(None) == TEN
    assert clock.book(LAST + DAY) == TEN
    assert clock.book((TEN + DAY).astimezone(timezone(timedelta(hours=3)))).tzinfo is UTC


def test_times_are_written_in_utc() -> None:
    assert text_of(TEN.astimezone(timezone(timedelta(hours=5)))) == "2026-11-23T10:00:00Z"


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--from", dest="mirror", metavar="DIR")
    add_period_options(parser)
    return parser.parse_args(arguments)


def test_from_accepts_a_mirror_a_time_or_both() -> None:
    both = parsed("--from", "./mirror", "--from", "2026-11-23")
    assert (str(both.mirror), both.since) == ("mirror", MIDNIGHT)
    assert (parsed().mirror, parsed().since, parsed().until) == (None, None, None)
    assert parsed("--since", "2026-11-23", "--to", "2026-11-23").until == MIDNIGHT + DAY


def test_an_impossible_date_is_not_taken_for_a_folder() -> None:
    with pytest.raises(argparse.ArgumentError, match="is no time"):
        parsed("--from", "2026-11-31")


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", "１"])
def test_a_sequence_is_a_whole_number(text: str) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_point_options(parser)
    with pytest.raises(argparse.ArgumentError, match="whole number"):
        parser.parse_args([f"--sequence={text}"])
