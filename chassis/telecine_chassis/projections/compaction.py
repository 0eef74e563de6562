"""Removes deleted rows from the files of a slot, and the tables of older slots, after an erasure.

SQLite leaves deleted rows in free pages and in the write-ahead log. That a compaction is due is recorded in the
transaction that deletes the rows, so that it is made after a crash, too. On Postgres vacuuming is the operator's.
"""

from collections.abc import Callable

from sqlalchemy import Connection, Engine, MetaData, select

from .session import position_table

__all__ = ["Compaction"]

_DUE = "(compaction)"
"""Row of the table of positions while a compaction is due. No projection has this name."""


class Compaction:
    """Compacts one slot. `drop_older` removes the slots that older versions and rebuilds have left.

    Methods block; they raise SQLAlchemy's errors and OSError.
    """

    def __init__(
        self, engine: Engine, metadata: MetaData, drop_older: Callable[[], None] = lambda: None
    ) -> None:
        self._engine = engine
        self._table = position_table(metadata)
        self._marked = self._table.c.projection == _DUE
        self._drop_older = drop_older

    def request(self, connection: Connection) -> None:
        """Record in the transaction of `connection` that a compaction is due."""
        if connection.execute(select(self._table).where(self._marked)).first() is None:
            connection.execute(self._table.insert().values(projection=_DUE, sequence=0))

    def is_due(self) -> bool:
        """Whether rows were erased since the last compaction."""
        with self._engine.connect() as connection:
            return connection.execute(select(self._table).where(self._marked)).first() is not None

    def run(self) -> bool:
        """Compact the slot. False: a reader has kept the write-ahead log from being emptied; run it again."""
        self._drop_older()
        if self._engine.dialect.name == "sqlite" and not self._rewrite():
            return False
        with self._engine.execution_options(write=True).begin() as connection:
            connection.execute(self._table.delete().where(self._marked))
        return True

    def _rewrite(self) -> bool:
        """Write the file anew without free pages, and empty the write-ahead log, which has the old pages."""
        borrowed = self._engine.raw_connection()
        try:
            driver = borrowed.driver_connection
            assert driver is not None
            driver.execute("VACUUM").close()
            is_busy, *_ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not is_busy
        finally:
            borrowed.close()
