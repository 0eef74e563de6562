"""What the storage service keeps beside the streams: which videos are not stored yet."""

from sqlalchemy import MetaData
from sqlmodel import Field, SQLModel

METADATA = MetaData()
VERSION = 1


class PendingCopy(SQLModel, table=True):
    """A video that is ready at the provider and not yet stored or given up."""

    metadata = METADATA
    __tablename__ = "pending_copy"

    generation: str = Field(primary_key=True, max_length=64)
    account: str = Field(max_length=64)
