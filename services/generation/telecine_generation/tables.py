"""What the generation service keeps beside the streams: which generations it still has to look at."""

from sqlalchemy import MetaData
from sqlmodel import Field, SQLModel

METADATA = MetaData()
VERSION = 1


class InFlight(SQLModel, table=True):
    """A generation that has been claimed and is not over yet, or whose late end is still awaited."""

    metadata = METADATA
    __tablename__ = "in_flight"

    generation: str = Field(primary_key=True, max_length=64)
    account: str = Field(max_length=64)
    ended: bool = False
