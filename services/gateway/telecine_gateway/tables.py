"""What the gateway can be asked about. Filled by the projections alone; rebuilt, never migrated."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Column, Index, MetaData, Text
from sqlmodel import Field, SQLModel

from telecine_chassis.database import UtcTime

__all__ = ["METADATA", "VERSION", "ApiKey", "Balance", "Charge", "GenerationRow", "LedgerEntry", "VideoEvent"]

METADATA = MetaData()
VERSION = 1
"""Of these tables; another shape is another version, filled from the streams."""


class Table(SQLModel):
    """Tables of the gateway keep to themselves: several services may live in one process."""

    metadata: ClassVar[MetaData] = METADATA


def _time(*, needed: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcTime, nullable=not needed))


def _big(*, primary: bool = False) -> Any:
    return Field(sa_column=Column(BigInteger, primary_key=primary, autoincrement=False, nullable=False))


class GenerationRow(Table, table=True):
    """One generation. `requested_sequence` orders them; `sequence` is the last event that was applied."""

    __tablename__ = "generation"
    __table_args__ = (Index("generation_by_account", "account", "requested_sequence"),)

    id: str = Field(primary_key=True)
    account: str
    requested_sequence: int = _big()
    sequence: int = _big()
    requested_at: datetime = _time(needed=True)
    updated_at: datetime = _time(needed=True)
    ended_at: datetime | None = _time()
    status: str
    kind: str
    model: str
    prompt: str | None = Field(default=None, sa_column=Column(Text))
    image_url: str | None = Field(default=None, sa_column=Column(Text))
    last_frame_url: str | None = Field(default=None, sa_column=Column(Text))
    resolution: str
    ratio: str | None = None
    duration: int
    seed: int | None = Field(default=None, sa_column=Column(BigInteger))
    watermark: bool
    camera_fixed: bool | None = None
    price: int = _big()
    price_table: str
    provider_task_id: str | None = None
    provider_status: str | None = None
    error: str | None = Field(default=None, sa_column=Column(Text))
    error_code: str | None = None
    cancel_requested: bool = False
    bucket: str | None = None
    key: str | None = None
    bytes: int | None = Field(default=None, sa_column=Column(BigInteger))
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    stopgap_url: str | None = Field(default=None, sa_column=Column(Text))
    stopgap_expires_at: datetime | None = _time()


class VideoEvent(Table, table=True):
    """One event of a generation, for its timeline."""

    __tablename__ = "video_event"

    sequence: int = _big(primary=True)
    generation: str = Field(index=True)
    account: str
    type: str
    time: datetime = _time(needed=True)
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class Balance(Table, table=True):
    """What an account has, in credits, after its entry number `entry`."""

    __tablename__ = "balance"

    account: str = Field(primary_key=True)
    entry: int = _big()
    available: int = _big()
    held: int = _big()


class LedgerEntry(Table, table=True):
    """One entry of an account's statement. `amount` and `held_amount`: what it did to available and to held."""

    __tablename__ = "ledger_entry"
    __table_args__ = (Index("ledger_entry_by_account", "account", "entry"),)

    sequence: int = _big(primary=True)
    account: str
    entry: int = _big()
    type: str
    action: str
    time: datetime = _time(needed=True)
    generation: str | None = Field(default=None, index=True)
    amount: int = _big()
    held_amount: int = _big()
    available: int = _big()
    held: int = _big()
    reason: str | None = Field(default=None, sa_column=Column(Text))
    reference: str | None = Field(default=None, sa_column=Column(Text))
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))


class Charge(Table, table=True):
    """How a generation was paid for. `available`: the balance right after it was debited or denied."""

    __tablename__ = "charge"

    generation: str = Field(primary_key=True)
    account: str
    state: str
    amount: int = _big()
    available: int = _big()
    reason: str | None = None


class ApiKey(Table, table=True):
    """An API key, by its hash."""

    __tablename__ = "api_key"

    sha256: str = Field(primary_key=True)
    account: str = Field(index=True)
    key_id: str
    name: str
    created_at: datetime = _time(needed=True)
    revoked_at: datetime | None = _time()
