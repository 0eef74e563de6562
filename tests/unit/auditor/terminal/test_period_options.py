"""Options that select a part of the ledger."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from telecine_auditor.cli import load, parse
from telecine_auditor.terminal.period_options import PeriodOptions, PointOptions

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
DAY = timedelta(days=1)


def period(*arguments: str) -> PeriodOptions:
    options = parse(load("reconcile"), "reconcile", arguments)
    assert isinstance(options, PeriodOptions)
    return options


def point(*arguments: str) -> PointOptions:
    options = parse(load("balances"), "balances", arguments)
    assert isinstance(options, PointOptions)
    return options


def test_from_accepts_a_mirror_a_time_or_both() -> None:
    both = period("--from", "./mirror", "--from", "2026-11-23")
    assert (both.mirror_folder, both.since) == (Path("mirror"), MIDNIGHT)
    assert (period().mirror_folder, period().since, period().until) == (None, None, None)
    assert period("--since", "2026-11-23", "--to", "2026-11-23").until == MIDNIGHT + DAY
    assert period("--since", "2026-11-23").since == MIDNIGHT


def test_an_impossible_date_is_not_read_as_a_folder() -> None:
    with pytest.raises(typer.BadParameter, match="invalid time '2026-11-31'"):
        period("--from", "2026-11-31")


def test_a_point_is_a_time_or_a_sequence() -> None:
    assert point("--at", "2026-11-23").until == MIDNIGHT + DAY
    assert point("--sequence", "7").sequence == 7
    with pytest.raises(typer.BadParameter, match="--at and --sequence exclude each other"):
        point("--at", "2026-11-23", "--sequence", "7")


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "two", "１"])
def test_a_sequence_is_a_whole_number(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="expected a whole number"):
        point(f"--sequence={text}")
