"""What credits keeps beside the ledger, for what looks across accounts. Nothing is decided from it."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Column, Index, LargeBinary, MetaData, Text, text
from sqlmodel import Field, SQLModel

from telecine_chassis.projections.session import UtcTime

__all__ = ["METADATA", "VERSION", "Account", "Hold", "LedgerGrant", "LedgerTree"]

METADATA = MetaData()
VERSION = 1
"""Of these tables; another shape is another version, filled from the streams."""


class Table(SQLModel):
    """Tables of credits keep to themselves: several services may live in one process."""

    metadata: ClassVar[MetaData] = METADATA


def _time(*, needed: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcTime, nullable=not needed))


def _big(*, primary: bool = False) -> Any:
    return Field(sa_column=Column(BigInteger, primary_key=primary, autoincrement=False, nullable=False))


class Account(Table, table=True):
    """What an account has, in credits, after its entry number `entry`, which is at `sequence` of the stream."""

    __tablename__ = "account"

    account: str = Field(primary_key=True, max_length=64)
    entry: int = _big()
    available: int = _big()
    held: int = _big()
    is_closed: bool = False
    sequence: int = _big()


class LedgerGrant(Table, table=True):
    """A grant and where its credits are: amount = available + held + spent + expired + taken_back.

    `entry` is the number of the entry that granted them, `expires_at` is as granted, `usable_until` follows what
    was given back.
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


class Hold(Table, table=True):
    """Credits reserved for a generation that has not ended. `parts`: (number of the grant's entry, credits)."""

    __tablename__ = "hold"

    account: str = Field(primary_key=True, max_length=64)
    generation: str = Field(primary_key=True, max_length=64)
    amount: int = _big()
    parts: list[list[int]] = Field(sa_column=Column(JSON, nullable=False))
    since: datetime = _time(needed=True)


class LedgerTree(Table, table=True):
    """The Merkle tree of the stream's first `size` entries, as far as it was signed: its `peaks`, 32 bytes each."""

    __tablename__ = "ledger_tree"

    log: str = Field(primary_key=True, max_length=64)
    size: int = _big()
    peaks: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
