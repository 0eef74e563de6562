"""Tables of the credits service, for queries across accounts. No decision is based on them."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Column, Index, LargeBinary, MetaData, Text, text
from sqlmodel import Field, SQLModel

from telecine_chassis.projections.session import UtcTime

__all__ = ["METADATA", "VERSION", "AccountRow", "GrantRow", "HoldRow", "TreeRow"]

METADATA = MetaData()
VERSION = 1
"""Version of these tables; a new version is filled from the streams."""


class Table(SQLModel):
    """Base of all tables, with metadata of their own: several services may run in one process."""

    metadata: ClassVar[MetaData] = METADATA


def _time(*, needed: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcTime, nullable=not needed))


def _big(*, primary: bool = False) -> Any:
    return Field(sa_column=Column(BigInteger, primary_key=primary, autoincrement=False, nullable=False))


class AccountRow(Table, table=True):
    """Balances of an account, in credits, after its entry number `entry`, at `sequence` of the stream."""

    __tablename__ = "account"

    account: str = Field(primary_key=True, max_length=64)
    entry: int = _big()
    available: int = _big()
    held: int = _big()
    is_closed: bool = False
    sequence: int = _big()


class GrantRow(Table, table=True):
    """A grant and its credits: amount = available + held + spent + expired + taken_back.

    `entry` is the number of the entry that granted it. `expires_at` is as granted; returned credits may extend
    `usable_until`.
    """

    __tablename__ = "ledger_grant"
    __table_args__ = (
        Index(
            "ledger_grant_to_expire",
            "usable_until",
            sqlite_where=text("available > 0"),
            postgresql_where=text("available > 0"),
        ),
    )

    account: str = Field(primary_key=True, max_length=64)
    entry: int = _big(primary=True)
    reference: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(max_length=16)
    amount: int = _big()
    available: int = _big()
    held: int = _big()
    spent: int = _big()
    expired: int = _big()
    taken_back: int = _big()
    granted_at: datetime = _time(needed=True)
    expires_at: datetime | None = _time()
    usable_until: datetime | None = _time()


class HoldRow(Table, table=True):
    """Credits held for a running generation. `parts`: (entry number of the grant, credits)."""

    __tablename__ = "hold"

    account: str = Field(primary_key=True, max_length=64)
    generation: str = Field(primary_key=True, max_length=64)
    amount: int = _big()
    parts: list[list[int]] = Field(sa_column=Column(JSON, nullable=False))
    since: datetime = _time(needed=True)


class TreeRow(Table, table=True):
    """Merkle tree of the first `size` entries, up to the last signed checkpoint: its `peaks`, 32 bytes each."""

    __tablename__ = "ledger_tree"

    log: str = Field(primary_key=True, max_length=64)
    size: int = _big()
    peaks: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
