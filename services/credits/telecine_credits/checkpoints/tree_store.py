"""Stores the tree up to the last checkpoint in the database, so that a restart reads only newer entries."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlmodel import Session, select

from telecine_chassis.projections.session import write_session
from telecine_chassis.runtime.cancellation import run_in_thread
from telecine_contracts.transparency import EMPTY_ROOT, Frontier
from telecine_credits.read_model.tables import TreeRow

__all__ = ["TreeStore"]

_LOG = "ledger"
_HASH = len(EMPTY_ROOT)


@dataclass(frozen=True)
class TreeStore:
    """One row, whose size only grows. `engine` returns the live database. Both methods raise SQLAlchemy's errors."""

    engine: Callable[[], Engine]

    async def load(self) -> Frontier:
        """The stored tree; an empty one if none is stored or it is invalid."""
        return await run_in_thread(self._load)

    async def keep(self, tree: Frontier) -> None:
        """Store the tree unless a larger one is stored already."""
        await run_in_thread(lambda: self._keep(tree))

    def _load(self) -> Frontier:
        with Session(self.engine()) as session:
            row = session.get(TreeRow, _LOG)
        if row is None:
            return Frontier()
        peaks = [row.peaks[at : at + _HASH] for at in range(0, len(row.peaks), _HASH)]
        try:
            return Frontier(row.size, peaks)
        except ValueError:  # an invalid tree is computed again from the stream
            return Frontier()

    def _keep(self, tree: Frontier) -> None:
        peaks = b"".join(tree.peaks)
        with write_session(self.engine()) as session:
            query = select(TreeRow).where(TreeRow.log == _LOG).with_for_update()
            row = session.exec(query).one_or_none()
            if row is None:
                session.add(TreeRow(log=_LOG, size=tree.size, peaks=peaks))
            elif row.size < tree.size:
                row.size, row.peaks = tree.size, peaks
            session.commit()
