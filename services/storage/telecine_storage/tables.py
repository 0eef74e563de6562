"""What the storage service keeps beside the streams: which videos are not stored yet."""

from sqlalchemy import MetaData
from sqlmodel import Field, SQLModel

METADATA = MetaData()
VERSION = 2


class PendingCopy(SQLModel, table=True):
    """A video that is ready at the provider and not yet stored or given up, and the trace that it belongs to."""

    metadata = METADATA
    __tablename__ = "pending_copy"

    generation: str = Field(primary_key=True, max_length=64)
    account: str = Field(max_length=64)
    traceparent: str | None = None
