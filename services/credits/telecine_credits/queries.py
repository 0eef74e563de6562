"""What is asked of the tables of credits."""

from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from .tables import LedgerGrant


def to_expire(engine: Engine, by: datetime) -> list[tuple[str, int, datetime]]:
    """Account, entry and end of every grant that has credits available and whose time is over `by` then."""
    columns = col(LedgerGrant.account), col(LedgerGrant.entry), col(LedgerGrant.usable_until)
    query = select(*columns).where(col(LedgerGrant.available) > 0, columns[2] <= by)
    with Session(engine) as session:
        return [(account, entry, until) for account, entry, until in session.exec(query) if until is not None]
