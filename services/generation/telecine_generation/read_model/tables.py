"""What the generation service keeps beside the streams: which generations it still has to look at."""

from datetime import datetime

from sqlalchemy import Column, MetaData
from sqlmodel import Field, SQLModel

from telecine_chassis.projections.session import UtcTime

METADATA = MetaData()
VERSION = 3


class InFlightRow(SQLModel, table=True):
    """A generation that has been claimed and is not over yet, or whose late end is still awaited.

    `submitted`: the provider is known to have it. `since`: when its first claim was made, in which trace. `retry_at`:
    when the next attempt may start, where one was deferred.
    """

    metadata = METADATA
    __tablename__ = "in_flight"

    generation: str = Field(primary_key=True, max_length=64)
    account: str = Field(max_length=64)
    submitted: bool = False
    ended: bool = False
    traceparent: str | None = None
    retry_at: datetime | None = Field(default=None, sa_column=Column(UtcTime, nullable=True))
    since: datetime = Field(sa_column=Column(UtcTime, nullable=False))
