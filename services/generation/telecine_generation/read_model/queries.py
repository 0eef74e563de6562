"""Queries of the read model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from .tables import InFlightRow


@dataclass(frozen=True, slots=True)
class InFlight:
    """A generation that is not over. `retry_at`: the time of a deferred attempt; `ended`: a late result may follow."""

    account: str
    generation: str
    ended: bool
    retry_at: datetime | None
    traceparent: str | None


def in_flight(engine: Engine) -> Sequence[InFlight]:
    """All generations that need a timer."""
    with Session(engine) as session:
        rows = session.exec(select(InFlightRow)).all()
        return [
            InFlight(row.account, row.generation, row.ended, row.retry_at, row.traceparent) for row in rows
        ]


def count_by_phase(engine: Engine) -> Mapping[str, int]:
    """Number of generations by phase: submitting, following (the provider has them), or late."""
    columns = col(InFlightRow.ended), col(InFlightRow.submitted)
    found = {"submitting": 0, "following": 0, "late": 0}
    with Session(engine) as session:
        for ended, submitted, count in session.exec(select(*columns, func.count()).group_by(*columns)):
            found["late" if ended else "following" if submitted else "submitting"] += count
    return found


def oldest_submission_at(engine: Engine) -> datetime | None:
    """First claim of the oldest generation whose acceptance by the provider is not confirmed."""
    query = select(func.min(InFlightRow.since)).where(~col(InFlightRow.submitted), ~col(InFlightRow.ended))
    with Session(engine) as session:
        return session.exec(query).one()
