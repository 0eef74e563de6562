"""Sessions of projections: transactions, reads and writes of rows by key, and the table of positions."""

from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    String,
    Table,
    TypeDecorator,
    inspect,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel

__all__ = [
    "UtcTime",
    "add_row",
    "delete_row",
    "find_row",
    "insert_if_absent",
    "position_table",
    "write_session",
]

Row = TypeVar("Row", bound=SQLModel)


class UtcTime(TypeDecorator[datetime]):
    """A timestamp in UTC with its time zone, also on databases without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def position_table(metadata: MetaData) -> Table:
    """The table of positions: how far each projection of a slot has read its stream."""
    if "checkpoint" in metadata.tables:
        return metadata.tables["checkpoint"]
    return Table(
        "checkpoint",
        metadata,
        Column("projection", String(64), primary_key=True),
        Column("sequence", BigInteger, nullable=False),
    )


def write_session(engine: Engine) -> Session:
    """A session whose transaction takes the write lock at its start: on SQLite, upgrading from a read lock fails."""
    return Session(engine.execution_options(write=True), expire_on_commit=False)


def insert_if_absent(session: Session, table: Table, **values: Any) -> None:
    """Insert a row unless its key exists. Waits for a concurrent transaction that inserts the same key."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    session.execute(insert(table).values(**values).on_conflict_do_nothing())


def find_row(session: Session, model: type[Row], key: Any) -> Row | None:
    """The row of `model` with this primary key, including rows of `add_row` that are not flushed yet."""
    # `session.get` alone would flush first: one statement per event instead of one per batch.
    kept: Row | None = session.info.get((model, key))
    if kept is not None:
        return kept
    with session.no_autoflush:
        return session.get(model, key)


def add_row(session: Session, row: SQLModel) -> None:
    """Add a row that is flushed with the rest of the batch; `find_row` sees it at once."""
    session.info[type(row), _key(row)] = row
    session.add(row)


def delete_row(session: Session, row: SQLModel) -> None:
    """Delete a row that `find_row` returned, also one that is not flushed yet."""
    session.info.pop((type(row), _key(row)), None)
    if row in session.new:
        session.expunge(row)
    else:
        session.delete(row)


def _key(row: SQLModel) -> Any:
    key = inspect(type(row)).primary_key_from_instance(row)
    return key[0] if len(key) == 1 else tuple(key)
