"""Queries about generations and keys. SQL runs in threads; rows are returned detached."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Engine, case
from sqlmodel import Session, and_, col, select

from .charges import Charge
from .tables import ApiKey, ChargeRow, GenerationRow, LedgerEntry, VideoEvent

__all__ = ["GenerationRows", "HistoryFilters", "Queries"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GenerationRows:
    """The rows of one generation."""

    row: GenerationRow | None
    charge: Charge | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFilters:
    """Which generations a history page shows. `before` is a requested_sequence; times are [since, until)."""

    limit: int
    before: int | None = None
    status: str | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Queries:
    """`engine` gives the live slot's engine, which changes when a rebuild is promoted."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine

    async def run(self, question: Callable[[Session], T]) -> T:
        """The result of `question`, run in a thread with a session of its own."""

        def ask() -> T:
            with Session(self._engine(), expire_on_commit=False) as session:
                return question(session)

        return await asyncio.to_thread(ask)

    async def generation(self, account: str, generation: str) -> GenerationRows:
        """One generation of the account; both None if the tables have none of that id."""

        def ask(session: Session) -> GenerationRows:
            row = session.get(GenerationRow, generation)
            charge = session.get(ChargeRow, generation)
            return GenerationRows(
                row if row is not None and row.account == account else None,
                charge.charge if charge is not None and charge.account == account else None,
            )

        return await self.run(ask)

    async def charge(self, account: str, generation: str) -> Charge | None:
        """The charge of a generation, if it is decided."""
        query = select(ChargeRow).where(
            col(ChargeRow.account) == account, col(ChargeRow.generation) == generation
        )
        row = await self.run(lambda session: session.exec(query).first())
        return row.charge if row else None

    async def history(
        self, account: str, filters: HistoryFilters
    ) -> Sequence[tuple[GenerationRow, Charge | None]]:
        """The account's generations, newest first, one more than `limit` if there are more."""
        query = (
            select(GenerationRow, ChargeRow)
            .join(ChargeRow, and_(col(ChargeRow.generation) == col(GenerationRow.id)), isouter=True)
            .where(col(GenerationRow.account) == account, *_conditions(filters))
            .order_by(col(GenerationRow.requested_sequence).desc())
            .limit(filters.limit + 1)
        )
        return await self.run(
            lambda session: [(row, charge.charge if charge else None) for row, charge in session.exec(query)]
        )

    async def video_events(self, generation: str) -> Sequence[VideoEvent]:
        """The generation's own events, oldest first."""
        query = (
            select(VideoEvent)
            .where(col(VideoEvent.generation) == generation)
            .order_by(col(VideoEvent.sequence))
        )
        return await self.run(lambda session: session.exec(query).all())

    async def ledger_events(self, generation: str) -> Sequence[LedgerEntry]:
        """The ledger entries of a generation, oldest first."""
        query = (
            select(LedgerEntry)
            .where(col(LedgerEntry.generation) == generation)
            .order_by(col(LedgerEntry.sequence))
        )
        return await self.run(lambda session: session.exec(query).all())

    async def key(self, sha256: str) -> ApiKey | None:
        """An API key by its hash, revoked or not."""
        return await self.run(lambda session: session.get(ApiKey, sha256))


def _status() -> ColumnElement[str]:
    """SQL of `videos.reader.generation_status`: the charge decides until the generation has begun."""
    status, paid = col(GenerationRow.status), col(ChargeRow.state)
    return case(
        (and_(status == "pending", paid == "denied"), "failed"),
        (and_(status == "pending", paid.is_not(None)), "processing"),
        else_=status,
    )


def _conditions(filters: HistoryFilters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.before is not None:
        conditions.append(col(GenerationRow.requested_sequence) < filters.before)
    if filters.status is not None:
        conditions.append(_status() == filters.status)
    if filters.kind is not None:
        conditions.append(col(GenerationRow.kind) == filters.kind)
    if filters.since is not None:
        conditions.append(col(GenerationRow.requested_at) >= filters.since)
    if filters.until is not None:
        conditions.append(col(GenerationRow.requested_at) < filters.until)
    return conditions
