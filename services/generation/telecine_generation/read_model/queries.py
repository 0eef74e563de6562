"""What is asked of the generation service's own tables."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from .tables import InFlightRow


def in_flight(engine: Engine) -> Sequence[InFlightRow]:
    """Every generation that must not be forgotten."""
    with Session(engine) as session:
        return session.exec(select(InFlightRow)).all()


def count_by_phase(engine: Engine) -> Mapping[str, int]:
    """How many generations are in each phase: submitting, following (the provider has them), or late."""
    columns = col(InFlightRow.ended), col(InFlightRow.submitted)
    found = {"submitting": 0, "following": 0, "late": 0}
    with Session(engine) as session:
        for ended, submitted, count in session.exec(select(*columns, func.count()).group_by(*columns)):
            found["late" if ended else "following" if submitted else "submitting"] += count
    return found


def oldest_submission_at(engine: Engine) -> datetime | None:
    """When the first claim was made of the oldest generation that the provider is not known to have."""
    query = select(func.min(InFlightRow.since)).where(~col(InFlightRow.submitted), ~col(InFlightRow.ended))
    with Session(engine) as session:
        return session.exec(query).one()
