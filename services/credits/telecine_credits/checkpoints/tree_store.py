"""The tree up to the last checkpoint, kept in the database: a restart reads what came since, not the whole ledger."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlmodel import Session, select

from telecine_chassis.projections.session import write_session
from telecine_chassis.runtime.cancellation import run_in_thread
from telecine_contracts.transparency import EMPTY_ROOT, Frontier
from telecine_credits.read_model.tables import LedgerTree

__all__ = ["KeptTree"]

_LOG = "ledger"
_HASH = len(EMPTY_ROOT)


@dataclass(frozen=True)
class KeptTree:
    """One row, which only ever grows. `engine` gives the live database; both calls raise SQLAlchemy's errors."""

    engine: Callable[[], Engine]

    async def load(self) -> Frontier:
        """The tree that was kept; an empty one if there is none, or none that can be read."""
        return await run_in_thread(self._load)

    async def keep(self, tree: Frontier) -> None:
        """Have this tree, unless a larger one is there already."""
        await run_in_thread(lambda: self._keep(tree))

    def _load(self) -> Frontier:
        with Session(self.engine()) as session:
            row = session.get(LedgerTree, _LOG)
        if row is None:
            return Frontier()
        peaks = [row.peaks[at : at + _HASH] for at in range(0, len(row.peaks), _HASH)]
        try:
            return Frontier(row.size, peaks)
        except ValueError:  # what is no tree is computed again
            return Frontier()

    def _keep(self, tree: Frontier) -> None:
        peaks = b"".join(tree.peaks)
        with write_session(self.engine()) as session:
            query = select(LedgerTree).where(LedgerTree.log == _LOG).with_for_update()
            row = session.exec(query).one_or_none()
            if row is None:
                session.add(LedgerTree(log=_LOG, size=tree.size, peaks=peaks))
            elif row.size < tree.size:
                row.size, row.peaks = tree.size, peaks
            session.commit()
