"""Queries on the tables of credits."""

from datetime import datetime

import sqlalchemy
from sqlalchemy import Engine, func
from sqlmodel import Session, col, select

from .tables import GrantRow, HoldRow

SWEEP_LIMIT = 10_000
"""Most grants per sweep; the next sweep takes the others."""


def expirable_grants(engine: Engine, by: datetime) -> list[tuple[str, int, datetime]]:
    """Account, entry and end of grants with available credits that expire until `by`, soonest first."""
    columns = col(GrantRow.account), col(GrantRow.entry), col(GrantRow.usable_until)
    query = select(*columns).where(col(GrantRow.available) > 0, columns[2] <= by)
    query = query.order_by(columns[2]).limit(SWEEP_LIMIT)
    with Session(engine) as session:
        return [(account, entry, until) for account, entry, until in session.exec(query) if until is not None]


def credits_by_side(engine: Engine) -> dict[str, int]:
    """Credits of all grants by column, the sum granted, and the sum of all holds, in one consistent read."""
    columns = {
        "granted": GrantRow.amount,
        "available": GrantRow.available,
        "held": GrantRow.held,
        "spent": GrantRow.spent,
        "expired": GrantRow.expired,
        "taken_back": GrantRow.taken_back,
    }
    sums = [func.coalesce(func.sum(column), 0) for column in columns.values()]
    of_holds = sqlalchemy.select(func.coalesce(func.sum(HoldRow.amount), 0)).scalar_subquery()
    query = sqlalchemy.select(*sums, of_holds)
    with Session(engine) as session:
        return dict(zip([*columns, "holds"], map(int, session.execute(query).one()), strict=True))


def count_holds(engine: Engine) -> int:
    """Number of generations with a hold."""
    with Session(engine) as session:
        return session.exec(select(func.count()).select_from(HoldRow)).one()


def count_holds_before(engine: Engine, moment: datetime) -> int:
    """Number of holds that began before this moment."""
    query = select(func.count()).select_from(HoldRow).where(col(HoldRow.since) < moment)
    with Session(engine) as session:
        return session.exec(query).one()
