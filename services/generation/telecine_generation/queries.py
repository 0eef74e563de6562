"""What is asked of the generation service's own tables."""

from sqlalchemy import Engine
from sqlmodel import Session, select

from .tables import InFlight


def in_flight(engine: Engine) -> list[tuple[str, str]]:
    """Account and id of every generation that must not be forgotten."""
    with Session(engine) as session:
        return [(row.account, row.generation) for row in session.exec(select(InFlight))]
