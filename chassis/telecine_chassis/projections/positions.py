"""Position of a projection: the stream sequence up to which its tables are written, moved in their transaction."""

from typing import Any

from sqlalchemy import Connection, Engine, MetaData, select

from .session import position_table
from .statements import TableStatements, execute

__all__ = ["Position"]


class Position:
    """The position of one projection of a slot. Methods raise SQLAlchemy's errors."""

    def __init__(self, engine: Engine, metadata: MetaData, projection: str) -> None:
        self._engine = engine
        self._table = position_table(metadata)
        self._projection = projection
        self._mine = self._table.c.projection == projection
        self._own: int | None = None
        names = TableStatements(self._table, engine)
        self._move = (
            f"UPDATE {names.table} SET sequence = {names.mark}"  # noqa: S608
            f" WHERE projection = {names.mark} AND sequence = {names.mark}"
        )

    def read(self) -> int:
        """The position; 0 in a new slot."""
        with self._engine.connect() as connection:
            query = select(self._table.c.sequence).where(self._mine)
            return connection.execute(query).scalar() or 0

    def advance(self, connection: Connection, last: int) -> tuple[int, bool]:
        """Lock the position and move it forward to `last`, if it is before that.

        Returns where it was, and whether it was where this object had moved it: then no other process has written the
        tables since.
        """
        own = self._own
        if own is not None and last > own and self._moves(connection, own, last):
            self._own = last
            return own, True
        done = self._lock(connection)
        is_own, self._own = done == self._own, max(done, last)
        if last > done:
            connection.execute(self._table.update().where(self._mine).values(sequence=last))
        return done, is_own

    def forget(self) -> None:
        """The transaction of the last `advance` has failed, or may have."""
        self._own = None

    def _moves(self, connection: Connection, own: int, last: int) -> bool:
        return bool(execute(connection, self._move, (last, self._projection, own)).rowcount)

    def _lock(self, connection: Connection) -> int:
        query = select(self._table.c.sequence).where(self._mine).with_for_update()
        done = connection.execute(query).scalar()
        if done is None:  # a row that does not exist can't be locked
            first = _insert(connection)(self._table).values(projection=self._projection, sequence=0)
            connection.execute(first.on_conflict_do_nothing())
            done = connection.execute(query).scalar_one()
        return int(done)


def _insert(connection: Connection) -> Any:
    # Imported where one is used: that of Postgres takes 2 MB.
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert

        return insert
    from sqlalchemy.dialects.postgresql import insert as postgres_insert

    return postgres_insert
