"""What the storage service keeps beside the streams: which videos are not stored yet, and where the others are."""

from datetime import datetime

from sqlalchemy import BigInteger, MetaData
from sqlmodel import Field, SQLModel

from telecine_chassis.projections.session import UtcTime

METADATA = MetaData()
VERSION = 3


class PendingCopyRow(SQLModel, table=True):
    """A video that is ready at the provider and not yet stored or given up, and the trace that it belongs to."""

    metadata = METADATA
    __tablename__ = "pending_copy"

    generation: str = Field(primary_key=True, max_length=64)
    account: str = Field(max_length=64)
    traceparent: str | None = None
    url_expires_at: datetime = Field(sa_type=UtcTime)


class StoredVideoRow(SQLModel, table=True):
    """Where a video was stored, its size in bytes, and until when the provider has it as well."""

    metadata = METADATA
    __tablename__ = "stored_video"

    generation: str = Field(primary_key=True, max_length=64)
    account: str = Field(max_length=64)
    bucket: str
    key: str
    bytes: int = Field(sa_type=BigInteger)
    url_expires_at: datetime = Field(sa_type=UtcTime, index=True)
