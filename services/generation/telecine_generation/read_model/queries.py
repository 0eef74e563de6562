"""Queries of the read model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Engine, Table, func, select

from .followed_tasks import FollowedTask
from .tables import InFlightRow

_ROWS = cast(Table, InFlightRow.__table__).c  # type: ignore[attr-defined]
_IS_FOLLOWED = _ROWS.submitted_at.is_not(None) & ~_ROWS.ended


@dataclass(frozen=True, slots=True)
class InFlight:
    """A generation with a timer of its own. `retry_at`: the time of a deferred attempt; `ended`: a late result may

    follow.
    """

    account: str
    generation: str
    ended: bool
    retry_at: datetime | None
    traceparent: str | None


def with_own_timer(engine: Engine) -> Sequence[InFlight]:
    """All generations that need a timer of their own: not submitted yet, being cancelled, or late."""
    columns = _ROWS.account, _ROWS.generation, _ROWS.ended, _ROWS.retry_at, _ROWS.traceparent
    with engine.connect() as connection:
        rows = connection.execute(select(*columns).where(~_IS_FOLLOWED | _ROWS.cancelling))
        return [InFlight(*row) for row in rows]


def followed_tasks(engine: Engine) -> Sequence[FollowedTask]:
    """The tasks that the provider has, and that have not ended."""
    columns = (
        _ROWS.account,
        _ROWS.generation,
        _ROWS.task_id,
        _ROWS.submitted_at,
        _ROWS.deadline_at,
        _ROWS.status,
        _ROWS.flex,
    )
    with engine.connect() as connection:
        return [
            FollowedTask(
                account, generation, task_id, submitted.timestamp(), deadline.timestamp(), status, flex
            )
            for account, generation, task_id, submitted, deadline, status, flex in connection.execute(
                select(*columns).where(_IS_FOLLOWED)
            )
        ]


def count_by_phase(engine: Engine) -> Mapping[str, int]:
    """Number of generations by phase: submitting, following (the provider has them), or late."""
    is_submitted = _ROWS.submitted_at.is_not(None)
    found = {"submitting": 0, "following": 0, "late": 0}
    query = select(_ROWS.ended, is_submitted, func.count()).group_by(_ROWS.ended, is_submitted)
    with engine.connect() as connection:
        for ended, submitted, count in connection.execute(query):
            found["late" if ended else "following" if submitted else "submitting"] += count
    return found


def oldest_submission_at(engine: Engine) -> datetime | None:
    """First claim of the oldest generation whose acceptance by the provider is not confirmed."""
    query = select(func.min(_ROWS.since)).where(_ROWS.submitted_at.is_(None), ~_ROWS.ended)
    with engine.connect() as connection:
        found: datetime | None = connection.execute(query).scalar_one()
    return found
