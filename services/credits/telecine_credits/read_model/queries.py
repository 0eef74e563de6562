"""What is asked of the tables of credits."""

from datetime import datetime

import sqlalchemy
from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from .tables import Hold, LedgerGrant

AT_ONCE = 10_000
"""Grants that are looked at in one sweep; the others' turn comes with the next."""


def to_expire(engine: Engine, by: datetime) -> list[tuple[str, int, datetime]]:
    """Account, entry and end of grants that have credits available and whose time is over `by` then, soonest first."""
    columns = col(LedgerGrant.account), col(LedgerGrant.entry), col(LedgerGrant.usable_until)
    query = select(*columns).where(col(LedgerGrant.available) > 0, columns[2] <= by)
    query = query.order_by(columns[2]).limit(AT_ONCE)
    with Session(engine) as session:
        return [(account, entry, until) for account, entry, until in session.exec(query) if until is not None]


def sides(engine: Engine) -> dict[str, int]:
    """Credits of all grants by where they are, all that were granted, and those of all holds: at one moment."""
    columns = {
        "granted": LedgerGrant.amount,
        "available": LedgerGrant.available,
        "held": LedgerGrant.held,
        "spent": LedgerGrant.spent,
        "expired": LedgerGrant.expired,
        "taken_back": LedgerGrant.taken_back,
    }
    sums = [func.coalesce(func.sum(column), 0) for column in columns.values()]
    of_holds = sqlalchemy.select(func.coalesce(func.sum(Hold.amount), 0)).scalar_subquery()
    query = sqlalchemy.select(*sums, of_holds)
    with Session(engine) as session:
        return dict(zip([*columns, "holds"], map(int, session.execute(query).one()), strict=True))


def holds(engine: Engine) -> int:
    """How many generations credits are held for."""
    with Session(engine) as session:
        return session.exec(select(func.count()).select_from(Hold)).one()


def holds_since_before(engine: Engine, moment: datetime) -> int:
    """How many of them were begun before this moment."""
    query = select(func.count()).select_from(Hold).where(col(Hold.since) < moment)
    with Session(engine) as session:
        return session.exec(query).one()
