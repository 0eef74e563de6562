"""Sessions of projections: transactions, the type of times, and the table of positions."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

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
)
from sqlmodel import Session

__all__ = ["UtcTime", "position_table", "write_session"]


class UtcTime(TypeDecorator[datetime]):
    """A timestamp in UTC with its time zone, also on databases without time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        if dialect.name == "sqlite":  # the same text as SQLAlchemy's, in a third of its time
            return _sqlite_text
        return super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        if dialect.name == "sqlite":
            return _from_sqlite_text
        return super().result_processor(dialect, coltype)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _sqlite_text(value: datetime | None) -> str | None:
    return value.astimezone(UTC).isoformat(" ", "microseconds")[:-6] if value is not None else None


def _from_sqlite_text(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if value is not None else None


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
