"""Tables of the storage service: videos that are not stored yet, and the objects of the others."""

from datetime import datetime

from sqlalchemy import BigInteger, MetaData
from sqlmodel import Field, SQLModel

from telecine_chassis.projections.session import UtcTime

METADATA = MetaData()
VERSION = 3


class PendingCopyRow(SQLModel, table=True):
    """A video that is ready at the provider and not stored yet; `traceparent` of its VideoReady."""

    metadata = METADATA
    __tablename__ = "pending_copy"

    generation: str = Field(primary_key=True, max_length=64)
    account: str = Field(max_length=64)
    traceparent: str | None = None
    url_expires_at: datetime = Field(sa_type=UtcTime)


class StoredVideoRow(SQLModel, table=True):
    """The object of a stored video, its size in bytes, and the expiry of the provider's URL."""

    metadata = METADATA
    __tablename__ = "stored_video"

    generation: str = Field(primary_key=True, max_length=64)
    account: str = Field(max_length=64)
    bucket: str
    key: str
    bytes: int = Field(sa_type=BigInteger)
    url_expires_at: datetime = Field(sa_type=UtcTime, index=True)
